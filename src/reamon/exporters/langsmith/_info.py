"""What a server says that it can do."""

from typing import Annotated, Final

import msgspec

_Count = Annotated[int, msgspec.Meta(gt=0)]


class ServerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a server can do. The defaults are those of one that is too old to say.

    Attributes:
        version: Its version, if it says so.
        use_multipart: Whether it takes runs as a multipart form.
        max_runs: Runs in one request, at most.
        max_bytes: Bytes in one request before compression, at most.
        zstd: Whether it reads requests that are compressed so.
    """

    version: str | None = None
    use_multipart: bool = False
    max_runs: int = 100
    max_bytes: int = 20_971_520
    zstd: bool = False


class _Limits(msgspec.Struct, frozen=True):
    use_multipart_endpoint: bool | None = None
    size_limit: _Count | None = None
    size_limit_bytes: _Count | None = None


class _Flags(msgspec.Struct, frozen=True):
    zstd_compression_enabled: bool | None = None


class _Said(msgspec.Struct, frozen=True):
    version: str | None = None
    batch_ingest_config: _Limits | None = None
    instance_flags: _Flags | None = None


_OLD: Final = ServerInfo()


def server_info(body: bytes) -> ServerInfo | None:
    """What the body of an answer to `GET /info` says; None if it is something else."""
    try:
        said = msgspec.json.decode(body, type=_Said)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    limits, flags = said.batch_ingest_config or _Limits(), said.instance_flags or _Flags()
    return ServerInfo(
        version=said.version,
        use_multipart=bool(limits.use_multipart_endpoint),
        max_runs=limits.size_limit or _OLD.max_runs,
        max_bytes=limits.size_limit_bytes or _OLD.max_bytes,
        zstd=bool(flags.zstd_compression_enabled),
    )
