"""Kinds and names: what a span of OpenTelemetry's is in our terms, by whichever convention it was written."""

from collections.abc import Mapping
from typing import Any, Final

from reamon.model import SpanKind, gen_ai

Attributes = Mapping[str, Any]

_OPERATIONS: Final = {
    "chat": SpanKind.LLM,
    "text_completion": SpanKind.LLM,
    "completion": SpanKind.LLM,
    "generate_content": SpanKind.LLM,
    "responses": SpanKind.LLM,
    "embeddings": SpanKind.LLM,
    gen_ai.EXECUTE_TOOL: SpanKind.TOOL,
    gen_ai.INVOKE_AGENT: SpanKind.AGENT,
    gen_ai.INVOKE_WORKFLOW: SpanKind.WORKFLOW,
    gen_ai.RETRIEVAL: SpanKind.RETRIEVAL,
    "speech_to_text": SpanKind.STT,
    "text_to_speech": SpanKind.TTS,
}
"""`gen_ai.operation.name`."""

_OPENINFERENCE: Final = {
    "LLM": SpanKind.LLM,
    "EMBEDDING": SpanKind.LLM,
    "RETRIEVER": SpanKind.RETRIEVAL,
    "RERANKER": SpanKind.RETRIEVAL,
    "TOOL": SpanKind.TOOL,
    "AGENT": SpanKind.AGENT,
    "CHAIN": SpanKind.WORKFLOW,
}
"""`openinference.span.kind`."""

_TRACELOOP: Final = {"workflow": SpanKind.WORKFLOW, "agent": SpanKind.AGENT, "tool": SpanKind.TOOL}
"""`traceloop.span.kind`."""

_REQUEST_TYPES: Final = {
    "chat": SpanKind.LLM,
    "completion": SpanKind.LLM,
    "embedding": SpanKind.LLM,
    "rerank": SpanKind.RETRIEVAL,
}
"""`llm.request.type`, of older OpenLLMetry."""

_VECTOR_STORES: Final = frozenset(
    {"chroma", "lancedb", "marqo", "milvus", "pinecone", "qdrant", "weaviate", "chromadb", "vespa"}
)

_NAMED_BY: Final = {
    SpanKind.AGENT: (gen_ai.AGENT_NAME, "agent.name", "traceloop.entity.name"),
    SpanKind.TOOL: (gen_ai.TOOL_NAME, "tool.name", "traceloop.entity.name"),
    SpanKind.WORKFLOW: (gen_ai.WORKFLOW_NAME, "traceloop.entity.name", "traceloop.workflow.name"),
}
_PREFIXES: Final = {
    SpanKind.AGENT: f"{gen_ai.INVOKE_AGENT} ",
    SpanKind.TOOL: f"{gen_ai.EXECUTE_TOOL} ",
    SpanKind.WORKFLOW: f"{gen_ai.INVOKE_WORKFLOW} ",
}
_SUFFIXES: Final = (".workflow", ".agent", ".tool")  # OpenLLMetry


_TELLING: Final = frozenset(
    {
        gen_ai.OPERATION,
        gen_ai.REQUEST_MODEL,
        "openinference.span.kind",
        "traceloop.span.kind",
        "llm.request.type",
        "mcp.method.name",
        "db.system.name",
        "db.system",
    }
)
"""Without any of these, a span is a step, which is soon found out."""

_CALLS: Final = (gen_ai.CONVERSATION, "session.id", "traceloop.association.properties.session_id")


def kind_of(attributes: Attributes, *, is_root: bool) -> SpanKind:
    """What a span with these attributes is. Only a root is a workflow: inside a trace, the like of it is a step.

    Example:
        >>> kind_of({"gen_ai.operation.name": "chat"}, is_root=False)
        <SpanKind.LLM: 'llm'>
        >>> kind_of({"http.request.method": "GET"}, is_root=True)
        <SpanKind.STEP: 'step'>
    """
    if _TELLING.isdisjoint(attributes):
        return SpanKind.STEP
    kind = _kind(attributes)
    return SpanKind.STEP if kind is SpanKind.WORKFLOW and not is_root else kind


def _kind(attributes: Attributes) -> SpanKind:
    said = (
        _OPERATIONS.get(_word(attributes, gen_ai.OPERATION).lower()),
        _OPENINFERENCE.get(_word(attributes, "openinference.span.kind").upper()),
        _TRACELOOP.get(_word(attributes, "traceloop.span.kind").lower()),
        _REQUEST_TYPES.get(_word(attributes, "llm.request.type").lower()),
    )
    for kind in said:
        if kind is not None:
            return kind
    if _word(attributes, "mcp.method.name") == "tools/call":
        return SpanKind.TOOL
    database = _word(attributes, "db.system.name") or _word(attributes, "db.system")
    if database.lower() in _VECTOR_STORES:
        return SpanKind.RETRIEVAL
    is_model_call = gen_ai.REQUEST_MODEL in attributes and gen_ai.OPERATION not in attributes
    return SpanKind.LLM if is_model_call else SpanKind.STEP


def name_of(name: str, kind: SpanKind, attributes: Attributes) -> str:
    """What a span of ours is called: who the agent or which the tool is, else as OpenTelemetry calls it.

    Example:
        >>> name_of("invoke_agent qualify", SpanKind.AGENT, {})
        'qualify'
    """
    for attribute in _NAMED_BY.get(kind, ()):
        said = _word(attributes, attribute)
        if said:
            return said
    if kind not in _PREFIXES:
        return str(name)
    bare = str(name).removeprefix(_PREFIXES[kind])
    for suffix in _SUFFIXES:
        bare = bare.removesuffix(suffix)
    return bare or str(name)


def call_id_of(attributes: Attributes) -> str | None:
    """The conversation, where the span says it."""
    for name in _CALLS:
        said = _word(attributes, name)
        if said:
            return said
    return None


def _word(attributes: Attributes, name: str) -> str:
    value = attributes.get(name)
    return value if isinstance(value, str) else ""
