"""Set-up: whose provider, when, and that it can be undone and disturbs nobody."""

import gc
import subprocess
import sys
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, Sampler, SamplingResult
from opentelemetry.trace import Tracer

import reamon
from reamon.errors import ConfigurationError, MissingExtraError
from reamon.guard import guard
from reamon.testing import Captured, capture_spans


def names(captured: Captured) -> list[str]:
    return [span.name for span in captured.spans]


def fresh() -> TracerProvider:
    return TracerProvider(shutdown_on_exit=False)


# -- whose provider ----------------------------------------------------------------------------------------------------


def test_a_provider_that_is_set_before(captured: Captured) -> None:
    trace.set_tracer_provider(fresh())
    reamon.instrument("opentelemetry")
    trace.get_tracer("test").start_span("one").end()
    assert names(captured) == ["one"]


def test_a_provider_that_is_set_afterwards_with_a_tracer_from_before(captured: Captured) -> None:
    early = trace.get_tracer("early")
    reamon.instrument("opentelemetry")
    early.start_span("lost, as without us").end()
    provider = fresh()
    trace.set_tracer_provider(provider)
    assert trace.get_tracer_provider() is provider
    early.start_span("one").end()
    trace.get_tracer("late").start_span("two").end()
    assert names(captured) == ["one", "two"]


def test_none_is_set_where_the_application_has_none() -> None:
    reamon.instrument("opentelemetry")
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    reamon.uninstrument("opentelemetry")
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def test_a_given_provider_alone(captured: Captured) -> None:
    mine, other = fresh(), fresh()
    trace.set_tracer_provider(other)
    reamon.instrument("opentelemetry", provider=mine)
    mine.get_tracer("x").start_span("mine").end()
    other.get_tracer("x").start_span("other").end()
    assert names(captured) == ["mine"]


def test_one_is_set_by_someone_who_imported_the_function_before(captured: Captured) -> None:
    set_it = trace.set_tracer_provider
    reamon.instrument("opentelemetry")
    set_it(fresh())
    trace.get_tracer("x").start_span("one").end()
    assert names(captured) == ["one"]


def test_a_provider_of_another_make_is_left_alone(captured: Captured, caplog: pytest.LogCaptureFixture) -> None:
    reamon.instrument("opentelemetry")
    trace.set_tracer_provider(trace.NoOpTracerProvider())
    trace.get_tracer("x").start_span("one").end()
    assert names(captured) == []
    assert "NoOpTracerProvider" in caplog.text


# -- beside others -----------------------------------------------------------------------------------------------------


def test_what_the_application_exports_is_as_before(captured: Captured) -> None:
    provider, theirs = fresh(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(theirs))
    reamon.instrument("opentelemetry", provider=provider)
    with provider.get_tracer("x").start_as_current_span("outer"), reamon.trace_tool("ours"):
        provider.get_tracer("x").start_span("inner").end()
    inner, outer = theirs.get_finished_spans()
    assert inner.parent is not None
    assert outer.context is not None
    assert inner.parent.span_id == outer.context.span_id
    assert (dict(inner.attributes or {}), dict(outer.attributes or {})) == ({}, {})
    assert set(names(captured)) == {"outer", "ours", "inner"}


def test_errors_go_on_as_they_are(captured: Captured, tracer: Tracer) -> None:
    error = ValueError("no")
    with pytest.raises(ValueError, match="no") as raised, tracer.start_as_current_span("fails"):
        raise error
    assert raised.value is error
    (span,) = captured.spans
    assert (span.status, span.error and span.error.type, span.error and span.error.message) == (
        "error",
        "ValueError",
        "no",
    )
    assert span.error is not None
    assert "raise error" in span.error.stack


def test_an_error_of_ours_reaches_nobody(captured: Captured, provider: TracerProvider) -> None:
    def broken(span: Any) -> bool:
        raise RuntimeError("broken")

    reamon.instrument("opentelemetry", provider=provider, only=broken)
    with guard.relaxed():
        provider.get_tracer("x").start_span("one").end()
    assert names(captured) == ["one"]


# -- undone ------------------------------------------------------------------------------------------------------------


def test_undone_it_records_nothing_and_leaves_the_context_as_it_was(captured: Captured) -> None:
    runtime = context._RUNTIME_CONTEXT
    before = dict(vars(runtime)), trace._set_tracer_provider
    provider = fresh()
    handle = reamon.instrument("opentelemetry", provider=provider)
    handle.uninstrument()
    assert (dict(vars(runtime)), trace._set_tracer_provider) == before
    with provider.get_tracer("x").start_as_current_span("one"), reamon.trace_workflow("turn"):
        pass
    assert names(captured) == ["turn"]
    assert captured.spans[0].links == ()


def test_a_span_that_is_open_when_it_is_undone_still_ends(captured: Captured, provider: TracerProvider) -> None:
    handle = reamon.instrument("opentelemetry", provider=provider)
    span = provider.get_tracer("x").start_span("open")
    handle.uninstrument()
    span.end()
    assert names(captured) == ["open"]


def test_again_and_again_is_once(captured: Captured, provider: TracerProvider) -> None:
    for _ in range(5):
        reamon.instrument("opentelemetry", provider=provider)
        reamon.instrument("opentelemetry", provider=provider)
        reamon.uninstrument("opentelemetry")
    reamon.instrument("opentelemetry", provider=provider)
    provider.get_tracer("x").start_span("one").end()
    assert names(captured) == ["one"]
    assert len(provider._active_span_processor._span_processors) == 1


def test_undone_within_an_active_span(captured: Captured, provider: TracerProvider) -> None:
    handle = reamon.instrument("opentelemetry", provider=provider)
    with provider.get_tracer("x").start_as_current_span("open"):
        handle.uninstrument()
        with reamon.trace_step("inside"):
            pass
    assert set(names(captured)) == {"open", "inside"}


# -- when nothing is to be recorded ------------------------------------------------------------------------------------


def test_nothing_is_recorded_while_nothing_is_configured(provider: TracerProvider) -> None:
    reamon.instrument("opentelemetry", provider=provider)
    tracer = provider.get_tracer("x")
    before = tracer.start_span("before")
    with tracer.start_as_current_span("unconfigured"):
        assert reamon.current_trace_id() == ""
    with capture_spans() as captured:
        before.end()
        tracer.start_span("one").end()
        assert names(captured) == ["one"]


def test_suppressed_means_all_of_it(captured: Captured, tracer: Tracer) -> None:
    with reamon.suppress(), tracer.start_as_current_span("quiet"):
        assert not reamon.enabled()
        tracer.start_span("quiet too").end()
    tracer.start_span("one").end()
    assert names(captured) == ["one"]


def test_what_is_sampled_out_is_left_alone(captured: Captured) -> None:
    class RecordOnly(Sampler):
        def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
            return SamplingResult(Decision.RECORD_ONLY)

        def get_description(self) -> str:
            return "records, and samples nothing"

    for sampler in (ALWAYS_OFF, RecordOnly()):
        provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        with (
            reamon.instrument("opentelemetry", provider=provider),
            provider.get_tracer("x").start_as_current_span("out"),
            reamon.trace_step("ours"),
        ):
            pass
    assert names(captured) == ["ours", "ours"]


@pytest.mark.parametrize(
    ("options", "taken"),
    [
        ({"scopes": ["llm.*"]}, ["chat"]),
        ({"scopes": "llm.openai"}, ["chat"]),
        ({"ignore_scopes": ("http*",)}, ["chat"]),
        ({"only": lambda span: span.name == "GET"}, ["GET"]),
        ({"only": lambda span: (span.attributes or {}).get("size") == 1}, ["chat"]),
        ({"scopes": []}, []),
    ],
)
def test_what_is_chosen(
    captured: Captured, provider: TracerProvider, options: dict[str, Any], taken: Sequence[str]
) -> None:
    reamon.instrument("opentelemetry", provider=provider, **options)
    provider.get_tracer("llm.openai").start_span("chat", attributes={"size": 1}).end()
    provider.get_tracer("http").start_span("GET").end()
    assert names(captured) == taken


# -- mistakes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"provider": object()}, "takes no span processor"),
        ({"only": 7}, "only is called with each span"),
        ({"scopes": [7]}, "scopes is a sequence of names"),
        ({"tracer": 7}, "unexpected keyword argument 'tracer'"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        reamon.instrument("opentelemetry", **options)


def test_without_opentelemetry_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import sys; sys.modules['opentelemetry.sdk.trace'] = None\n"
        "import reamon\n"
        "try: reamon.instrument('opentelemetry')\n"
        "except reamon.errors.MissingExtraError as error: print(error)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert str(MissingExtraError("instrument('opentelemetry')", "otlp", "opentelemetry.sdk.trace")) in ran.stdout


def test_hostile_spans_do_no_harm(captured: Captured, tracer: Tracer) -> None:
    span = tracer.start_span("chat", attributes={"gen_ai.operation.name": "chat", "llm.input_messages.x.y": 1})
    span.set_attribute("gen_ai.input.messages", "[" * 100_000)
    span.set_attribute("gen_ai.output.messages", '{"\ud800')
    span.set_attribute("gen_ai.usage.input_tokens", "many")
    span.set_attribute("gen_ai.usage.output_tokens", -7)
    span.set_attribute("gen_ai.usage.reasoning_tokens", float("nan"))
    span.set_attribute("llm.invocation_parameters", "[1")
    span.set_attribute("gen_ai.response.time_to_first_chunk", float("inf"))
    span.set_attribute("gen_ai.response.finish_reasons", [1, 2])  # type: ignore[arg-type]
    span.add_event("exception", {"exception.type": 7, "b": b"\xff"})  # type: ignore[dict-item]
    span.set_status(trace.StatusCode.ERROR)
    span.end()
    (taken,) = captured.spans
    assert (taken.kind, taken.status, taken.usage) == ("llm", "error", ())


def test_a_span_that_was_made_by_hand_is_ended_once(captured: Captured, provider: TracerProvider) -> None:
    reamon.instrument("opentelemetry", provider=provider)
    processor = provider._active_span_processor
    stranger = ReadableSpan("stranger", trace.SpanContext(7, 7, False))
    processor.on_end(stranger)
    assert names(captured) == []


@dataclass
class Wrapping:
    """A provider that wraps another and cannot be hashed, as logfire's."""

    provider: TracerProvider

    def add_span_processor(self, processor: Any) -> None:
        self.provider.add_span_processor(processor)

    def get_tracer(self, *args: Any, **kwargs: Any) -> Tracer:
        return self.provider.get_tracer(*args, **kwargs)


def test_a_provider_that_wraps_another(captured: Captured) -> None:
    reamon.instrument("opentelemetry")
    trace.set_tracer_provider(Wrapping(fresh()))  # type: ignore[arg-type]
    trace.get_tracer("x").start_span("one").end()
    assert names(captured) == ["one"]


def test_a_provider_is_not_kept_alive(captured: Captured) -> None:
    provider = fresh()
    gone = weakref.ref(provider)
    with reamon.instrument("opentelemetry", provider=provider):
        provider.get_tracer("x").start_span("one").end()
    del provider
    gc.collect()
    assert gone() is None
    assert names(captured) == ["one"]
