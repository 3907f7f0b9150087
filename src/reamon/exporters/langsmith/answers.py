"""Answers: what an answer to sent runs means. One place, so that the rule for each status is written once.

| answer | meaning |
|---|---|
| 202, or 200 with JSON | acknowledged |
| 409 | one run: it is there already; several: some of them are, so send them singly |
| 400, 413, 422 | something in it will never be taken |
| 401, 403, 404 | nothing is taken until somebody changes a setting |
| anything else | try again, and not before the moment that the answer may name |
"""

import time
from collections.abc import Callable
from typing import Final

from reamon.errors import ExportError, Paused, Rejected, RetryAfter
from reamon.exporters.langsmith.connection import Answer

_NEEDS_WORKSPACE: Final = "org_scoped_key_requires_workspace"


class Conflict(ExportError):  # noqa: N818 - like its siblings in `reamon.errors`
    """Some of several runs are there already; what became of the others is not known."""


def read(answer: Answer, runs: int, *, now: Callable[[], float] = time.time) -> None:
    """Return if `answer` acknowledges the runs that were sent, else raise what it means.

    Args:
        answer: The answer to a request that carried runs.
        runs: How many it carried.
        now: Gives seconds since 1970.

    Raises:
        Conflict: Some of the runs are there already.
        Rejected: Some of the runs will never be taken, or none is at the moment.
        Paused: Nothing is taken until somebody changes a setting.
        RetryAfter: The server named a moment before which not to try again.
        ExportError: Try again.

    Example:
        >>> read(Answer(status=202, headers={}, body=b""), runs=100)
        >>> read(Answer(status=401, headers={}, body=b""), runs=100)
        Traceback (most recent call last):
        ...
        reamon.errors.Paused: 401 Unauthorized; set LANGSMITH_API_KEY to a key that is valid for this endpoint
    """
    match answer.status:
        case 202:
            return
        case 200 if answer.json is not None:
            return
        case 200:
            raise ExportError(f"200, but not from LangSmith's API (a proxy, or a web page?): {answer.text}")
        case 409 if runs == 1:
            return
        case 409:
            raise Conflict(answer.reason)
        case 400 | 413 | 422:
            # Not certain: a gateway that is broken may say so to everything.
            raise Rejected(answer.reason, certain=False)
        case 401 | 403 | 404:
            raise Paused(answer.reason, _fix(answer))
        case status if 300 <= status < 400:
            raise ExportError(f"{answer.reason} (a redirect is not followed; is LANGSMITH_ENDPOINT right?)")
    seconds = answer.retry_after(now)
    raise RetryAfter(seconds, answer.reason) if seconds > 0 else ExportError(answer.reason)


def _fix(answer: Answer) -> str:
    if answer.status == 401:
        return "set LANGSMITH_API_KEY to a key that is valid for this endpoint"
    if answer.status == 404:
        return "set LANGSMITH_ENDPOINT to the address of LangSmith's API"
    if _NEEDS_WORKSPACE in answer.text:
        return "set LANGSMITH_WORKSPACE_ID to the workspace that is meant, since the key is valid in several"
    return "use a key that may write to this workspace (LANGSMITH_API_KEY, LANGSMITH_WORKSPACE_ID)"
