"""Chains: graphs, their nodes and routing functions, and whatever else langchain-core runs, become spans."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from reamon.integrations.boundary import note_failure, note_success
from reamon.integrations.langgraph.nodes import AgentRule, GraphRun, NodeRun, Task
from reamon.integrations.langgraph.routing import Routing, entry_targets
from reamon.integrations.langgraph.runs import Run
from reamon.integrations.langgraph.states import update_of
from reamon.model import Payload, SpanKind
from reamon.tracing import ActiveSpan, active_recorder, current_span, enter, fail, finish, leave, snapshot, start_span

_HIDDEN: Final = "langsmith:hidden"
_GRAPH: Final = "graph run"
_INTERNAL: Final = ("langgraph_", "ls_", "lc_", "__", "checkpoint_")


class Chains:
    """Begins and ends the runs of chains.

    Args:
        is_agent: Which nodes are agents.
        call_id_key: The key of a run's metadata that holds the conversation's id.
    """

    def __init__(self, is_agent: AgentRule, call_id_key: str) -> None:
        self._is_agent = is_agent
        self._call_id_key = call_id_key

    def begin(
        self, name: str, inputs: Any, tags: Sequence[str], metadata: Mapping[str, Any], parent: Run | None, graph: Any
    ) -> Run:
        """A chain begins: the run of `graph`, where that is given; a node; or anything else."""
        task = Task.of(metadata)
        if _HIDDEN in tags:
            return Run(name, parent.span if parent else None, parent, namespace=_namespace(task), is_shown=False)
        if task is not None and name == task.node and task.namespace != (parent.namespace if parent else None):
            return self._begin_node(task, inputs, metadata, parent)
        run = self._begin_chain(name, inputs, tags, metadata, parent, task)
        if graph is not None and run.span is not None:
            run.graph = GraphRun(graph, _finish_node)
        return run

    def end(self, run: Run, outputs: Any) -> None:
        """A chain has returned."""
        now, span = moment(), run.span
        if span is None or not run.is_shown:
            return
        if run.node is not None:
            _end_node(run, run.node, outputs, now)
            return
        raw = taken(outputs)
        _note_routing(run, outputs)
        if run.graph is not None:
            run.graph.ended(raw)
            note_success(_GRAPH)
            if run.graph.is_interrupted:
                span.set_attribute("reamon.interrupted", True)
        finish(span, now, raw)

    def fail(self, run: Run, error: BaseException) -> None:
        """A chain has raised."""
        if run.span is None or not run.is_shown:
            return
        if run.graph is not None:
            run.graph.ended(None)
            if not is_control_flow(error) and not isinstance(error, GeneratorExit):
                note_failure(_GRAPH, error)
        if run.node is not None:
            run.node.failed()
        end_with(run, error)
        if run.node is not None:
            _leave(run)

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
        enclosing = enclosing_span(parent)
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
        raw = taken(inputs)
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


def end_with(run: Run, error: BaseException) -> None:
    """End a run that an exception leaves: one that failed, or one whose exception is no failure."""
    span, now = run.span, moment()
    if span is None:
        return
    if is_control_flow(error):
        _interrupted(run, span, error)
        finish(span, now)
    elif isinstance(error, GeneratorExit):  # the consumer of a stream had enough of it
        span.set_attribute("reamon.abandoned", True)
        finish(span, now)
    else:
        fail(span, error)


def _end_node(run: Run, node: NodeRun, outputs: Any, now: int) -> None:
    raw = taken(outputs)
    node.update, node.end = raw, now
    node.span.set_output(Payload(raw))
    node.routing.commanded(outputs)
    update = update_of(outputs)
    if update is not outputs:
        node.update = taken(update)
    if node.state_after is None and type(outputs) is type(node.given) and not isinstance(outputs, dict | list):
        node.state_after = raw  # the node returned the whole state
    _leave(run)
    graph_run = run.parent.graph if run.parent is not None else None
    if graph_run is None or graph_run.node_ended(node):
        _finish_node(node)
    node.given = None


def _note_routing(run: Run, answer: Any) -> None:
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


def _interrupted(run: Run, span: ActiveSpan, error: BaseException) -> None:
    """A graph stops to ask somebody, or hands over to the graph around it: with an exception that is no failure."""
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


def enclosing_span(parent: Run | None) -> ActiveSpan | None:
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


def is_control_flow(error: BaseException) -> bool:
    """Whether LangGraph raises it to stop, or to leave a graph, and not because something failed."""
    return any(base.__name__ == "GraphBubbleUp" for base in type(error).__mro__)


def _parts(error: BaseException) -> Sequence[Any]:
    first = error.args[0] if error.args else ()
    return first if isinstance(first, list | tuple) else (first,)


def taken(value: Any) -> bytes:
    """A snapshot of a value, as large as the settings allow."""
    recorder = active_recorder()
    return snapshot(value) if recorder is None else snapshot(value, recorder.payload_limit)


def moment() -> int:
    """Now, in monotonic nanoseconds."""
    recorder = active_recorder()
    return 0 if recorder is None else recorder.now()
