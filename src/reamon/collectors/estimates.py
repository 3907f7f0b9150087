"""Estimates: how many tokens a model call took whose provider did not say."""

from collections.abc import Iterator
from typing import Any, Final

from reamon.collectors.recent import Recent
from reamon.model import Payload, Span, SpanKind, SpanStatus, Usage, gen_ai

CHARACTERS_PER_TOKEN: Final = 4
"""A rule of thumb for English text; other languages and code take more tokens."""

_SPANS_KEPT: Final = 20_000
_NOT_TEXT: Final = frozenset({"role", "type", "id", "name", "model", "index", "finish_reason"})
_MEDIA: Final = frozenset({"data", "image_url", "url"})


class Estimator:
    """Guesses the usage of model calls that have none.

    That is: of spans of kind `llm` whose attributes say the provider and the model, that answered something, and that
    no other model call inside them has already been billed for. A call that was answered from a cache, or that is made
    of requests with spans of their own, has used nothing itself.
    """

    def __init__(self) -> None:
        self._billed_inside = Recent(_SPANS_KEPT)

    def see_billed(self, span: Span) -> None:
        """Remember that a model call said what it used, so that those around it are not guessed too."""
        if span.kind is SpanKind.LLM:
            for ancestor in span.ancestors:
                self._billed_inside.add(ancestor)

    def usage_of(self, span: Span) -> Usage | None:
        """What the span may have used; None where there is nothing to guess."""
        if span.kind is not SpanKind.LLM or span.output is None or span.status is SpanStatus.RUNNING:
            return None
        attributes = span.attributes
        provider = attributes.get(gen_ai.PROVIDER)
        model = attributes.get(gen_ai.RESPONSE_MODEL) or attributes.get(gen_ai.REQUEST_MODEL)
        if not provider or not model or attributes.get("reamon.cache_hit"):
            return None
        if span.span_id in self._billed_inside:
            return None
        answered = tokens_of(span.output)
        if not answered:
            return None
        self.see_billed(span)
        return Usage(
            provider=str(provider), model=str(model), input_tokens=tokens_of(span.input), output_tokens=answered
        )


def tokens_of(payload: Payload | None) -> int:
    """About how many tokens the text in a payload is: a token for every four characters, begun ones counted.

    Example:
        >>> tokens_of(Payload.of({"role": "user", "content": "What is my house worth?"}))
        6
    """
    if payload is None:
        return 0
    return -(-sum(_characters(payload.value)) // CHARACTERS_PER_TOKEN)


def _characters(value: Any) -> Iterator[int]:
    """The lengths of all texts, without what only names things."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            yield len(item)
        elif isinstance(item, dict):
            pending += [inner for key, inner in item.items() if key not in _NOT_TEXT and key not in _MEDIA]
        elif isinstance(item, list):
            pending += item
