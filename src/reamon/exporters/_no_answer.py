"""No answer: what went wrong on the way to a server and back, in words that hold no secret."""

import ssl
from collections.abc import Iterator
from http.client import HTTPException
from socket import gaierror
from urllib.parse import urlsplit

from reamon.errors import ExportError


class NoAnswer(ExportError):  # noqa: N818 - like its siblings in `reamon.errors`
    """The server did not answer: refused, reset, too slow, cut off, or no HTTP at all. It may have got the request."""


def no_answer(error: BaseException, endpoint: str) -> NoAnswer:
    """The error to raise for what `requests` or the SDK raised.

    Its words are ours, because those of others may hold the key, or an address with a password. Its cause is what the
    operating system said, and not what lies between, because that holds the request.
    """
    root = _root(error)
    raised = NoAnswer(f"no answer from {_place(endpoint)}: {_because(root or error)}")
    raised.__cause__ = root
    return raised


def _root(error: BaseException) -> BaseException | None:
    """The first cause of all that is one of the operating system's, or of HTTP's."""
    roots = [
        cause
        for cause in _causes(error)
        if isinstance(cause, HTTPException | OSError) and not type(cause).__module__.startswith("requests")
    ]
    return roots[-1] if roots else None


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _because(error: BaseException) -> str:
    match error:
        case gaierror():
            return "the name of the host is not known"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted ({error.verify_message})"
        case ssl.SSLError():
            return f"TLS failed ({error.reason or type(error).__name__})"
        case TimeoutError():
            return "it took too long"
        case ConnectionRefusedError():
            return "the connection was refused"
        case ConnectionError():  # reset, aborted, a broken pipe, closed without a word
            return "the connection was closed in the middle"
        case HTTPException():
            return "what came back is not HTTP, or only a part of it"
        case OSError(strerror=str(reason)):
            return reason
    return type(error).__name__


def _place(endpoint: str) -> str:
    """Host and port; the rest of an address may hold a password."""
    parts = urlsplit(endpoint)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
