"""A small campaign, recorded: what the store says about it is compared with what really happened."""

import asyncio
import json
import sqlite3
import urllib.request
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import reamon
from reamon.demo.campaign import Campaign
from reamon.demo.leads import Lead, Temper, make_lead, make_leads
from reamon.demo.model_server import ModelServer
from reamon.demo.office import open_office
from reamon.demo.recording import record_in
from reamon.model import AgentExecution, Operation, WorkflowTrace
from reamon.store import Store

# Agents have 500 real milliseconds to answer: a machine keeps to that where tests run one after another, the slow ones.
pytestmark = pytest.mark.slow

SEED = 7
LEADS = make_leads(20, SEED)
# What happens to these three is the script's doing, and the same in every run. Where its texts change, choose others.
NOT_BOOKED, MODEL_DOWN, OUT_OF_TIME = LEADS[17], LEADS[10], LEADS[15]
UNTROUBLED = [make_lead(number, SEED, temper) for number, temper in enumerate(Temper, start=301)]
CAST = [NOT_BOOKED, MODEL_DOWN, OUT_OF_TIME, *UNTROUBLED]
COST_TYPE = {
    "input_tokens": "llm",
    "output_tokens": "llm",
    "audio_seconds": "stt",
    "characters": "tts",
    "minutes": "telephony",
    "messages": "telephony",
}
INFRASTRUCTURE_USD_PER_CALL = Decimal("0.001")
RATES = {
    "openai/gpt-4": {"input_tokens": "0.00003", "output_tokens": "0.00003"},
    "openai/gpt-3.5-turbo": {"input_tokens": "0.000002", "output_tokens": "0.000002"},
    "openai/whisper-1": {"audio_seconds": "0.0001"},
    "ollama": {"input_tokens": "0", "output_tokens": "0"},
    "elevenlabs": {"characters": "0.0002"},
    "twilio/voice": {"minutes": "0.0085"},
    "twilio/sms": {"messages": "0.0075"},
}
"""What the profile says, for one unit each."""


@dataclass(frozen=True)
class Recorded:
    """What a campaign left behind.

    Attributes:
        database: The store.
        served: What the model server counted.
        calls: The turns of each call, as the store has them.
        internal_errors: How often reamon had to contain an error of its own.
    """

    database: Path
    served: dict[str, int]
    calls: dict[str, list[WorkflowTrace]]
    internal_errors: int

    @property
    def turns(self) -> list[WorkflowTrace]:
        return [turn for turns in self.calls.values() for turn in turns]

    @property
    def operations(self) -> list[Operation]:
        return [operation for turn in self.turns for operation in turn.operations]

    @property
    def agents(self) -> list[AgentExecution]:
        return [agent for turn in self.turns for agent in turn.agents]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    database = tmp_path_factory.mktemp("demo") / "campaign.db"
    record_in(database)
    with ModelServer(SEED) as server:
        asyncio.run(_call(CAST, server.base_url))
        with urllib.request.urlopen(f"{server.origin}/served") as answer:
            served = json.load(answer)
    internal_errors = reamon.stats().internal_errors
    assert reamon.shutdown(10)
    return Recorded(database, served, asyncio.run(_read(database)), internal_errors)


async def _call(leads: list[Lead], base_url: str) -> None:
    async with open_office(base_url) as office:
        await Campaign(office, concurrency=5, pace=0).run(leads)


async def _read(database: Path) -> dict[str, list[WorkflowTrace]]:
    async with Store.open(database) as store:
        return {lead.call_id: await store.traces.of_call(lead.call_id) for lead in CAST}


def test_reamon_has_no_trouble_of_its_own(recorded: Recorded) -> None:
    assert recorded.internal_errors == 0


def test_every_turn_of_every_call_is_one_workflow(recorded: Recorded) -> None:
    for lead in CAST:
        said = [turn.input["words"] for turn in recorded.calls[lead.call_id]]
        lines = list(dict.fromkeys(said))  # a lead repeats what was not understood

        assert lines == list(lead.lines or ("",))[: len(lines)]
        assert len(said) == len(lines) + sum(turn.status == "degraded" for turn in recorded.calls[lead.call_id])
    assert len(recorded.rows("SELECT trace_id FROM workflow_traces")) == len(recorded.turns)


def test_a_call_goes_on_until_it_has_an_outcome(recorded: Recorded) -> None:
    for turns in recorded.calls.values():
        *earlier, last = turns

        assert [turn.outcome for turn in earlier] == [None] * len(earlier)
        assert last.outcome is not None


def test_the_temper_of_a_lead_shows_in_the_outcome(recorded: Recorded) -> None:
    outcomes = {lead.temper: recorded.calls[lead.call_id][-1].outcome for lead in UNTROUBLED}

    assert outcomes[Temper.CURIOUS] == "information_sent"
    assert outcomes[Temper.BUSY] == "callback"
    assert outcomes[Temper.HOSTILE] == "not_interested"
    assert outcomes[Temper.IMPATIENT] == "escalated"
    assert outcomes[Temper.ABSENT] == "no_answer"
    assert outcomes[Temper.EAGER] == "appointment"
    assert outcomes[Temper.SCEPTICAL] in {"appointment", "not_interested"}


def test_nobody_thinks_about_a_lead_who_does_not_pick_up(recorded: Recorded) -> None:
    (turn,) = recorded.calls[UNTROUBLED[-1].call_id]

    assert [(operation.kind, operation.name) for operation in turn.operations] == [("telephony", "dial")]
    assert turn.agents == ()
    assert turn.total_cost == INFRASTRUCTURE_USD_PER_CALL


def test_agents_are_children_of_the_turn_and_operations_of_their_agent(recorded: Recorded) -> None:
    of_an_agent = {"llm", "tool", "retrieval"}
    for turn in recorded.turns:
        agents = {agent.span_id for agent in turn.agents}

        assert {agent.parent_id for agent in turn.agents} <= {turn.trace_id}
        for operation in turn.operations:
            in_an_agent = operation.kind in of_an_agent or operation.name == "text_message"
            assert operation.parent_id in (agents if in_an_agent else {turn.trace_id})


def test_agents_run_in_the_order_in_which_they_decided(recorded: Recorded) -> None:
    for turn in recorded.turns:
        assert [agent.execution_order for agent in turn.agents] == list(range(1, len(turn.agents) + 1))
        for agent, successor in zip(turn.agents, turn.agents[1:], strict=False):
            assert agent.next_agent == successor.agent_type
            assert agent.decision is not None
            assert agent.decision["reasoning"]
            assert 0 <= agent.decision["confidence"] <= 1
    assert {agent.agent_type for agent in recorded.agents} == {
        "conversation",
        "qualification",
        "objection_handler",
        "scheduler",
        "analytics",
    }


def test_each_agent_finds_the_state_as_the_one_before_left_it(recorded: Recorded) -> None:
    for turn in recorded.turns:
        for agent, successor in zip(turn.agents, turn.agents[1:], strict=False):
            assert successor.state_before == agent.state_after
        if turn.agents:
            assert turn.agents[0].state_before["said"] == turn.input["words"]
            assert turn.agents[0].state_before["reply"] == ""


def test_the_wait_for_a_turn_at_the_models_is_recorded_for_every_agent(recorded: Recorded) -> None:
    assert all(agent.queue_wait_ms is not None and agent.queue_wait_ms >= 0 for agent in recorded.agents)


def test_the_time_to_the_first_token_is_recorded_where_the_model_streams(recorded: Recorded) -> None:
    spoken = [operation for operation in recorded.operations if operation.name == "speak" and operation.status == "ok"]

    assert spoken
    for operation in spoken:
        assert operation.first_token_ms is not None
        assert operation.duration_ms is not None
        assert 0 < operation.first_token_ms < operation.duration_ms


def test_the_store_has_the_usage_that_the_model_server_served(recorded: Recorded) -> None:
    models = [operation for operation in recorded.operations if operation.kind == "llm"]

    assert sum(operation.input_tokens or 0 for operation in models) == recorded.served["input_tokens"]
    assert sum(operation.output_tokens or 0 for operation in models) == recorded.served["output_tokens"]
    assert sum(operation.status == "ok" for operation in models) == recorded.served["answers"]


def test_speech_is_recorded_by_what_its_providers_count(recorded: Recorded) -> None:
    for turn in recorded.turns:
        said = [operation for operation in turn.operations if operation.kind == "tts"]
        heard = [operation for operation in turn.operations if operation.kind == "stt"]
        (reply,) = [len(operation.input["words"]) for operation in said] or [0]
        used = usage_of(recorded, turn.trace_id)

        assert used["characters"] == reply
        assert used["audio_seconds"] == sum(
            (len(operation.output.split()) * Decimal("0.4") for operation in heard), Decimal(0)
        )


def test_a_turn_costs_what_its_usage_costs_by_the_rates(recorded: Recorded) -> None:
    for turns in recorded.calls.values():
        for number, turn in enumerate(turns):
            expected = cost_by_hand(recorded, turn.trace_id)
            if number == 0:
                expected += INFRASTRUCTURE_USD_PER_CALL

            assert turn.total_cost == expected
            assert turn.cost_status == "complete"


def test_a_booking_that_fails_fails_the_turn_and_ends_the_call(recorded: Recorded) -> None:
    last = recorded.calls[NOT_BOOKED.call_id][-1]

    assert (last.status, last.outcome) == ("failed", "failed")
    assert last.error_type == "reamon.demo.tools.CalendarError"
    assert [agent.agent_type for agent in last.agents if agent.status == "error"] == ["scheduler"]
    assert [operation.name for operation in last.operations if operation.status == "error"] == ["book"]
    assert not last.agents[-1].success


def test_a_model_that_is_down_makes_an_agent_apologise(recorded: Recorded) -> None:
    turn = next(turn for turn in recorded.calls[MODEL_DOWN.call_id] if turn.status == "degraded")
    agent = next(agent for agent in turn.agents if agent.error_type == "openai.InternalServerError")

    assert agent.status == "degraded"
    assert "overloaded" in (agent.error_message or "")
    assert turn.output["reply"] == agent.state_after["reply"] != ""


def test_an_answer_that_comes_too_late_is_recorded_and_paid_for(recorded: Recorded) -> None:
    late = [
        (agent, operation)
        for turn in recorded.calls[OUT_OF_TIME.call_id]
        for agent in turn.agents
        for operation in turn.operations
        if operation.parent_id == agent.span_id and agent.error_type == "TimeoutError" and operation.kind == "llm"
    ]
    agent, operation = max(late, key=lambda pair: pair[1].end_time)  # type: ignore[arg-type, return-value]

    assert agent.status == "degraded"
    assert agent.error_message == "no answer within 500 ms"
    assert agent.end_time is not None
    assert operation.end_time is not None
    assert operation.end_time > agent.end_time
    assert operation.status == "ok"
    assert operation.output_tokens
    assert operation.cost


def test_a_retry_counts_as_a_request(recorded: Recorded) -> None:
    answered = sum(used["requests"] for used in map(json.loads, usages(recorded, "kind = 'llm'")))
    refused_for_good = (
        3 * recorded.rows("SELECT count(*) FROM operations WHERE kind = 'llm' AND status = 'error'")[0][0]
    )

    assert answered + refused_for_good == recorded.served["requests"]


def usages(recorded: Recorded, where: str) -> list[str]:
    rows = recorded.rows(f"SELECT used.value FROM operations, json_each(operations.usage) AS used WHERE {where}")
    return [row[0] for row in rows]


def usage_of(recorded: Recorded, trace_id: str) -> Counter[str]:
    total: Counter[str] = Counter()
    for used in usages(recorded, f"trace_id = '{trace_id}'"):
        total.update({unit: Decimal(str(amount)) for unit, amount in json.loads(used).items() if unit in COST_TYPE})
    return total


def cost_by_hand(recorded: Recorded, trace_id: str) -> Decimal:
    cost = Decimal(0)
    for used in map(json.loads, usages(recorded, f"trace_id = '{trace_id}'")):
        prices = RATES.get(f"{used['provider']}/{used['model']}") or RATES[used["provider"]]
        cost += sum((Decimal(str(used.get(unit, 0))) * Decimal(price) for unit, price in prices.items()), Decimal(0))
    return cost
