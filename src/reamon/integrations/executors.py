"""Executors: what is submitted to a pool runs below the span that was current where it was submitted."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from typing import Any, TypeGuard

from reamon.integrations.patches import Patches
from reamon.tracing import active_recorder, propagate
from reamon.tracing.propagation import Propagated, PropagatingExecutor


def is_executor(target: object) -> TypeGuard[Executor | type[Executor]]:
    """Whether `target` is a pool of threads or processes, or the class of such.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> is_executor(ThreadPoolExecutor), is_executor("a name")
        (True, False)
    """
    return issubclass(target, Executor) if isinstance(target, type) else isinstance(target, Executor)


def instrument_executor(target: Executor | type[Executor]) -> Callable[[], None]:
    """Let everything that is submitted run below its submitter's span: `submit`, `map` and `loop.run_in_executor`.

    Args:
        target: A pool, or a class (`ThreadPoolExecutor`, `ProcessPoolExecutor`) for all of its pools, those that were
            made before included. To processes the span's context goes along with the pickled function.

    Returns:
        What undoes it. What has been submitted by then runs as it was submitted.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> with ThreadPoolExecutor(1) as pool:
        ...     undo = instrument_executor(pool)
        ...     pool.submit(len, "four").result()
        4
        >>> undo()
    """
    patches = Patches()
    for owner in _owners(target) if isinstance(target, type) else (target,):
        patches.wrap(owner, "submit", _submit)
    return patches.undo


def _owners(pools: type[Executor]) -> Iterator[type[Executor]]:
    """The class and those below it that submit in a way of their own."""
    yield pools
    for below in pools.__subclasses__():
        yield from (owner for owner in _owners(below) if "submit" in vars(owner))


def _submit(submit: Callable[..., Any], pool: Executor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if not args or active_recorder() is None or isinstance(args[0], Propagated) or _propagates(pool):
        return submit(*args, **kwargs)
    # Also where nothing is current: a worker that was forked off inside of a span would go on below that.
    return submit(propagate(args[0]), *args[1:], **kwargs)


def _propagates(pool: Executor) -> bool:
    """Whether it was made by `wrap_executor`, which does it already."""
    return isinstance(pool, PropagatingExecutor)
