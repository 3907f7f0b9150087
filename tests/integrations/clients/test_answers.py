"""Readers make of any documents what they can, and never raise: an API may say anything."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reamon.integrations.anthropic.answers import CompletionReader as OlderReader
from reamon.integrations.anthropic.answers import MessageReader
from reamon.integrations.clients.answers import AnswerReader, TextPieces
from reamon.integrations.ollama.answers import OllamaReader
from reamon.integrations.openai.answers import ChatReader, CompletionReader, EmbeddingReader
from reamon.integrations.openai.responses import ResponseReader
from reamon.tracing import snapshot

READERS = [
    ChatReader,
    CompletionReader,
    EmbeddingReader,
    ResponseReader,
    MessageReader,
    OlderReader,
    OllamaReader,
]
NAMES = """
    type choices index delta content role tool_calls function name arguments id model usage prompt_tokens finish_reason
    prompt_tokens_details cached_tokens error message data embedding embeddings response output output_index item text
    content_block partial_json stop_reason input_tokens done eval_count load_duration audio refusal status summary
""".split()  # noqa: SIM905
TYPES = """
    message_start content_block_start content_block_delta message_delta message_stop error text tool_use
    response.completed response.failed response.output_item.added response.output_item.done
    response.output_text.delta completion
""".split()  # noqa: SIM905
ATOMS: Any = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(TYPES)
ANYTHING = st.recursive(
    ATOMS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=12,
)
DOCUMENTS: Any = st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=6)


@pytest.mark.parametrize("reader_type", READERS)
@settings(max_examples=40)
@given(pieces=st.lists(DOCUMENTS, max_size=5), whole=DOCUMENTS)
def test_nothing_that_an_api_may_say_raises(
    reader_type: type[AnswerReader], pieces: list[dict[str, Any]], whole: dict[str, Any]
) -> None:
    streamed, read = reader_type(), reader_type()
    for piece in pieces:
        assert streamed.piece(piece) in (True, False)
    read.whole(whole)
    for reader in (streamed, read):
        answer = reader.answer()
        assert answer is None or snapshot(answer.output, 1000) is not None


def test_text_is_kept_up_to_a_bound() -> None:
    pieces = TextPieces()
    for _ in range(300):
        assert pieces.add("x" * 10_000)
    assert len(str(pieces)) == 1_000_000
    assert not pieces.add("")
    assert not pieces.add(None)


@pytest.mark.parametrize("embeddings", [True, {"type": None}, "text", 3, None, []])
def test_embeddings_of_another_shape_are_none(embeddings: object) -> None:
    reader = OllamaReader()
    reader.whole({"embeddings": embeddings})
    answer = reader.answer()
    assert answer is not None
    assert answer.output is None
