"""Whatever comes between: another thread after any instruction of ours, or what a signal's handler raises."""

import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

import reamon
from reamon.guard import guard
from reamon.pipeline.commits import Commits
from reamon.testing import Captured, capture_spans
from reamon.tracing import forget_capture, register_capture


@pytest.fixture
def captured() -> Iterator[Captured]:
    with capture_spans(collectors=[]) as spans:
        yield spans


def between(function: str, action: Callable[[], object], moment: int, work: Callable[[], object]) -> bool:
    """Do `work`, and `action` in another thread before one instruction of `function`. Whether there was such a one."""
    seen = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal seen
        if frame.f_code.co_name != function or "reamon" not in frame.f_code.co_filename:
            return trace if event == "call" else None
        frame.f_trace_opcodes = True
        if event == "opcode":
            seen += 1
            if seen == moment:
                thread = threading.Thread(target=action)
                thread.start()
                thread.join(0.2)  # it may wait for a lock that we hold
                threads.append(thread)
        return trace

    threads: list[threading.Thread] = []
    before = sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # Python 3.12 tells of no instruction unless a frame wanted it beforehand
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    for thread in threads:
        thread.join()
    return seen >= moment


def moments(function: str, trial: Callable[[Any], None]) -> int:
    """Try each moment of `function` in turn."""
    count = 0
    is_there = True

    def run(work: Callable[[], object], action: Callable[[], object]) -> None:
        nonlocal is_there
        is_there = between(function, action, count + 1, work)

    while is_there:
        trial(run)
        count += 1
    return count


def test_what_two_threads_record_first_at_once_is_all_recorded(captured: Captured) -> None:
    def trial(run: Any) -> None:
        span = reamon.start_span("llm", "chat")

        def record() -> None:
            span.record_usage(provider="openai", input_tokens=1)

        run(record, record)
        span.end()

    count = moments("_more", trial)
    assert count > 10
    assert [len(span.usage) for span in captured.spans] == [2] * (count - 1) + [1]


def test_a_span_that_two_threads_end_at_once_is_recorded_once(captured: Captured) -> None:
    def trial(run: Any) -> None:
        span = reamon.start_span("llm", "chat")
        run(span.end, span.end)

    count = moments("end", trial)
    assert count > 10
    assert len(captured.spans) == count


def test_calls_that_join_a_commit_at_once_all_wait_for_the_same() -> None:
    def trial(run: Any) -> None:
        commits, groups = Commits(timeout=60.0), []
        commits.is_served = True

        def wait() -> None:
            groups.append(commits.join())

        run(wait, wait)
        assert set(groups) == {commits.close_group()}, "one of the two waits for what nobody finishes"

    assert moments("join", trial) > 10


def test_a_scope_that_threads_share_ends_the_span_of_each(captured: Captured) -> None:
    scope = reamon.trace_step("shared")

    def trial(run: Any) -> None:
        inside, leave = threading.Event(), threading.Event()

        def other() -> None:
            with scope:
                inside.set()
                leave.wait(5.0)

        thread = threading.Thread(target=other)

        def enter() -> None:
            thread.start()
            inside.wait(5.0)

        span = scope.__enter__()
        run(lambda: scope.__exit__(None, None, None), enter)
        assert not span.is_recording
        assert reamon.current_trace_id() == ""
        leave.set()
        if thread.ident is not None:
            thread.join()

    assert moments("_take_entered", trial) > 10


class Refusing:
    """A key without a text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_one_attribute_that_cannot_be_set_does_not_cost_the_others() -> None:
    with capture_spans(strict=False) as captured, reamon.trace_step("x") as span:
        span.set_attributes({"name": "Ada", Refusing(): 1, "score": 0.5})  # type: ignore[dict-item]
    assert captured.spans[0].attributes == {"name": "Ada", "score": 0.5}


def test_attributes_that_another_thread_changes_meanwhile_are_set(captured: Captured) -> None:
    attributes: dict[str, Any] = {f"key {number}": [number] for number in range(100)}
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            for number in range(50):
                attributes[f"other {number}"] = 1
            for number in range(50):
                del attributes[f"other {number}"]

    interval = sys.getswitchinterval()
    thread = threading.Thread(target=change)
    thread.start()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(100):
            with reamon.trace_step("x") as span:
                span.set_attributes(attributes)
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        thread.join()
    assert all(len(span.attributes) >= 100 for span in captured.spans)


# -- signals -----------------------------------------------------------------------------------------------------------


class UnprintableError(Exception):
    """Its text is being made when somebody presses Ctrl-C."""

    def __str__(self) -> str:
        raise KeyboardInterrupt


class Interrupted:
    """Ctrl-C is pressed while it is read."""


def interrupt(_: object) -> Any:
    raise KeyboardInterrupt


@pytest.fixture
def interruption() -> Iterator[None]:
    register_capture(Interrupted, interrupt)
    yield
    forget_capture(Interrupted)


@reamon.trace_step
def answer() -> Any:
    return Interrupted()


@reamon.trace_step
def fail() -> Any:
    raise UnprintableError


@reamon.trace_step
def answers() -> Any:
    yield 1
    yield Interrupted()


@reamon.trace_step(reduce=interrupt)
def reduced() -> Any:
    yield 1


@pytest.mark.usefixtures("interruption")
@pytest.mark.parametrize("work", [answer, fail, lambda: list(answers()), lambda: list(reduced())])
def test_an_interruption_of_our_reading_goes_its_way_and_the_span_is_recorded(
    captured: Captured, work: Callable[[], Any]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        work()
    assert reamon.current_trace_id() == ""
    (span,) = captured.spans
    assert span.end_ns is not None


class ClasslessError(Exception):
    """Does not say what it is."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError("no class")


def test_an_exception_that_does_not_say_what_it_is_ends_the_span_and_goes_on(captured: Captured) -> None:
    @reamon.trace_step
    def work() -> None:
        raise ClasslessError("x")

    try:
        work()
    except BaseException as error:
        assert type(error) is ClasslessError  # noqa: PT017 - pytest.raises asks the exception what it is
    (span,) = captured.spans
    assert span.error is not None
    assert (span.status, span.error.message) == ("error", "x")


# -- bounds ------------------------------------------------------------------------------------------------------------


def test_a_span_has_room_for_a_thousand_attributes_and_says_what_was_cut(captured: Captured) -> None:
    with reamon.trace_step("x") as span:
        span.set_attributes({f"key {number}": number for number in range(100_000)})
        span.set_attribute("one more", 1)
        span.set_attribute("key 0", "changed")
    attributes = captured.spans[0].attributes
    assert len(attributes) == 1_001
    assert (attributes["key 0"], attributes["reamon.attributes_cut"]) == ("changed", 99_001)


@pytest.mark.parametrize("value", [1, "x" * 10_000, ["x"] * 10_000])
def test_a_span_has_room_for_a_megabyte_of_events_and_says_what_was_cut(captured: Captured, value: Any) -> None:
    with reamon.trace_step("x") as span:
        for number in range(20_000 if value == 1 else 500):
            span.add_event("token", number=number, value=value)
    recorded = captured.spans[0]
    said = sum(len(str(event)) for event in recorded.events)
    assert said < 4_000_000
    assert recorded.attributes["reamon.events_cut"] + len(recorded.events) == (20_000 if value == 1 else 500)


def test_no_name_is_longer_than_a_name(captured: Captured) -> None:
    long = "x" * 1_000_000
    with reamon.trace_workflow(long, call_id=long, project=long, version=long, tags=[long] * 10) as span:
        span.set_attribute(long, 1)
        span.add_event(long)
        span.set_outcome(long)
        span.set_status("degraded", long)
        span.record_decision(next_agent=long, reasoning=long, action=long)
        span.record_usage(provider=long, model=long)
        span.record_cost(1, cost_type=long, provider=long, unit=long)
        reamon.start_span("tool", long).end()
    assert len(captured.spans) == 2
    assert all(len(repr(span)) < 100_000 for span in captured.spans)
    assert captured.spans[-1].name.endswith("… [reamon] 998976 of 1000000 characters cut")


def test_money_of_ten_thousand_requests_on_one_span_is_all_there(captured: Captured) -> None:
    with reamon.trace_llm("x") as span:
        for _ in range(10_000):
            span.record_usage(provider="openai", input_tokens=1)
            span.record_cost("0.000000000001", cost_type="llm")
    assert (len(captured.spans[0].usage), len(captured.spans[0].costs)) == (10_000, 10_000)


class Ending:
    """Ends the thread of whoever looks at it."""

    def __getattr__(self, name: str) -> Any:
        raise SystemExit(name)


def test_a_span_whose_record_cannot_be_made_costs_no_other_one() -> None:
    with capture_spans(strict=False) as captured:
        for number in range(20):
            with reamon.trace_step("x") as span:
                if number == 10:
                    span.details = Ending()  # type: ignore[assignment]
        assert len(captured.spans) == 19
        stats = reamon.stats()
        assert stats.recorded == 20
        assert stats.dropped == {"internal_error": 1}
    assert guard.errors
