"""The terminal: documents for people (`summary_document`, `listing_document`, `turns_document`) and a screen for them.

In colour where there is a terminal and rich is installed; as aligned plain text everywhere else.
"""

from reamon.terminal.document import Align, Column, Document, Facts, Heading, Node, Note, Style, Table, Text, Tree
from reamon.terminal.listing import listing_document
from reamon.terminal.screen import ColourScreen, PlainScreen, Screen, open_screen
from reamon.terminal.summary import summary_document
from reamon.terminal.turns import turns_document

__all__ = [
    "Align",
    "ColourScreen",
    "Column",
    "Document",
    "Facts",
    "Heading",
    "Node",
    "Note",
    "PlainScreen",
    "Screen",
    "Style",
    "Table",
    "Text",
    "Tree",
    "listing_document",
    "open_screen",
    "summary_document",
    "turns_document",
]
