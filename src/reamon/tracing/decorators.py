"""The everyday names: one decorator and context manager for each kind of span."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeVar, overload

from reamon.model import SpanKind
from reamon.tracing._tracer import CallIdOf
from reamon.tracing.scope import Scope

F = TypeVar("F", bound="Callable[..., Any] | classmethod[Any, Any, Any] | staticmethod[Any, Any]")
Capture = Literal[True, "input", "output", False]
Reduce = Callable[[list[Any]], Any]


@overload
def trace_workflow(name: F, /) -> F: ...
@overload
def trace_workflow(
    name: str | None = None,
    *,
    call_id: str | CallIdOf | None = None,
    project: str | None = None,
    version: str | None = None,
    tags: Iterable[str] = (),
    metadata: Mapping[str, Any] | None = None,
    capture: Capture = True,
    ignore: Iterable[str] = (),
    reduce: Reduce | None = None,
) -> Scope: ...
def trace_workflow(name: Any = None, **options: Any) -> Any:
    """Trace a workflow: one turn of a conversation, one job. It opens a trace of its own, also inside another one.

    A decorator, bare or with arguments, and a context manager; for functions, methods, coroutines and generators.

    Args:
        name: What it is called; the function's name by default.
        call_id: The conversation that it belongs to. On a decorator the name of a parameter, or a callable that gets
            the bound arguments as a mapping; a parameter called `call_id` is used unasked. On a context manager the
            value itself. Default: the enclosing trace's.
        project: The project; default from the settings.
        version: The workflow's version.
        tags: Words to find it by.
        metadata: More about it, JSON-like.
        capture: Whether to snapshot input and output: True, "input", "output" or False.
        ignore: Parameters that are never captured.
        reduce: For generators: makes the output of the list of items.

    Raises:
        DecoratorError: What is decorated cannot be traced, or the arguments do not fit it.

    Example:
        >>> @trace_workflow(call_id="call")
        ... def turn(call, text):
        ...     return text.upper()
        >>> turn("c-1", "hello")
        'HELLO'
        >>> with trace_workflow("turn", call_id="c-1") as span:
        ...     span.set_outcome("appointment")
    """
    return _trace(SpanKind.WORKFLOW, name, options)


@overload
def trace_agent(name: F, /) -> F: ...
@overload
def trace_agent(
    name: str | None = None,
    *,
    agent_type: object = None,
    version: str | None = None,
    capture: Capture = True,
    ignore: Iterable[str] = (),
    reduce: Reduce | None = None,
) -> Scope: ...
def trace_agent(name: Any = None, **options: Any) -> Any:
    """Trace an agent: who ran, in what order, with what state, and what it decided.

    Args:
        name: What it is called; the function's name by default.
        agent_type: Its type, by which figures are grouped; an enum gives its value. Default: the name.
        version: The agent's version.
        capture: Whether to snapshot input and output: True, "input", "output" or False.
        ignore: Parameters that are never captured.
        reduce: For generators: makes the output of the list of items.

    Raises:
        DecoratorError: What is decorated cannot be traced, or the arguments do not fit it.

    Example:
        >>> @trace_agent(agent_type="qualification")
        ... async def qualify(state):
        ...     return {"score": 0.8}
    """
    return _trace(SpanKind.AGENT, name, options)


class OperationTracer:
    """Traces operations of one kind: `trace_llm`, `trace_tool`, `trace_step` and so on are its instances."""

    def __init__(self, kind: SpanKind, what: str) -> None:
        self._kind = kind
        self.__name__ = f"trace_{kind.value}"
        self.__doc__ = f"Trace {what}: a decorator, bare or with arguments, and a context manager."

    @overload
    def __call__(self, name: F, /) -> F: ...
    @overload
    def __call__(
        self,
        name: str | None = None,
        *,
        capture: Capture = True,
        ignore: Iterable[str] = (),
        reduce: Reduce | None = None,
    ) -> Scope: ...
    def __call__(self, name: Any = None, **options: Any) -> Any:
        """Trace a function or a block.

        Args:
            name: What it is called; the function's name by default.
            capture: Whether to snapshot input and output: True, "input", "output" or False.
            ignore: Parameters that are never captured.
            reduce: For generators: makes the output of the list of items.

        Raises:
            DecoratorError: What is decorated cannot be traced, or the arguments do not fit it.

        Example:
            >>> with trace_llm("chat") as span:
            ...     span.record_usage(provider="openai", model="gpt-4o", input_tokens=210, output_tokens=32)
        """
        return _trace(self._kind, name, options)

    def __repr__(self) -> str:
        return f"<reamon.{self.__name__}>"


trace_llm = OperationTracer(SpanKind.LLM, "a model call")
trace_tool = OperationTracer(SpanKind.TOOL, "a tool call")
trace_retrieval = OperationTracer(SpanKind.RETRIEVAL, "a retrieval")
trace_stt = OperationTracer(SpanKind.STT, "speech recognition")
trace_tts = OperationTracer(SpanKind.TTS, "speech synthesis")
trace_telephony = OperationTracer(SpanKind.TELEPHONY, "telephony")
trace_step = OperationTracer(SpanKind.STEP, "any other step")


def _trace(kind: SpanKind, name: Any, options: dict[str, Any]) -> Any:
    if callable(name) or isinstance(name, classmethod | staticmethod):
        return Scope(kind, None, **options)(name)
    return Scope(kind, name, **options)
