"""The wrapper: compiled for each function, with the function's own parameters (see `_binding`)."""

import functools
import linecache
from collections.abc import Callable
from typing import Any

from reamon.tracing._binding import Binding
from reamon.tracing._switch import current, switch
from reamon.tracing._tracer import Tracer
from reamon.tracing.current import leave
from reamon.tracing.lifecycle import fail

# A call returns in the context in which it began; a coroutine may be closed in another one.
_TEMPLATE = """\
{colour}def traced({declared}):
    reamon_recorder = reamon_switch.recorder
    if reamon_recorder is None:
        return {await_}reamon_function({forwarded})
    reamon_parent = reamon_current.get()
    reamon_span = reamon_open(reamon_recorder, reamon_parent, {displayed})
    if reamon_span is None:
        return {await_}reamon_function({forwarded})
    reamon_token = reamon_current.set(reamon_span)
    try:
        reamon_result = {await_}reamon_function({forwarded})
        reamon_end = reamon_recorder.now()
    except BaseException as reamon_error:
        reamon_pending = reamon_fail(reamon_span, reamon_error)
        if reamon_pending is not None:
            {settle}
        raise
    finally:
        {restore}
    reamon_pending = reamon_close(reamon_span, reamon_result, reamon_end)
    if reamon_pending is not None:
        {settle}
    return reamon_result
"""
_SYNC = {
    "colour": "",
    "await_": "",
    "restore": "reamon_current.reset(reamon_token)",
    "settle": "reamon_pending.wait()",
}
_ASYNC = {
    "colour": "async ",
    "await_": "await ",
    "restore": "reamon_leave(reamon_span, reamon_parent)",
    "settle": "await reamon_pending",
}


def compile_wrapper(function: Callable[..., Any], binding: Binding, tracer: Tracer, *, is_async: bool) -> Any:
    """A function like `function` that is traced at each call.

    Args:
        function: A function or coroutine function.
        binding: Its parameters.
        tracer: Opens and closes the span of each call.
        is_async: Whether it is a coroutine function.
    """
    source = _TEMPLATE.format(
        declared=binding.declared,
        forwarded=binding.forwarded,
        displayed=binding.displayed if tracer.binds else "None",
        **(_ASYNC if is_async else _SYNC),
    )
    namespace: dict[str, Any] = {
        **binding.namespace,
        "reamon_function": function,
        "reamon_open": tracer.open,
        "reamon_close": tracer.close,
        "reamon_switch": switch,
        "reamon_current": current,
        "reamon_fail": fail,
        "reamon_leave": leave,
    }
    place = f"<reamon's wrapper of {getattr(function, '__qualname__', function)}>"
    exec(compile(source, place, "exec"), namespace)  # noqa: S102 - the template above, with the function's parameters
    # Shown in tracebacks and by debuggers; without a modification time, linecache keeps it.
    linecache.cache[place] = (len(source), None, source.splitlines(keepends=True), place)
    traced = namespace["traced"]
    functools.update_wrapper(traced, function)
    return traced
