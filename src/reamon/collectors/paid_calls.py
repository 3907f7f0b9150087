"""Paid calls: which calls were charged for what is paid once for each, by whoever charges them in this process.

The collector charges a call when the first of its traces has ended, in the background; a calculator does so when it
first hears of the call. Each asks here before it does, so that only the first of them is paid.
"""

import os
import threading
from typing import Final

from reamon.collectors.recent import Recent
from reamon.tracing import Recorder, active_recorder

_CALLS_KEPT: Final = 20_000


class PaidCalls:
    """The calls that were charged lately; any thread may ask."""

    def __init__(self) -> None:
        self._calls = Recent(_CALLS_KEPT)

    def add(self, call_id: str) -> bool:
        """Note that a call is charged. Returns whether it was not yet."""
        with _shared.lock:
            return self._calls.add(call_id)


class _Shared:
    """The calls that the present recorder has charged; another recorder writes to other stores, and begins anew."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._recorder: Recorder | None = None
        self._calls = PaidCalls()
        os.register_at_fork(after_in_child=self._begin_anew)

    def of(self, recorder: Recorder) -> PaidCalls:
        with self.lock:
            if recorder is not self._recorder:
                self._recorder, self._calls = recorder, PaidCalls()
            return self._calls

    def _begin_anew(self) -> None:
        self.lock = threading.Lock()  # another thread may have held it; the calls stay, their parent has charged them


_shared = _Shared()


def paid_calls() -> PaidCalls | None:
    """The calls that what is recorded now has been charged for; None where nothing is recorded.

    Example:
        >>> paid_calls() is None
        True
    """
    recorder = active_recorder()
    return None if recorder is None else _shared.of(recorder)
