import logging
import os
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from reamon.errors import ConfigurationError, ReamonError, ServiceError
from reamon.exporters.langsmith import LangSmithClient, LangSmithExporter
from reamon.exporters.langsmith.bodies import batch_body
from reamon.exporters.langsmith.drafts import Draft, Place
from reamon.exporters.langsmith.runs import RunOptions
from reamon.model import Usage
from reamon.testing import make_span
from support.langsmith_server import Fault, LangSmithServer

KEY = "lsv2_pt_0123456789abcdef_test"
HOUR = timedelta(hours=1)
WRITES = "/runs/batch"


@pytest.fixture
def server() -> Iterator[LangSmithServer]:
    with LangSmithServer(api_key=KEY) as running:
        yield running


@pytest.fixture(params=["v2", "v1"])
def either(request: pytest.FixtureRequest) -> Iterator[LangSmithServer]:
    """A server of today, and one that has only the older read API."""
    with LangSmithServer(api_key=KEY, v1=True, v2=request.param == "v2") as running:
        yield running


def client_of(server: LangSmithServer, **arguments: Any) -> LangSmithClient:
    return LangSmithClient(KEY, server.url, "calls", **{"read_timeout": 10.0, **arguments})


def fill(client: LangSmithClient, number: int) -> list[str]:
    """Begin so many traces, fifty in a request."""
    places = [Place.root(time.time_ns(), project="calls", call_id=None, metadata={}) for _ in range(number)]
    draft = Draft(name="turn", run_type="chain")
    for first in range(0, number, 50):
        body = batch_body([draft.as_new(place, RunOptions(project="calls")) for place in places[first : first + 50]])
        client._service.ask("POST", WRITES, body.content, headers=body.headers)
    return [place.run_id for place in places]


def stored(server: LangSmithServer, run_id: str) -> Any:
    return server.runs[run_id]


def ago(**amount: float) -> datetime:
    return datetime.now(UTC) - timedelta(**amount)


# Writing


def test_a_trace_is_there_when_create_trace_returns(server: LangSmithServer) -> None:
    trace = client_of(server).create_trace(
        "turn", {"text": "hello"}, call_id="call-1", tags=["eu"], metadata={"lead": 7}
    )
    run = stored(server, trace)
    assert (run["name"], run["run_type"], run["session_name"]) == ("turn", "chain", "calls")
    assert run["inputs"] == {"text": "hello"}
    assert run["tags"] == ["eu"]
    assert run["extra"]["metadata"] == {"lead": 7, "thread_id": "call-1"}
    assert run.get("end_time") is None


def test_an_update_ends_the_trace(server: LangSmithServer) -> None:
    client = client_of(server)
    trace = client.create_trace("turn", metadata={"lead": 7})
    client.update_trace(trace, outputs="bye", tags=["won"], metadata={"stage": "won"})
    run = stored(server, trace)
    assert run["outputs"] == {"output": "bye"}
    assert run["tags"] == ["won"]
    assert run["extra"]["metadata"] == {"lead": 7, "stage": "won"}
    assert run["end_time"] >= run["start_time"]


def test_a_trace_that_is_only_described_does_not_end(server: LangSmithServer) -> None:
    client = client_of(server)
    trace = client.create_trace("turn")
    client.update_trace(trace, tags=["checked"])
    assert stored(server, trace).get("end_time") is None


def test_a_step_is_inside_its_trace_and_a_step_of_a_step_inside_that(server: LangSmithServer) -> None:
    client = client_of(server)
    trace = client.create_trace("turn", call_id="call-1", project="outbound")
    agent = client.add_trace_step(trace, "qualify", start=ago(seconds=-2), end=ago(seconds=-3))
    chat = client.add_trace_step(trace, "chat", run_type="llm", parent_id=agent, error="too long")
    runs = [stored(server, run) for run in (trace, agent, chat)]
    assert [run.get("parent_run_id") for run in runs] == [None, trace, agent]
    assert runs[2]["dotted_order"].startswith(runs[1]["dotted_order"] + ".")
    assert {run["session_name"] for run in runs} == {"outbound"}
    assert {run["extra"]["metadata"]["thread_id"] for run in runs} == {"call-1"}
    assert runs[2]["error"] == "too long"
    assert not server.violations


def test_a_step_says_what_it_consumed_and_cost(server: LangSmithServer) -> None:
    client = client_of(server)
    usage = Usage(provider="openai", model="gpt-5", input_tokens=7, output_tokens=3)
    step = client.add_trace_step(
        client.create_trace("turn"), "chat", run_type="llm", usage=usage, cost=Decimal("0.000012")
    )
    metadata = stored(server, step)["extra"]["metadata"]
    assert metadata["ls_model_name"] == "gpt-5"
    assert metadata["usage_metadata"] == {
        "input_tokens": 7,
        "output_tokens": 3,
        "total_tokens": 10,
        "total_cost": 0.000012,
    }


def test_another_process_can_go_on_with_a_trace(server: LangSmithServer) -> None:
    trace = client_of(server).create_trace("turn", start=ago(minutes=5))
    other = client_of(server)
    step = other.add_trace_step(trace, "callback")
    other.update_trace(trace, outputs={"done": True})
    assert stored(server, step)["dotted_order"].startswith(stored(server, trace)["dotted_order"] + ".")
    assert stored(server, trace)["outputs"] == {"done": True}
    assert [request.path for request in server.requests if WRITES not in request.path] == []


def test_a_parent_that_is_not_known_is_looked_up(either: LangSmithServer) -> None:
    first = client_of(either)
    trace = first.create_trace("turn", call_id="call-1")
    agent = first.add_trace_step(trace, "qualify")
    step = client_of(either).add_trace_step(trace, "chat", parent_id=agent)
    assert stored(either, step)["parent_run_id"] == agent
    assert stored(either, step)["extra"]["metadata"]["thread_id"] == "call-1"


def test_a_parent_that_nobody_knows_is_named(server: LangSmithServer) -> None:
    client = client_of(server)
    trace, nobody = client.create_trace("turn"), str(uuid4())
    with pytest.raises(ServiceError, match=f"no run {nobody} in trace {trace}"):
        client.add_trace_step(trace, "chat", parent_id=nobody)


def test_a_parent_in_another_trace_is_refused(server: LangSmithServer) -> None:
    client = client_of(server)
    trace, other = client.create_trace("turn"), client.create_trace("turn")
    step = client.add_trace_step(other, "chat")
    with pytest.raises(ConfigurationError, match=f"part of trace {other}"):
        client.add_trace_step(trace, "chat", parent_id=step)


def test_something_that_is_no_id_is_refused() -> None:
    client = LangSmithClient(KEY, "http://127.0.0.1:1")
    for method in (client.update_trace, client.get_trace, client.share_trace):
        with pytest.raises(ConfigurationError, match="'my trace' is no id"):
            method("my trace")


def test_an_id_in_capitals_is_the_same_id(server: LangSmithServer) -> None:
    client = client_of(server)
    trace = client.create_trace("turn")
    client.update_trace(trace.upper(), outputs={})
    assert stored(server, trace)["end_time"]


def test_a_second_update_is_not_lost_in_silence(server: LangSmithServer) -> None:
    client = client_of(server)
    trace = client.create_trace("turn")
    client.update_trace(trace, outputs={"first": True})
    with pytest.raises(ServiceError, match="takes no second one") as caught:
        client.update_trace(trace, outputs={"second": True})
    assert caught.value.status == 409
    assert stored(server, trace)["outputs"] == {"first": True}


def test_an_update_whose_answer_was_lost_may_be_repeated(server: LangSmithServer) -> None:
    client = client_of(server)
    trace = client.create_trace("turn")
    server.fault = Fault.LOSE_ANSWER
    with pytest.raises(ServiceError):
        client.update_trace(trace, outputs={"done": True})
    server.fault = Fault.NONE
    client.update_trace(trace, outputs={"done": True})
    assert stored(server, trace)["outputs"] == {"done": True}


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault.UNAVAILABLE, "503.*try again later"),
        (Fault.RATE_LIMITED, "429.*try again later"),
        (Fault.UNAUTHORIZED, "LANGSMITH_API_KEY"),
        (Fault.FORBIDDEN, "403"),
        (Fault.NOT_FOUND, "404.*LANGSMITH_ENDPOINT"),
        (Fault.INVALID, "refused it .422."),
        (Fault.REDIRECT, "redirect"),
        (Fault.GARBAGE, "not JSON"),
        (Fault.DROP, "the endpoint is right and can be reached"),
        (Fault.HANG, "took too long"),
    ],
)
def test_what_is_not_acknowledged_raises_and_says_what_to_do(server: LangSmithServer, fault: Fault, says: str) -> None:
    server.fault = fault
    with pytest.raises(ServiceError, match=says):
        client_of(server, read_timeout=1.0).create_trace("turn")


def test_what_is_set_to_stay_here_is_not_sent(server: LangSmithServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGSMITH_HIDE_INPUTS", "true")
    monkeypatch.setenv("LANGSMITH_HIDE_OUTPUTS", "true")
    client = client_of(server)
    trace = client.create_trace("turn", {"phone": "+49 30 1234"})
    client.update_trace(trace, outputs={"phone": "+49 30 1234"})
    assert (stored(server, trace)["inputs"], stored(server, trace)["outputs"]) == ({}, {})


# Reading


def test_a_trace_is_read_as_a_tree(either: LangSmithServer) -> None:
    client = client_of(either)
    trace = client.create_trace("turn", {"text": "hello"}, call_id="call-1", tags=["eu"])
    agent = client.add_trace_step(trace, "qualify")
    client.add_trace_step(trace, "chat", run_type="llm", parent_id=agent, error="too long")
    client.add_trace_step(trace, "say", run_type="tool")
    client.update_trace(trace, outputs={"text": "bye"})
    found = client.get_trace(trace)
    assert (found.trace_id, found.call_id, found.project) == (trace, "call-1", "calls")
    assert [run.name for run in found.runs] == ["turn", "qualify", "chat", "say"]
    assert found.root.inputs == {"text": "hello"}
    assert found.root.outputs == {"text": "bye"}
    assert found.root.start is not None
    assert abs(found.root.start - ago()) < HOUR
    chat = found.root.children[0].children[0]
    assert (chat.run_type, chat.error, chat.parent_id, chat.children) == ("llm", "too long", agent, ())


def test_usage_and_cost_are_read_as_they_were_written(either: LangSmithServer) -> None:
    client = client_of(either)
    usage = Usage(provider="openai", model="gpt-5", input_tokens=7, output_tokens=3)
    trace = client.create_trace("turn")
    client.add_trace_step(trace, "chat", run_type="llm", usage=usage, cost=Decimal("0.000012"))
    chat = client.get_trace(trace).root.children[0]
    assert (chat.usage, chat.cost) == (usage, Decimal("0.000012"))


def test_the_newer_api_is_beside_the_older_one(server: LangSmithServer) -> None:
    client = LangSmithClient(KEY, f"{server.url}/api/v1", "calls")
    assert client.get_trace(client.create_trace("turn")).root.name == "turn"
    assert server.requests[-1].path == "/api/v2/runs/query"


def test_a_trace_from_weeks_ago_is_found(either: LangSmithServer) -> None:
    client = client_of(either)
    trace = client.create_trace("turn", start=ago(hours=23))
    later = datetime.now(UTC) + timedelta(days=30)
    assert client_of(either, now=lambda: int(later.timestamp() * 1e9)).get_trace(trace).root.name == "turn"


def test_a_trace_in_another_project_is_found_by_who_began_it_and_who_names_it(either: LangSmithServer) -> None:
    client = client_of(either)
    trace = client.create_trace("turn", project="outbound")
    assert client.get_trace(trace).project == "outbound"
    assert client_of(either).get_trace(trace, project="outbound").root.name == "turn"
    with pytest.raises(ServiceError, match=r"no trace .* in project 'calls'"):
        client_of(either).get_trace(trace)


def test_a_trace_that_is_still_queued_is_waited_for(server: LangSmithServer) -> None:
    client = client_of(server)
    root = client.create_trace("turn")
    waiting = client_of(server)
    run = server.runs.pop(root)  # taken, and not to be read yet
    timer = threading.Timer(0.3, lambda: server.runs.update({root: run}))
    timer.start()
    assert waiting.get_trace(root, wait=10).root.name == "turn"


def test_a_trace_that_is_not_there_may_be_queued_or_elsewhere(server: LangSmithServer) -> None:
    client_of(server).create_trace("turn")
    with pytest.raises(ServiceError, match=r"has it still in its queue.*wait=.*project="):
        client_of(server).get_trace(str(uuid4()), wait=0.15)


def test_traces_come_newest_first_and_as_roots(either: LangSmithServer) -> None:
    client = client_of(either)
    traces = [client.create_trace(f"turn {n}", start=ago(minutes=n)) for n in (3, 1, 2)]
    client.add_trace_step(traces[0], "chat")
    found = client.query_traces()
    assert [trace.root.name for trace in found] == ["turn 1", "turn 2", "turn 3"]
    assert [trace.root.children for trace in found] == [(), (), ()]
    assert [trace.root.name for trace in client.query_traces(limit=2)] == ["turn 1", "turn 2"]


def test_traces_are_found_by_what_is_asked_for(either: LangSmithServer) -> None:
    client = client_of(either)
    wanted = client.create_trace('say "hi"', call_id="call-1", tags=["eu", "won"], start=ago(hours=2))
    client.update_trace(wanted, error="no answer")
    client.create_trace("other", call_id="call-2", tags=["eu"], start=ago(hours=4))

    def found(**asked: Any) -> list[str]:
        return [trace.trace_id for trace in client.query_traces(**asked)]

    assert found(call_id="call-1") == [wanted]
    assert found(name='say "hi"') == [wanted]
    assert found(tags=["eu", "won"]) == [wanted]
    assert found(status="error") == [wanted]
    assert found(since=ago(hours=3)) == [wanted]
    assert wanted not in found(until=ago(hours=3))
    assert found(filter='eq(name, "other")', call_id="call-1") == []


def test_many_traces_are_read_page_by_page(either: LangSmithServer) -> None:
    client = client_of(either)
    begun = fill(client, 1_150)
    assert {trace.trace_id for trace in client.query_traces(limit=2_000)} == set(begun)
    assert len(client.query_traces(limit=1_050)) == 1_050


def test_a_project_that_does_not_exist_is_not_taken_for_an_empty_one(server: LangSmithServer) -> None:
    with pytest.raises(ServiceError, match="no project 'cals'"):
        client_of(server).query_traces(project="cals")


def test_the_api_that_a_server_has_is_remembered() -> None:
    with LangSmithServer(api_key=KEY, v1=True, v2=False) as old:
        client = client_of(old)
        client.create_trace("turn")
        client.query_traces()
        tried = len(old.requests)
        client.query_traces()
        assert [request.path.partition("?")[0] for request in old.requests[tried:]] == ["/runs/query"]


def test_a_server_that_was_renewed_is_spoken_to_in_the_newer_api() -> None:
    with LangSmithServer(api_key=KEY, v1=True, v2=False) as old:
        client = client_of(old)
        assert client.get_trace(client.create_trace("turn")).root.name == "turn"
    with LangSmithServer(api_key=KEY, v1=False, v2=True, port=urlsplit(old.url).port or 0):
        assert client.get_trace(client.create_trace("turn")).root.name == "turn"


def test_a_trace_is_shared_by_an_address(either: LangSmithServer) -> None:
    client = client_of(either)
    address = client.share_trace(client.create_trace("turn"))
    assert address.startswith("http")
    assert "/public/" in address


def test_what_is_not_there_cannot_be_shared(either: LangSmithServer) -> None:
    client = client_of(either)
    with pytest.raises(ServiceError, match="no project 'calls'"):
        client.share_trace(str(uuid4()))
    client.create_trace("turn")
    with pytest.raises(ServiceError, match="404"):
        client.share_trace(str(uuid4()))


def test_a_refusal_to_read_is_not_taken_for_an_old_server(server: LangSmithServer) -> None:
    client = client_of(server)
    client.create_trace("turn")
    with pytest.raises(ServiceError, match="refused it"):
        client.query_traces(filter="this is no filter")
    assert server.requests[-1].path == "/api/v2/runs/query"


# Together with others


def test_the_connection_is_the_one_that_the_exporter_has(server: LangSmithServer) -> None:
    exporter = LangSmithExporter(KEY, server.url, "elsewhere", read_timeout=10.0)
    assert client_of(server)._service.connection is exporter._connection()
    assert client_of(server, workspace_id=str(uuid4()))._service.connection is not exporter._connection()


def test_a_trace_that_was_exported_can_be_gone_on_with(server: LangSmithServer) -> None:
    root = make_span("turn", project="outbound", start_ns=time.time_ns())
    child = make_span("qualify", parent=root)
    LangSmithExporter(KEY, server.url, "calls").export([root, child])
    client = client_of(server)
    client.add_trace_step(root.trace_id, "callback", project="outbound")
    client.add_trace_step(root.trace_id, "note", parent_id=child.span_id, project="outbound")
    found = client.get_trace(root.trace_id, project="outbound").root
    assert found.name == "turn"
    assert {run.name: [inner.name for inner in run.children] for run in found.children} == {
        "qualify": ["note"],
        "callback": [],
    }
    assert not server.violations


def test_threads_share_a_client(server: LangSmithServer) -> None:
    client = client_of(server)
    trace = client.create_trace("turn")
    with ThreadPoolExecutor(8) as pool:
        steps = list(pool.map(lambda number: client.add_trace_step(trace, f"step {number}"), range(40)))
    assert len(client.get_trace(trace).runs) == 41
    assert all(server.writes[step] == 1 for step in steps)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_goes_on_with_the_parents_trace(server: LangSmithServer) -> None:
    client = client_of(server)
    trace = client.create_trace("turn")
    child = os.fork()
    if child == 0:
        try:
            client.add_trace_step(trace, "in the child")
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    client.add_trace_step(trace, "in the parent")
    assert {run.name for run in client.get_trace(trace).runs} == {"turn", "in the child", "in the parent"}


def test_the_key_is_nowhere_to_be_read(server: LangSmithServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = client_of(server, read_timeout=0.2)
    seen = [repr(client), repr(vars(client)), repr(client.check_connection())]
    for fault in (Fault.UNAUTHORIZED, Fault.GARBAGE, Fault.DROP, Fault.HANG, Fault.INVALID, Fault.REDIRECT):
        server.fault = fault
        with pytest.raises(ReamonError) as caught:
            client.create_trace("turn")
        seen.append("".join(traceback.format_exception(caught.value)))
    server.stop()
    with pytest.raises(ServiceError) as caught:
        client.create_trace("turn")
    seen += ["".join(traceback.format_exception(caught.value)), repr(client.check_connection()), caplog.text]
    for text in seen:
        assert KEY not in text
        assert KEY[:9] not in text, "not even its beginning"
