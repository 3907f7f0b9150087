"""The testing kit: capture what your code records, make spans, and check an exporter of your own.

Example:
    >>> from reamon.testing import capture_spans
    >>> with capture_spans() as captured:  # doctest: +SKIP
    ...     my_traced_function()
    ...     assert captured.one("my_traced_function").status == "ok"
"""

from reamon.testing.capturing import Captured, capture_spans
from reamon.testing.conformance import ConformanceError, check_exporter
from reamon.testing.samples import make_span, sample_spans
from reamon.testing.time import FakeClock, fake_ids

__all__ = [
    "Captured",
    "ConformanceError",
    "FakeClock",
    "capture_spans",
    "check_exporter",
    "fake_ids",
    "make_span",
    "sample_spans",
]
