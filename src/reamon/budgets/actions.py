"""What a budget asks of the application: nothing, attention, something cheaper, or to stop."""

from enum import StrEnum


class Action(StrEnum):
    """What the application is to do. They compare as texts: `decision.action == "stop"`.

    Example:
        >>> Action.STOP == "stop", Action.worst(Action.WARN, Action.OK)
        (True, <Action.WARN: 'warn'>)
    """

    OK = "ok"
    WARN = "warn"
    DEGRADE = "degrade"
    STOP = "stop"

    @property
    def severity(self) -> int:
        """How grave it is, from 0 for OK to 3 for STOP."""
        return _ORDER[self]

    @staticmethod
    def worst(*actions: "Action") -> "Action":
        """The gravest of them; OK of none."""
        return max(actions, key=_ORDER.__getitem__, default=Action.OK)


_ORDER = {action: place for place, action in enumerate(Action)}
