"""Layout: a document as aligned lines, the same for a terminal and for a pipe."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeAlias, assert_never

from reamon.terminal.document import (
    Align,
    Block,
    Column,
    Document,
    Facts,
    Heading,
    Node,
    Note,
    Style,
    Table,
    Text,
    Tree,
)

GAP = "  "
"""Between two columns."""

DEEPEST = 40
"""How many levels of a tree are indented; rows below them stand as deep as that level does."""

NARROWEST = 8
"""What a shrinking column keeps at least."""


def lines(document: Document, width: int | None = None) -> Iterator[Text]:
    """The document's lines, its blocks set apart by an empty one.

    Args:
        document: What to lay out.
        width: The columns of the terminal; longer lines are cut. None where lines may be as long as they need.
    """
    for number, block in enumerate(document):
        if number and not isinstance(document[number - 1], Heading):
            yield Text()
        for line in _block(block, width):
            yield line if width is None else line.cut(width)


def _block(block: Block, width: int | None) -> Iterator[Text]:
    match block:
        case Heading(text) | Note(text):
            yield text
        case Facts(rows):
            yield from _facts(rows)
        case Table(columns, rows):
            yield from _grid(columns, [(row, ()) for row in rows], width)
        case Tree(columns, roots):
            yield from _grid(columns, list(_branches(roots)), width)
        case _:
            assert_never(block)


def _facts(rows: Sequence[tuple[str, Text]]) -> Iterator[Text]:
    said = [(Text.of(label, Style.FAINT), text) for label, text in rows if text]
    longest = max((label.width for label, _ in said), default=0)
    for label, text in said:
        yield _pad(label, longest) + Text.of(GAP) + text


Row: TypeAlias = tuple[Sequence[Text], Sequence[Text]]
"""Cells, and the details below them."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """A column with its cells, ready to be set."""

    column: Column
    cells: Sequence[Text]
    width: int

    @classmethod
    def of(cls, column: Column, cells: Sequence[Text]) -> Self:
        aligned = _align(column.align, cells)
        return cls(column, aligned, max([Text.of(column.title).width, *(cell.width for cell in aligned)]))


def _grid(columns: Sequence[Column], rows: Sequence[Row], width: int | None) -> Iterator[Text]:
    filled = [
        _Shown.of(column, [cells[number] for cells, _ in rows])
        for number, column in enumerate(columns)
        if any(cells[number] for cells, _ in rows)
    ]
    shown = filled if width is None else _fit(filled, width)
    if any(each.column.title for each in shown):
        yield _row(shown, [Text.of(each.column.title, Style.FAINT) for each in shown])
    for number, (_, details) in enumerate(rows):
        yield _row(shown, [each.cells[number] for each in shown])
        yield from details


def _fit(shown: Sequence[_Shown], room: int) -> Sequence[_Shown]:
    """The columns that fit into `room`: without the last optional ones, then the widest narrowed, as need be."""
    shown = list(shown)
    optional = [each for each in shown if each.column.optional]
    while optional and _excess(shown, room) > 0:
        shown.remove(optional.pop())
    widths = [each.width for each in shown]
    for _ in range(_excess(shown, room)):
        widest = max((width for each, width in zip(shown, widths, strict=True) if each.column.shrinks), default=0)
        if widest <= NARROWEST:
            break
        widths[next(n for n, each in enumerate(shown) if each.column.shrinks and widths[n] == widest)] -= 1
    return [replace(each, width=width) for each, width in zip(shown, widths, strict=True)]


def _excess(shown: Sequence[_Shown], room: int) -> int:
    return sum(each.width for each in shown) + len(GAP) * (len(shown) - 1) - room


def _row(shown: Sequence[_Shown], cells: Sequence[Text]) -> Text:
    parts: list[tuple[str, Style]] = []
    for each, cell in zip(shown, cells, strict=True):
        right = each.column.align is not Align.LEFT
        parts.extend([*_pad(cell.cut(each.width), each.width, right=right).parts, (GAP, Style.PLAIN)])
    while parts and not parts[-1][0].strip():
        parts.pop()
    return Text(tuple(parts))


def _align(align: Align, cells: Sequence[Text]) -> Sequence[Text]:
    """The cells, with units made equally wide where the column is one of numbers with units."""
    if align is not Align.UNIT:
        return cells
    longest = max((len(_unit(cell)) for cell in cells), default=0)
    return [_pad(cell, cell.width + longest - len(_unit(cell))) if cell else cell for cell in cells]


def _unit(cell: Text) -> str:
    return cell.plain.rpartition(" ")[2]


def _pad(text: Text, width: int, *, right: bool = False) -> Text:
    room = width - text.width
    if room <= 0:
        return text
    space = Text(((" " * room, Style.PLAIN),))
    return space + text if right else text + space


def _branches(roots: Sequence[Node]) -> Iterator[Row]:
    """The nodes, top down, each with its place in the tree drawn before it. A loop, since a trace may be very deep."""
    open_nodes = [(root, "", "") for root in reversed(roots)]
    while open_nodes:
        node, lead, below = open_nodes.pop()
        label, *others = node.cells
        stem = Text.of(f"{below}{'│ ' if node.children else '  '}  ", Style.FAINT)
        yield (Text.of(lead, Style.FAINT) + label, *others), [stem + line for line in node.details]
        last = len(node.children) - 1
        for number in range(last, -1, -1):
            corner, after = ("└─ ", "   ") if number == last else ("├─ ", "│  ")
            kept = below[-3 * DEEPEST :]
            open_nodes.append((node.children[number], kept + corner, kept + after))
