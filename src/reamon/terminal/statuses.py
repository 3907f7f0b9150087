"""Statuses: how each looks, whether it is a span's or a workflow's."""

from reamon.terminal.document import Style, Text

_LOOKS = {
    "ok": ("✓", Style.GOOD),
    "completed": ("✓", Style.GOOD),
    "running": ("○", Style.ACCENT),
    "degraded": ("!", Style.WARNING),
    "cancelled": ("–", Style.WARNING),
    "interrupted": ("↯", Style.BAD),
    "error": ("✗", Style.BAD),
    "failed": ("✗", Style.BAD),
}
_UNKNOWN = ("?", Style.WARNING)


def style_of(status: str) -> Style:
    """The style of a status."""
    return _LOOKS.get(status, _UNKNOWN)[1]


def mark(status: str) -> Text:
    """One character for a status."""
    return Text.of(*_LOOKS.get(status, _UNKNOWN))


def word(status: str) -> Text:
    """A status, marked and written out."""
    return mark(status) + Text.of(f" {status}", style_of(status))
