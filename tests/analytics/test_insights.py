"""Insights, worked out by hand, on both databases; and silence where there is too little to go by."""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Context, Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest

from reamon.analytics.insights import Insight, cost_insights
from reamon.analytics.insights.other_models import find as find_other_models
from reamon.analytics.insights.scope import scope_of
from reamon.collectors import PriceBook
from reamon.errors import ConfigurationError, StoreError
from reamon.model import CostData, Payload, Span, SpanKind, SpanStatus, Usage
from reamon.store import Store
from reamon.store.cost_filter import EVERY_COST, CostFilter
from reamon.testing import make_span
from support.readable import DATABASES, readable
from support.stores import MILLI, SECOND, START, stored

DAY = 86_400
RATES = {
    "acme/large": {"per": 1000, "input_tokens": "0.03", "output_tokens": "0.06", "cached_input_tokens": "0.01"},
    "acme/small": {"per": 1000, "input_tokens": "0.001", "output_tokens": "0.002"},
    "acme/tiered": {
        "per": 1000,
        "input_tokens": "0.001",
        "output_tokens": "0.002",
        "tiers": [{"above": 1500, "input_tokens": "0.1"}],
    },
    "free/local": {"free": True},
}
BOOK = PriceBook(RATES, model_prices=False)
SYSTEM = "You are the {} of Alder & Finch Homes, on the telephone, as always."


class Turns:
    """Spans of turns, with what each request costs."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self._at = START

    def turn(self, call: str, *agents: tuple[str, Sequence[Span]], at: float | None = None, **root: Any) -> None:
        """A turn in which agents ran one after the other, each with its requests (made by `request`)."""
        start = self._at = self._at + SECOND if at is None else START + round(at * SECOND)
        fields: dict[str, Any] = {"end_ns": start + 900 * MILLI, **root}
        workflow = make_span("turn", SpanKind.WORKFLOW, start_ns=start, call_id=call, **fields)
        for order, (name, requests) in enumerate(agents, 1):
            began = start + order * 100 * MILLI
            agent = make_span(
                name, SpanKind.AGENT, parent=workflow, agent_type=name, execution_order=order, start_ns=began,
                end_ns=began + 90 * MILLI, state_after=root.get("state"),
            )  # fmt: skip
            agent = agent.replace(agent_id=agent.span_id)
            self.spans.append(agent)
            for number, request in enumerate(requests):
                begun = began + (number + 1) * MILLI
                took = (request.end_ns or 0) - request.start_ns
                made = make_span(
                    request.name,
                    request.kind,
                    parent=agent,
                    agent_id=agent.span_id,
                    start_ns=begun,
                    end_ns=begun + took,
                )
                self.spans.append(made.replace(usage=request.usage, costs=request.costs, input=request.input))
        self.spans.append(workflow.replace(**{k: v for k, v in root.items() if k == "outcome"}))


def request(
    model: str = "small",
    *,
    tokens: int = 1000,
    out: int = 100,
    cached: int | None = None,
    said: str = "hello",
    who: str = "agent",
    requests: int | None = None,
    took_ms: int = 50,
) -> Span:
    usage = Usage(
        provider="acme",
        model=model,
        input_tokens=tokens,
        output_tokens=out,
        cached_input_tokens=cached,
        requests=requests,
    )
    costs = BOOK.price(usage, "llm", at=date(2026, 11, 18))
    asked = {"messages": [{"role": "system", "content": SYSTEM.format(who)}, {"role": "user", "content": said}]}
    return make_span(
        "chat",
        SpanKind.LLM,
        start_ns=START,
        end_ns=START + took_ms * MILLI,
        usage=(usage,),
        costs=costs,
        input=Payload.of(asked),
    )


def campaign() -> list[Span]:
    """Six calls: four usual ones of two turns, two that change to the large model; some go wrong.

    A small request costs 0.0012 (1000 in, 100 out), a large one 0.036.
    """
    turns = Turns()
    for number in range(4):
        outcome = "appointment" if number < 3 else "refused"
        turns.turn(f"usual-{number}", ("sales", [request(who="sales", said=f"first {number}")]))
        turns.turn(
            f"usual-{number}",
            ("sales", [request(who="sales", said=f"second {number}")]),
            ("closer", [request(who="closer", said="yes")]),
            outcome=outcome,
        )
    for number in range(2):
        turns.turn(f"hard-{number}", ("sales", [request(who="sales", said="same"), request(who="sales", said="same")]))
        turns.turn(
            f"hard-{number}", ("closer", [request("large", who="closer", said=f"{number}", requests=3)]),
            status=SpanStatus.DEGRADED if number else SpanStatus.ERROR, outcome="refused",
        )  # fmt: skip
    turns.turn("late", ("sales", [request(who="sales", said="late", took_ms=500)]), at=10 * DAY)
    return turns.spans


@pytest.fixture(params=DATABASES, scope="module")
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with readable(request.param, tmp_path_factory.mktemp("store") / "calls.db", campaign()) as target:
        yield target


async def insights(target: str, minimum: int = 1, **options: Any) -> dict[str, Insight]:
    async with Store.open(target) as store:
        found = await cost_insights(store, book=BOOK, minimum=minimum, **options)
    assert sorted((each.saving or Decimal(0) for each in found), reverse=True) == [each.saving or 0 for each in found]
    return {each.kind: each for each in found}


async def test_every_kind_is_found_and_says_what_it_rests_on(target: str) -> None:
    found = await insights(target)
    assert found.keys() == {
        "agent", "model", "path", "prompt", "escalation", "repeated requests", "retries", "abandoned", "degraded",
        "outcome", "other model",
    }  # fmt: skip
    for each in found.values():
        assert each.rows > 0
        assert each.figures
        assert each.traces
        assert each.since < each.until


async def test_the_dearest_agent_and_model(target: str) -> None:
    found = await insights(target)
    # closer: four small requests and two large ones; sales: thirteen small ones
    assert (found["agent"].amount, found["agent"].figures["then sales"]) == (Decimal("0.0768"), Decimal("0.0156"))
    assert found["agent"].figures["share"] == Decimal("0.831169")
    assert found["model"].title == "the model large costs most: 78 % of what was spent"
    assert (found["model"].amount, found["model"].figures["mean of a detail"]) == (Decimal("0.072"), Decimal("0.018"))


async def test_the_dearest_path_is_a_sequence_of_agents(target: str) -> None:
    path = (await insights(target))["path"]
    assert path.title == "most is spent on the path closer: 2 turns, 5.1 times the mean of a turn"
    assert (path.amount, path.figures["mean of a turn"]) == (Decimal("0.072"), Decimal("0.036"))
    assert path.figures["then sales → closer"] == Decimal("0.0096")
    assert path.figures["mean of all turns"] == Decimal("0.007107692308")  # 0.0924 over 13 turns


async def test_the_dearest_prompt_is_known_by_its_beginning(target: str) -> None:
    prompt = (await insights(target))["prompt"]
    assert (
        prompt.title
        == "the prompt “You are the closer of Alder & Finch Homes, on the telephone,…” costs most: 6 requests"
    )
    assert (prompt.amount, prompt.figures["input tokens"], prompt.figures["prompts"]) == (Decimal("0.0768"), 6000, 2)


async def test_escalated_calls_are_compared_with_the_others(target: str) -> None:
    escalation = (await insights(target))["escalation"]
    figures = escalation.figures
    assert (figures["escalated calls"], figures["other calls"], figures["dearer model"]) == (2, 5, "large")
    assert figures["cost of an escalated call"] == Decimal("0.0384")  # two small requests and a large one
    assert figures["cost of another call"] == Decimal("0.00312")  # (4 x 0.0036 + 0.0012) / 5
    assert figures["escalated calls that ended in refused"] == Decimal(1)
    assert figures["other calls that ended in appointment"] == Decimal("0.6")
    assert escalation.saving is None


async def test_the_state_says_that_a_call_was_escalated(tmp_path: Path) -> None:
    turns = Turns()
    for number in range(4):
        state = Payload.of({"tier_escalated": number == 0, "text": '"tier_escalated": false'})
        turns.turn(f"call-{number}", ("sales", [request(said=str(number))]))
        turns.spans[-3] = turns.spans[-3].replace(state_after=state)
    found = await insights(str(stored(tmp_path / "calls.db", turns.spans)))
    assert (found["escalation"].figures["escalated calls"], found["escalation"].figures["other calls"]) == (1, 3)


async def test_repeated_requests_cost_what_those_after_the_first_do(target: str) -> None:
    found = await insights(target)
    assert (found["repeated requests"].rows, found["repeated requests"].saving) == (2, Decimal("0.0024"))
    assert (found["retries"].figures["retries"], found["retries"].saving) == (4, None)  # two requests of three each


async def test_what_went_on_after_its_agent_is_abandoned(target: str) -> None:
    abandoned = (await insights(target))["abandoned"]
    assert (abandoned.figures["requests"], abandoned.saving) == (1, Decimal("0.0012"))


async def test_turns_that_came_to_nothing(target: str) -> None:
    degraded = (await insights(target))["degraded"]
    assert (degraded.amount, degraded.saving) == (Decimal("0.072"), Decimal("0.036"))
    assert (degraded.figures["failed turns"], degraded.figures["degraded turns"]) == (1, 1)


async def test_the_cost_of_each_outcome(target: str) -> None:
    outcome = (await insights(target))["outcome"]
    assert outcome.figures["cost of a call that ended in appointment"] == Decimal("0.0036")
    assert outcome.figures["everything spent, for each appointment"] == Decimal("0.0308")  # 0.0924 / 3
    assert outcome.figures["cost of a call that ended in refused"] == Decimal("0.026800000000")
    assert outcome.figures["calls"] == 7


async def test_calls_of_which_no_cost_is_known_do_not_make_the_others_cheaper(tmp_path: Path) -> None:
    turns = Turns()
    for number in range(3):
        turns.turn(f"won-{number}", ("sales", [request("large"), request("small")]), outcome="appointment")
        turns.turn(f"lost-{number}", ("sales", [request()] if number else []), outcome="refused")
    found = await insights(str(stored(tmp_path / "calls.db", turns.spans)))
    outcome, escalation = found["outcome"], found["escalation"]
    assert outcome.figures["calls that ended in refused"] == 3
    assert outcome.figures["cost of a call that ended in refused"] == Decimal("0.0012")  # of two
    assert (escalation.figures["other calls"], escalation.figures["cost of another call"]) == (3, Decimal("0.0012"))
    assert "calls of which no cost is known are left out of the means" in outcome.caveats


async def test_however_many_prompts_and_paths_there_are_all_of_them_are_the_whole(tmp_path: Path) -> None:
    turns = Turns()
    for number in range(1002):
        turns.turn(f"call-{number}", (f"agent {number}", [request(who=str(number))]))
    turns.turn("dear", ("agent 0", [request("large", who="0")]))
    found = await insights(str(stored(tmp_path / "calls.db", turns.spans)))
    # 1002 small requests of 0.0012 and a large one of 0.036, which is of the first one's prompt and path
    share = Decimal("0.0372") / Decimal("1.2384")
    assert found["prompt"].figures["prompts"] == 1002
    assert found["prompt"].figures["share of all prompts"] == found["path"].figures["share"] == round(share, 6)
    assert found["path"].figures["mean of all turns"] == round(Decimal("1.2384") / 1003, 12)


async def test_progress_is_told_and_a_minimum_of_nothing_refused(target: str) -> None:
    told: list[tuple[int, int]] = []
    await insights(target, progress=lambda done, of: told.append((done, of)))
    assert told == [(done, len(told)) for done in range(1, len(told) + 1)]
    with pytest.raises(ConfigurationError, match="minimum = 0"):
        await insights(target, minimum=0)


async def test_what_another_model_would_have_cost(target: str) -> None:
    other = (await insights(target))["other model"]
    assert other.title == "what acme/large was asked would have cost $0.0024 with acme/small, and not $0.0720"
    assert (other.amount, other.saving, other.rows) == (Decimal("0.072"), Decimal("0.0696"), 2)
    # ten days, and a few seconds less
    assert other.saving_per_month is not None
    assert Decimal("0.2087") < other.saving_per_month < Decimal("0.2089")


async def test_a_model_that_was_named_is_compared_too_and_a_free_one_only_then(target: str) -> None:
    async with Store.open(target) as store:
        found = await cost_insights(store, book=BOOK, minimum=1, alternatives=[("free", "local"), ("acme", "nobody")])
    titles = [each.title for each in found if each.kind == "other model"]
    assert titles == [
        "what acme/large was asked would have cost $0.0000 with free/local, and not $0.0720",
        "what acme/large was asked would have cost $0.0024 with acme/small, and not $0.0720",
        "what acme/small was asked would have cost $0.0000 with free/local, and not $0.0204",
    ]


@pytest.mark.parametrize("database", DATABASES)
async def test_another_model_s_price_is_that_of_each_prompt_s_size_and_of_what_was_cached(
    database: str, tmp_path: Path
) -> None:
    turns = Turns()
    turns.turn(
        "c", ("sales", [request("large", tokens=2000, cached=500), request("large", tokens=1000), request("small")])
    )
    with readable(database, tmp_path / "calls.db", turns.spans) as target:
        async with Store.open(target) as store, store.moment() as connection:
            scope = await scope_of(connection, EVERY_COST, minimum=1, book=BOOK, alternatives=(("acme", "tiered"),))
            assert scope is not None
            found = {each.title: each for each in await find_other_models(scope)}
    # large: (1500 + 1000) x 0.03/1000 + 500 x 0.01/1000 + 200 x 0.06/1000; small: 3000 in, 200 out
    assert "what acme/large was asked would have cost $0.0034 with acme/small, and not $0.0920" in found
    # tiered would be 2000 x 0.1/1000 for the long prompt alone: no saving, and nothing is told
    assert not [title for title in found if "with acme/tiered" in title]


async def test_nothing_is_said_of_too_little(target: str) -> None:
    assert await insights(target, minimum=20) == {}


async def test_nothing_is_said_of_nothing(tmp_path: Path) -> None:
    assert await insights(str(stored(tmp_path / "empty.db", []))) == {}
    unpriced = make_span("ask", "llm", costs=(CostData(cost_type="llm", amount=None),))
    assert await insights(str(stored(tmp_path / "unpriced.db", [unpriced]))) == {}


async def test_a_saving_is_projected_from_a_day_on(tmp_path: Path) -> None:
    turns = Turns()
    turns.turn("a", ("sales", [request("large"), request("small")]))
    found = await insights(str(stored(tmp_path / "short.db", turns.spans)))
    assert (found["other model"].saving, found["other model"].saving_per_month) == (Decimal("0.0348"), None)


async def test_a_filter_and_a_project_narrow_what_is_looked_at(target: str) -> None:
    hard = await insights(target, which=CostFilter(call_id="hard-0"))
    assert hard["other model"].rows == 1
    assert hard["degraded"].figures["of all turns"] == 2
    async with Store.open(target, project="another") as store:
        assert await cost_insights(store, book=BOOK, minimum=1) == []
        with pytest.raises(StoreError, match="opened for project"):
            await cost_insights(store, CostFilter(project="third"))


async def test_figures_are_exact_whatever_the_application_made_of_its_own_decimals(target: str) -> None:
    exact = await insights(target)
    with localcontext(Context(prec=3)):
        assert await insights(target) == exact


async def test_payloads_that_were_stripped_leave_prompts_and_repeated_requests_out(tmp_path: Path) -> None:
    bare = [span.replace(input=None) for span in campaign()]
    found = await insights(str(stored(tmp_path / "bare.db", bare)))
    assert not {"prompt", "repeated requests"} & found.keys()
    assert "model" in found
