import pytest

from reamon.errors import ServiceError
from reamon.exporters.langsmith.connection import Answer
from reamon.exporters.langsmith.service import Service
from reamon.settings import LangSmithSettings

ENDPOINT = "https://langsmith.example"


def service(**settings: object) -> Service:
    return Service(LangSmithSettings.model_validate({"endpoint": ENDPOINT, "api_key": "lsv2_pt_secret", **settings}))


def refusal(status: int, body: bytes = b"{}", **settings: object) -> ServiceError | None:
    return service(**settings).refusal(Answer(status=status, headers={}, body=body))


def test_what_is_accepted_needs_no_words() -> None:
    assert refusal(202, b"") is None


@pytest.mark.parametrize("status", [200, 201, 202])
def test_json_is_an_answer(status: int) -> None:
    assert refusal(status) is None
    assert refusal(status, b"[]") is None


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (200, b"<html>Sign in</html>", f"not JSON .* LANGSMITH_ENDPOINT, now {ENDPOINT}"),
        (302, b"", "redirect; set LANGSMITH_ENDPOINT"),
        (401, b"{}", "LANGSMITH_API_KEY to a key that is valid"),
        (403, b'{"error": "org_scoped_key_requires_workspace"}', "set LANGSMITH_WORKSPACE_ID$"),
        (403, b'{"detail": "read only"}', "more rights.*read only"),
        (404, b'{"detail": "no such run"}', "no such run.*LANGSMITH_ENDPOINT"),
        (422, b'{"detail": "run_type: no such type"}', "refused it .422.: .*no such type"),
        (429, b"{}", "try again later"),
        (503, b"{}", "try again later"),
    ],
)
def test_a_refusal_says_what_to_do(status: int, body: bytes, says: str) -> None:
    error = refusal(status, body)
    assert error is not None
    with pytest.raises(ServiceError, match=says):
        raise error


def test_without_a_key_nobody_is_asked_for_a_valid_one() -> None:
    assert str(refusal(401, api_key=None)) == "LangSmith wants an API key (401); set LANGSMITH_API_KEY"


def test_the_status_is_known_where_it_is_one_of_a_refusal() -> None:
    found = [refusal(422), refusal(302), refusal(200, b"<html>")]
    assert [error and error.status for error in found] == [422, None, None]
