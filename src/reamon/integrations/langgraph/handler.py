"""The handler: langchain-core's callbacks become spans.

One handler serves the process; langchain-core finds it by a context variable. Its methods run where the library's code runs (`run_inline`), so that what they make current reaches the bodies of nodes and tools.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler

from reamon.guard import guarded
from reamon.integrations.boundary import note_failure, note_success
from reamon.integrations.langgraph.isolation import take_graph
from reamon.integrations.langgraph.messages import answer_of, has_content, request_of
from reamon.integrations.langgraph.nodes import AgentRule, GraphRun, NodeRun, Task
from reamon.integrations.langgraph.routing import Routing, entry_targets
from reamon.integrations.langgraph.runs import Run, Runs
from reamon.integrations.model_call import ModelCall, ModelRequest, swap_model_call
from reamon.model import Payload, SpanKind
from reamon.tracing import (
    ActiveSpan,
    active_recorder,
    current_span,
    enabled,
    enter,
    fail,
    finish,
    leave,
    snapshot,
    start_span,
)

_HIDDEN: Final = "langsmith:hidden"
_GRAPH: Final = "graph run"
_INTERNAL: Final = ("langgraph_", "ls_", "lc_", "__", "checkpoint_")
contained = guarded(default=None)


class Handler(BaseCallbackHandler):
    """Records what langchain-core reports.

    Args:
        is_agent: Which nodes are agents.
        call_id_key: The key of a run's metadata that holds the conversation's id.
    """

    run_inline = True
    raise_error = False

    def __init__(self, is_agent: AgentRule, call_id_key: str) -> None:
        self.is_active = True
        self._is_agent = is_agent
        self._call_id_key = call_id_key
        self._runs = Runs()

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
        graph = take_graph()
        if not self._is_on():
            return
        said, parent = metadata or {}, self._runs.get(parent_run_id)
        name = str(more.get("name") or "chain")
        task = Task.of(said)
        if _HIDDEN in (tags or ()):
            run = Run(name, parent.span if parent else None, parent, namespace=_namespace(task), is_shown=False)
        elif task is not None and name == task.node and task.namespace != (parent.namespace if parent else None):
            run = self._begin_node(task, inputs, said, parent)
        else:
            run = self._begin_chain(name, inputs, tags or (), said, parent, task)
        if graph is not None and run.is_shown and run.span is not None:
            run.graph = GraphRun(graph, _finish_node)
        self._add(run_id, run)

    @contained
    def on_chain_end(self, outputs: Any, *, run_id: UUID, **_: Any) -> None:
        """A chain has returned."""
        run, now = self._runs.pop(run_id), _now()
        if run is None or run.span is None or not run.is_shown:
            return
        if run.node is not None:
            self._end_node(run, run.node, outputs, now)
            return
        raw = _snapshot(outputs)
        self._note_routing(run, outputs)
        if run.graph is not None:
            run.graph.ended(raw)
            note_success(_GRAPH)
            if run.graph.is_interrupted:
                run.span.set_attribute("reamon.interrupted", True)
        finish(run.span, now, raw)

    @contained
    def on_chain_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """A chain has raised."""
        run, now = self._runs.pop(run_id), _now()
        if run is None or run.span is None or not run.is_shown:
            return
        is_control_flow = _is_control_flow(error)
        if run.graph is not None:
            run.graph.ended(None)
            if not is_control_flow:
                note_failure(_GRAPH, error)
        if run.node is not None:
            run.node.failed()
        if is_control_flow:
            self._interrupted(run, error)
            finish(run.span, now)
        else:
            fail(run.span, error)
        if run.node is not None:
            _leave(run)

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
        self._begin_call("chat", given, run_id, parent_run_id, metadata or {}, more)

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
        self._begin_call("text_completion", prompts, run_id, parent_run_id, metadata or {}, more)

    @contained
    def on_llm_new_token(self, token: Any, *, chunk: Any = None, run_id: UUID, **_: Any) -> None:
        """A part of a streamed answer is there."""
        run = self._runs.get(run_id)
        if run is not None and run.call is not None and run.span is not None and run.span.first_token is None:
            if has_content(token, chunk):
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
        name = str(more.get("name") or (serialized or {}).get("name") or "tool")
        self._begin_operation(SpanKind.TOOL, name, input_str if inputs is None else inputs, run_id, parent_run_id)

    @contained
    def on_retriever_start(
        self, serialized: Any, query: str, *, run_id: UUID, parent_run_id: UUID | None = None, **more: Any
    ) -> None:
        """Something is looked up."""
        name = str(more.get("name") or (serialized or {}).get("name") or "retriever")
        self._begin_operation(SpanKind.RETRIEVAL, name, {"query": query}, run_id, parent_run_id)

    @contained
    def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:
        """A tool has returned."""
        run, now = self._runs.pop(run_id), _now()
        if run is not None and run.span is not None:
            finish(run.span, now, _snapshot(output))

    @contained
    def on_tool_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """A tool has raised."""
        run, now = self._runs.pop(run_id), _now()
        if run is None or run.span is None:
            return
        if _is_control_flow(error):
            self._interrupted(run, error)
            finish(run.span, now)
        else:
            fail(run.span, error)

    on_retriever_end = on_tool_end
    on_retriever_error = on_tool_error

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

    def _begin_chain(
        self,
        name: str,
        inputs: Any,
        tags: Sequence[str],
        metadata: Mapping[str, Any],
        parent: Run | None,
        task: Task | None,
    ) -> Run:
        call_id = metadata.get(self._call_id_key)
        enclosing = _enclosing(parent)
        kind = SpanKind.STEP if isinstance(enclosing, ActiveSpan) else SpanKind.WORKFLOW
        span = start_span(kind, name, parent=enclosing, call_id=call_id)
        if not isinstance(span, ActiveSpan):
            return Run(name, None, parent)
        if call_id is not None and span.trace.call_id is None:
            span.set_call_id(call_id)
        node = parent.enclosing_node if parent is not None else None
        span.set_input(inputs)
        if node is not None and parent is not None and parent.node is node and node.routing.is_function(name):
            node.state_after = span.raw_input  # a routing function is given the state as the node left it
        return Run(name, span, parent, namespace=_namespace(task))

    def _begin_node(self, task: Task, inputs: Any, metadata: Mapping[str, Any], parent: Run | None) -> Run:
        is_agent = not task.is_call and self._is_agent(task.node, metadata)
        enclosing = parent.span if parent is not None else None
        call_id = metadata.get(self._call_id_key)
        span = start_span(SpanKind.AGENT if is_agent else SpanKind.STEP, task.node, parent=enclosing, call_id=call_id)
        if not isinstance(span, ActiveSpan):
            return Run(task.node, None, parent, namespace=task.namespace)
        raw = _snapshot(inputs)
        span.set_input(Payload(raw))
        if is_agent:
            span.set_state(before=Payload(raw))
        graph_run = parent.graph if parent is not None else None
        node = NodeRun(span, task, Routing(getattr(graph_run, "graph", None), task.node), inputs, raw)
        span.set_attributes({"langgraph_node": task.node, "langgraph_step": task.step})
        if graph_run is not None:
            attempt = graph_run.node_started(task, raw)
            if attempt > 1:
                span.set_attribute("reamon.attempt", attempt)
        enter(span)
        return Run(task.node, span, parent, namespace=task.namespace, node=node)

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
        call = ModelCall.begin(request, _enclosing(parent))
        if call is not None:
            swap_model_call(call)
            enter(call.span)
            self._add(run_id, Run(request.name or operation, call.span, parent, call=call))

    def _begin_operation(
        self, kind: SpanKind, name: str, given: Any, run_id: UUID, parent_run_id: UUID | None
    ) -> None:
        if not self._is_on():
            return
        parent = self._runs.get(parent_run_id)
        span = start_span(kind, name, parent=_enclosing(parent))
        if isinstance(span, ActiveSpan):
            span.set_input(given)
            enter(span)
            self._add(run_id, Run(name, span, parent))

    # -- ends ---------------------------------------------------------------------------------------------------------

    def _end_node(self, run: Run, node: NodeRun, outputs: Any, now: int) -> None:
        raw = _snapshot(outputs)
        node.update, node.end = raw, now
        node.span.set_output(Payload(raw))
        node.routing.commanded(outputs)
        command = getattr(outputs, "update", None) if hasattr(outputs, "goto") else None
        if command is not None:
            node.update = _snapshot(command)
        if node.state_after is None and type(outputs) is type(node.given) and not isinstance(outputs, dict | list):
            node.state_after = raw  # the node returned the whole state
        _leave(run)
        graph_run = run.parent.graph if run.parent is not None else None
        if graph_run is None or graph_run.node_ended(node):
            _finish_node(node)
        node.given = None

    def _note_routing(self, run: Run, answer: Any) -> None:
        """What a routing function answered, where `run` is one."""
        parent = run.parent
        if parent is None or run.span is None:
            return
        if parent.node is not None:
            if parent.node.routing.is_function(run.name):
                targets: tuple[str, ...] | None = parent.node.routing.answered(run.name, answer)
                run.span.set_attributes({"reamon.routed_from": parent.node.name, "reamon.routed_to": list(targets or ())})
            return
        graph_run = next((above.graph for above in (parent, parent.parent) if above and above.graph), None)
        targets = None if graph_run is None else entry_targets(graph_run.graph, run.name, answer)
        if targets is not None:
            run.span.set_attribute("reamon.routed_to", list(targets))

    def _interrupted(self, run: Run, error: BaseException) -> None:
        """A graph stops to ask somebody, or hands over to the graph around it: with an exception that is no failure."""
        span = run.span
        if span is None:
            return
        command = next((part for part in error.args if hasattr(part, "goto")), None)
        if command is None:
            span.set_status("ok", "interrupted: it waits for an answer")
            span.record_error(error)
            span.add_event("interrupt", values=[getattr(part, "value", part) for part in _parts(error)])
            graph_run = run.parent.graph if run.node is not None and run.parent is not None else None
            if graph_run is not None:
                graph_run.is_interrupted = True
        elif run.node is not None:
            run.node.routing.commanded(command)
            run.node.routing.follow(None)
            run.node.describe()


def _describe_root(span: ActiveSpan, tags: Sequence[str], metadata: Mapping[str, Any], *, opens: bool) -> None:
    """What the application's `config` says about a run that it starts."""
    if opens and tags:
        span.trace.tags = tuple(map(str, tags))
    span.set_attributes({key: value for key, value in metadata.items() if not key.startswith(_INTERNAL)})


def _finish_node(node: NodeRun) -> None:
    node.describe()
    finish(node.span, node.end)


def _leave(run: Run) -> None:
    """Make current what was so before, where the callbacks of an end run in the context of their run."""
    if run.span is not None:
        leave(run.span, run.parent.span if run.parent is not None else run.span.parent)


def _enclosing(parent: Run | None) -> ActiveSpan | None:
    """The span around a run: the current one, if that runs below the run's parent, else the parent's.

    What the body of a node traces itself lies between the node and what it calls.
    """
    here = current_span()
    above = parent.span if parent is not None else None
    if above is None:
        return here if isinstance(here, ActiveSpan) else None
    node = here if isinstance(here, ActiveSpan) and here.is_recording else None
    while node is not None and node is not above:
        node = node.parent
    return above if node is None or not isinstance(here, ActiveSpan) else here


def _namespace(task: Task | None) -> str | None:
    return None if task is None else task.namespace


def _is_control_flow(error: BaseException) -> bool:
    return any(base.__name__ == "GraphBubbleUp" for base in type(error).__mro__)


def _parts(error: BaseException) -> Sequence[Any]:
    first = error.args[0] if error.args else ()
    return first if isinstance(first, list | tuple) else (first,)


def _snapshot(value: Any) -> bytes:
    recorder = active_recorder()
    return snapshot(value) if recorder is None else snapshot(value, recorder.payload_limit)


def _now() -> int:
    recorder = active_recorder()
    return 0 if recorder is None else recorder.now()
