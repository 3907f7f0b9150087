"""What texts promise: they fit on one line, and in the width that they say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.terminal.document import Style, Text, cells, printable


@given(st.text(), st.integers(min_value=1, max_value=40))
def test_a_cut_text_is_never_wider_than_asked(words: str, width: int) -> None:
    assert Text.of(words).cut(width).width <= width


@given(st.text())
def test_a_text_that_fits_is_not_cut(words: str) -> None:
    text = Text.of(words)
    assert text.cut(max(text.width, 1)) == text


@given(st.text())
def test_what_is_printed_has_no_control_characters_and_one_line(words: str) -> None:
    assert printable(words).isprintable()


def test_recorded_text_cannot_send_escape_codes_to_the_terminal() -> None:
    assert printable("\x1b[31mred\x1b[0m\nnext") == "�[31mred�[0m next"


@pytest.mark.parametrize(("words", "width"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("", 0)])
def test_width_counts_columns_not_characters(words: str, width: int) -> None:
    assert cells(words) == width


def test_a_cut_keeps_the_styles_of_what_stays() -> None:
    text = Text.of("short ", Style.FAINT) + Text.of("message", Style.BAD)
    assert text.cut(8).parts == (("short ", Style.FAINT), ("m", Style.BAD), ("…", Style.FAINT))


def test_joining_leaves_empty_texts_out() -> None:
    assert Text.join([Text.of("a"), Text(), Text.of("b")], ", ").plain == "a, b"
