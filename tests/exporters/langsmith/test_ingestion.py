"""Ingestion: all runs are there when it returns, each once, in few requests."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.errors import ExportError, Paused, Rejected
from reamon.exporters.langsmith import ingestion as module
from reamon.exporters.langsmith.connection import Connection, NoAnswer
from reamon.exporters.langsmith.ingestion import Ingestion, Upload
from reamon.exporters.langsmith.runs import Run, RunOptions, to_run
from reamon.model import SpanStatus
from reamon.testing import make_span
from reamon.testing.time import START_NS
from support.langsmith_server import Fault, LangSmithServer

KEY = "lsv2_pt_0123456789abcdef"
OPTIONS = RunOptions(project="calls")
NO_LIMIT = 100_000_000


@pytest.fixture(params=["reject_all", "ignore_old"])
def server(request: pytest.FixtureRequest) -> Iterator[LangSmithServer]:
    """Of both kinds that LangSmith may be of: what becomes of new runs in a request with old ones is not settled."""
    with LangSmithServer(api_key=KEY, mixed_conflict=request.param) as server:
        server.now = start_of_spans
        yield server


def start_of_spans() -> datetime:
    return datetime.fromtimestamp(START_NS / 1e9, UTC)


def sending_to(server: LangSmithServer, *, batch_bytes: int = NO_LIMIT, compress: bool = True) -> Ingestion:
    connection = Connection(server.url, KEY, connect_timeout=10.0, read_timeout=10.0)
    return Ingestion(lambda: connection, batch_bytes=batch_bytes, compress=compress)


def steps(count: int, **fields: Any) -> list[Upload]:
    return [Upload(to_run(make_span(**fields), OPTIONS)) for _ in range(count)]


def ids(uploads: list[Upload]) -> set[str]:
    return {upload.run.id for upload in uploads}


def writes(server: LangSmithServer) -> list[tuple[str, int, int]]:
    """Path, status and number of runs of all requests that wrote."""
    return [(it.path, it.status, len(it.run_ids)) for it in server.requests if it.method == "POST"]


def check_all_once(server: LangSmithServer, uploads: list[Upload]) -> None:
    assert server.runs.keys() == ids(uploads)
    assert set(server.writes.values()) == {1}
    assert server.violations == []


# -- requests --------------------------------------------------------------------------------------------------------


def test_a_batch_is_one_request(server: LangSmithServer) -> None:
    uploads = steps(20)
    sending_to(server).send(uploads)
    assert writes(server) == [("/runs/multipart", 202, 20)]
    assert server.requests[-1].headers["content-encoding"] == "zstd"
    check_all_once(server, uploads)


def test_nothing_is_no_request(server: LangSmithServer) -> None:
    sending_to(server).send([])
    assert server.requests == []


def test_compression_can_be_turned_off(server: LangSmithServer) -> None:
    sending_to(server, compress=False).send(steps(2))
    assert "content-encoding" not in server.requests[-1].headers


def test_a_server_that_cannot_decompress_is_sent_plain_text(server: LangSmithServer) -> None:
    server.info["instance_flags"]["zstd_compression_enabled"] = False
    sending_to(server).send(steps(2))
    assert "content-encoding" not in server.requests[-1].headers


def test_an_old_server_gets_json(server: LangSmithServer) -> None:
    server.info_status = 404
    uploads = steps(3)
    sending_to(server).send(uploads)
    assert writes(server) == [("/runs/batch", 202, 3)]
    check_all_once(server, uploads)


def test_a_server_that_lacks_the_form_it_offers_gets_json_from_then_on(server: LangSmithServer) -> None:
    server.fault = lambda request: Fault.NOT_FOUND if "multipart" in request.path else Fault.NONE
    ingestion, first, second = sending_to(server), steps(2), steps(3)
    ingestion.send(first)
    ingestion.send(second)
    assert [(path, status) for path, status, _ in writes(server)] == [
        ("/runs/multipart", 404),
        ("/runs/batch", 202),
        ("/runs/batch", 202),
    ]
    check_all_once(server, first + second)


def test_where_nothing_is_found_the_form_is_not_to_blame(server: LangSmithServer) -> None:
    ingestion, uploads = sending_to(server), steps(2)
    server.fault = Fault.NOT_FOUND
    with pytest.raises(Paused):
        ingestion.send(uploads)
    server.fault = Fault.NONE
    ingestion.send(uploads)
    assert writes(server)[-1] == ("/runs/multipart", 202, 2)


def test_more_runs_than_the_server_takes_are_several_requests(server: LangSmithServer) -> None:
    server.info["batch_ingest_config"]["size_limit"] = 10
    uploads = steps(25)
    sending_to(server).send(uploads)
    assert [count for _, _, count in writes(server)] == [10, 10, 5]
    check_all_once(server, uploads)


@pytest.mark.parametrize("is_servers", [True, False])
def test_more_bytes_than_are_wanted_are_several_requests(server: LangSmithServer, is_servers: bool) -> None:
    if is_servers:
        server.info["batch_ingest_config"]["size_limit_bytes"] = 100_000
    uploads = steps(10, input="x" * 30_000)
    sending_to(server, batch_bytes=NO_LIMIT if is_servers else 100_000).send(uploads)
    assert [count for _, _, count in writes(server)] == [3, 3, 3, 1]
    check_all_once(server, uploads)


def test_a_run_larger_than_a_batch_travels_alone(server: LangSmithServer) -> None:
    uploads = [*steps(2), *steps(1, input="x" * 60_000), *steps(2)]
    sending_to(server, batch_bytes=50_000).send(uploads)
    assert [count for _, _, count in writes(server)] == [2, 1, 2]
    check_all_once(server, uploads)


def test_a_run_larger_than_the_server_takes_is_refused_here(server: LangSmithServer) -> None:
    server.info["batch_ingest_config"]["size_limit_bytes"] = 50_000
    large = steps(1, input="x" * 60_000)
    for uploads in (large, steps(2) + large):  # the lane halves until it is alone
        with pytest.raises(Rejected, match="LangSmith takes 50000") as caught:
            sending_to(server).send(uploads)
        assert caught.value.certain
        assert caught.value.span_ids is None
    assert writes(server) == []


@given(
    st.lists(st.integers(0, 5_000), min_size=1, max_size=40),
    st.integers(1, 10),
    st.integers(3_000, 20_000),
)
def test_groups_keep_order_and_limits(sizes: list[int], max_runs: int, max_bytes: int) -> None:
    uploads = [Upload(Run(str(number), "t", b"x" * size)) for number, size in enumerate(sizes)]
    weights = dict(zip((upload.run.id for upload in uploads), sizes, strict=True))
    groups = list(module._groups(uploads, sizes, max_runs, max_bytes))
    assert [upload for group in groups for upload in group] == uploads
    for group in groups:
        assert 1 <= len(group) <= max_runs
        assert len(group) == 1 or sum(weights[upload.run.id] for upload in group) <= max_bytes


# -- what is there already -------------------------------------------------------------------------------------------


def test_runs_whose_answer_was_lost_are_sent_again_and_stored_once(server: LangSmithServer) -> None:
    ingestion, uploads = sending_to(server), steps(5)
    server.fault = [Fault.LOSE_ANSWER]
    with pytest.raises(NoAnswer):
        ingestion.send(uploads)
    ingestion.send(uploads)
    check_all_once(server, uploads)


def test_new_runs_among_old_ones_arrive(server: LangSmithServer) -> None:
    old, new = steps(3), steps(3)
    sending_to(server).send(old)
    sending_to(server).send([*new[:1], *old, *new[1:]])
    check_all_once(server, old + new)


def test_half_of_a_batch_that_was_stored_is_completed(server: LangSmithServer) -> None:
    uploads = steps(6)
    server.fault = [Fault.PARTIAL_CONFLICT]
    sending_to(server).send(uploads)
    check_all_once(server, uploads)


def test_a_single_run_that_is_there_is_delivered(server: LangSmithServer) -> None:
    uploads = steps(1)
    sending_to(server).send(uploads)
    sending_to(server).send(uploads)
    assert [status for _, status, _ in writes(server)] == [202, 409]
    check_all_once(server, uploads)


# -- failing on the way ----------------------------------------------------------------------------------------------


def test_a_failure_in_the_middle_costs_nothing_that_was_delivered(server: LangSmithServer) -> None:
    server.info["batch_ingest_config"]["size_limit"] = 10
    ingestion, uploads = sending_to(server), steps(30)
    server.fault = [Fault.NONE, Fault.UNAVAILABLE]
    with pytest.raises(ExportError, match="503"):
        ingestion.send(uploads)
    ingestion.send(uploads)
    assert [status for _, status, _ in writes(server)] == [202, 503, 202, 202]
    check_all_once(server, uploads)


def test_one_by_one_ends_where_the_server_is_in_trouble_and_goes_on_from_there(server: LangSmithServer) -> None:
    old, new = steps(1), steps(5)
    sending_to(server).send(old)
    ingestion = sending_to(server)
    server.fault = [Fault.NONE, Fault.NONE, Fault.NONE, Fault.RATE_LIMITED_SILENT]
    with pytest.raises(ExportError, match="429"):
        ingestion.send(old + new)
    before = len(writes(server))
    ingestion.send(old + new)
    assert len(writes(server)) - before <= 5  # and not 7: the batch and each of its 6 runs
    check_all_once(server, old + new)


def test_a_limit_that_is_smaller_than_a_batch_is_passed_bit_by_bit(server: LangSmithServer) -> None:
    """If each attempt began anew, none would ever come to the end."""
    uploads = steps(10)
    sending_to(server).send(uploads[:1])
    ingestion, attempts = sending_to(server), 0
    while server.runs.keys() != ids(uploads):
        attempts += 1
        assert attempts < 20
        server.fault = [Fault.NONE, Fault.NONE, Fault.NONE, *[Fault.RATE_LIMITED_SILENT] * 50]
        try:
            ingestion.send(uploads)
        except ExportError:
            continue
    check_all_once(server, uploads)


def test_a_run_that_is_refused_holds_nobody_up(server: LangSmithServer) -> None:
    old, bad, new = steps(1), steps(1, name="bad"), steps(3)
    sending_to(server).send(old)
    ingestion = sending_to(server)
    server.fault = lambda request: Fault.INVALID if set(request.run_ids) == ids(bad) else Fault.NONE
    with pytest.raises(Rejected) as caught:
        ingestion.send(old + bad + new)
    assert not caught.value.certain
    assert ids(new) <= server.runs.keys()
    before = len(writes(server))
    ingestion.send(old + new)
    assert len(writes(server)) == before


def test_what_is_remembered_is_forgotten_once_it_has_come_again(server: LangSmithServer) -> None:
    ingestion = sending_to(server)
    for _ in range(3):
        ingestion.send(steps(3))
    assert ingestion._delivered == set()


def test_what_never_comes_again_is_forgotten_in_the_end(
    server: LangSmithServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 5)
    server.info["batch_ingest_config"]["size_limit"] = 2
    ingestion = sending_to(server)
    for _ in range(10):
        server.fault = [Fault.NONE, Fault.UNAVAILABLE]
        with pytest.raises(ExportError):
            ingestion.send(steps(4))
    assert len(ingestion._delivered) <= 7


# -- beginnings and ends ---------------------------------------------------------------------------------------------


def beginning_and_end() -> tuple[Upload, Run]:
    root = make_span("turn", "workflow", status=SpanStatus.RUNNING, input={"text": "hello"})
    ended = root.replace(status=SpanStatus.OK, end_ns=root.start_ns + 10_000_000)
    return Upload(to_run(root, OPTIONS)), to_run(ended, OPTIONS)


def test_the_end_of_a_run_that_has_begun_completes_it(server: LangSmithServer) -> None:
    beginning, end = beginning_and_end()
    ingestion, others = sending_to(server), steps(2)
    ingestion.send([beginning])
    assert server.runs[end.id].get("end_time") is None
    ingestion.send([*others, Upload(end, has_begun=True)])
    assert writes(server)[1:] == [("/runs/multipart", 202, 3)]
    assert server.runs[end.id]["end_time"]
    check_all_once(server, [*others, beginning])


@pytest.mark.parametrize("others", [0, 2])
@pytest.mark.parametrize("has_begun", [True, False])
def test_an_end_arrives_whether_or_not_there_is_a_beginning(
    server: LangSmithServer, others: int, has_begun: bool
) -> None:
    beginning, end = beginning_and_end()
    if has_begun:
        sending_to(server).send([beginning])
    uploads = [*steps(others), Upload(end, has_begun=None)]
    sending_to(server).send(uploads)
    assert server.runs[end.id]["end_time"]
    check_all_once(server, uploads)


def test_an_end_whose_answer_was_lost_is_sent_again(server: LangSmithServer) -> None:
    beginning, end = beginning_and_end()
    ingestion = sending_to(server)
    ingestion.send([beginning])
    uploads = [*steps(2), Upload(end, has_begun=True)]
    server.fault = [Fault.LOSE_ANSWER]
    with pytest.raises(NoAnswer):
        ingestion.send(uploads)
    ingestion.send(uploads)
    assert server.patches[end.id] == 1
    check_all_once(server, uploads)
