"""The session beneath OpenTelemetry's exporter: one attempt for each request, and what came of it.

The exporter tries again by itself, for a minute, and then logs that it gave up; what the receiver says about single
spans it does not read. Here it asks once, is told that all is well whatever was answered, and the true answer is kept
for the lane, which knows better when to try again.
"""

from collections.abc import Mapping
from typing import Any, Final

import requests

from reamon.exporters._answer import Answer
from reamon.exporters._no_answer import no_answer
from reamon.exporters._transport import BoundedSession

_SHORTEST_SECRET: Final = 8  # what is shorter stands in any text by chance
_HIDDEN: Final = "(a header's value)"


class LaneSession(BoundedSession):
    """Sends what OpenTelemetry's exporter wants to be sent, and remembers the answer.

    Args:
        endpoint: Where to.
        headers: All headers that are ours to say. The exporter's own, which it may have read from variables that are
            meant for another receiver, are not sent.
        timeouts: Seconds to wait for a connection, and for an answer.
    """

    def __init__(self, endpoint: str, headers: Mapping[str, str], timeouts: tuple[float, float]) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._said = dict(headers)
        self._timeouts = timeouts
        self._came: Answer | Exception | None = None

    def take_answer(self) -> Answer:
        """What the last request was answered with.

        Raises:
            NoAnswer: There was none.
            LookupError: Nothing was sent.
        """
        came, self._came = self._came, None
        if came is None:
            raise LookupError("nothing was sent")
        if isinstance(came, Exception):
            raise no_answer(came, self._endpoint)
        return came

    def request(self, method: str, url: Any, *args: Any, **options: Any) -> requests.Response:
        """Send it once; the answer to the caller is always that all is well."""
        try:
            response = super().request(
                method, self._endpoint, data=options["data"], headers=self._said, timeout=self._timeouts
            )
            self._came = self._answer(response)
        except Exception as error:
            self._came = error
        well = requests.Response()
        well.status_code = 200
        well._content = b""
        return well

    def _answer(self, response: requests.Response) -> Answer:
        headers = {name.lower(): value for name, value in response.headers.items()}
        body = response.content
        for secret in self._said.values():
            if len(secret) >= _SHORTEST_SECRET:
                body = body.replace(secret.encode(), _HIDDEN.encode())
        return Answer(response.status_code, headers, body)
