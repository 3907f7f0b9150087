"""Parents, both ways: spans of OpenTelemetry's inside of ours, ours inside of theirs; links, threads, tasks."""

import asyncio
import contextvars
import os
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, Tracer

import reamon
from reamon.exporters import JSONLExporter, MemoryExporter, read_jsonl
from reamon.integrations.opentelemetry import _taken
from reamon.integrations.opentelemetry._taken import known
from reamon.model import SpanLink
from reamon.testing import Captured
from support.trees import tree

REMOTE = SpanContext(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, True, TraceFlags(1))


def otel_ids(span: trace.Span) -> tuple[str, str]:
    found = span.get_span_context()
    return f"{found.trace_id:032x}", f"{found.span_id:016x}"


def test_spans_nest_whoever_makes_them(captured: Captured, tracer: Tracer) -> None:
    with tracer.start_as_current_span("request"), reamon.trace_agent("qualify"):
        with (
            tracer.start_as_current_span("inner"),
            reamon.trace_tool("book"),
            tracer.start_as_current_span("innermost"),
        ):
            pass
        with tracer.start_as_current_span("after"):
            pass
    with reamon.trace_step("elsewhere"):
        pass
    assert (
        tree(captured.spans)
        == """\
step request
  agent qualify
    step inner
      tool book
        step innermost
    step after
step elsewhere"""
    )


def test_the_current_span_is_that_of_the_active_one(captured: Captured, tracer: Tracer) -> None:
    with tracer.start_as_current_span("request"):
        reamon.current_span().set_attribute("seen", True)
        assert reamon.current_trace_id() != ""
    assert reamon.current_trace_id() == ""
    (span,) = captured.spans
    assert span.attributes["seen"] is True


def test_a_span_that_is_never_active_encloses_nothing(captured: Captured, tracer: Tracer) -> None:
    span = tracer.start_span("open")
    with reamon.trace_step("beside"):
        pass
    span.end()
    assert tree(captured.spans) == "step open\nstep beside"


def test_a_parent_given_by_hand_counts(captured: Captured, tracer: Tracer) -> None:
    with tracer.start_as_current_span("job") as job:
        pass
    with reamon.trace_step("loop"):
        tracer.start_span("late", context=trace.set_span_in_context(job)).end()
        tracer.start_span("here").end()
    assert tree(captured.spans) == "step job\n  step late\nstep loop\n  step here"


def test_baggage_within_a_workflow_moves_nothing(captured: Captured, tracer: Tracer) -> None:
    with tracer.start_as_current_span("request"), reamon.trace_workflow("turn"):
        token = context.attach(baggage.set_baggage("lead", "Ada"))
        with reamon.trace_tool("book"):
            pass
        context.detach(token)
        with tracer.start_as_current_span("db"):
            pass
    assert tree(captured.spans) == "step request\nworkflow turn\n  tool book\n  step db"


def test_a_trace_links_to_the_opentelemetry_trace_in_which_it_opens(captured: Captured, tracer: Tracer) -> None:
    with tracer.start_as_current_span("request") as request, reamon.trace_workflow("turn"):
        pass
    turn, taken = captured.spans
    assert SpanLink(*otel_ids(request), "otel_trace") in turn.links
    assert taken.links == (SpanLink(*otel_ids(request), "otel_trace"),)
    assert {link.relation for link in turn.links} == {"parent_trace", "otel_trace"}


def test_it_links_to_one_that_is_not_taken_too(captured: Captured) -> None:
    other = TracerProvider(shutdown_on_exit=False).get_tracer("other")
    with (
        reamon.instrument("opentelemetry"),
        other.start_as_current_span("request") as request,
        reamon.trace_workflow("turn"),
        reamon.trace_step("inside"),
    ):
        pass
    with other.start_as_current_span("request"), reamon.trace_workflow("later"):
        pass
    inside, turn, later = captured.spans
    assert turn.links == (SpanLink(*otel_ids(request), "otel_trace"),)
    assert inside.links == later.links == ()


def test_a_caller_elsewhere_is_a_link(captured: Captured, tracer: Tracer) -> None:
    parent = trace.set_span_in_context(NonRecordingSpan(REMOTE))
    span = tracer.start_span("GET /call", context=parent)
    span.end()
    (taken,) = captured.spans
    ids = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    assert taken.links == (SpanLink(*otel_ids(span), "otel_trace"), SpanLink(*ids, "remote_parent"))
    assert taken.parent_id is None


def test_what_is_left_out_is_bridged(captured: Captured, provider: TracerProvider) -> None:
    with reamon.instrument("opentelemetry", provider=provider, ignore_scopes=["noise.*"]):
        noise, tracer = provider.get_tracer("noise.http"), provider.get_tracer("test")
        with (
            tracer.start_as_current_span("outer"),
            noise.start_as_current_span("left out") as left_out,
            tracer.start_as_current_span("inner"),
            reamon.trace_tool("book"),
        ):
            pass
        tracer.start_span("late", context=trace.set_span_in_context(left_out)).end()
    assert tree(captured.spans) == "step outer\n  step inner\n    tool book\n  step late"


# -- threads, tasks, processes ---------------------------------------------------------------------------------------


def test_a_thread_that_is_given_the_context_goes_on_below(captured: Captured, tracer: Tracer) -> None:
    def work(given: context.Context) -> None:
        token = context.attach(given)
        with reamon.trace_tool("book"), tracer.start_as_current_span("query"):
            pass
        context.detach(token)
        with reamon.trace_step("after"):
            pass

    with tracer.start_as_current_span("request"), ThreadPoolExecutor(1) as pool:
        pool.submit(work, context.get_current()).result()
    assert tree(captured.spans) == "step request\n  tool book\n    step query\nstep after"


async def test_tasks_keep_apart(captured: Captured, tracer: Tracer) -> None:
    async def call(number: int) -> None:
        with tracer.start_as_current_span(f"request {number}"):
            await asyncio.sleep(0)
            with reamon.trace_tool(f"book {number}"):
                await asyncio.sleep(0)
                with tracer.start_as_current_span(f"query {number}"):
                    await asyncio.sleep(0)

    await asyncio.gather(*(call(number) for number in range(20)))
    by_id = {span.span_id: span for span in captured.spans}
    assert len(by_id) == 60
    for span in by_id.values():
        if span.parent_id is not None:
            assert by_id[span.parent_id].name.split()[1] == span.name.split()[1]


async def test_a_generator_that_is_closed_elsewhere_leaves_nothing_current(captured: Captured, tracer: Tracer) -> None:
    async def stream() -> AsyncIterator[int]:
        with tracer.start_as_current_span("stream"):
            yield 1
            yield 2

    generator = stream()
    await asyncio.create_task(anext(generator))  # type: ignore[arg-type]
    await generator.aclose()  # type: ignore[attr-defined]
    with reamon.trace_step("after"):
        pass
    assert tree(captured.spans) == "step stream\nstep after"


def test_a_span_ends_on_another_thread(captured: Captured, tracer: Tracer) -> None:
    span = tracer.start_span("request")
    thread = threading.Thread(target=span.end)
    thread.start()
    thread.join()
    assert tree(captured.spans) == "step request"


def test_who_attaches_and_never_detaches_costs_no_memory(captured: Captured, tracer: Tracer) -> None:
    def careless() -> None:
        for number in range(1000):
            context.attach(trace.set_span_in_context(tracer.start_span(f"open {number}")))
        entered = _activation_depth()
        assert entered < 300

    contextvars.copy_context().run(careless)
    assert captured.spans == []


def _activation_depth() -> int:
    from reamon.integrations.opentelemetry._activation import _entered

    entered = _entered.get()
    return 0 if entered is None else entered.depth


def test_spans_that_never_end_are_forgotten(captured: Captured, tracer: Tracer) -> None:
    before = len(known)
    kept = [tracer.start_span("open") for _ in range(100)]
    assert len(known) >= before + 100
    limit = _taken._OPEN_KEPT
    _taken._OPEN_KEPT = 50  # type: ignore[misc]
    try:
        tracer.start_span("one more").end()
        for span in kept:
            span.end()
    finally:
        _taken._OPEN_KEPT = limit  # type: ignore[misc]
    assert 40 < len(captured.spans) < 60


def test_a_forked_child_goes_on(tracer: Tracer, tmp_path: Path) -> None:
    parents, children = MemoryExporter(), JSONLExporter(tmp_path / "children.jsonl")
    reamon.configure(exporters=[parents, children], home=tmp_path)
    with tracer.start_as_current_span("parent"):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                with tracer.start_as_current_span("child"), reamon.trace_step("step"):
                    pass
                reamon.shutdown(5)
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert reamon.flush(5)
    assert tree(parents.spans) == "step parent"
    assert tree(list(read_jsonl(tmp_path / "children.jsonl"))) == "step parent\n  step child\n    step step"


async def test_a_task_that_is_cancelled_says_so(captured: Captured, tracer: Tracer) -> None:
    async def call() -> None:
        try:
            with tracer.start_as_current_span("call"):
                await asyncio.sleep(60)
        except asyncio.CancelledError:
            with tracer.start_as_current_span("clean up"):
                pass
            raise

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert tree(captured.spans) == "step call [cancelled]\nstep clean up"


# -- times -----------------------------------------------------------------------------------------------------------


def test_times_are_those_of_opentelemetry(captured: Captured, tracer: Tracer) -> None:
    now = time.time_ns()
    with reamon.trace_step("outer"):
        span = tracer.start_span("before", start_time=now - 5_000_000_000)
        span.add_event("middle", timestamp=now - 4_000_000_000)
        span.end(end_time=now - 3_000_000_000)
    before = next(span for span in captured.spans if span.name == "before")
    assert before.duration_ns is not None
    assert abs(before.duration_ns - 2_000_000_000) < 50_000_000
    assert abs(before.start_ns - (now - 5_000_000_000)) < 1_100_000_000
    assert abs(before.events[0].time_ns - before.start_ns - 1_000_000_000) < 50_000_000
