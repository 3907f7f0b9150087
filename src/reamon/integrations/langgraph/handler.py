"""The handler: langchain-core's callbacks become spans.

One handler serves the process; langchain-core finds it by a context variable. Its methods run where the library's code
runs (`run_inline`), so that what they make current reaches the bodies of nodes and tools.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler

from reamon.guard import guard, guarded
from reamon.integrations.langgraph.chains import Chains, enclosing_span, end_with, moment, taken
from reamon.integrations.langgraph.isolation import note_begun, take_graph
from reamon.integrations.langgraph.messages import answer_of, has_content, request_of
from reamon.integrations.langgraph.nodes import AgentRule
from reamon.integrations.langgraph.runs import Run, Runs
from reamon.integrations.model_call import ModelCall, swap_model_call
from reamon.model import SpanKind
from reamon.tracing import ActiveSpan, enabled, enter, finish, start_span

contained: Final = guarded(default=None)


class Handler(BaseCallbackHandler):
    """Records what langchain-core reports.

    Args:
        is_agent: Which nodes are agents.
        call_id_key: The key of a run's metadata that holds the conversation's id.
    """

    run_inline = True

    def __init__(self, is_agent: AgentRule, call_id_key: str) -> None:
        self.is_active = True
        self._chains = Chains(is_agent, call_id_key)
        self._runs = Runs()

    @property
    def raise_error(self) -> bool:  # type: ignore[override]
        """Whether langchain-core lets through what a method raises: in tests, which no internal error shall escape."""
        return guard.strict

    # -- chains: graphs, their nodes and routing functions, and whatever else is called -------------------------------

    @contained
    def on_chain_start(
        self,
        serialized: Any,
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        """A chain begins."""
        call = take_graph()
        if self._is_on():
            run = self._chains.begin(
                more.get("name"), inputs, tags or (), metadata or {}, self._runs.get(parent_run_id), call
            )
            self._add(run_id, run)

    @contained
    def on_chain_end(self, outputs: Any, *, run_id: UUID, **_: Any) -> None:
        """A chain has returned."""
        run = self._runs.pop(run_id)
        if run is not None:
            try:
                self._chains.end(run, outputs)
            except Exception:
                self._chains.give_up(run)
                raise

    @contained
    def on_chain_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """A chain has raised."""
        run = self._runs.pop(run_id)
        if run is not None:
            try:
                self._chains.fail(run, error)
            except Exception:
                self._chains.give_up(run)
                raise

    # -- models -------------------------------------------------------------------------------------------------------

    @contained
    def on_chat_model_start(
        self,
        serialized: Any,
        messages: list[list[Any]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        """A chat model is asked."""
        given = messages[0] if len(messages) == 1 else messages
        self._begin_call(
            "chat", given, run_id, parent_run_id, metadata or {}, {**more, "name": _name(serialized, more)}
        )

    @contained
    def on_llm_start(
        self,
        serialized: Any,
        prompts: list[str],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        """A completion model is asked."""
        self._begin_call(
            "text_completion", prompts, run_id, parent_run_id, metadata or {}, {**more, "name": _name(serialized, more)}
        )

    @contained
    def on_llm_new_token(self, token: Any, *, chunk: Any = None, run_id: UUID, **_: Any) -> None:
        """A part of a streamed answer is there."""
        run = self._runs.get(run_id)
        if run is not None and run.call is not None and has_content(token, chunk):
            run.call.first_token()

    @contained
    def on_llm_end(self, response: Any, *, run_id: UUID, **_: Any) -> None:
        """A model has answered."""
        run = self._runs.pop(run_id)
        if run is not None and run.call is not None:
            run.call.answer(answer_of(response))
            run.call.end()

    @contained
    def on_llm_error(self, error: BaseException, *, run_id: UUID, **more: Any) -> None:
        """A model has failed; what it had said until then is kept."""
        run = self._runs.pop(run_id)
        if run is not None and run.call is not None:
            partial = more.get("response")
            if partial is not None and partial.generations:
                run.call.answer(answer_of(partial))
            run.call.end(error)

    # -- tools and retrievers -----------------------------------------------------------------------------------------

    @contained
    def on_tool_start(
        self,
        serialized: Any,
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        inputs: Any = None,
        **more: Any,
    ) -> None:
        """A tool is called."""
        name = _name(serialized, more) or "tool"
        self._begin_operation(SpanKind.TOOL, name, input_str if inputs is None else inputs, run_id, parent_run_id)

    @contained
    def on_retriever_start(
        self, serialized: Any, query: str, *, run_id: UUID, parent_run_id: UUID | None = None, **more: Any
    ) -> None:
        """Something is looked up."""
        name = _name(serialized, more) or "retriever"
        self._begin_operation(SpanKind.RETRIEVAL, name, {"query": query}, run_id, parent_run_id)

    @contained
    def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:
        """A tool has returned."""
        run, now = self._runs.pop(run_id), moment()
        if run is not None and run.span is not None:
            finish(run.span, now, taken(output))

    @contained
    def on_tool_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """A tool has raised."""
        run = self._runs.pop(run_id)
        if run is not None:
            end_with(run, error)

    @contained
    def on_retriever_end(self, documents: Any, *, run_id: UUID, **_: Any) -> None:
        """Something was found."""
        self.on_tool_end(documents, run_id=run_id)

    @contained
    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """A retriever has raised."""
        self.on_tool_error(error, run_id=run_id)

    @contained
    def left(self, run_id: UUID, error: BaseException) -> None:
        """An exception has left the method in which a run began; one that is cancelled ends without a report."""
        run = self._runs.pop(run_id)
        if run is not None and run.call is not None:
            run.call.end(error)
        elif run is not None:
            end_with(run, error)

    # -- what is said in between --------------------------------------------------------------------------------------

    @contained
    def on_retry(self, retry_state: Any, *, run_id: UUID, **_: Any) -> None:
        """A run tries again (`with_retry`)."""
        run = self._runs.get(run_id)
        if run is not None and run.span is not None:
            run.span.add_event("retry", attempt=int(getattr(retry_state, "attempt_number", 0)))

    @contained
    def on_custom_event(self, name: str, data: Any, *, run_id: UUID, **_: Any) -> None:
        """The application has something to say (`dispatch_custom_event`)."""
        run = self._runs.get(run_id)
        if run is not None and run.span is not None:
            run.span.add_event(name, data=data)

    # -- beginnings ---------------------------------------------------------------------------------------------------

    def _is_on(self) -> bool:
        return self.is_active and enabled()

    def _add(self, run_id: UUID, run: Run) -> None:
        evicted = self._runs.add(run_id, run)
        if evicted is not None and evicted.span is not None and evicted.is_shown:
            evicted.span.set_status("cancelled", "its end was never reported")
            evicted.span.end()

    def _begin_call(
        self,
        operation: str,
        given: Any,
        run_id: UUID,
        parent_run_id: UUID | None,
        metadata: Mapping[str, Any],
        more: Mapping[str, Any],
    ) -> None:
        if not self._is_on():
            return
        parent = self._runs.get(parent_run_id)
        request = request_of(
            str(more.get("name") or operation), operation, given, more.get("invocation_params") or {}, metadata
        )
        call = ModelCall.begin(request, enclosing_span(parent))
        if call is not None:
            swap_model_call(call)
            enter(call.span)
            note_begun(run_id)
            self._add(run_id, Run(request.name or operation, call.span, parent, call=call))

    def _begin_operation(self, kind: SpanKind, name: str, given: Any, run_id: UUID, parent_run_id: UUID | None) -> None:
        if not self._is_on():
            return
        parent = self._runs.get(parent_run_id)
        span = start_span(kind, name, parent=enclosing_span(parent))
        if isinstance(span, ActiveSpan):
            span.set_input(given)
            enter(span)
            note_begun(run_id)
            self._add(run_id, Run(name, span, parent))


def _name(serialized: Mapping[str, Any] | None, more: Mapping[str, Any]) -> str | None:
    """What a run is called: as its configuration says, else as its class."""
    known = serialized or {}
    path = known.get("id") or ()
    return more.get("name") or known.get("name") or (str(path[-1]) if path else None)
