"""The read API of the local LangSmith server, asked directly and by the SDK."""

import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import langsmith
import orjson
import pytest

from support.langsmith_requests import KEY, Run, ask, run, send_batch
from support.langsmith_server import LangSmithServer

NOW = datetime.now(UTC)


@pytest.fixture
def server() -> Iterator[LangSmithServer]:
    with LangSmithServer(KEY) as server:
        yield server


@pytest.fixture
def trace(server: LangSmithServer) -> list[Run]:
    """A workflow of two calls of a model, the second of which failed."""
    usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15, "total_cost": 0.002}
    root = run(start=NOW, name="call", tags=["voice"], extra={"metadata": {"thread_id": "call-1"}})
    token = {"name": "new_token", "time": (NOW + timedelta(seconds=1)).isoformat()}
    first = run(
        root,
        start=NOW,
        name="greeting",
        run_type="llm",
        events=[token],
        extra={"metadata": {"thread_id": "call-1", "usage_metadata": usage, "campaign": "spring"}},
    )
    second = run(
        root, start=NOW, name="answer", run_type="llm", error="TimeoutError", extra={"metadata": {"campaign": "autumn"}}
    )
    assert send_batch(server.url, root, first, second) == 202
    return [root, first, second]


@pytest.fixture
def client(server: LangSmithServer) -> Iterator[langsmith.Client]:
    client = langsmith.Client(server.url, api_key=KEY)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield client
    client.cleanup()


def project_id(server: LangSmithServer, name: str = "voice") -> str:
    _, [project] = ask(server.url, f"/sessions?{urlencode({'name': name})}")
    return str(project["id"])


def query(server: LangSmithServer, path: str = "/api/v2/runs/query", **asked: Any) -> Any:
    if path.startswith("/api/v2"):
        asked.setdefault("project_ids", [project_id(server)])
    return ask(server.url, path, orjson.dumps(asked))[1]


def names(server: LangSmithServer, **asked: Any) -> set[str]:
    return {found["name"] for found in query(server, selects=["NAME"], **asked)["items"]}


def test_the_sdk_reads_runs_in_the_first_generation(client: langsmith.Client, trace: list[Run]) -> None:
    root = trace[0]
    read = client.read_run(root["id"])
    assert (read.name, read.status, read.inputs) == ("call", "success", {"question": "when?"})
    assert (read.total_tokens, read.prompt_tokens) == (15, 10)
    listed = list(client.list_runs(project_name="voice"))
    assert {str(each.id) for each in listed} == {made["id"] for made in trace}
    assert [each.name for each in client.list_runs(project_name="voice", is_root=True)] == ["call"]
    assert [each.name for each in client.list_runs(project_name="voice", error=True)] == ["answer"]
    assert {each.name for each in client.list_runs(trace_id=root["id"], run_type="llm")} == {"greeting", "answer"}


def test_the_sdk_reads_a_project(client: langsmith.Client, trace: list[Run], server: LangSmithServer) -> None:
    project = client.read_project(project_name="voice")
    assert str(project.id) == project_id(server)
    assert client.read_project(project_id=project.id).name == "voice"
    assert not client.has_project("other")
    assert client.get_run_url(run=client.read_run(trace[0]["id"]), project_name="voice").endswith("?poll=true")


def test_the_sdk_shares_a_run_in_the_first_generation(client: langsmith.Client, trace: list[Run]) -> None:
    root = trace[0]["id"]
    assert not client.run_is_shared(root)
    link = client.share_run(root)
    assert client.read_run_shared_link(root) == link
    client.unshare_run(root)
    assert not client.run_is_shared(root)


@pytest.mark.current_sdk
def test_the_sdk_reads_and_shares_in_the_second_generation(server: LangSmithServer, trace: list[Run]) -> None:
    from langsmith import Langsmith

    root, project = trace[0]["id"], project_id(server)
    with Langsmith(base_url=server.url, api_key=KEY) as api:
        found = list(api.runs.query_v2(project_ids=[project], selects=["ID", "NAME", "RUN_TYPE"], page_size=2))
        assert {(each.name, each.run_type) for each in found} == {
            ("call", "CHAIN"),
            ("greeting", "LLM"),
            ("answer", "LLM"),
        }
        below = api.traces.list_runs(root, project_id=project, selects=["NAME", "PARENT_RUN_IDS"])
        assert [each.parent_run_ids for each in below.items or []] == [[], [root], [root]]
        assert api.runs.retrieve_v2(root, project_id=project, selects=["STATUS"]).status == "SUCCESS"
        token = api.runs.share.create(root, session_id=project, trace_id=root).share_token
        shared = api.runs.retrieve_v2(root, project_id=project, selects=["SHARE_URL"]).share_url
        assert token in str(shared)
        api.runs.share.delete(root, session_id=project)
        assert api.runs.retrieve_v2(root, project_id=project, selects=["SHARE_URL"]).share_url is None


@pytest.mark.current_sdk
async def test_the_sdk_reads_asynchronously(
    client: langsmith.Client, server: LangSmithServer, trace: list[Run]
) -> None:
    found = [each.name async for each in client.runs.query_v2(project_ids=[project_id(server)], selects=["NAME"])]
    assert len(found) == 3
    below = await client.traces.list_runs(trace[0]["id"], project_id=project_id(server))
    assert len(below.items or []) == 3


def test_the_second_generation_gives_ids_unless_asked_for_more(server: LangSmithServer, trace: list[Run]) -> None:
    assert {frozenset(found) for found in query(server)["items"]} == {frozenset({"id"})}


def test_the_second_generation_looks_back_a_day_unless_told(server: LangSmithServer, trace: list[Run]) -> None:
    server.now = lambda: NOW + timedelta(hours=25)
    assert query(server)["items"] == []
    assert len(query(server, min_start_time=NOW.isoformat())["items"]) == 3
    assert query(server, min_start_time=NOW.isoformat(), max_start_time=NOW.isoformat())["items"] != []


def test_pages_follow_one_another(server: LangSmithServer, trace: list[Run]) -> None:
    first = query(server, page_size=2)
    second = query(server, page_size=2, cursor=first["next_cursor"])
    assert (first["has_more"], second["has_more"], second["next_cursor"]) == (True, False, None)
    assert {found["id"] for found in first["items"] + second["items"]} == {made["id"] for made in trace}
    page = query(server, "/runs/query", session=[project_id(server)], limit=2)
    rest = query(server, "/runs/query", session=[project_id(server)], limit=2, cursor=page["cursors"]["next"])
    assert (len(page["runs"]), len(rest["runs"]), rest["cursors"]["next"]) == (2, 1, None)


@pytest.mark.parametrize(
    "asked",
    [
        {"page_size": 0},
        {"page_size": 1001},
        {"project_ids": []},
        {"project_ids": ["voice"]},
        {"selects": ["SESSION_ID"]},
        {"min_start_time": "yesterday"},
        {"cursor": "next"},
        {"filter": "eq(run_type"},
        {"filter": 'eq(colour, "red")'},
        {"filter": 'same(run_type, "llm")'},
        {"limit": 10},
    ],
)
def test_a_question_that_makes_no_sense_is_refused(server: LangSmithServer, trace: list[Run], asked: Any) -> None:
    body = orjson.dumps({"project_ids": [project_id(server)]} | asked)
    assert ask(server.url, "/api/v2/runs/query", body)[0] == 422


def test_the_first_generation_needs_to_know_where_to_look(server: LangSmithServer, trace: list[Run]) -> None:
    assert ask(server.url, "/runs/query", b"{}")[0] == 422
    assert ask(server.url, "/runs/17")[0] == 422


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ('eq(run_type, "llm")', {"greeting", "answer"}),
        ('neq(name, "call")', {"greeting", "answer"}),
        ('eq(status, "error")', {"answer"}),
        ('and(eq(run_type, "llm"), eq(status, "success"))', {"greeting"}),
        ('or(eq(name, "call"), eq(name, "answer"))', {"call", "answer"}),
        ('not(eq(name, "call"))', {"greeting", "answer"}),
        ('in(name, ["call", "greeting"])', {"call", "greeting"}),
        ('has(tags, "voice")', {"call"}),
        ('eq(thread_id, "call-1")', {"call", "greeting"}),
        ("eq(is_root, true)", {"call"}),
        ("gt(total_tokens, 10)", {"greeting"}),
        ("lte(latency, 0.5)", set()),
        ('gte(start_time, "NOW")', {"call", "greeting", "answer"}),
        ('lt(start_time, "NOW")', set()),
        ('and(eq(metadata_key, "campaign"), eq(metadata_value, "spring"))', {"greeting"}),
        ('and(eq(metadata_key, "thread_id"), eq(metadata_value, "spring"))', set()),
        ('has(metadata, \'{"campaign": "autumn"}\')', {"answer"}),
        ('like(name, "%ree%")', {"greeting"}),
        ('search("timeouterror")', {"answer"}),
    ],
)
def test_filters_choose_runs(server: LangSmithServer, trace: list[Run], expression: str, found: set[str]) -> None:
    assert names(server, filter=expression.replace("NOW", NOW.isoformat())) == found


def test_filters_choose_traces(server: LangSmithServer, trace: list[Run]) -> None:
    assert send_batch(server.url, run(name="other")) == 202
    in_the_trace = {"call", "greeting", "answer"}
    assert names(server, tree_filter='eq(name, "greeting")') == in_the_trace
    assert names(server, trace_filter='eq(name, "call")') == in_the_trace
    assert names(server, trace_filter='eq(name, "greeting")') == set()
    assert names(server, has_error=True) == {"answer"}
    assert names(server, trace_id=trace[0]["id"], is_root=True) == {"call"}


def test_what_was_used_is_added_up_when_asked_for(server: LangSmithServer, trace: list[Run]) -> None:
    selects = ["TOTAL_TOKENS", "TOTAL_COST", "FIRST_TOKEN_TIME", "LATENCY_SECONDS", "THREAD_ID"]
    [own] = query(server, selects=selects, is_root=True)["items"]
    [total] = query(server, selects=selects, is_root=True, include_subtree_usage=True)["items"]
    [model] = query(server, selects=selects, filter='eq(name, "greeting")')["items"]
    assert own == {"latency_seconds": 1.0, "thread_id": "call-1"}
    assert (total["total_tokens"], total["total_cost"]) == (15, 0.002)
    assert model["first_token_time"] == (NOW + timedelta(seconds=1)).isoformat()


def test_a_run_that_has_not_ended_is_pending(server: LangSmithServer) -> None:
    assert send_batch(server.url, {field: value for field, value in run().items() if field != "end_time"}) == 202
    [found] = query(server, selects=["STATUS", "END_TIME"])["items"]
    assert found == {"status": "PENDING"}


def test_a_trace_is_found_in_its_project_only(server: LangSmithServer, trace: list[Run]) -> None:
    assert send_batch(server.url, run(session_name="other")) == 202
    path = f"/api/v2/traces/{trace[0]['id']}/runs"
    assert ask(server.url, path)[0] == 422
    assert len(ask(server.url, f"{path}?project_id={project_id(server)}")[1]["items"]) == 3
    assert ask(server.url, f"{path}?project_id={project_id(server, 'other')}")[1]["items"] == []
    half_bound = urlencode({"project_id": project_id(server), "min_start_time": NOW.isoformat()})
    assert ask(server.url, f"{path}?{half_bound}")[0] == 422


def test_nobody_shares_what_is_not_there(server: LangSmithServer, trace: list[Run]) -> None:
    stranger = run()["id"]
    asked = orjson.dumps({"session_id": project_id(server), "trace_id": stranger})
    assert ask(server.url, f"/api/v2/runs/{stranger}/share", asked)[0] == 404
    assert ask(server.url, f"/runs/{stranger}/share", b"{}", method="PUT")[0] == 404
    assert ask(server.url, f"/runs/{trace[0]['id']}/share", b"{}", method="PUT")[0] == 422


@pytest.mark.parametrize(("v1", "v2"), [(True, False), (False, True)])
def test_a_server_may_offer_one_generation_only(v1: bool, v2: bool) -> None:
    with LangSmithServer(KEY, v1=v1, v2=v2) as server:
        assert send_batch(server.url, run()) == 202
        asked = orjson.dumps({"session": [project_id(server)]}), orjson.dumps({"project_ids": [project_id(server)]})
        assert ask(server.url, "/runs/query", asked[0])[0] == (200 if v1 else 404)
        assert ask(server.url, "/api/v2/runs/query", asked[1])[0] == (200 if v2 else 404)
