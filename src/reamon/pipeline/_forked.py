"""What a forked child may not touch."""

import ctypes


def abandon(inherited: object) -> None:
    """Keep an inherited object for ever, so that not even the end of the interpreter closes it.

    Closing is what would do harm: SQLite forbids to touch a parent's connection in a child, and an event loop that is
    closed takes its descriptors out of an `epoll` that the parent shares.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited))
