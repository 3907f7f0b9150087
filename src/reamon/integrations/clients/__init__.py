"""What the integrations of model clients share: answers that are read off HTTP responses while the application does."""

from reamon.integrations.clients.answers import AnswerReader, TextPieces
from reamon.integrations.clients.bodies import Body
from reamon.integrations.clients.exchange import Exchange
from reamon.integrations.clients.httpx_responses import Watcher, watch_httpx
from reamon.integrations.clients.providers import known_providers, provider_of
from reamon.integrations.clients.sdk import SdkWatch

__all__ = [
    "AnswerReader",
    "Body",
    "Exchange",
    "SdkWatch",
    "TextPieces",
    "Watcher",
    "known_providers",
    "provider_of",
    "watch_httpx",
]
