"""The hook: puts the handler where langchain-core looks for handlers, for every run in the process."""

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from importlib import import_module
from typing import Any

from reamon.errors import ConfigurationError, MissingExtraError
from reamon.integrations.langgraph.nodes import AgentRule, agent_rule
from reamon.integrations.patches import Patches
from reamon.tracing import forget_capture, register_capture


def instrument_langgraph(
    *, agents: Iterable[str] | AgentRule | None = None, call_id: str = "thread_id"
) -> Callable[[], None]:
    """Record every graph, node, routing function, model, tool and retriever that langchain-core runs.

    Graphs that were compiled before count too. A graph that runs where nothing is traced is a workflow; below a span of
    yours it is a step. Its nodes are agents, in the order in which they begin, with the state before and after and
    whom they hand over to.

    Args:
        agents: Which nodes are agents; the others are steps. Their names, or a callable from a node's name and its
            metadata to bool. Default: all.
        call_id: The key of a run's configuration that holds the conversation's id.

    Returns:
        What undoes it.

    Raises:
        ConfigurationError: An option cannot be used.
        MissingExtraError: LangGraph is not installed.
    """
    rule = agent_rule(agents)
    given: Any = call_id
    if not (isinstance(given, str) and given):
        raise ConfigurationError(f"instrument('langgraph', call_id={call_id!r}): give the name of a configuration key")
    for module in ("langchain_core", "langgraph"):
        try:
            import_module(module)
        except ImportError as error:
            raise MissingExtraError("instrument('langgraph')", "langgraph", error.name) from error
    return _hook(rule, call_id)


def _hook(rule: AgentRule, call_id: str) -> Callable[[], None]:
    from langchain_core.language_models import BaseChatModel, BaseLLM  # noqa: PLC0415 - optional, and slow to import
    from langchain_core.messages import BaseMessage  # noqa: PLC0415
    from langchain_core.retrievers import BaseRetriever  # noqa: PLC0415
    from langchain_core.tools import BaseTool  # noqa: PLC0415
    from langchain_core.tracers import context  # noqa: PLC0415
    from langgraph.pregel import Pregel  # noqa: PLC0415
    from langgraph.types import Send  # noqa: PLC0415

    from reamon.integrations.langgraph.handler import Handler  # noqa: PLC0415 - a subclass of langchain-core's
    from reamon.integrations.langgraph.isolation import isolate, isolate_graph  # noqa: PLC0415
    from reamon.integrations.langgraph.messages import compact  # noqa: PLC0415

    handler = Handler(rule, call_id)
    patches = Patches()
    isolate_graph(patches, Pregel)
    isolate(patches, BaseTool, handler.left, methods=("run", "arun"))
    isolate(patches, BaseRetriever, handler.left, methods=("invoke", "ainvoke"))
    for model in (BaseChatModel, BaseLLM):
        isolate(patches, model, handler.left, methods=("generate", "agenerate"), streams=("stream", "astream"))
    register_capture(BaseMessage, compact)
    register_capture(Send, lambda packet: {"node": packet.node, "arg": packet.arg})
    # A context variable with a default is set in every context, so that no run is without the handler.
    variable: ContextVar[Any] = ContextVar("reamon_langchain_handler", default=handler)
    context.register_configure_hook(variable, inheritable=True)

    def undo() -> None:
        handler.is_active = False
        _forget(context, variable)
        patches.undo()
        forget_capture(BaseMessage)
        forget_capture(Send)

    return undo


def _forget(context: Any, variable: ContextVar[Any]) -> None:
    """Take the hook out of langchain-core's list, which offers no way to; a handler that is left in it does nothing."""
    hooks = getattr(context, "_configure_hooks", None)
    if isinstance(hooks, list):
        hooks[:] = [hook for hook in hooks if hook[0] is not variable]
