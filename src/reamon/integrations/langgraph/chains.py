"""Chains: graphs, their nodes and routing functions, and whatever else langchain-core runs, become spans."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from reamon.guard import guarded
from reamon.integrations.boundary import note_failure, note_success
from reamon.integrations.langgraph.graph_call import GraphCall
from reamon.integrations.langgraph.nodes import AgentRule, GraphRun, NodeRun, Task
from reamon.integrations.langgraph.routing import START, Routing, is_command
from reamon.integrations.langgraph.runs import Run
from reamon.integrations.langgraph.states import update_of
from reamon.model import SpanKind
from reamon.tracing import ActiveSpan, active_recorder, current_span, enter, fail, finish, leave, snapshot, start_span
from reamon.tracing.recorder import Pending

_HIDDEN: Final = "langsmith:hidden"
_BODY: Final = "seq:step:1"
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
        self,
        name: str | None,
        inputs: Any,
        tags: Sequence[str],
        metadata: Mapping[str, Any],
        parent: Run | None,
        call: GraphCall | None,
    ) -> Run:
        """A chain begins: the run of a graph, where its `call` is given; a node; or anything else."""
        task = Task.of(metadata)
        if _HIDDEN in tags:
            entry = _entry_routing(name, task, parent)
            if entry is None:
                return Run(str(name), parent.span if parent else None, parent, namespace=_space(task), is_shown=False)
            return self._begin_chain(name, inputs, metadata, parent, task, entry)
        if task is not None and name == task.node and task.namespace != (parent.namespace if parent else None):
            return self._begin_node(task, inputs, metadata, parent)
        if call is not None and metadata.get(self._call_id_key) is None:
            call_id = call.configured(self._call_id_key)
            metadata = metadata if call_id is None else {**metadata, self._call_id_key: call_id}
        run = self._begin_chain(name, inputs, metadata, parent, task, _node_routing(name, tags, parent))
        if run.span is None:
            return run
        if parent is None:
            _describe_root(run.span, tags, metadata)
        if call is not None:
            run.graph = GraphRun(call, _finish_node)
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
        if run.routing is not None:
            _note_routing(span, run.name, run.routing, outputs)
        graph = run.graph
        if graph is None:
            finish(span, now, raw)
            return
        graph.ended(raw)
        note_success(_GRAPH)
        if graph.is_interrupted:
            span.set_attribute("reamon.interrupted", True)
        graph.call.pending = finish(span, now, raw)

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
        pending = end_with(run, error)
        if run.graph is not None:
            run.graph.call.pending = pending
        if run.node is not None:
            _leave(run)

    def give_up(self, run: Run) -> None:
        """What was to be recorded of its end cannot be: its span ends all the same."""
        if run.span is not None and run.is_shown:
            finish(run.span, moment())
            if run.node is not None:
                _leave(run)

    def _begin_chain(
        self,
        name: str | None,
        inputs: Any,
        metadata: Mapping[str, Any],
        parent: Run | None,
        task: Task | None,
        routing: Routing | None,
    ) -> Run:
        call_id = metadata.get(self._call_id_key)
        enclosing = enclosing_span(parent)
        kind = SpanKind.STEP if isinstance(enclosing, ActiveSpan) else SpanKind.WORKFLOW
        shown = (None if routing is None else routing.function(name)) or name or "chain"
        span = start_span(kind, shown, parent=enclosing, call_id=call_id)
        if not isinstance(span, ActiveSpan):
            return Run(shown, None, parent)
        if call_id is not None and span.trace.call_id is None:
            span.set_call_id(call_id)
        run = Run(shown, span, parent, namespace=_space(task))
        run.routing = routing
        span.set_input(inputs)
        if parent is not None and parent.node is not None and routing is not None:
            parent.node.state_after = span.raw_input  # a routing function is given the state as the node left it
        return run

    def _begin_node(self, task: Task, inputs: Any, metadata: Mapping[str, Any], parent: Run | None) -> Run:
        is_task = task.is_sent and parent is not None and parent.is_in_node  # of the functional API, and no node
        is_agent = not is_task and self._is_agent(task.node, metadata)
        enclosing = parent.span if parent is not None else None
        call_id = metadata.get(self._call_id_key)
        span = start_span(SpanKind.AGENT if is_agent else SpanKind.STEP, task.node, parent=enclosing, call_id=call_id)
        if not isinstance(span, ActiveSpan):
            return Run(task.node, None, parent, namespace=task.namespace)
        raw = span.raw_input = taken(inputs)
        span.set_attribute("langgraph_node", task.node)
        if (details := span.details) is not None:  # what is plain already needs no snapshot
            details.attributes["langgraph_step"] = task.step
            details.state_before = raw if is_agent else None
        graph_run = parent.graph if parent is not None else None
        node = NodeRun(span, task, Routing(getattr(graph_run, "graph", None), task.node), inputs, raw)
        if graph_run is not None:
            attempt = graph_run.node_started(task, raw)
            if attempt > 1:
                span.set_attribute("reamon.attempt", attempt)
        enter(span)
        return Run(task.node, span, parent, namespace=task.namespace, node=node)


def end_with(run: Run, error: BaseException) -> Pending | None:
    """End a run that an exception leaves: one that failed, or one whose exception is no failure.

    Returns:
        What has to be waited for until its record is on disk, if anything.
    """
    span, now = run.span, moment()
    if span is None:
        return None
    if is_control_flow(error):
        _interrupted(run, span, error)
        return finish(span, now)
    if isinstance(error, GeneratorExit):  # the consumer of a stream had enough of it
        span.set_attribute("reamon.abandoned", True)
        return finish(span, now)
    return fail(span, error)


def _end_node(run: Run, node: NodeRun, outputs: Any, now: int) -> None:
    raw = taken(outputs)
    node.update, node.end = raw, now
    if node.span.raw_output is None:
        node.span.raw_output = raw
    node.routing.commanded(outputs)
    update = update_of(outputs)
    if update is not outputs:
        node.update = taken(update)
    graph_run = run.parent.graph if run.parent is not None else None
    if node.state_after is None and graph_run is not None and graph_run.returns_state(node, outputs):
        node.state_after = raw
    _leave(run)
    if graph_run is None:
        _finish_node(node)
    else:
        graph_run.node_ended(node)
    node.given = None


def _note_routing(span: ActiveSpan, function: str, routing: Routing, answer: Any) -> None:
    """What a routing function answered."""
    span.set_attribute("reamon.routed_from", routing.node)
    targets = routing.answered(function, answer)
    if (details := span.details) is not None:
        details.attributes["reamon.routed_to"] = list(targets)


def _node_routing(name: str | None, tags: Sequence[str], parent: Run | None) -> Routing | None:
    """What a run says the way of, if it is a routing function of the node around it: these come after its body."""
    if parent is None or parent.node is None or parent.node.routing.function(name) is None:
        return None
    return None if _BODY in tags else parent.node.routing


def _entry_routing(name: str | None, task: Task | None, parent: Run | None) -> Routing | None:
    """What a hidden run says the way of, if it is a routing function that says where the graph begins."""
    graph_run = parent.parent.graph if parent is not None and parent.parent is not None else None
    if task is None or task.node != START or graph_run is None:
        return None
    routing = Routing(graph_run.graph)
    return None if routing.function(name) is None else routing


def _interrupted(run: Run, span: ActiveSpan, error: BaseException) -> None:
    """A graph stops to ask somebody, or hands over to the graph around it: with an exception that is no failure."""
    command = next((part for part in error.args if is_command(part)), None)
    if command is None:
        span.set_status("ok", "interrupted: it waits for an answer")
        span.add_event("interrupt", values=[getattr(part, "value", part) for part in _parts(error)])
        graph_run = run.parent.graph if run.node is not None and run.parent is not None else None
        if graph_run is not None:
            graph_run.is_interrupted = True
    elif run.node is not None:
        run.node.routing.commanded(command)
        run.node.routing.follow(())
        run.node.describe()


@guarded(default=None)
def _describe_root(span: ActiveSpan, tags: Sequence[str], metadata: Mapping[str, Any]) -> None:
    """What the application's `config` says about a run that it starts."""
    if span.parent is None and tags:
        span.trace.tags = tuple(map(str, tags))
    span.set_attributes({key: value for key, value in metadata.items() if not str(key).startswith(_INTERNAL)})


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


def _space(task: Task | None) -> str | None:
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
