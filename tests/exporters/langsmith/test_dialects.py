from datetime import UTC, datetime
from typing import Any

import pytest

from reamon.exporters.langsmith.dialects import Dialect, FirstDialect, RunQuery, SecondDialect, every

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
UNTIL = datetime(2026, 2, 1, tzinfo=UTC)


def asked(dialect: Dialect, **query: Any) -> dict[str, Any]:
    return dialect.question(RunQuery(project_id="p", since=SINCE, **query), 10, None)


def test_filters_are_joined_where_there_are_several() -> None:
    assert every(None, None) is None
    assert every("a", None) == "a"
    assert every("a", "b") == "and(a, b)"


def test_the_second_api_is_asked_for_all_fields_since_it_gives_ids_otherwise() -> None:
    assert {"ID", "NAME", "INPUTS", "OUTPUTS", "TOTAL_COST", "DOTTED_ORDER"} <= set(asked(SecondDialect())["selects"])


def test_the_second_api_is_given_bounds_since_it_looks_back_one_day_otherwise() -> None:
    assert asked(SecondDialect(), until=UNTIL)["min_start_time"] == SINCE
    assert asked(SecondDialect(), until=UNTIL)["max_start_time"] == UNTIL


def test_the_first_api_is_told_the_latest_start_in_its_filter() -> None:
    question = asked(FirstDialect(), until=UNTIL, filter='eq(name, "turn")')
    assert question["filter"] == 'and(eq(name, "turn"), lt(start_time, "2026-02-01T00:00:00.000000Z"))'


@pytest.mark.parametrize("dialect", [FirstDialect(), SecondDialect()])
def test_what_is_not_wanted_is_not_asked_for(dialect: Dialect) -> None:
    assert not {"cursor", "filter", "is_root", "trace", "trace_id"} & asked(dialect).keys()


@pytest.mark.parametrize(
    ("dialect", "more", "last"),
    [
        (FirstDialect(), b'{"runs": [], "cursors": {"next": "c"}}', b'{"runs": null, "cursors": null}'),
        (SecondDialect(), b'{"items": [], "has_more": true, "next_cursor": "c"}', b'{"items": null}'),
    ],
)
def test_a_page_says_how_to_ask_for_the_next(dialect: Dialect, more: bytes, last: bytes) -> None:
    assert dialect.page(more).cursor == "c"
    assert dialect.page(last).cursor is None
    assert dialect.page(last).records == []
