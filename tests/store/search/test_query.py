"""Queries: what people type, never the syntax of a database."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.store.search.hits import excerpt, readable
from reamon.store.search.query import Query, divided


def matches(query: str, *texts: str) -> bool:
    return Query.parse(query).matches(list(texts))


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("price", "what is the PRICE?"),
        ("price house", "the house, and its price"),
        ('"the price"', "what is the price"),
        ("“the price”", "what is the price"),
        ("appoint*", "an appointment on Monday"),
        ("zurich", "Grüße aus Zürich"),
        ("Zürich", "gruesse aus zurich"),
        ("call-7", "of call-7 today"),
        ("call-7", "call 7"),
        ("o'neill", "Mr. O'Neill"),
        ("東京", "東京"),
        ('"unclosed phrase', "an unclosed phrase"),
    ],
)
def test_what_people_mean_is_found(query: str, text: str) -> None:
    assert matches(query, text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("price", "priceless"),
        ("price house", "only the price"),
        ('"price the"', "the price"),
        ("appoint", "appointment"),
        ("call-7", "7 call"),
        ("", "anything"),
        ("* - \" '", "anything"),
    ],
)
def test_what_they_do_not_mean_is_not(query: str, text: str) -> None:
    assert not matches(query, text)


def test_words_may_stand_in_different_parts_of_a_row() -> None:
    assert matches("question answer", "the question", "the answer")


@pytest.mark.parametrize(
    "operator", ["AND", "OR NOT", "NEAR(a b)", "input_data : x", "^a", "a + b", "-a", "a; DROP TABLE x"]
)
def test_operators_are_words(operator: str) -> None:
    assert all(word.isalnum() for term in Query.parse(operator).terms for word in term.words)


@given(st.text(max_size=60))
def test_no_text_upsets_the_index(text: str) -> None:
    query = Query.parse(text)
    with sqlite3.connect(":memory:") as connection:
        connection.execute("CREATE VIRTUAL TABLE texts USING fts5(text, tokenize='unicode61 remove_diacritics 2')")
        connection.execute("INSERT INTO texts VALUES ('some words')")
        if query.terms:
            connection.execute("SELECT * FROM texts WHERE texts MATCH ?", (query.as_fts5(),)).fetchall()
    connection.close()
    assert query.as_tsquery().count("(") == len(query.terms)


@given(st.lists(st.from_regex(r"[a-zäöüéñ0-9]{1,6}", fullmatch=True), min_size=1, max_size=6), st.data())
def test_the_scan_and_the_index_agree(words: list[str], data: st.DataObject) -> None:
    wanted = " ".join(data.draw(st.lists(st.sampled_from(words), min_size=1, max_size=3)))
    text = " ".join(words)
    for query in (Query.parse(wanted), Query.parse(f'"{wanted}"'), Query.parse(f"{wanted[:3]}*")):
        connection = sqlite3.connect(":memory:")
        connection.execute("CREATE VIRTUAL TABLE texts USING fts5(text, tokenize='unicode61 remove_diacritics 2')")
        connection.execute("INSERT INTO texts VALUES (?)", (text,))
        found = connection.execute("SELECT 1 FROM texts WHERE texts MATCH ?", (query.as_fts5(),)).fetchone()
        connection.close()
        assert query.matches([text]) == bool(found)


def test_an_excerpt_shows_the_part_in_which_most_is_found() -> None:
    query = Query.parse("price monday")
    part = excerpt(query, {"a": "the price", "b": f"{'x ' * 200}the price on Monday{' y' * 200}"}, {"b": "output"})
    assert part.where == "output"
    assert [part.snippet[begin:end] for begin, end in part.marks] == ["price", "Monday"]
    assert len(part.snippet) == 120


def test_escapes_join_no_words() -> None:
    text = '{"q":"one\\ntwo\\tthree C:\\\\new \\"four\\""}'
    assert [word.folded for word in divided(readable(text))] == ["q", "one", "two", "three", "c", "new", "four"]
    assert len(readable(text)) == len(text)
