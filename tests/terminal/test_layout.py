"""How documents become lines."""

from hypothesis import given
from hypothesis import strategies as st

from reamon.terminal.document import Align, Column, Document, Facts, Heading, Node, Note, Table, Text, Tree
from reamon.terminal.layout import lines


def laid_out(document: Document, width: int | None = None) -> list[str]:
    return [line.plain for line in lines(document, width)]


def row(*cells: str) -> list[Text]:
    return [Text.of(cell) for cell in cells]


def test_numbers_end_and_units_begin_in_one_column() -> None:
    table = Table([Column("name"), Column("took", Align.UNIT)], [row("a", "412 ms"), row("bc", "1.32 s")])
    assert laid_out([table]) == [
        "name     took",
        "a      412 ms",
        "bc    1.32 s",
    ]


def test_a_column_in_which_nothing_stands_is_left_out() -> None:
    table = Table([Column("name"), Column("error"), Column("cost")], [row("a", "", "$1")])
    assert laid_out([table]) == ["name  cost", "a     $1"]


def test_facts_line_up_and_those_without_a_text_are_left_out() -> None:
    facts = Facts([("call", Text.of("c-1")), ("project", Text()), ("turns", Text.of("3"))])
    assert laid_out([facts]) == ["call   c-1", "turns  3"]


def test_blocks_stand_apart_but_a_heading_stays_with_what_it_opens() -> None:
    document = [Heading(Text.of("Turn 1")), Note(Text.of("quiet")), Heading(Text.of("Turn 2"))]
    assert laid_out(document) == ["Turn 1", "quiet", "", "Turn 2"]


def test_a_tree_draws_who_belongs_to_whom() -> None:
    leaf = Node(row("leaf", "1"), details=row("said"))
    inner = Node(row("inner", "2"), details=row("noted"), children=[leaf])
    root = Node(row("root", "3"), children=[inner, Node(row("last", "4"))])
    assert laid_out([Tree([Column(""), Column("n", Align.RIGHT)], [root])]) == [
        "            n",
        "root        3",
        "├─ inner    2",
        "│  │   noted",
        "│  └─ leaf  1",
        "│         said",
        "└─ last     4",
    ]


def test_a_very_deep_tree_is_laid_out() -> None:
    root = Node(row("top"))
    node = root
    for _ in range(3000):
        node.children.append(Node(row("below")))
        node = node.children[0]
    assert len(laid_out([Tree([Column("")], [root])], width=80)) == 3001


def test_a_narrow_terminal_costs_optional_columns_first_then_the_widest_that_shrinks() -> None:
    columns = [Column("name", shrinks=True), Column("took"), Column("bar", optional=True)]
    table = Table(columns, [row("a rather long name", "5 ms", "████████")])
    assert laid_out([table], width=24)[1] == "a rather long name  5 ms"
    assert laid_out([table], width=18)[1] == "a rather lo…  5 ms"


@given(
    st.lists(st.lists(st.text(max_size=30), min_size=3, max_size=3), max_size=5),
    st.integers(min_value=1, max_value=60),
)
def test_no_line_is_wider_than_the_terminal(cells: list[list[str]], width: int) -> None:
    columns = [Column("one", shrinks=True), Column("two", Align.UNIT), Column("three", optional=True)]
    document: Document = [
        Table(columns, [row(*each) for each in cells]),
        Tree(columns, [Node(row(*each)) for each in cells]),
    ]
    assert all(line.width <= width for line in lines(document, width))
