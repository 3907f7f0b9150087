"""The hook: installed once, taken out without a trace, refused by name where it cannot be."""

import builtins
import sys
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel, BaseLLM
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import BaseTool
from langchain_core.tracers import context
from langgraph.pregel import Pregel

import reamon
from reamon.errors import ConfigurationError, MissingExtraError
from reamon.guard import guard
from reamon.testing import Captured, capture_spans
from reamon.tracing import snapshot
from support.graphs import chain_of, says_now
from support.trees import tree

PATCHED = (Pregel, BaseTool, BaseRetriever, BaseChatModel, BaseLLM)


def everything() -> list[Any]:
    """All that instrumenting changes: the attributes of classes, and langchain-core's hooks."""
    return [dict(vars(owner)) for owner in PATCHED] + [list(context._configure_hooks)]


def test_undone_everything_is_as_it_was() -> None:
    from langchain_core.messages import HumanMessage

    before, captured = everything(), snapshot(HumanMessage("hello"))
    with reamon.instrument("langgraph"):
        assert everything() != before
        assert snapshot(HumanMessage("hello")) != captured
    assert everything() == before
    assert snapshot(HumanMessage("hello")) == captured


def test_twice_is_once_and_other_options_take_their_place(captured: Captured) -> None:
    reamon.instrument("langgraph")
    chain_of("a", node=says_now).invoke({"log": []})
    with reamon.instrument("langgraph", agents=[]):
        chain_of("a", node=says_now).invoke({"log": []})
    chain_of("a", node=says_now).invoke({"log": []})
    assert tree(captured.spans) == "workflow LangGraph\n  agent a\nworkflow LangGraph\n  step a"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"agents": "conversation"}, "agents='conversation'"),
        ({"call_id": ""}, "call_id=''"),
        ({"call_id": 3}, "call_id=3"),
        ({"workflow": "turn"}, "workflow"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused_by_name(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        reamon.instrument("langgraph", **options)


@pytest.mark.parametrize("absent", ["langgraph", "langchain_core"])
def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, absent: str) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == absent]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without(absent))
    monkeypatch.setattr("importlib.import_module", without(absent))
    monkeypatch.setattr("reamon.integrations.langgraph.hook.import_module", without(absent))
    with pytest.raises(MissingExtraError, match="langgraph"):
        reamon.instrument("langgraph")


def without(absent: str) -> Callable[..., Any]:
    real = builtins.__import__

    def imported(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == absent:
            raise ModuleNotFoundError(f"No module named {absent!r}", name=absent)
        return real(name, *args, **kwargs)

    return imported


def test_a_call_id_may_stand_under_another_key(captured: Captured) -> None:
    with reamon.instrument("langgraph", call_id="phone_call"):
        chain_of("a", node=says_now).invoke({"log": []}, {"configurable": {"phone_call": 7, "thread_id": "t"}})
    assert {span.call_id for span in captured.spans} == {"7"}


def test_what_the_application_says_about_a_run_is_on_its_root(captured: Captured) -> None:
    config = {"tags": ["trial"], "metadata": {"lead": "Ada", 3: 4, "__secret": 1}, "run_name": "call"}
    chain_of("a", node=says_now).invoke({"log": []}, config)
    root = next(span for span in captured.spans if span.kind == "workflow")
    assert (root.name, root.tags, root.attributes) == ("call", ("trial",), {"lead": "Ada", "3": 4})


def test_callbacks_of_the_application_go_on_as_ever(captured: Captured) -> None:
    names = []

    class Theirs(BaseCallbackHandler):
        def on_chain_start(self, serialized: Any, inputs: Any, **more: Any) -> None:
            names.append(more["name"])
            raise RuntimeError("theirs")

    chain_of("a", node=says_now).invoke({"log": []}, {"callbacks": [Theirs()]})
    assert {"LangGraph", "a"} <= set(names)
    assert tree(captured.spans) == "workflow LangGraph\n  agent a"


def test_an_internal_error_is_contained_and_what_is_open_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(output: Any) -> Any:
        raise RuntimeError("ours")

    monkeypatch.setattr("reamon.integrations.langgraph.chains.update_of", broken)
    with reamon.instrument("langgraph"), capture_spans(strict=False) as captured:
        assert chain_of("a", "b", node=says_now).invoke({"log": []}) == {"log": ["a", "b"]}
        assert tree(captured.spans) == "workflow LangGraph\n  agent a\n  agent b"
        assert reamon.current_span().span_id == ""
        assert guard.errors == 2
    with reamon.instrument("langgraph"), capture_spans(), pytest.raises(RuntimeError, match="ours"):
        chain_of("a", node=says_now).invoke({"log": []})
