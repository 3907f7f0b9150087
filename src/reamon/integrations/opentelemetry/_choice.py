"""The choice: which of OpenTelemetry's spans are taken."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from reamon.guard import guard


class Choice:
    """Says whether a span is taken.

    Args:
        scopes: Patterns of the instrumentation scopes that are; None: all.
        ignored: Patterns of those that are not.
        only: Asked for each span besides.
    """

    def __init__(
        self, scopes: Sequence[str] | None, ignored: Sequence[str] | None, only: Callable[[Any], bool] | None
    ) -> None:
        self._scopes = scopes
        self._ignored = ignored or ()
        self._only = only
        self._known: dict[str, bool] = {}

    def takes(self, span: Any) -> bool:
        """Whether to take `span`. A predicate that raises has not said no."""
        scope = getattr(span.instrumentation_scope, "name", None) or ""
        taken = self._known.get(scope)
        if taken is None:
            taken = self._known[scope] = self._takes_scope(scope)
        if not taken or self._only is None:
            return taken
        try:
            return bool(self._only(span))
        except Exception as error:
            guard.contain("instrument('opentelemetry', only=...)", error)
            return True

    def _takes_scope(self, scope: str) -> bool:
        is_named = self._scopes is None or any(fnmatchcase(scope, pattern) for pattern in self._scopes)
        return is_named and not any(fnmatchcase(scope, pattern) for pattern in self._ignored)
