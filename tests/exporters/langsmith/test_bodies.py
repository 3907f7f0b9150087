import email
import email.policy
import json

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from reamon.exporters.langsmith.bodies import Body, batch_body, multipart_body
from reamon.exporters.langsmith.runs import Run, RunOptions, to_run
from reamon.testing import make_span, sample_spans
from support.mapped_runs import decoded, written

OPTIONS = RunOptions(project="calls")
RUNS = [to_run(span, OPTIONS) for span in sample_spans()]

json_texts = st.text(max_size=20).map(lambda text: json.dumps(text).encode())
objects = st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=2).map(lambda it: json.dumps(it).encode())
runs = st.builds(
    Run,
    id=st.uuids().map(str),
    trace_id=st.uuids().map(str),
    fields=st.text(max_size=20).map(lambda name: json.dumps({"name": name}).encode()),
    inputs=st.none() | objects,
    outputs=st.none() | objects,
    extra=st.none() | objects,
    error=st.none() | json_texts,
)


def parts(body: Body) -> dict[str, bytes]:
    """The parts of a form by name, as a reader that is not ours finds them."""
    head = f"Content-Type: {body.headers['Content-Type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + body.content, policy=email.policy.HTTP)
    assert message.is_multipart()
    found = {}
    for part in message.iter_parts():
        content = part.get_payload(decode=True)
        assert part.get_content_type() == "application/json"
        assert int(part["Content-Length"]) == len(content)
        assert "Content-Encoding" not in part
        found[part.get_param("name", header="Content-Disposition")] = content
    return found


def test_a_batch_is_one_document_with_the_parts_in_their_places() -> None:
    body = batch_body(RUNS)
    assert body.headers == {"Content-Type": "application/json"}
    assert body.size == len(body.content)
    assert json.loads(body.content) == {"post": [decoded(run) for run in RUNS], "patch": []}


def test_posts_and_patches_keep_apart() -> None:
    post, patch = RUNS[0], RUNS[1]
    batch = json.loads(batch_body([post], [patch]).content)
    assert (batch["post"], batch["patch"]) == ([decoded(post)], [decoded(patch)])
    form = parts(multipart_body([post], [patch]))
    assert form[f"post.{post.id}"] == post.fields
    assert form[f"patch.{patch.id}"] == patch.fields


def test_payload_bytes_reach_a_batch_untouched() -> None:
    raw = b'{ "n": 1.10 }'
    run = Run("r", "t", b'{"id":"r"}', inputs=raw)
    assert raw in batch_body([run]).content


def test_the_strict_server_reads_the_same_from_every_kind_of_body() -> None:
    expected = [decoded(run) for run in RUNS]
    for body, path in (
        (batch_body(RUNS), "/runs/batch"),
        (multipart_body(RUNS), "/runs/multipart"),
        (multipart_body(RUNS, compress=True), "/runs/multipart"),
    ):
        assert [write.run for write in written(body, path)] == expected
        assert {write.kind for write in written(body, path)} == {"post"}


@given(st.lists(runs, min_size=1, max_size=4, unique_by=lambda run: run.id))
def test_a_form_reads_back_as_exactly_its_parts(posts: list[Run]) -> None:
    expected = {f"post.{run.id}": run.fields for run in posts}
    expected |= {f"post.{run.id}.{name}": part for run in posts for name, part in run.parts if part is not None}
    assert parts(multipart_body(posts)) == expected


def test_an_empty_piece_has_no_part() -> None:
    run = to_run(make_span(), OPTIONS)
    assert list(parts(multipart_body([run]))) == [f"post.{run.id}", f"post.{run.id}.extra"]


def test_a_compressed_form_says_its_sizes() -> None:
    plain, compressed = multipart_body(RUNS, boundary="b"), multipart_body(RUNS, boundary="b", compress=True)
    assert zstandard.ZstdDecompressor().decompress(compressed.content) == plain.content
    assert compressed.headers == {
        "Content-Type": "multipart/form-data; boundary=b",
        "Content-Encoding": "zstd",
        "X-Pre-Compressed-Size": str(sum(run.size for run in RUNS)),
        "X-Post-Compressed-Size": str(len(compressed.content)),
    }
    assert compressed.size == plain.size == len(plain.content)
    assert len(compressed.content) < plain.size


@pytest.mark.parametrize("compress", [False, True])
def test_two_forms_never_share_their_boundary(compress: bool) -> None:
    first, second = (multipart_body(RUNS[:1], compress=compress) for _ in range(2))
    assert first.headers["Content-Type"] != second.headers["Content-Type"]
