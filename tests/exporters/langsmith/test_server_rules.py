"""What the local LangSmith server refuses, rule by rule."""

import gzip
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest
import zstandard

from support.langsmith_requests import (
    KEY,
    Run,
    ask,
    multipart,
    part,
    patch_of,
    post_parts,
    run,
    send_batch,
    send_multipart,
)
from support.langsmith_server import LangSmithServer

NOW = datetime.now(UTC)
DAY = timedelta(hours=24)


@pytest.fixture
def server() -> Iterator[LangSmithServer]:
    with LangSmithServer(KEY) as server:
        yield server


def without(field: str) -> Run:
    return {name: value for name, value in run().items() if name != field}


@pytest.mark.parametrize("path", ["/runs/batch", "/api/v1/runs/batch"])
def test_a_run_that_is_right_is_stored(server: LangSmithServer, path: str) -> None:
    posted = run()
    assert ask(server.url, path, *_as_batch(posted))[0] == 202
    assert server.runs[posted["id"]]["outputs"] == {"answer": "now"}
    assert server.runs[posted["id"]]["session_name"] == "voice"
    assert server.violations == []


def test_a_run_in_parts_is_put_together(server: LangSmithServer) -> None:
    posted = run()
    assert send_multipart(server.url, multipart(post_parts(posted))) == 202
    assert posted.items() <= server.runs[posted["id"]].items()


@pytest.mark.parametrize("field", ["id", "trace_id", "dotted_order", "name", "run_type", "start_time", "session_name"])
def test_a_run_that_lacks_a_field_is_refused(server: LangSmithServer, field: str) -> None:
    assert send_batch(server.url, without(field)) == 422
    assert [violation.field for violation in server.violations] == [field]
    assert server.runs == {}


@pytest.mark.parametrize("field", ["end_time", "inputs", "outputs"])
def test_a_run_may_lack_what_is_not_known_yet(server: LangSmithServer, field: str) -> None:
    assert send_batch(server.url, without(field)) == 202


def test_a_project_may_be_named_by_its_id(server: LangSmithServer) -> None:
    assert send_batch(server.url, without("session_name") | {"session_id": str(uuid4())}) == 202


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "17"),
        ("run_type", "agent"),
        ("start_time", "yesterday"),
        ("start_time", 1_700_000_000),
        ("end_time", "later"),
        ("name", 3),
        ("session_name", ["voice"]),
        ("inputs", ["question"]),
        ("outputs", "answer"),
        ("error", {"type": "ValueError"}),
        ("tags", "voice"),
        ("tags", ["voice", 3]),
        ("events", {"name": "new_token"}),
        ("events", ["new_token"]),
        ("events", [{"name": "new_token", "time": "soon"}]),
        ("extra", []),
        ("reference_example_id", "first"),
    ],
)
def test_a_field_that_holds_something_else_is_refused(server: LangSmithServer, field: str, value: Any) -> None:
    assert send_batch(server.url, run(**{field: value})) == 422
    assert field in {violation.field for violation in server.violations}


def test_metadata_is_an_object(server: LangSmithServer) -> None:
    assert send_batch(server.url, run(extra={"metadata": ["thread_id"]})) == 422


@pytest.mark.parametrize(("distance", "status"), [(DAY - timedelta(minutes=1), 202), (DAY + timedelta(minutes=1), 422)])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_run_starts_within_a_day_of_now(server: LangSmithServer, distance: timedelta, sign: int, status: int) -> None:
    server.now = lambda: NOW
    assert send_batch(server.url, run(start=NOW + sign * distance)) == status


def test_a_run_does_not_end_before_it_starts(server: LangSmithServer) -> None:
    assert send_batch(server.url, run(end_time=(NOW - timedelta(hours=1)).isoformat())) == 422
    assert [violation.field for violation in server.violations] == ["end_time"]


def test_one_run_that_is_wrong_refuses_its_whole_request(server: LangSmithServer) -> None:
    wrong = run(run_type="agent")
    assert send_batch(server.url, run(), wrong, run()) == 422
    assert server.runs == {}
    assert [violation.run_id for violation in server.violations] == [wrong["id"]]


def test_a_child_names_its_parent(server: LangSmithServer) -> None:
    root = run()
    child = run(root)
    assert send_batch(server.url, root, child, run(child)) == 202


def _segment(made: Run) -> str:
    return str(made["dotted_order"].split(".")[-1])


def _later(made: Run) -> str:
    return (datetime.fromisoformat(made["start_time"]) + timedelta(microseconds=1)).isoformat()


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("parent_run_id", lambda child: None),
        ("parent_run_id", lambda child: child["id"]),
        ("trace_id", lambda child: child["id"]),
        ("dotted_order", _segment),
        ("dotted_order", lambda child: child["dotted_order"].replace("Z", "")),
        ("dotted_order", lambda child: child["dotted_order"] + "."),
        ("dotted_order", lambda child: child["dotted_order"].replace(child["id"], str(uuid4()))),
        ("dotted_order", lambda child: "0" + child["dotted_order"]),
        ("dotted_order", lambda child: "20251332" + child["dotted_order"][8:]),
        ("dotted_order", lambda child: child["dotted_order"].replace("2", "\N{FULLWIDTH DIGIT TWO}", 1)),
        ("start_time", _later),
    ],
)
def test_the_order_agrees_with_the_ids_and_the_start(
    server: LangSmithServer, field: str, wrong: Callable[[Run], Any]
) -> None:
    root = run()
    child = run(root)
    assert send_batch(server.url, root, child | {field: wrong(child)}) == 422
    assert {violation.run_id for violation in server.violations} == {child["id"]}


def test_a_root_has_no_parent(server: LangSmithServer) -> None:
    assert send_batch(server.url, run(parent_run_id=str(uuid4()))) == 422
    assert [violation.field for violation in server.violations] == ["parent_run_id"]


def test_a_child_does_not_start_before_its_parent(server: LangSmithServer) -> None:
    root = run(start=NOW)
    assert send_batch(server.url, root, run(root, start=NOW)) == 202
    assert send_batch(server.url, run(root, start=NOW - timedelta(microseconds=1))) == 422


def test_an_id_of_another_version_is_taken_with_a_warning(server: LangSmithServer) -> None:
    other = str(uuid4())
    made = run()
    renamed = {field: value.replace(made["id"], other) for field, value in made.items() if isinstance(value, str)}
    assert send_batch(server.url, renamed) == 202
    assert server.warnings == [other]


@pytest.mark.parametrize(
    "body", [b"{", b'{"post": NaN}', b'{"post": ["\\ud800"]}', b'{"post": ["\xff"]}', b"[]", b'{"runs": []}']
)
def test_a_batch_is_strict_json(server: LangSmithServer, body: bytes) -> None:
    assert ask(server.url, "/runs/batch", body, {"Content-Type": "application/json"})[0] == 422
    assert len(server.violations) == 1


def test_a_batch_says_that_it_is_json(server: LangSmithServer) -> None:
    body, _ = _as_batch(run())
    assert ask(server.url, "/runs/batch", body, {"Content-Type": "text/plain"})[0] == 422


POSTED = run()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(part(f"post.{POSTED['id']}", POSTED), id="nothing closes it"),
        pytest.param(multipart(part(f"post.{POSTED['id']}", POSTED, Content_Length="")), id="a part without a length"),
        pytest.param(multipart(part(f"post.{POSTED['id']}", POSTED, Content_Length="7")), id="a length that is wrong"),
        pytest.param(multipart(part(f"post.{POSTED['id']}", POSTED, Content_Type="")), id="a part without a type"),
        pytest.param(multipart(part(f"post.{POSTED['id']}", POSTED, Content_Type="text/plain")), id="not JSON"),
        pytest.param(multipart(part(f"post.{POSTED['id']}", POSTED, Content_Encoding="gzip")), id="a part compressed"),
        pytest.param(multipart(part(f"post.{uuid4()}", POSTED)), id="another id in the name"),
        pytest.param(multipart(part(f"put.{POSTED['id']}", POSTED)), id="neither post nor patch"),
        pytest.param(multipart(post_parts(POSTED), post_parts(POSTED)), id="the same run twice"),
        pytest.param(multipart(*[part(f"post.{POSTED['id']}", POSTED)] * 2), id="the same part twice"),
        pytest.param(multipart(part(f"post.{POSTED['id']}.inputs", {})), id="inputs of no run"),
        pytest.param(multipart(post_parts(POSTED)) + b"more", id="more behind the end"),
        pytest.param(
            multipart(post_parts(POSTED), part(f"post.{POSTED['id']}.name", "x")), id="a field that is no part"
        ),
        pytest.param(multipart(post_parts(POSTED), part(f"post.{POSTED['id']}.inputs", {})), id="inputs twice"),
        pytest.param(multipart(part(f"post.{POSTED['id']}", b"{")), id="broken JSON"),
        pytest.param(multipart(part(f"attachment.{POSTED['id']}.a.b", b"x")), id="an attachment with a dot"),
        pytest.param(b"post", id="no part at all"),
    ],
)
def test_a_multipart_request_that_is_wrong_is_refused(server: LangSmithServer, body: bytes) -> None:
    assert send_multipart(server.url, body) == 422
    assert server.violations
    assert server.runs == {}


def test_a_multipart_request_names_its_boundary(server: LangSmithServer) -> None:
    body = multipart(post_parts(run()))
    assert ask(server.url, "/runs/multipart", body, {"Content-Type": "multipart/form-data"})[0] == 422


def test_feedback_and_attachments_are_kept(server: LangSmithServer) -> None:
    posted = run()
    sound = part(f"attachment.{posted['id']}.greeting", b"\x00\x01", Content_Type="audio/wav")
    opinion = part("feedback.f1", {"key": "helpful", "score": 1})
    assert send_multipart(server.url, multipart(post_parts(posted), sound, opinion)) == 202
    assert server.feedback == {"f1": {"key": "helpful", "score": 1}}
    assert server.runs[posted["id"]]["attachments"] == {"greeting": b"\x00\x01"}


@pytest.mark.parametrize(("encoding", "compress"), [("zstd", zstandard.compress), ("gzip", gzip.compress)])
def test_a_request_may_be_compressed(
    server: LangSmithServer, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    body = multipart(post_parts(run()))
    packed = compress(body)
    sizes = {"X_Pre_Compressed_Size": str(len(body)), "X_Post_Compressed_Size": str(len(packed))}
    assert send_multipart(server.url, packed, Content_Encoding=encoding, **sizes) == 202
    assert len(server.runs) == 1


@pytest.mark.parametrize("header", ["X_Pre_Compressed_Size", "X_Post_Compressed_Size"])
def test_sizes_that_are_told_are_checked(server: LangSmithServer, header: str) -> None:
    packed = zstandard.compress(multipart(post_parts(run())))
    assert send_multipart(server.url, packed, Content_Encoding="zstd", **{header: "7"}) == 422
    assert [violation.field for violation in server.violations] == [header.replace("_", "-")]


@pytest.mark.parametrize(("encoding", "status"), [("zstd", 422), ("gzip", 422), ("br", 415)])
def test_a_body_is_what_its_encoding_says(server: LangSmithServer, encoding: str, status: int) -> None:
    assert send_multipart(server.url, multipart(post_parts(run())), Content_Encoding=encoding) == status


def test_what_is_not_offered_is_not_there(server: LangSmithServer) -> None:
    body = multipart(post_parts(run()))
    server.info["instance_flags"]["zstd_compression_enabled"] = False
    assert send_multipart(server.url, zstandard.compress(body), Content_Encoding="zstd") == 415
    server.info["batch_ingest_config"]["use_multipart_endpoint"] = False
    assert send_multipart(server.url, body) == 404
    assert send_batch(server.url, run()) == 202


def test_a_request_that_is_too_large_is_refused(server: LangSmithServer) -> None:
    limit = server.info["batch_ingest_config"]["size_limit_bytes"] = 10_000
    large = multipart(post_parts(run(inputs={"text": "a" * limit})))
    assert send_multipart(server.url, large) == 413
    assert send_multipart(server.url, zstandard.compress(large), Content_Encoding="zstd") == 413
    assert send_multipart(server.url, gzip.compress(large), Content_Encoding="gzip") == 413
    assert send_batch(server.url, run(inputs={"text": "a" * limit})) == 413


def test_a_request_with_too_many_runs_is_refused(server: LangSmithServer) -> None:
    assert send_batch(server.url, *(run() for _ in range(100))) == 202
    assert send_batch(server.url, *(run() for _ in range(101))) == 422
    server.enforce_size_limit = False
    assert send_batch(server.url, *(run() for _ in range(101))) == 202


def test_the_key_must_be_right(server: LangSmithServer) -> None:
    body, headers = _as_batch(run())
    assert ask(server.url, "/runs/batch", body, headers | {"x-api-key": "lsv2_pt_other"})[0] == 401
    assert ask(server.url, "/sessions", headers={"x-api-key": ""})[0] == 401
    assert server.runs == {}


def test_a_key_of_an_organisation_needs_a_workspace() -> None:
    with LangSmithServer(KEY, workspaces={"sales"}) as server:
        body, headers = _as_batch(run())
        status, answer = ask(server.url, "/runs/batch", body, headers)
        assert (status, answer) == (403, {"error": "org_scoped_key_requires_workspace"})
        assert ask(server.url, "/runs/batch", body, headers | {"X-Tenant-Id": "support"})[0] == 403
        assert ask(server.url, "/runs/batch", body, headers | {"X-Tenant-Id": "sales"})[0] == 202


def test_a_patch_changes_the_run_that_is_stored(server: LangSmithServer) -> None:
    posted = without("outputs")
    patch = patch_of(posted, outputs={"answer": "later"}, name=None)
    assert send_batch(server.url, posted) == 202
    assert send_batch(server.url, patches=(patch,)) == 202
    assert server.runs[posted["id"]]["outputs"] == {"answer": "later"}
    assert server.runs[posted["id"]]["name"] == "step"
    assert server.writes == {posted["id"]: 1}
    assert server.patches == {posted["id"]: 1}


def test_a_patch_names_its_run_and_trace(server: LangSmithServer) -> None:
    assert send_batch(server.url, patches=({"id": run()["id"], "outputs": {}},)) == 422
    assert {violation.field for violation in server.violations} == {"trace_id", "dotted_order"}


def test_a_patch_of_a_run_that_is_not_there_waits_for_it(server: LangSmithServer) -> None:
    posted = without("outputs")
    assert send_batch(server.url, patches=(patch_of(posted, outputs={"answer": "now"}),)) == 202
    assert (list(server.orphans), server.runs) == ([posted["id"]], {})
    assert send_batch(server.url, posted) == 202
    assert (server.orphans, server.runs[posted["id"]]["outputs"]) == ({}, {"answer": "now"})


def test_a_run_is_written_once(server: LangSmithServer) -> None:
    posted = run()
    patch = patch_of(posted, error="ValueError")
    assert [send_batch(server.url, posted), send_batch(server.url, posted)] == [202, 409]
    assert [send_batch(server.url, patches=(patch,)), send_batch(server.url, patches=(patch,))] == [202, 409]
    assert server.writes == {posted["id"]: 1}


def test_a_run_that_comes_twice_in_a_batch_is_a_conflict(server: LangSmithServer) -> None:
    posted = run()
    assert send_batch(server.url, posted, posted) == 409
    assert server.writes == {}


@pytest.mark.parametrize(("kind", "stored"), [("reject_all", 1), ("ignore_old", 2)])
def test_a_batch_of_old_and_new_runs_is_a_conflict(kind: Any, stored: int) -> None:
    with LangSmithServer(KEY, mixed_conflict=kind) as server:
        old = run()
        send_batch(server.url, old)
        assert send_batch(server.url, old, run()) == 409
        assert len(server.runs) == stored
        assert set(server.writes.values()) == {1}


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_poisoned_run_refuses_its_whole_request(server: LangSmithServer, status: int) -> None:
    poisoned = run(name="poison")
    server.poison, server.poison_status = (lambda run: run["name"] == "poison"), status
    assert send_batch(server.url, run(), poisoned) == status
    assert send_batch(server.url, run()) == 202
    assert [(violation.field, violation.run_id) for violation in server.violations] == [("poison", poisoned["id"])]


def test_more_runs_than_a_minute_may_bring_are_put_off(server: LangSmithServer) -> None:
    clock = [datetime.now(UTC)]
    server.now = lambda: clock[0]
    server.writes_per_minute = 3
    assert send_batch(server.url, run(), run()) == 202
    assert send_batch(server.url, run(), run()) == 429
    clock[0] += timedelta(seconds=61)
    assert send_batch(server.url, run(), run()) == 202


def _as_batch(*posts: Run) -> tuple[bytes, dict[str, str]]:
    return orjson.dumps({"post": posts}), {"Content-Type": "application/json"}
