"""The OTLP exporter: each finished span to a collector, or to a backend that speaks OpenTelemetry's protocol."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from pydantic import SecretStr

from reamon.errors import Rejected
from reamon.exporters.otlp.answers import read
from reamon.exporters.otlp.connection import Connection
from reamon.exporters.otlp.mapping import SpanMapping
from reamon.guard import describe
from reamon.model import Span
from reamon.settings import OTLPSettings


class OTLPExporter:
    """Sends finished spans by OTLP (protobuf over HTTP), with OpenTelemetry's own exporter.

    A span counts as delivered once the receiver has said so. Until then it waits in the outbox, through outages, rate
    limits and restarts: OpenTelemetry's exporter asks once, and the lane decides when to ask again. A span may arrive
    twice where an answer was lost, with the same ids. What the receiver will never take is kept as a dead letter.

    Whatever is not given comes from the settings: `REAMON_OTLP__X`, then the variables of OpenTelemetry's SDK, such as
    `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS` and `OTEL_SERVICE_NAME`.

    Args:
        endpoint: The address that takes traces; `/v1/traces` is added to one without a path.
        headers: Headers of each request, such as API keys: a mapping, or `name=value,name=value`, percent-encoded.
        service_name: The resource's `service.name`.
        resource_attributes: More about the resource: a mapping, or `name=value,name=value`, percent-encoded.
        payloads: Whether inputs, outputs and states are sent.
        connect_timeout: Seconds to wait for a connection.
        read_timeout: Seconds to wait for an answer.
        compression: How requests are compressed: "gzip", "deflate" or "none".
        certificate: The certificates (PEM) to trust, in the place of the usual ones.
        client_certificate: The certificate (PEM) to show to the server.
        client_key: The key (PEM) of that certificate, if it is in a file of its own.
        batch_size: Spans in one request, at most.
        batch_bytes: Bytes in one request before compression, roughly.
        flush_interval: Seconds that finished spans may wait to be sent together.
        name: Unique among the configured exporters.

    Raises:
        ConfigurationError: A value cannot be used.

    Example:
        >>> OTLPExporter("http://collector:4318", headers={"api-key": "secret"}, service_name="voice")
        OTLPExporter(endpoint='http://collector:4318/v1/traces', name='otlp')
    """

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        headers: Mapping[str, str] | str | SecretStr | None = None,
        service_name: str | None = None,
        resource_attributes: Mapping[str, str] | str | None = None,
        payloads: bool | None = None,
        connect_timeout: float | None = None,
        read_timeout: float | None = None,
        compression: Literal["gzip", "deflate", "none"] | None = None,
        certificate: str | Path | None = None,
        client_certificate: str | Path | None = None,
        client_key: str | Path | None = None,
        batch_size: int | None = None,
        batch_bytes: int | None = None,
        flush_interval: float | None = None,
        name: str = "otlp",
    ) -> None:
        settings = OTLPSettings.from_environment(
            endpoint=endpoint,
            headers=_written(headers) if isinstance(headers, Mapping) else headers,
            service_name=service_name,
            resource_attributes=(
                _written(resource_attributes) if isinstance(resource_attributes, Mapping) else resource_attributes
            ),
            payloads=payloads,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            compression=compression,
            certificate=certificate,
            client_certificate=client_certificate,
            client_key=client_key,
            batch_size=batch_size,
            batch_bytes=batch_bytes,
            flush_interval=flush_interval,
        )
        self.name = name
        self.batch_size = settings.batch_size
        self.batch_bytes = settings.batch_bytes
        self.flush_interval = settings.flush_interval
        self._settings = settings
        self._connection = Connection(settings)
        self._mapping: SpanMapping | None = None

    @property
    def destination(self) -> str:
        """Where spans go. No header is part of it, so what waits on disk is delivered after a change of keys, too."""
        return f"otlp {self._settings.endpoint}"

    def open(self) -> None:
        """Import OpenTelemetry's exporter. The receiver is not asked anything yet.

        Raises:
            MissingExtraError: It is not installed.
            ConfigurationError: A file with a certificate or a key is not there.
        """
        self._connection.open()

    def export(self, batch: Sequence[Span]) -> None:
        """Send `batch`. Returns once the receiver has taken all of it.

        Raises:
            Rejected: The receiver refuses some spans, or all; or some cannot be said in OTLP, and the others are there.
            Paused: The receiver takes nothing until somebody changes a setting.
            RetryAfter: The receiver asks to wait.
            ExportError: The receiver did not take all of it.
        """
        if self._mapping is None:
            self._connection.open()
            self._mapping = SpanMapping(self._settings.resource_pairs, payloads=self._settings.payloads)
        spans, unsayable = [], {}
        for span in batch:
            try:
                spans.append(self._mapping(span))
            except Exception as error:
                unsayable[span.span_id] = describe(error)
        if spans:
            read(self._connection.send(spans), len(spans))
        if unsayable:
            reason = next(iter(unsayable.values()))
            raise Rejected(f"it cannot be said in OTLP: {reason}", list(unsayable), counted_as="unsayable")

    def shutdown(self, timeout: float) -> None:
        """Close the connection. There is nothing to wait for."""
        self._connection.close()

    def after_fork(self) -> None:
        """Leave the connection to the parent, and make another."""
        self._connection.after_fork()

    def __repr__(self) -> str:
        return f"OTLPExporter(endpoint={self._settings.endpoint!r}, name={self.name!r})"


def _written(pairs: Mapping[str, str]) -> str:
    """Pairs as the environment would have them."""
    return ",".join(f"{quote(str(name), safe='')}={quote(str(value), safe='')}" for name, value in pairs.items())
