import json
import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import pytest

from reamon.exporters.langsmith import LangSmithClient
from reamon.exporters.langsmith.checking import ConnectionCheck, check
from reamon.exporters.langsmith.connection import Answer
from reamon.exporters.langsmith.service import Service
from reamon.settings import LangSmithSettings
from support.langsmith_server import Fault, LangSmithServer

KEY = "lsv2_pt_test"
HOUR = 3_600
NOW = 1_790_000_000


@pytest.fixture
def server() -> Iterator[LangSmithServer]:
    with LangSmithServer(api_key=KEY) as running:
        yield running


def checked(server: LangSmithServer, key: str | None = KEY, **arguments: Any) -> ConnectionCheck:
    return LangSmithClient(key, **{"endpoint": server.url, "read_timeout": 10.0, **arguments}).check_connection()


class Answering(Service):
    """A service whose answers were laid out before."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        super().__init__(LangSmithSettings(endpoint="https://langsmith.example"))
        self._answers = answers

    @property
    def connection(self) -> Any:
        return self

    def request(self, _method: str, path: str) -> Answer:
        return self._answers[path]


def answering(
    *, version: str | None = "0.16.3", info_status: int = 200, ahead: float = 0.0, sessions: bytes = b"[]"
) -> ConnectionCheck:
    """What is found at a server like this; our clock is `ahead` of its by so many seconds."""
    info = Answer(status=info_status, headers={}, body=json.dumps({"version": version}).encode())
    projects = Answer(status=200, headers={"date": formatdate(NOW - ahead, usegmt=True)}, body=sessions)
    return check(Answering({"/info": info, "/sessions?limit=1": projects}), now=lambda: NOW * 10**9)


def test_a_connection_that_works_says_so(server: LangSmithServer) -> None:
    found = checked(server, project="calls")
    assert found.ok, found.message
    assert (found.endpoint, found.project) == (server.url, "calls")
    assert found.version
    assert found.latency_ms is not None
    assert 0 < found.latency_ms < 5_000
    assert found.message.startswith("LangSmith takes runs with this key.")


def test_the_hosted_service_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGSMITH_API_KEY", "")
    found = LangSmithClient(endpoint="https://api.smith.langchain.com").check_connection()
    assert not found.ok
    assert "LANGSMITH_API_KEY" in found.message


def test_a_key_that_is_not_valid_is_found_out(server: LangSmithServer) -> None:
    found = checked(server, "lsv2_pt_mistyped")
    assert not found.ok
    assert "set LANGSMITH_API_KEY to a key that is valid" in found.message
    assert "mistyped" not in repr(found)


def test_a_key_for_several_workspaces_needs_one_named(server: LangSmithServer) -> None:
    server.workspaces = {"4c8bcb8f-7a0e-4f0c-9b37-3c3b2f7a8f10"}
    assert "LANGSMITH_WORKSPACE_ID" in checked(server).message
    found = checked(server, workspace_id="4c8bcb8f-7a0e-4f0c-9b37-3c3b2f7a8f10")
    assert found.ok, found.message
    assert found.workspace == "4c8bcb8f-7a0e-4f0c-9b37-3c3b2f7a8f10"


@pytest.mark.parametrize(
    ("endpoint", "says"),
    [
        ("http://127.0.0.1:1", "refused; see that the endpoint is right and that the server runs"),
        ("http://nowhere.invalid", "not known; see that the endpoint is spelled right"),
    ],
)
def test_who_cannot_be_reached_is_named(endpoint: str, says: str) -> None:
    found = LangSmithClient(KEY, endpoint, connect_timeout=2.0).check_connection()
    assert not found.ok
    assert says in found.message
    assert f"LANGSMITH_ENDPOINT is {endpoint}" in found.message


def test_a_server_without_tls_is_not_taken_for_one_with(server: LangSmithServer) -> None:
    found = checked(server, endpoint=server.url.replace("http:", "https:"))
    assert not found.ok
    assert "see that the endpoint speaks https" in found.message


def test_a_server_that_never_answers_does_not_hold_anybody_up(server: LangSmithServer) -> None:
    server.fault_info = True
    server.fault = Fault.HANG
    begun = time.monotonic()
    found = checked(server, read_timeout=0.5)
    assert time.monotonic() - begun < 5
    assert not found.ok
    assert "it took too long; see that no firewall" in found.message


def test_a_web_page_is_not_taken_for_the_api(server: LangSmithServer) -> None:
    server.fault_info = True
    server.fault = Fault.GARBAGE
    found = checked(server)
    assert not found.ok
    assert "not JSON" in found.message
    assert "LANGSMITH_ENDPOINT" in found.message


def test_an_address_where_the_api_is_not_says_so(server: LangSmithServer) -> None:
    found = checked(server, endpoint=f"{server.url}/elsewhere")
    assert not found.ok
    assert "404" in found.message
    assert "LANGSMITH_ENDPOINT" in found.message


def test_an_old_server_works_and_is_named() -> None:
    found = answering(version="0.9.12")
    assert found.ok
    assert "old (0.9.12)" in found.message


def test_a_server_that_does_not_say_its_version_works() -> None:
    assert answering(version=None).ok
    found = answering(info_status=404)
    assert found.ok
    assert "treated as an old one" in found.message


def test_a_new_server_gives_no_cause_for_remarks() -> None:
    assert answering(ahead=30).message == "LangSmith takes runs with this key."


@pytest.mark.parametrize(("ahead", "says"), [(600, "10 minutes ahead of"), (-3 * HOUR, "3 hours behind")])
def test_a_clock_that_is_off_is_remarked_upon(ahead: float, says: str) -> None:
    found = answering(ahead=ahead)
    assert found.ok
    assert says in found.message


def test_a_clock_that_is_off_by_days_means_that_nothing_is_taken() -> None:
    found = answering(ahead=-25 * HOUR)
    assert not found.ok
    assert "refuses all runs: set the clock" in found.message


def test_the_workspace_is_known_from_its_first_project() -> None:
    assert answering(sessions=b'[{"id": "p", "tenant_id": "w"}]').workspace == "w"
    assert answering().workspace is None


def test_even_a_mistake_of_ours_does_not_raise() -> None:
    found = check(Answering({}))
    assert not found.ok
    assert "KeyError" in found.message


def test_an_answer_of_an_unknown_kind_is_reported_too() -> None:
    found = answering(sessions=b'{"surprise": 1}')
    assert not found.ok
    assert found.message
