"""Recent names: a set that forgets the oldest, so that it cannot grow without end."""


class Recent:
    """The names that were added last, each time that one is added counted.

    Args:
        size: How many are kept.

    Example:
        >>> recent = Recent(2)
        >>> [recent.add(name) for name in ("a", "a", "b", "c", "a")]
        [True, False, True, True, True]
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._names: dict[str, None] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __len__(self) -> int:
        return len(self._names)

    def add(self, name: str) -> bool:
        """Keep `name`, as the youngest. Returns whether it is new."""
        if name in self._names:
            del self._names[name]
            self._names[name] = None
            return False
        if len(self._names) >= self._size:
            del self._names[next(iter(self._names))]
        self._names[name] = None
        return True
