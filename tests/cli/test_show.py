"""`reamon show`."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from reamon.cli import main
from reamon.model import CostData, SpanError, SpanStatus, Usage
from reamon.testing import make_span, sample_spans
from reamon.testing.samples import running_spans
from support.stores import failed, stored, turn


@pytest.fixture
def db(tmp_path: Path) -> str:
    error = SpanError("TimeoutError", "no answer within 500 ms", "Traceback …")
    spans = [
        *turn("call-0001", 0),
        *turn("call-0001", 5, outcome="appointment"),
        *failed(turn("call-0002", 1), ["chat"], error),
    ]
    return str(stored(tmp_path / "calls.db", spans))


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["show", *arguments]) == 0
    return capsys.readouterr().out


def shown_as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    document: dict[str, object] = json.loads(told(capsys, "--json", *arguments))
    return document


def test_a_call_is_told_turn_by_turn(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = told(capsys, "call-0001", "--db", db)
    assert "outcome  appointment" in out
    assert "cost     $0.125600 (llm $0.000800, tts $0.124800)" in out
    assert out.index("Turn 1 of 2") < out.index("Turn 2 of 2")


def test_a_turn_is_a_tree_with_times_waits_tokens_costs_states_and_decisions(
    db: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [" ".join(line.split()) for line in told(capsys, "call-0001", "--db", db).splitlines()]
    assert "├─ ✓ agent conversation 400 ms 20 ms $0.000400 ███████████·············" in lines
    assert "│ │ decided → qualification (80 % sure) because: the lead asks for the price" in lines
    assert "│ │ state stage greeting → qualifying · history 1 item → 2 items" in lines
    assert "│ └─ ✓ llm chat gpt-4o-mini 350 ms 120 ms 1,200 → 40 tokens $0.000400 ·██████████·············" in lines
    assert "└─ ✓ tts speak 100 ms 312 characters $0.062400 ···········███··········" in lines


def test_an_error_is_told_where_it_happened(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(capsys, "call-0002", "--db", db).splitlines()
    (number,) = (number for number, line in enumerate(lines) if "✗ llm chat" in line)
    assert lines[number + 1].strip(" │") == "TimeoutError: no answer within 500 ms"


def test_a_trace_is_shown_by_its_id_or_a_part_of_it(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    turns = shown_as_json(capsys, "call-0002", "--db", db)["turns"]
    assert isinstance(turns, list)
    trace_id = turns[0]["trace_id"]
    for wanted in (trace_id, trace_id[-8:], trace_id[:20]):
        assert shown_as_json(capsys, wanted, "--db", db)["turns"] == turns


def test_limit_shows_the_last_turns(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = told(capsys, "call-0001", "--limit", "1", "--db", db)
    assert "turns    2" in out
    assert "Turn 2 of 2" in out
    assert "Turn 1 of 2" not in out
    whole = shown_as_json(capsys, "call-0001", "--db", db)["turns"]
    assert isinstance(whole, list)
    assert shown_as_json(capsys, "call-0001", "--limit", "1", "--db", db)["turns"] == whole[-1:]


def test_a_limit_beyond_the_turns_shows_them_all(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "call-0001", "--limit", "9", "--db", db) == told(capsys, "call-0001", "--db", db)


def test_json_has_the_same_keys_for_a_call_and_for_a_trace(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    call = shown_as_json(capsys, "call-0002", "--db", db)
    assert set(call) == {"call_id", "turns"}
    turns = call["turns"]
    assert isinstance(turns, list)
    assert turns[0]["operations"][0]["error_stack"] == "Traceback …"
    assert shown_as_json(capsys, turns[0]["trace_id"], "--db", db) == call


def test_an_unknown_id_says_what_is_close(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "call-002", "--db", db]) == 1
    assert "no call and no trace has the id 'call-002': did you mean call-0002" in capsys.readouterr().err


def test_what_an_error_tells_of_recorded_ids_moves_no_cursor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db = str(stored(tmp_path / "calls.db", turn("call\x1b[2J\x9b31m\u202e-0001", 0)))
    assert main(["show", "call-0001", "--db", db]) == 1
    assert capsys.readouterr().err == (
        "reamon: no call and no trace has the id 'call-0001': did you mean call\ufffd[2J\ufffd31m-0001?\n"
    )


def test_an_id_like_no_other_says_how_to_see_what_there_is(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "zzz", "--db", db]) == 1
    assert "`reamon traces` lists what there is" in capsys.readouterr().err


def test_a_part_that_several_traces_share_is_not_guessed_at(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "01a1", "--db", db]) == 1
    assert "could be any of several traces" in capsys.readouterr().err


def test_a_missing_price_is_said_and_not_counted_as_free(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    details = (CostData(cost_type="llm", amount=Decimal("0.5")), CostData(cost_type="tts", amount=None))
    path = stored(tmp_path / "calls.db", [make_span("turn", "workflow", call_id="call-1", costs=details)])
    out = told(capsys, "call-1", "--db", str(path))
    assert "incomplete: some prices are unknown" in out
    assert "≥$0.500000" in out


def test_usage_of_every_kind_is_told_with_its_unit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    usage = (
        Usage(input_tokens=10),
        Usage(input_tokens=5, audio_seconds=Decimal("4.25"), minutes=Decimal("1.5"), messages=1),
    )
    path = stored(tmp_path / "calls.db", [make_span("turn", "workflow", call_id="call-1", usage=usage)])
    assert "15 → ? tokens, 1 message, 4.25 s audio, 1.50 min" in told(capsys, "call-1", "--db", str(path))


def test_a_span_whose_parent_is_missing_hangs_below_the_root(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_span("turn", "workflow", call_id="call-1")
    orphan = make_span("search", "tool", parent=make_span("lost", "agent", parent=root))
    path = stored(tmp_path / "calls.db", [root, orphan.replace(trace_id=root.trace_id)])
    assert "└─ ✓ tool search" in told(capsys, "call-1", "--db", str(path))


def test_many_changes_of_a_state_are_told_in_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_span("turn", "workflow", call_id="call-1")
    agent = make_span(
        "qualify", "agent", parent=root, agent_type="qualification", status=SpanStatus.DEGRADED,
        status_reason="apologised", state_before={}, state_after={f"key {number}": number for number in range(9)},
    )  # fmt: skip
    out = told(capsys, "call-1", "--db", str(stored(tmp_path / "calls.db", [root, agent])))
    assert "key 5 (none) → 5 · and 3 more" in out
    assert "degraded: apologised" in out


def test_whatever_was_recorded_can_be_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spans = [*sample_spans(), *running_spans()]
    db = str(stored(tmp_path / "samples.db", spans))
    for trace_id in {span.trace_id for span in spans if span.is_root}:
        assert "\x1b" not in told(capsys, trace_id, "--db", db)
        assert shown_as_json(capsys, trace_id, "--db", db)["turns"]
