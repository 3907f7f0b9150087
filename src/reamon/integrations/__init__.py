"""Integrations: libraries, and classes and objects of the application, that record spans without a change to them."""

from reamon.integrations.registry import Instrumentation, instrument, uninstrument

__all__ = ["Instrumentation", "instrument", "uninstrument"]
