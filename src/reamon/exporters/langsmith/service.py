"""The service: LangSmith as somebody to ask, who answers or of whom it is known why not."""

import socket
import ssl
from typing import Any, Final, TypeVar

import msgspec

from reamon.errors import ServiceError
from reamon.exporters.langsmith.connection import Answer, Connection, Method, NoAnswer, connection_of
from reamon.settings import LangSmithSettings

T = TypeVar("T")
_JSON: Final = {"Content-Type": "application/json"}
_ORGANIZATION_KEY: Final = "org_scoped_key_requires_workspace"
_BUSY: Final = frozenset((408, 425, 429))
_ADVICE: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (socket.gaierror, "see that the endpoint is spelled right and that names are resolved here"),
    (ssl.SSLError, "see that the endpoint speaks https and that its certificate is trusted here"),
    (TimeoutError, "see that no firewall or proxy is in between, or allow more time"),
    (ConnectionRefusedError, "see that the endpoint is right and that the server runs"),
)
_OTHER_ADVICE: Final = "see that the endpoint is right and can be reached from here"


class Service:
    """One LangSmith workspace, reached over the connection that all parts of this process share.

    Args:
        settings: Where it is, and as whom to ask.
    """

    def __init__(self, settings: LangSmithSettings) -> None:
        self.settings = settings

    @property
    def connection(self) -> Connection:
        """The pooled connection; looked up each time, because a forked process has one of its own."""
        return connection_of(self.settings)

    def ask(self, method: Method, path: str, question: Any = None, *, headers: dict[str, str] | None = None) -> bytes:
        """Ask once, and give back the JSON that was answered.

        Args:
            method: The HTTP method.
            path: What is asked for, below the endpoint.
            question: The body: bytes as they are, anything else as JSON.
            headers: What to say about a body that is bytes.

        Raises:
            ServiceError: It was refused, or there was no answer.
        """
        if question is not None and not isinstance(question, bytes):
            question, headers = msgspec.json.encode(question), _JSON
        try:
            answer = self.connection.request(method, self._address(path), data=question, headers=headers)
        except NoAnswer as error:
            raise self.unreachable(error) from error
        refusal = self.refusal(answer)
        if refusal is not None:
            raise refusal
        return answer.body

    def _address(self, path: str) -> str:
        """The second API is beside an endpoint's `/api/v1`, which older versions of the SDK do not know."""
        if not path.startswith("/api/"):
            return path
        return self.settings.endpoint.removesuffix("/api/v1").removesuffix("/api") + path

    def refusal(self, answer: Answer) -> ServiceError | None:
        """What is wrong with an answer, if anything is."""
        status = answer.status
        if status == 202 or (status in {200, 201} and answer.json is not None):
            return None
        return ServiceError(f"LangSmith {self._reason(answer)}", status if status >= 400 else None)

    def unreachable(self, error: NoAnswer) -> ServiceError:
        """What is wrong where nobody answered."""
        advice = next((text for kind, text in _ADVICE if isinstance(error.__cause__, kind)), _OTHER_ADVICE)
        return ServiceError(f"{error}; {advice} (LANGSMITH_ENDPOINT is {self.settings.endpoint})")

    def _reason(self, answer: Answer) -> str:
        status, endpoint = answer.status, self.settings.endpoint
        if status < 300:
            return f"answered something that is not JSON (a proxy, or the web page?); {self._api_address}"
        if status < 400:
            return f"answered {status}, a redirect; {self._api_address}"
        if status == 401 and self.settings.api_key is None:
            return "wants an API key (401); set LANGSMITH_API_KEY"
        if status == 401:
            return f"refused the API key (401); set LANGSMITH_API_KEY to a key that is valid at {endpoint}"
        if status == 403 and _ORGANIZATION_KEY in answer.text:
            return "wants to know which workspace is meant (403); set LANGSMITH_WORKSPACE_ID"
        if status == 403:
            return (
                "does not let this API key do that (403); use a key with more rights, or set LANGSMITH_WORKSPACE_ID "
                f"to the workspace that it is for: {answer.text}"
            )
        if status == 404:
            return f"knows of no such thing (404): {answer.text}; if it should be there, {self._api_address}"
        if status in _BUSY or status >= 500:
            return f"cannot do it now ({status}); try again later: {answer.text}"
        return f"refused it ({status}): {answer.text}"

    @property
    def _api_address(self) -> str:
        return f"set LANGSMITH_ENDPOINT, now {self.settings.endpoint}, to the address of the API"


def understood(answer: bytes, kind: type[T]) -> T:
    """What was answered, as it is expected.

    Raises:
        ServiceError: It is something else.
    """
    try:
        return msgspec.json.decode(answer, type=kind)
    except msgspec.MsgspecError as error:
        raise ServiceError(
            f"LangSmith answered something that reamon does not understand ({error}); is there a newer reamon?"
        ) from error
