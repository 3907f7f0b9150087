"""Search: found in the store by words, whatever happens to the rows, the index, and beside them."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from reamon.errors import StoreError
from reamon.model import Span, SpanError, SpanStatus
from reamon.store import SpanWriter, administration, connect
from reamon.store.limits import Limits
from reamon.store.migrate import downgrade, upgrade
from reamon.store.projects import ALL_PROJECTS
from reamon.store.retention import prune
from reamon.store.search import Found, build_index, forget_index, fts, search
from reamon.store.tables import metadata
from reamon.store.versions import VERSION_TABLE
from reamon.testing import make_span
from support.stores import START, stored, turn

DAY = 24 * 3600.0


def said(text: str, at: float = 0.0, **fields: Any) -> Span:
    """A workflow in which somebody said something."""
    start = START + round(at * 1e9)
    return make_span("turn", "workflow", start_ns=start, end_ns=start + 10**6, input={"said": text}, **fields)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return stored(tmp_path / "calls.db", [said("what is the price of the house", call_id="call-1")])


def write(store: Path, *spans: Span) -> None:
    with closing(connect(store)) as connection:
        SpanWriter(connection).write(spans)


def texts(store: Path, text: str, **options: Any) -> list[str]:
    found = search(store, text, **options)
    assert found.by == "index"
    return [hit.snippet for hit in found.hits]


def is_sound(store: Path) -> bool:
    """Whether the index says exactly what the tables say; FTS5 compares them itself."""
    with closing(sqlite3.connect(store)) as connection:
        for corpus in fts.CORPORA:
            name = f"search_{corpus.table}"
            connection.execute(f"DROP VIEW {name}_text")  # what FTS5 is to compare with: what is known to be indexed
            text = ", ".join(f"{fts.plain(column)} AS {column}" for column in corpus.columns)
            known = f"id IN (SELECT id FROM {name}_known)"
            connection.execute(f"CREATE VIEW {name}_text AS SELECT id, {text} FROM {corpus.table} WHERE {known}")
            connection.execute(f"INSERT INTO {name} ({name}, rank) VALUES ('integrity-check', 1)")
        connection.rollback()
    return True


def test_a_hit_says_where_it_is_and_shows_why(store: Path) -> None:
    (hit,) = search(store, "PRICE house").hits
    assert (hit.call_id, hit.kind, hit.name, hit.where) == ("call-1", "workflow", "turn", "input")
    assert hit.span_id == hit.trace_id
    assert hit.marked("«", "»") == '{"said":"what is the «price» of the «house»"}'
    assert hit.time == datetime.fromtimestamp(START / 1e9, UTC)


def test_every_part_of_every_kind_of_span_is_searched(tmp_path: Path) -> None:
    spans = turn("call-1", 0, output={"a": "goodbye"})
    broken = make_span("chat", "llm", start_ns=START, error=SpanError("TimeoutError", "gateway sulked", "trace"))
    step = make_span("step", "step", start_ns=START, state_after={"mood": "cheerful"})
    store = stored(tmp_path / "calls.db", [*spans, broken, step])
    wanted = {
        "greeting": "state",
        "goodbye": "output",
        "sulked": "error",
        "cheerful": "state",
        '"for the price"': "decision",
    }
    assert {word: [hit.where for hit in search(store, word).hits] for word in wanted} == {
        word: [where] for word, where in wanted.items()
    }


def test_hits_are_the_newest_first_and_no_more_than_asked(store: Path) -> None:
    write(store, *(said(f"price {number}", at=number) for number in (3, 1, 2)))
    assert [text[9:16] for text in texts(store, "price", limit=3)] == ["price 3", "price 2", "price 1"]


def test_what_arrives_later_is_found_though_it_began_earlier(store: Path) -> None:
    assert len(texts(store, "price")) == 1
    write(store, said("price before", at=-5000), said("price after", at=5000))
    assert len(texts(store, "price")) == 3
    write(store, said("price between", at=-2500))
    assert len(texts(store, "price")) == 4
    assert is_sound(store)


def test_a_running_workflow_is_found_and_its_finish_takes_its_place(store: Path) -> None:
    turn = said("first words", at=1, output={"answer": "final words"})
    with closing(connect(store)) as connection:
        SpanWriter(connection).write_started([turn.replace(status=SpanStatus.RUNNING, end_ns=None, output=None)])
    assert len(texts(store, "first words")) == 1
    assert texts(store, "final") == []
    write(store, turn)
    assert len(texts(store, "final")) == 1
    assert len(texts(store, "first words")) == 1
    assert is_sound(store)


def test_what_retention_takes_is_found_no_more_and_the_index_stays_sound(store: Path) -> None:
    write(store, said("price of long ago", at=-100 * DAY), said("price never indexed", at=-90 * DAY))
    build_index(store)
    write(store, said("price too late for the index", at=-80 * DAY))
    prune(store, Limits(), now=lambda: datetime.fromtimestamp(START / 1e9, UTC))
    assert is_sound(store)
    assert len(texts(store, "price")) == 1
    prune(store, Limits(summaries=timedelta(days=31)), now=lambda: datetime.fromtimestamp(START / 1e9, UTC))
    assert is_sound(store)


def test_a_project_finds_its_own(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    east = said("price in the east", at=1, project="east")
    step = make_span(
        "look up", "tool", parent=east, start_ns=START + 10**9, end_ns=START + 2 * 10**9, input={"q": "price"}
    )
    write(store, east, step, said("price in the west", at=2, project="west"))
    assert len(texts(store, "price", project="east")) == 2
    monkeypatch.setenv("REAMON_PROJECT", "west")
    assert len(texts(store, "price")) == 1
    assert len(texts(store, "price", project=ALL_PROJECTS)) == 4


@pytest.mark.parametrize("text", ["", "  ", '"', "***", "-", "\x00", "( )"])
def test_a_text_without_a_word_finds_nothing(store: Path, text: str) -> None:
    assert search(store, text).hits == ()


def test_the_index_is_no_second_copy_and_no_part_of_the_schema(store: Path) -> None:
    write(store, *(said(f"number {number} {'lorem ipsum dolor ' * 50}", at=number) for number in range(300)))
    search(store, "price")
    with closing(sqlite3.connect(store)) as connection:
        octets = dict(connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"))
    assert sum(size for name, size in octets.items() if name.startswith("search_workflow")) < octets["workflow_traces"]
    with create_engine(f"sqlite:///{store}").connect() as connection:
        options = {
            "version_table": VERSION_TABLE,
            "compare_type": True,
            "include_name": lambda name, kind, _: kind != "table" or not fts.is_ours(name),
        }
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []


def test_migrations_pass_an_index_and_the_next_search_makes_it_anew(store: Path) -> None:
    assert len(texts(store, "price")) == 1
    downgrade(store, "0001")
    upgrade(store)
    assert len(texts(store, "price")) == 1
    downgrade(store, "base")
    upgrade(store)
    assert texts(store, "price") == []


def test_a_migration_that_changes_nothing_leaves_the_index(store: Path) -> None:
    build_index(store)
    upgrade(store)
    with closing(sqlite3.connect(store)) as connection:
        assert connection.execute("SELECT count(*) FROM search_workflow_traces_known").fetchone() == (1,)


def test_an_index_can_be_forgotten(store: Path) -> None:
    search(store, "price")
    forget_index(store)
    with closing(sqlite3.connect(store)) as connection:
        left = connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 'search_%'").fetchall()
    assert left == []
    assert len(texts(store, "price")) == 1


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE search_workflow_traces_data SET block = x'00' WHERE id > 1",
        "DELETE FROM search_workflow_traces_data",
        "DELETE FROM search_workflow_traces_config",
        "DROP TABLE search_workflow_traces",
        "DELETE FROM search_workflow_traces_idx",
    ],
)
def test_a_damaged_index_is_made_anew(store: Path, damage: str) -> None:
    write(store, *(said(f"price {number}", at=number) for number in range(50)))
    search(store, "price")
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute(damage)
    write(store, said("price once more", at=99))
    assert len(texts(store, "price", limit=100)) == 52
    assert is_sound(store)


@pytest.fixture
def without_index(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Python whose SQLite has no FTS5."""
    monkeypatch.setattr(fts, "is_available", lambda connection: False)
    return


def test_without_fts5_every_row_is_read_and_that_is_said(store: Path, without_index: None) -> None:
    write(store, *(said(f"price {number}", at=number) for number in range(1200)), said("price in Zürich", at=-1))
    found = search(store, "price zurich")
    assert found.by == "scan"
    assert "no FTS5" in str(found.note)
    assert [hit.marked() for hit in found.hits] == ['{"said":"[price] in [Zürich]"}']
    assert len(search(store, "price", limit=5000).hits) == 1202
    with pytest.raises(StoreError, match="no FTS5"):
        build_index(store)


@pytest.mark.parametrize(
    ("code", "told"), [(sqlite3.SQLITE_READONLY, "cannot be written"), (sqlite3.SQLITE_BUSY, "without a pause")]
)
def test_where_the_store_cannot_be_written_every_row_is_read(
    store: Path, code: int, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, **options: Any) -> sqlite3.Connection:
        error = sqlite3.OperationalError("no")
        error.sqlite_errorcode = code
        raise error

    monkeypatch.setattr(administration, "connect", refuse)
    found = search(store, "price")
    assert (found.by, len(found.hits)) == ("scan", 1)
    assert told in str(found.note)


def test_where_there_is_no_store_it_is_said(tmp_path: Path) -> None:
    for text in ("price", ""):
        with pytest.raises(StoreError, match="no store at"):
            search(tmp_path / "none.db", text)


def test_searches_while_others_write_and_prune_find_what_is_there(store: Path) -> None:
    done = threading.Event()
    failures: list[Exception] = []

    def write_on() -> None:
        try:
            for number in range(40):
                write(store, *(said(f"word{number} price", at=(-1) ** number * number * 50.0 + i) for i in range(25)))
        except Exception as error:
            failures.append(error)
        finally:
            done.set()

    writer = threading.Thread(target=write_on)
    writer.start()
    found: list[Found] = []
    while not done.is_set():
        found.append(search(store, "price"))
        prune(store, Limits(detail=timedelta(seconds=600)), now=lambda: datetime.fromtimestamp(START / 1e9, UTC))
    writer.join()
    assert failures == []
    assert {result.by for result in found} == {"index"}
    kept = search(store, "price", limit=5000).hits
    with closing(sqlite3.connect(store)) as connection:
        query = "SELECT count(*) FROM workflow_traces WHERE input_data LIKE '%price%'"
        assert len(kept) == connection.execute(query).fetchone()[0]
    assert is_sound(store)
