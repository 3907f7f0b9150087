"""What is current, and where nothing is recorded."""

import asyncio
import contextvars
import threading

import pytest

import reamon
from reamon.testing import Captured
from reamon.tracing import NoopSpan


def test_there_is_always_a_current_span() -> None:
    span = reamon.current_span()
    assert isinstance(span, NoopSpan)
    assert (span.span_id, span.trace_id, reamon.current_trace_id()) == ("", "", "")
    assert not reamon.enabled()


def test_inside_a_block_it_is_the_block(captured: Captured) -> None:
    assert reamon.enabled()
    with reamon.trace_workflow("turn") as turn:
        assert reamon.current_span() is turn
        assert reamon.current_trace_id() == turn.span_id


def test_nothing_is_recorded_while_suppressed(captured: Captured) -> None:
    with reamon.trace_workflow("turn") as turn:
        with reamon.suppress():
            assert not reamon.enabled()
            assert reamon.current_trace_id() == ""
            reamon.current_span().set_attribute("lost", 1)
            with reamon.trace_step("block") as block:
                assert not block.is_recording
            reamon.start_span("step", "manual").end()
            reamon.start_span("step", "with parent", parent=turn).end()
            reamon.record_span("step", "over", 1.0, 2.0, parent=turn)
            with reamon.suppress():
                pass
            assert not reamon.enabled()
        assert reamon.enabled()
        assert reamon.current_span() is turn
    assert [span.name for span in captured.spans] == ["turn"]
    assert captured.one("turn").attributes == {}


def test_an_exception_ends_the_suppression(captured: Captured) -> None:
    with pytest.raises(ZeroDivisionError), reamon.suppress():
        raise ZeroDivisionError
    assert reamon.enabled()


async def test_suppression_is_of_this_context_alone(captured: Captured) -> None:
    async def other() -> bool:
        return reamon.enabled()

    task = asyncio.create_task(other())
    with reamon.suppress():
        inherited = asyncio.create_task(other())
        await asyncio.sleep(0)
        assert await task
        assert not await inherited
        seen: list[bool] = []
        thread = threading.Thread(target=lambda: seen.append(reamon.enabled()))
        thread.start()
        thread.join()
        assert seen == [True]


def test_a_suppression_that_ends_in_another_context_changes_nothing_there(captured: Captured) -> None:
    suppression = reamon.suppress()
    contextvars.copy_context().run(suppression.__enter__)
    with reamon.trace_step("block") as block:
        suppression.__exit__(None, None, None)
        assert reamon.current_span() is block


def test_disabled_by_settings_nothing_is_recorded() -> None:
    from reamon.exporters import MemoryExporter

    memory = MemoryExporter()
    reamon.configure(exporters=[memory], enabled=False)
    assert not reamon.enabled()
    with reamon.trace_workflow("turn") as turn:
        assert not turn.is_recording
    assert reamon.flush()
    assert memory.spans == []
    assert reamon.stats().recorded == 0
