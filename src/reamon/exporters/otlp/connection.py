"""The connection to an OTLP receiver: OpenTelemetry's exporter, asked once for each request."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from reamon.errors import ConfigurationError, ExportError, MissingExtraError
from reamon.exporters._answer import Answer
from reamon.processes import abandon
from reamon.settings import OTLPSettings

if TYPE_CHECKING:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import ReadableSpan

    from reamon.exporters.otlp._session import LaneSession

_FORM: Final = "application/x-protobuf"
_FEATURE: Final = "the exporter 'otlp'"


class Connection:
    """One receiver. For one thread at a time, which is the lane's.

    Args:
        settings: Where to, and how.
    """

    def __init__(self, settings: OTLPSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._made: tuple[OTLPSpanExporter, LaneSession] | None = None

    def open(self) -> None:
        """Import what is needed, and make the exporter. The receiver is not asked anything yet.

        Raises:
            MissingExtraError: OpenTelemetry's exporter is not installed.
            ConfigurationError: A file with a certificate or a key is not there.
        """
        settings = self._settings
        for name in ("certificate", "client_certificate", "client_key"):
            path = getattr(settings, name)
            if path is not None and not path.is_file():
                raise ConfigurationError(f"otlp.{name} = {str(path)!r}: there is no such file")
        self._exporter()

    def send(self, spans: "Sequence[ReadableSpan]") -> Answer:
        """Send spans, once.

        Raises:
            NoAnswer: There was none.
            ExportError: They could not be sent at all.
        """
        exporter, session = self._exporter()
        with _uninstrumented():
            exporter.export(spans)
        try:
            return session.take_answer()
        except LookupError:
            raise ExportError("OpenTelemetry's exporter sent nothing; its log says why") from None

    def close(self) -> None:
        """Close what is open; a later `send` opens it again."""
        with self._lock:
            made, self._made = self._made, None
        if made is not None:
            made[1].close()

    def after_fork(self) -> None:
        """Be a connection of the forked child's own: what was inherited is the parent's, and is not closed."""
        abandon(self._made)
        self._lock = threading.Lock()
        self._made = None

    def _exporter(self) -> "tuple[OTLPSpanExporter, LaneSession]":
        with self._lock:
            if self._made is None:
                self._made = _make(self._settings)
            return self._made


def _make(settings: OTLPSettings) -> "tuple[OTLPSpanExporter, LaneSession]":
    try:
        from opentelemetry.exporter.otlp.proto.http import Compression  # noqa: PLC0415 - an optional package
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - an optional package
            OTLPSpanExporter,
        )
    except ImportError as error:
        raise MissingExtraError(_FEATURE, "otlp", error.name) from error
    from reamon.exporters.otlp._session import LaneSession  # noqa: PLC0415 - needs what the extra brings

    compression = Compression(settings.compression)
    headers = {"content-type": _FORM, "user-agent": _user_agent(), **settings.header_pairs}
    if compression is not Compression.NoCompression:
        headers["content-encoding"] = compression.value
    timeouts = (settings.connect_timeout, settings.read_timeout)
    session = LaneSession(settings.endpoint, headers, timeouts)
    exporter = OTLPSpanExporter(
        endpoint=settings.endpoint, timeout=round(sum(timeouts)) or 1, compression=compression, session=session
    )
    session.headers.clear()  # older exporters put there what they have read from the environment
    session.bind(settings.endpoint)
    if settings.certificate is not None:
        session.verify = str(settings.certificate)
    if settings.client_certificate is not None:
        certificate, key = str(settings.client_certificate), settings.client_key
        session.cert = certificate if key is None else (certificate, str(key))
    return exporter, session


def _user_agent() -> str:
    from importlib.metadata import version  # noqa: PLC0415 - for a request only

    return f"reamon/{version('reamon')}"


@contextmanager
def _uninstrumented() -> Iterator[None]:
    """Keep OpenTelemetry's instrumentations of HTTP clients from tracing our own requests, without end."""
    from opentelemetry import context  # noqa: PLC0415 - an optional package

    quiet = context.get_current()
    for name in ("_SUPPRESS_INSTRUMENTATION_KEY", "_SUPPRESS_HTTP_INSTRUMENTATION_KEY"):
        quiet = context.set_value(getattr(context, name, name), True, quiet)
    token = context.attach(quiet)
    try:
        yield
    finally:
        context.detach(token)
