"""Ingestion: gets runs to LangSmith in as many requests as that takes."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from reamon.errors import Rejected
from reamon.exporters.langsmith.answers import Conflict, read
from reamon.exporters.langsmith.bodies import Body, batch_body, multipart_body
from reamon.exporters.langsmith.connection import Answer, Connection, ServerInfo
from reamon.exporters.langsmith.runs import Run

_AROUND_RUN: Final = 2048  # bytes that a form puts around the parts of a run, and more
_NO_SUCH_FORM: Final = frozenset((404, 405, 415))
_REMEMBERED: Final = 10_000


class Upload(msgspec.Struct, frozen=True, gc=False):
    """A run to be sent.

    Attributes:
        run: The run.
        has_begun: Whether LangSmith has its beginning already, so that this is its end; None: perhaps.
    """

    run: Run
    has_begun: bool | None = False


class Ingestion:
    """Sends runs so that they are all there when `send` returns.

    LangSmith takes a run once and answers 409 to a request that holds one it has already, without saying which, or
    what became of the others. So the runs of such a request are sent again one by one.

    Where a request fails, those before it have succeeded. Their runs are remembered until they come again, because
    they will: the lane knows only that the batch as a whole has failed.

    Args:
        connection: Gives the connection to use.
        batch_bytes: Bytes in one request before compression, at most; the server may want fewer. A run that is larger
            travels alone.
        compress: Whether to compress requests where the server can read that.
    """

    def __init__(self, connection: Callable[[], Connection], *, batch_bytes: int, compress: bool) -> None:
        self._connection = connection
        self._batch_bytes = batch_bytes
        self._compress = compress
        self._delivered: set[str] = set()

    def send(self, uploads: Sequence[Upload]) -> None:
        """Send runs, in order.

        Raises:
            ExportError: They are not all there; see `answers.read` for what the kinds of it mean.
        """
        waiting = uploads
        if self._delivered:
            waiting = [upload for upload in uploads if upload.run.id not in self._delivered]
        if waiting:
            info = self._connection().info()
            sizes = [upload.run.size + _AROUND_RUN for upload in waiting]
            _refuse_too_large(max(sizes), info)
            for group in _groups(waiting, sizes, info.max_runs, min(info.max_bytes, self._batch_bytes)):
                self._send_group(group)
        self._delivered.difference_update(upload.run.id for upload in uploads)

    def _send_group(self, group: Sequence[Upload]) -> None:
        if len(group) == 1:
            self._send_one(group[0])
            return
        try:
            read(self._request(group), len(group))
        except Conflict:
            self._send_singly(group)
        else:
            self._remember(group)

    def _send_singly(self, group: Sequence[Upload]) -> None:
        """One by one: past runs that are refused, but not past a server that is in trouble."""
        refusal: Rejected | None = None
        for upload in group:
            try:
                self._send_one(upload)
            except Rejected as error:
                refusal = error
        if refusal is not None:
            # The lane finds out which; it has to send again only what was not delivered here.
            raise refusal

    def _send_one(self, upload: Upload) -> None:
        answer = self._request([upload])
        read(answer, 1)
        if answer.status == 409 and upload.has_begun is None:  # what is there may be the beginning alone
            read(self._request([Upload(upload.run, has_begun=True)]), 1)
        self._remember([upload])

    def _remember(self, uploads: Sequence[Upload]) -> None:
        if len(self._delivered) > _REMEMBERED:  # of runs that never came again
            self._delivered.clear()
        self._delivered.update(upload.run.id for upload in uploads)

    def _request(self, uploads: Sequence[Upload]) -> Answer:
        connection = self._connection()
        info = connection.info()
        posts = [upload.run for upload in uploads if not upload.has_begun]
        patches = [upload.run for upload in uploads if upload.has_begun]
        if not info.use_multipart:
            return _post(connection, "/runs/batch", batch_body(posts, patches))
        form = multipart_body(posts, patches, compress=self._compress and info.zstd)
        answer = _post(connection, "/runs/multipart", form)
        if answer.status not in _NO_SUCH_FORM:
            return answer
        answer = _post(connection, "/runs/batch", batch_body(posts, patches))
        if answer.status not in _NO_SUCH_FORM:
            connection.give_up_multipart()
        return answer


def _post(connection: Connection, path: str, body: Body) -> Answer:
    return connection.request("POST", path, data=body.content, headers=body.headers)


def _refuse_too_large(largest: int, info: ServerInfo) -> None:
    """Raise if a run is larger than the server takes; the lane finds out which."""
    if largest > info.max_bytes:
        raise Rejected(f"a run of {largest} bytes; LangSmith takes {info.max_bytes} in a request")


def _groups(uploads: Sequence[Upload], sizes: Sequence[int], max_runs: int, max_bytes: int) -> Iterator[list[Upload]]:
    if len(uploads) <= max_runs and sum(sizes) <= max_bytes:  # the usual case
        yield list(uploads)
        return
    group: list[Upload] = []
    size = 0
    for upload, added in zip(uploads, sizes, strict=True):
        if group and (len(group) >= max_runs or size + added > max_bytes):
            yield group
            group, size = [], 0
        group.append(upload)
        size += added
    if group:
        yield group
