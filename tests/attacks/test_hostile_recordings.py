"""What an application records is hostile, everywhere at once: nothing is raised, and no span costs another one."""

import itertools
import json
import math
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

import reamon
from reamon.exporters import JSONLExporter, LangSmithExporter, OTLPExporter, SQLiteExporter
from reamon.guard import guard
from reamon.testing import capture_spans
from support.langsmith_server import LangSmithServer
from support.otlp_server import OTLPServer

KEY = "lsv2_pt_0123456789abcdef"


def refuse(*_: Any, **__: Any) -> Any:
    raise RuntimeError("no")


def stop(*_: Any, **__: Any) -> Any:
    raise SystemExit("whoever asks")


class Text(str):
    """A text that answers nothing."""

    __slots__ = ()
    __hash__ = __eq__ = __len__ = __iter__ = __getitem__ = __contains__ = refuse  # type: ignore[assignment]
    encode = isascii = lower = startswith = refuse  # type: ignore[assignment]

    def __str__(self) -> str:
        return self


class EndingText(str):
    """A text that ends the process, as far as it can."""

    __slots__ = ()
    __hash__ = __eq__ = stop  # type: ignore[assignment]

    def __str__(self) -> str:
        return self


class Number(int):
    """A number that cannot be counted with."""

    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __add__ = __sub__ = __radd__ = __rsub__ = refuse  # type: ignore[assignment]
    __mul__ = __floordiv__ = __divmod__ = __hash__ = __bool__ = __int__ = __index__ = __repr__ = refuse  # type: ignore[assignment]


class Fraction(float):
    """Another one."""

    __lt__ = __gt__ = __eq__ = __mul__ = __rmul__ = __sub__ = __round__ = __float__ = refuse  # type: ignore[assignment]


class Closed:
    """An object that answers nothing."""

    __getattribute__ = __str__ = __repr__ = __hash__ = __bool__ = __len__ = __iter__ = refuse  # type: ignore[assignment]


class Endless:
    """An object that asks itself."""

    def __str__(self) -> str:
        return str(self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self, f"{name}_")


class Provider(Enum):
    OPENAI = "openai"


VALUES: list[Any] = [
    Text("text"),
    EndingText("text"),
    Number(5),
    Fraction(0.5),
    Closed(),
    Endless(),
    Provider.OPENAI,
    math.nan,
    math.inf,
    1e300,
    10**400,
    10**5000,
    1 << 70,
    -5,
    Decimal("1E+1000000"),
    Decimal("1E-1000000"),
    Decimal("sNaN"),
    b"\xff",
    "half of a pair: \ud800",
    "nothing: \0",
    "x" * 3_000_000,
]

METHODS: dict[str, Callable[[Any, Any], Any]] = {
    "input": lambda span, value: span.set_input(value),
    "output": lambda span, value: span.set_output({"key": value}),
    "attribute": lambda span, value: span.set_attribute("key", value),
    "key": lambda span, value: span.set_attribute(value, 1),
    "attributes": lambda span, value: span.set_attributes({"key": value, "list": [value]}),
    "no attributes": lambda span, value: span.set_attributes(value),
    "event": lambda span, value: span.add_event(value, key=value),
    "state": lambda span, value: span.set_state(value, value),
    "call id": lambda span, value: span.set_call_id(value),
    "agent type": lambda span, value: span.set_agent_type(value),
    "status": lambda span, value: span.set_status(value),
    "reason": lambda span, value: span.set_status("degraded", value),
    "outcome": lambda span, value: span.set_outcome(value, key=value),
    "tokens": lambda span, value: span.record_usage(provider="openai", model="gpt-4o", output_tokens=value),
    "seconds": lambda span, value: span.record_usage(provider="openai", audio_seconds=value),
    "model": lambda span, value: span.record_usage(provider=value, model=value, input_tokens=3),
    "cost": lambda span, value: span.record_cost(value, cost_type="llm"),
    "cost type": lambda span, value: span.record_cost("0.5", cost_type=value),
    "units": lambda span, value: span.record_cost("0.5", cost_type="llm", usage_units=value, unit_cost=value),
    "labels": lambda span, value: span.record_cost(
        "0.5", cost_type="llm", provider=value, model=value, unit=value, price_version=value, effective_date=value
    ),
    "wait": lambda span, value: span.record_wait(value),
    "decision": lambda span, value: span.record_decision(next_agent=value, reasoning=value, action=value),
    "confidence": lambda span, value: span.record_decision(confidence=value),
    "error": lambda span, value: span.record_error(value),
    "end": lambda span, value: span.end(value),
}


def test_every_span_arrives_everywhere(tmp_path: Path) -> None:
    database, lines = SQLiteExporter(tmp_path / "reamon.db"), JSONLExporter(tmp_path / "spans.jsonl")
    with LangSmithServer(api_key=KEY) as langsmith, OTLPServer() as collector, guard.relaxed():
        remote = [LangSmithExporter(KEY, langsmith.url, "calls"), OTLPExporter(collector.base)]
        reamon.configure(exporters=[database, lines, *remote], home=tmp_path, handle_sigterm=False)
        ids = set()
        for value, record in itertools.product(VALUES, METHODS.values()):
            span = reamon.start_span("agent", "hostile")
            ids.add(span.span_id)
            record(span, value)
            span.end()
        assert reamon.flush(60.0)
        stats = reamon.stats()
        assert reamon.shutdown()
    assert stats.dropped == {}
    assert set(stats.exported.values()) == {len(ids)} == {stats.recorded}
    written = [json.loads(line) for line in (tmp_path / "spans.jsonl").read_bytes().splitlines()]
    assert {line["span_id"] for line in written} == set(langsmith.runs) == ids
    assert max(map(len, (tmp_path / "spans.jsonl").read_bytes().splitlines())) < 200_000


@pytest.mark.parametrize("number", range(len(VALUES)))
def test_what_is_hostile_beside_the_money_does_not_cost_the_money(number: int) -> None:
    value = VALUES[number]
    with capture_spans(strict=False) as captured, reamon.trace_llm("chat") as span:
        span.record_usage(provider=value, model=value, input_tokens=3, output_tokens=value)
        span.record_cost("0.5", cost_type="llm", provider=value, usage_units=value, effective_date=value)
        span.record_decision(next_agent="scheduler", reasoning=value, confidence=value)
    (recorded,) = captured.spans
    (usage,), (cost,) = recorded.usage, recorded.costs
    assert (usage.input_tokens, cost.amount) == (3, Decimal("0.5"))
    assert recorded.decision is not None
    assert recorded.decision.next_agent == "scheduler"
