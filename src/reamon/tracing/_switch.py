"""The switch: what is current in this process and in this context. Read on every traced call, so kept bare."""

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reamon.tracing.active import ActiveSpan
    from reamon.tracing.noop import NoopSpan
    from reamon.tracing.recorder import Recorder


class Switch:
    """Holds the recorder of this process, or None where nothing is recorded."""

    __slots__ = ("recorder",)

    def __init__(self) -> None:
        self.recorder: Recorder | None = None


switch = Switch()
current: "ContextVar[ActiveSpan | NoopSpan | None]" = ContextVar("reamon_current_span", default=None)
