"""The proxy: an object that stands for another one, and is of its class to whoever asks."""

from typing import TYPE_CHECKING, Any

import wrapt

if TYPE_CHECKING:
    ObjectProxy = wrapt.ObjectProxy[Any]
else:
    ObjectProxy = wrapt.ObjectProxy  # no generic one in wrapt 1

__all__ = ["ObjectProxy"]
