"""The names that users rely on: these and no others, each documented, in the facade and in every package."""

import importlib
import inspect
import pkgutil

import pytest

import reamon

FACADE = {
    # the library's life
    "Runtime", "aflush", "ashutdown", "configure", "enabled", "flush", "shutdown", "stats", "suppress",
    # instrumentation
    "Instrumentation", "instrument", "trace_agent_execution", "uninstrument",
    # spans
    "current_span", "current_trace_id", "extract", "handover", "inject", "propagate", "record_span", "start_span",
    "wrap_executor",
    "trace_agent", "trace_llm", "trace_retrieval", "trace_step", "trace_stt", "trace_telephony", "trace_tool",
    "trace_tts", "trace_workflow",
    # types
    "AgentExecution", "AgentTransition", "Alert", "CostBreakdown", "CostData", "MonitoringSettings",
    "PerformanceMetrics", "Span", "SpanKind", "SpanStatus", "Usage", "WorkflowTrace",
    # what went wrong
    "ConfigurationError", "DecoratorError", "MissingExtraError", "ReamonError",
}  # fmt: skip

PACKAGES = sorted(module.name for module in pkgutil.iter_modules(reamon.__path__, "reamon.") if module.ispkg)


def test_the_facade_offers_these_names_and_no_others() -> None:
    assert set(reamon.__all__) == FACADE


@pytest.mark.parametrize("name", sorted(FACADE))
def test_every_name_of_the_facade_resolves_and_is_documented(name: str) -> None:
    assert inspect.getdoc(getattr(reamon, name))


def test_dir_lists_the_names_that_are_imported_lazily() -> None:
    assert set(dir(reamon)) >= FACADE


def test_an_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        reamon.no_such_name  # noqa: B018


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_exports_public_names_that_exist(package: str) -> None:
    module = importlib.import_module(package)
    exported = getattr(module, "__all__", ())
    assert [name for name in exported if name.startswith("_")] == []
    assert [name for name in exported if not hasattr(module, name)] == []
    assert list(exported) == sorted(exported, key=str.casefold) or list(exported) == sorted(exported)
