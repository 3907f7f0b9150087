"""Celery: a task runs below the span of whoever sent it, whichever process does the work."""

import inspect
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from reamon import processes
from reamon.errors import ConfigurationError, MissingExtraError
from reamon.guard import guarded
from reamon.integrations.outgoing import HEADERS
from reamon.tracing import (
    ActiveSpan,
    NoopSpan,
    RemoteScope,
    active_recorder,
    enter,
    extract,
    inject,
    innermost,
    leave,
    start_span,
)

_UID: Final = "reamon"
_SENT_AT: Final = "reamon-sent-at"
_OPTIONS: Final = ("step", "workflow")


def instrument_celery(*, kind: str = "step", capture: bool = True) -> Callable[[], None]:
    """Let tasks run below the span of whoever sent them, and record each of their attempts.

    Both sides have to do it: who sends puts the span into the message's headers, and the worker takes it out. Do it,
    and `reamon.configure()`, in the module of the Celery application, which both import. All of it goes by Celery's
    signals.

    - An attempt that is made again is one more span below the sender, with the number of retries.
    - A task that is sent by a task is below that.
    - Where nothing was current, or the sender is not instrumented, a task is a workflow.
    - That the sender has ended meanwhile is not known in another process; how long the message waited is.

    Args:
        kind: What a task below a sender is: "step", a part of its trace; or "workflow", a trace of its own that is
            linked to it.
        capture: Whether to record the arguments and the result.

    Returns:
        What undoes it.

    Raises:
        ConfigurationError: An option cannot be used.
        MissingExtraError: celery is not installed.

    Example:
        ```python
        app = Celery("office", broker="redis://localhost")
        reamon.configure()
        reamon.instrument("celery")
        ```
    """
    if kind not in _OPTIONS:
        raise ConfigurationError(f"instrument('celery'): kind is 'step' or 'workflow', not {kind!r}")
    if not isinstance(capture, bool):
        raise ConfigurationError(f"instrument('celery'): capture is True or False, not {capture!r}")
    try:
        from celery import signals  # type: ignore[import-untyped] # noqa: PLC0415 - optional, and heavy
    except ImportError as error:
        raise MissingExtraError("instrument('celery')", "celery", error.name) from error
    tasks = Tasks(kind, capture)
    receivers: list[tuple[Any, Callable[..., None]]] = [
        (signals.before_task_publish, tasks.publish),
        (signals.task_prerun, tasks.start),
        (signals.task_failure, tasks.fail),
        (signals.task_retry, tasks.retry),
        (signals.task_postrun, tasks.end),
        (signals.worker_process_shutdown, tasks.finish),
    ]
    for signal, receiver in receivers:
        signal.connect(receiver, weak=False, dispatch_uid=(_UID, id(tasks)))

    def undo() -> None:
        for signal, receiver in receivers:
            signal.disconnect(receiver, dispatch_uid=(_UID, id(tasks)))

    return undo


class Running(msgspec.Struct, eq=False):
    """One attempt at a task, while it is made.

    Attributes:
        span: Its span.
        before: What was current before.
        caller: The block below whoever sent it, where that was in another process.
    """

    span: ActiveSpan
    before: ActiveSpan | NoopSpan | None
    caller: RemoteScope | None


class Tasks:
    """Receives Celery's signals. Whatever goes wrong in it stays in it.

    Args:
        kind: What a task below a sender is.
        capture: Whether arguments and result are recorded.
    """

    def __init__(self, kind: str, capture: bool) -> None:
        self._kind = kind
        self._capture = capture
        self._running: dict[str, Running] = {}

    @guarded(default=None)
    def publish(self, headers: dict[str, Any] | None = None, **_: Any) -> None:
        """A task is about to be sent."""
        if headers is None or active_recorder() is None:
            return
        again = _headers_of_retried(headers)
        if again:
            headers.update(again)  # below who sent it first, and not below the attempt that failed
        else:
            inject(headers)
        if not headers.get("eta"):
            headers[_SENT_AT] = time.time()

    @guarded(default=None)
    def start(self, task_id: str, task: Any, args: Any = (), kwargs: Any = None, **_: Any) -> None:
        """A worker is about to run a task."""
        if active_recorder() is None:
            return
        request, caller = task.request, None
        if not request.is_eager:
            caller = extract(_received(vars(request)))
            caller.__enter__()
        is_step = self._kind == "step" and isinstance(innermost(), ActiveSpan)
        call_id = None if is_step else _call_id(task, args, kwargs or {})
        span = start_span("step" if is_step else "workflow", task.name, call_id=call_id)
        if not isinstance(span, ActiveSpan):
            if caller is not None:
                caller.__exit__(None, None, None)
            return
        self._running[task_id] = Running(span, enter(span), caller)
        if self._capture:
            span.set_input({"args": list(args), "kwargs": kwargs or {}})
        span.set_attributes(_described(request))
        sent_at = vars(request).get(_SENT_AT)
        if isinstance(sent_at, float) and not request.is_eager:
            span.record_wait(time.time() - sent_at)

    @guarded(default=None)
    def fail(self, task_id: str, exception: BaseException, **_: Any) -> None:
        """A task has failed for good."""
        running = self._running.get(task_id)
        if running is not None:
            running.span.record_error(exception)

    @guarded(default=None)
    def retry(self, request: Any, reason: Any, **_: Any) -> None:
        """An attempt has failed, and there will be another one."""
        running = self._running.get(request.id)
        if running is not None:
            error = getattr(reason, "exc", None)
            if isinstance(error, BaseException):
                running.span.record_error(error)
            running.span.add_event("retry", when=str(getattr(reason, "when", "")))

    @guarded(default=None)
    def end(self, task_id: str, retval: Any = None, state: str | None = None, **_: Any) -> None:
        """An attempt is over."""
        running = self._running.pop(task_id, None)
        if running is None:
            return
        leave(running.span, running.before)
        if running.caller is not None:
            running.caller.__exit__(None, None, None)
        running.span.set_attribute("celery.state", state)
        if self._capture and state == "SUCCESS":
            running.span.set_output(retval)
        running.span.end()

    @guarded(default=None)
    def finish(self, **_: Any) -> None:
        """A worker's child is about to end, by a way that runs no exit handlers."""
        processes.finish()


def _received(request: Mapping[str, Any]) -> dict[str, str]:
    return {name: request[name] for name in HEADERS if isinstance(request.get(name), str)}


def _headers_of_retried(headers: Mapping[str, Any]) -> dict[str, str]:
    """The headers that the task which is being sent came with, if it is the one that runs here, sent once more."""
    from celery import current_task  # noqa: PLC0415 - see above

    if not headers.get("retries") or not current_task:
        return {}
    request = current_task.request
    return {} if request.id != headers.get("id") or request.is_eager else _received(vars(request))


def _described(request: Any) -> dict[str, Any]:
    delivery = request.delivery_info or {}
    described = {
        "messaging.system": "celery",
        "messaging.message.id": request.id,
        "messaging.destination.name": delivery.get("routing_key"),
        "celery.retries": request.retries or None,
    }
    return {name: value for name, value in described.items() if value is not None}


@guarded(default=None)
def _call_id(task: Any, args: Any, kwargs: Mapping[str, Any]) -> object:
    """The argument called `call_id`, as for a decorated function."""
    if "call_id" in kwargs:
        return kwargs["call_id"]
    names = [name for name in inspect.signature(task.run).parameters if name != "self"]
    return dict(zip(names, args, strict=False)).get("call_id")
