"""Quiet: what our threads do is not the application's, so nothing of it is recorded."""

import contextvars

from reamon.tracing import suppress


def quiet_context() -> contextvars.Context:
    """A context in which nothing is recorded."""
    context = contextvars.Context()
    context.run(suppress().__enter__)
    return context
