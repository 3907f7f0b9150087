"""Agents: one execution is one agent span, however many of the agent's methods it goes through.

The outermost method is the agent's span, or the node of a graph that runs it; the inner ones are steps below. What the
application cannot see is told here: the wait for a lock that is taken before its own timer starts, and the error behind
an apology.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from reamon.errors import DecoratorError
from reamon.guard import guard
from reamon.integrations.boundary import Boundary, boundary
from reamon.integrations.colours import Answered, Arguments, Options, chosen_at_call, observed
from reamon.integrations.degrading import degrade
from reamon.integrations.orchestrator.answers import describe_answer, record_stated_cost
from reamon.integrations.orchestrator.shapes import agent_type_of, owner_of, parameters_of, state_parameter
from reamon.integrations.patches import Patches
from reamon.model import SpanKind
from reamon.model.times import NANOS_PER_SECOND
from reamon.tracing import ActiveSpan, current_span, enabled
from reamon.tracing.scope import Scope

_CLASS: Final = "reamon.agent_class"


class AgentMethod:
    """One method of an agent, traced.

    Args:
        method: The method, as a function of the class, or bound to an object.
        agent_type: The agent's type; by default the object's `agent_type`, or the name of a function that has none.
    """

    def __init__(self, method: Callable[..., Any], agent_type: str | None = None) -> None:
        self.method = method
        self.name = method.__name__
        self._state = state_parameter(method)
        self._parameters = parameters_of(method)
        self._owner = owner_of(method)
        has_owner = self._owner is not None or self._parameters[:1] == ("self",)
        self._agent_type = agent_type or (None if has_owner else self.name)
        self._variants: dict[tuple[SpanKind, str], Callable[..., Any]] = {}

    def traced(self, agent: Any) -> Callable[..., Any]:
        """The method as it is to be called for `agent` here and now: an agent's span, or a step of one."""
        around = boundary()
        if around is not None and around.call == (id(agent), self.name):
            return self.method  # by way of `super()`
        agent_type = self._agent_type or agent_type_of(agent)
        execution = claim(agent_type, type(agent).__qualname__)
        key = (SpanKind.AGENT, agent_type) if execution is None else (SpanKind.STEP, self.name)
        variant = self._variants.get(key)
        if variant is None:
            # The state is told once, by the execution: the methods inside of it are given the same object.
            told = (self._state,) if execution is not None and self._state is not None else ()
            variant = self._variants[key] = Scope(*key, ignore=told)(self._observed(agent_type))
        return variant

    def owner(self, args: Arguments) -> Any:
        """The agent whose method this is in a call with these arguments."""
        return self._owner if self._owner is not None else args[0] if args else None

    def _observed(self, agent_type: str) -> Callable[..., Any]:
        """The method, observed from inside of its span."""
        return observed(self.method, lambda args, kwargs: self._observation(agent_type, args, kwargs))

    @contextmanager
    def _observation(self, agent_type: str, args: Arguments, kwargs: Options) -> Iterator[Answered]:
        """One call while it runs; what is yielded takes its answer."""
        span = current_span()
        if not isinstance(span, ActiveSpan):
            yield lambda answer: answer
            return
        owner = self.owner(args)
        outer, inner = boundary(), Boundary(span, (id(owner), self.name))
        observation = Observation(inner, outer, self.name, agent_type)
        state = self._state_in(args, kwargs) if observation.agent is span else None
        if state is not None:
            span.set_state(before=state)
        observation.note_wait()
        try:
            with inner:
                yield observation.answered
        except BaseException as error:
            observation.report(error)
            raise
        finally:
            if state is not None:
                span.set_state(after=state)

    def _state_in(self, args: Arguments, kwargs: Options) -> Any:
        if self._state is None:
            return None
        if self._state in kwargs:
            return kwargs[self._state]
        place = self._parameters.index(self._state)
        return args[place] if place < len(args) else None


class Observation:
    """One call of an agent's method while it runs.

    Args:
        inner: The call itself, which may swallow what goes wrong in it.
        outer: The call around it.
        method: The method's name.
        agent_type: The agent.

    Attributes:
        agent: The span of the agent's execution.
    """

    def __init__(self, inner: Boundary, outer: Boundary | None, method: str, agent_type: str) -> None:
        self._inner = inner
        self._outer = outer
        self._method = method
        self._agent_type = agent_type
        self.agent = nearest_agent(inner.span)
        self._is_nested = outer is not None and self.agent is not None and nearest_agent(outer.span) is self.agent

    def note_wait(self) -> None:
        """Record the time from the call of the method around this one: what a lock, or a queue, took of it."""
        inner, outer, agent = self._inner, self._outer, self.agent
        if outer is None or agent is None or not self._is_nested or outer.has_worked:
            return
        outer.has_worked = True
        agent.record_wait((inner.span.start - outer.span.start) / NANOS_PER_SECOND)

    def answered(self, answer: Any) -> Any:
        """The method has returned; what it returned goes on as it is."""
        inner, agent = self._inner, self.agent
        if agent is None:
            return answer
        describe_answer(agent, answer)
        if not self._is_nested and not inner.is_billed:
            record_stated_cost(agent, answer)
        error = inner.swallowed
        if error is not None:
            degrade(inner.span, error, inner.swallowed_by)
            if not self._is_nested:  # else the method around this one may still make it good
                degrade(agent, error, f"{self._agent_type}, {inner.swallowed_by}")
        self.report(error)
        return answer

    def report(self, error: BaseException | None) -> None:
        """Tell whoever is around, and may swallow it, how this went."""
        inner, outer = self._inner, self._outer
        if outer is None:
            return
        outer.is_billed = outer.is_billed or inner.is_billed
        what = self._method if self._is_nested else f"agent {self._agent_type}"
        if error is None:
            outer.succeeded(what)
        else:
            outer.failed(what, error)


def claim(agent_type: str, agent_class: str) -> ActiveSpan | None:
    """The agent span that is this agent's execution already: its own method's, or its node's; None if there is none.

    A node whose agent is of another name than the node becomes that agent's execution.
    """
    here = current_span()
    agent = nearest_agent(here) if isinstance(here, ActiveSpan) else None
    if agent is None or not agent.is_recording:
        return None
    attributes = agent.details.attributes if agent.details is not None else {}
    is_unclaimed_node = "langgraph_node" in attributes and _CLASS not in attributes
    if agent.spec.agent_type != agent_type:
        if not is_unclaimed_node:
            return None
        agent.set_agent_type(agent_type)
    if is_unclaimed_node:
        agent.set_attribute(_CLASS, agent_class)
    return agent


def nearest_agent(span: ActiveSpan) -> ActiveSpan | None:
    """The agent in which `span` runs: itself, or the closest above it."""
    node: ActiveSpan | None = span
    while node is not None and node.kind is not SpanKind.AGENT:
        node = node.parent
    return node


def trace_agent_execution(method: Any = None, *, agent_type: object = None) -> Any:
    """Decorate a method of an agent: one execution of that agent, whose type is the object's `agent_type`.

    As `reamon.instrument` does for agents that it knows by their shape: an agent's methods that call one another are
    one execution, and an answer after a swallowed error is `degraded`.

    Args:
        method: The method, where the decorator is used bare; or, as its first argument, the agent's type.
        agent_type: The agent's type, if objects do not say it.

    Raises:
        DecoratorError: What is decorated is no function.

    Example:
        >>> class Scheduler:
        ...     agent_type = "scheduler"
        ...
        ...     @trace_agent_execution
        ...     def process(self, context, user_input):
        ...         return {"response_text": "Monday?", "decision": {"action": "offer", "confidence": 0.8}}
        >>> Scheduler().process({}, "when?")["response_text"]
        'Monday?'
    """
    said = method if isinstance(method, str) else agent_type
    kind = None if said is None else str(getattr(said, "value", said))
    if method is None or isinstance(method, str):
        return lambda function: trace_agent_execution(function, agent_type=kind)
    if not inspect.isfunction(method):
        raise DecoratorError(f"@trace_agent_execution decorates a method, and {method!r} is no function")
    return dispatching(AgentMethod(method, kind))


def dispatching(traced: AgentMethod, is_active: Callable[[], bool] = lambda: True) -> Callable[..., Any]:
    """What takes the place of a method: it decides at each call what the call is."""
    method = traced.method

    def choose(args: Arguments) -> Callable[..., Any]:
        if not enabled() or not is_active():
            return method
        try:
            return traced.traced(traced.owner(args))
        except Exception as error:
            guard.contain("agent method", error)
            return method

    return chosen_at_call(method, choose)


def agent_method(_name: str, method: Any, patches: Patches) -> Any:
    """What takes the place of an agent's method; what is no plain method stays."""
    if not (inspect.isfunction(method) or inspect.ismethod(method)):
        return method
    return dispatching(AgentMethod(method), lambda: patches.is_active)
