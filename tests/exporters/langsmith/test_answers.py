"""What each answer means: one test for each row of the table."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.errors import ExportError, Paused, Rejected, RetryAfter
from reamon.exporters.langsmith.answers import Conflict, read
from reamon.exporters.langsmith.connection import Answer

NOW = 1_800_000_000.0


def answer(status: int, body: str = "", **headers: str) -> Answer:
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body.encode())


def meaning(of: Answer, runs: int = 5) -> ExportError | None:
    """What is raised, or None if the runs are acknowledged."""
    try:
        read(of, runs, now=lambda: NOW)
    except ExportError as error:
        return error
    return None


def waits(retry_after: str, status: int = 429) -> float | None:
    """For how long the lane is asked to wait; None if it is to decide for itself."""
    error = meaning(answer(status, retry_after=retry_after))
    assert error is not None
    return error.seconds if isinstance(error, RetryAfter) else None


@pytest.mark.parametrize("body", ['{"message": "queued"}', "", "<html>"])
def test_202_is_an_acknowledgement(body: str) -> None:
    assert meaning(answer(202, body)) is None


@pytest.mark.parametrize("body", ["{}", "[]", '{"message": "ok"}'])
def test_200_with_json_is_an_acknowledgement(body: str) -> None:
    assert meaning(answer(200, body)) is None


@pytest.mark.parametrize("body", ["", "<html><body>Sign in</body></html>", '{"message": "cut o'])
def test_200_with_anything_else_is_from_somebody_else(body: str) -> None:
    error = meaning(answer(200, body))
    assert type(error) is ExportError
    assert "not from LangSmith's API" in str(error)


def test_409_for_one_run_says_that_it_is_there() -> None:
    assert meaning(answer(409), runs=1) is None


def test_409_for_several_runs_says_nothing_about_each() -> None:
    assert type(meaning(answer(409), runs=2)) is Conflict


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize("runs", [1, 5])
def test_a_refusal_is_the_fault_of_some_run_but_not_for_certain(status: int, runs: int) -> None:
    error = meaning(answer(status, '{"detail": "start_time"}'), runs)
    assert isinstance(error, Rejected)
    assert error.span_ids is None
    assert not error.certain
    assert error.reason.startswith(str(status))
    assert "start_time" in error.reason


@pytest.mark.parametrize(
    ("status", "body", "variable"),
    [
        (401, "{}", "LANGSMITH_API_KEY"),
        (403, '{"error": "Forbidden"}', "LANGSMITH_API_KEY"),
        (403, '{"error": "org_scoped_key_requires_workspace"}', "set LANGSMITH_WORKSPACE_ID"),
        (404, "{}", "LANGSMITH_ENDPOINT"),
    ],
)
def test_a_setting_that_is_wrong_is_named(status: int, body: str, variable: str) -> None:
    error = meaning(answer(status, body))
    assert isinstance(error, Paused)
    assert variable in error.fix
    assert error.reason.startswith(str(status))


@pytest.mark.parametrize("status", [100, 204, 402, 405, 408, 415, 418, 425, 429, 500, 502, 503, 504, 599, 999])
def test_everything_else_is_tried_again(status: int) -> None:
    assert type(meaning(answer(status, "{}"))) is ExportError


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_tried_again_and_explained(status: int) -> None:
    error = meaning(answer(status, location="https://elsewhere.example"))
    assert type(error) is ExportError
    assert "is LANGSMITH_ENDPOINT right?" in str(error)


@pytest.mark.parametrize("status", [408, 429, 503])
def test_the_moment_that_the_server_names_is_honoured(status: int) -> None:
    assert waits("30", status) == 30


def test_the_moment_may_be_a_date() -> None:
    assert waits(formatdate(NOW + 90, usegmt=True)) == 90


@pytest.mark.parametrize("absurd", ["999999", "9" * 500, formatdate(NOW + 86_400, usegmt=True)])
def test_nobody_waits_longer_than_an_hour(absurd: str) -> None:
    assert waits(absurd) == 3600


@pytest.mark.parametrize(
    "nothing", ["", "0", "-5", "soon", "nan", "inf", "1e3", "٣", formatdate(NOW - 60, usegmt=True)]
)
def test_without_a_moment_the_lane_decides_when(nothing: str) -> None:
    assert waits(nothing) is None


@given(st.text(max_size=40))
def test_no_moment_is_too_strange_to_be_read(said: str) -> None:
    seconds = waits(said)
    assert seconds is None or 0 < seconds <= 3600


@given(st.integers(100, 999), st.binary(max_size=2000), st.integers(1, 100))
def test_a_reason_is_one_short_line(status: int, body: bytes, runs: int) -> None:
    error = meaning(Answer(status, {}, body), runs)
    if error is not None:
        assert len(str(error)) < 600
        assert str(error).isprintable()
