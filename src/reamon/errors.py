"""Every exception that reamon raises, in one family.

Three groups, for three situations:

* **Set-up** (`ConfigurationError`, `DecoratorError`, `MissingExtraError`): raised to you, at start-up, naming what is
  wrong and what to do. Recording never raises.
* **Asking** (`StoreError`, `ServiceError`, `CostError`): raised to you where you asked for what cannot be had.
* **Delivery** (`RetryAfter`, `Paused`, `Rejected`): raised *by exporters* to tell their lane more than "it failed".
"""

from collections.abc import Sequence


class ReamonError(Exception):
    """The base of all errors of this library; catch it to catch them all."""


class ConfigurationError(ReamonError, ValueError):
    """A setting, or a part given to `configure()`, cannot be used. The message names it and says what is allowed."""


class DecoratorError(ReamonError, TypeError):
    """A decorator was given something that it cannot trace, or arguments that do not fit the function."""


class MissingExtraError(ReamonError, ImportError):
    """A feature needs packages that are not installed.

    Args:
        feature: What was asked for, as the user knows it ("reamon demo").
        extra: The extra that brings the packages.
        missing: The module that could not be imported.
    """

    def __init__(self, feature: str, extra: str, missing: str | None = None) -> None:
        because = f" ({missing} is not installed)" if missing else ""
        super().__init__(f"{feature} needs the extra {extra!r}{because}: pip install 'reamon[{extra}]'")
        self.feature = feature
        self.extra = extra
        self.missing = missing


class StoreError(ReamonError):
    """The store cannot be read: it is missing, or written by a newer reamon. The message says which."""


class ServiceError(ReamonError):
    """A service answered with a refusal, or not at all. The message says what to do.

    Args:
        message: What happened, and what to do about it.
        status: The HTTP status of the answer; None where there was no answer, or none that counts.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class CostError(ReamonError, ValueError):
    """A cost cannot be calculated: no price is known for the provider, or an amount is none. The message names it."""


class ExportError(ReamonError):
    """A batch was not accepted. Any exception from `Exporter.export` means that; the children say more."""


class RetryAfter(ExportError):
    """The destination is well but busy: keep the batch and come back.

    Args:
        seconds: How long the destination asked to be left alone.
        reason: What it said.
    """

    def __init__(self, seconds: float, reason: str = "the destination asked to wait") -> None:
        super().__init__(f"{reason}; retrying in {seconds:g} s")
        self.seconds = seconds
        self.reason = reason


class Paused(ExportError):
    """The destination takes nothing until somebody changes something: a key, a permission, an address.

    Everything is kept. The lane says so once, and looks again at least every ten seconds, so nobody has to restart
    anything.

    Args:
        reason: What the destination said ("401 Unauthorized").
        fix: What to do about it ("set LANGSMITH_API_KEY to a key that is valid").
    """

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(f"{reason}; {fix}")
        self.reason = reason
        self.fix = fix


class Rejected(ExportError):
    """The destination will never accept some of these spans, so sending them again is of no use.

    They are kept on disk as dead letters, with the reason: `reamon outbox list` shows them.

    Args:
        reason: Why, in the destination's words.
        span_ids: The spans that were refused; the rest of the batch counts as delivered. None: the whole batch was
            refused and the destination does not say on whose account, so the lane finds out by halving it.
        certain: Whether a span that is refused alone is surely to blame. An HTTP service may answer 422 to everything
            while it is broken: with False, nothing is given up without proof that others are accepted.
        counted_as: Under which name `stats().dropped` counts them.
    """

    def __init__(
        self,
        reason: str,
        span_ids: Sequence[str] | None = None,
        *,
        certain: bool = True,
        counted_as: str = "rejected",
    ) -> None:
        which = "the batch" if span_ids is None else f"{len(span_ids)} span(s)"
        super().__init__(f"the destination refused {which} for good: {reason}")
        self.reason = reason
        self.span_ids = None if span_ids is None else tuple(span_ids)
        self.certain = certain
        self.counted_as = counted_as
