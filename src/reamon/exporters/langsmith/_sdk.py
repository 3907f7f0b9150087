"""The langsmith SDK: imported when it is needed, and its client made so that it does what we say and nothing else."""

import os
import threading
from inspect import signature
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from reamon.errors import ConfigurationError
from reamon.late_imports import LateImport

if TYPE_CHECKING:
    import langsmith

    from reamon.exporters._transport import BoundedSession

    Client: TypeAlias = tuple[langsmith.Client, BoundedSession]
    """The SDK's client, and the session that it sends with."""

_importing: Final = LateImport()


def prepare() -> None:
    """Begin to import the SDK, in the background.

    It takes half a second, which nobody should wait for. And it cannot wait for the first request: a short program
    sends all it has when it ends, and then much of what the SDK imports can no longer be imported.
    """
    import concurrent.futures.thread  # noqa: F401, PLC0415 - so can this, which is quick

    threading.Thread(target=_import, name="reamon-langsmith-import", daemon=True).start()


def make_client(endpoint: str, api_key: str | None) -> "Client":
    """A client of this endpoint and key, whatever the environment or a profile say."""
    client_class, session_class = _import()
    # Newer versions look these up elsewhere too, older ones do not know them.
    options: dict[str, Any] = {"workspace_id": "", "tracing_mode": "langsmith", "disable_prompt_cache": True}
    known = signature(client_class.__init__).parameters
    session = session_class()
    client = client_class(
        api_urls={endpoint: api_key or ""},  # api_url= would yield to LANGSMITH_RUNS_ENDPOINTS in older versions
        session=session,
        auto_batch_tracing=False,
        info={},
        tracing_sampling_rate=1.0,
        **{name: value for name, value in options.items() if name in known},
    )
    session.bind(endpoint)
    return client, session


def check_environment() -> None:
    """See that the SDK would work here; without importing it.

    Raises:
        ConfigurationError: It would not.
    """
    endpoint = next((name for name in ("LANGSMITH_ENDPOINT", "LANGCHAIN_ENDPOINT") if os.environ.get(name)), None)
    if endpoint and os.environ.get("LANGSMITH_RUNS_ENDPOINTS"):
        raise ConfigurationError(
            f"{endpoint} and LANGSMITH_RUNS_ENDPOINTS are both set, and the langsmith SDK refuses to work with both: "
            "unset one of them (reamon also takes its endpoint from REAMON_LANGSMITH__ENDPOINT)"
        )


def _import() -> "tuple[type[langsmith.Client], type[BoundedSession]]":
    """All that a lane will need, so that it begins no import of its own at which a fork could catch it."""
    with _importing:
        import zstandard  # noqa: F401, PLC0415 - for the bodies
        from langsmith import Client  # noqa: PLC0415 - slow

        from reamon.exporters._transport import BoundedSession  # noqa: PLC0415 - needs what the SDK brings

        return Client, BoundedSession
