"""What a peer named can never move the cursor, and takes the room that it seems to take."""

from __future__ import annotations

import pytest

from mcpobs.output.text import printable, shortened, width, wrapped


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("search", "search"),
        ("größe", "größe"),
        ("検索", "検索"),
        ("a\nb\tc\rd", r"a\x0ab\x09c\x0dd"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x9b31m", r"\x9b31m"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("safe\u202egnp.exe", r"safe\u202egnp.exe"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("line\u2028end", r"line\u2028end"),
        ("\ud800", r"\ud800"),
        ("\0", r"\x00"),
    ],
)
def test_what_a_terminal_could_obey_or_hide_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(("text", "cells"), [("abc", 3), ("検索", 4), ("é", 1), ("e\u0301", 1), ("", 0), ("ｆ", 2)])
def test_wide_and_combining_characters_have_their_width(text: str, cells: int) -> None:
    assert width(text) == cells


@pytest.mark.parametrize(
    ("text", "cells", "shown"),
    [
        ("0123456789", 10, "0123456789"),
        ("0123456789", 9, "0123…6789"),
        ("0123456789", 4, "01…9"),
        ("0123456789", 1, "…"),
        ("0123456789", 0, ""),
        ("検索検索検索", 7, "検…索"),
    ],
)
def test_a_long_text_loses_its_middle(text: str, cells: int, shown: str) -> None:
    assert shortened(text, cells) == shown
    assert width(shortened(text, cells)) <= cells


def test_a_long_line_goes_on_with_an_indent_and_keeps_its_long_words() -> None:
    line = "  means: " + "word " * 10 + "x" * 50
    shown = wrapped(line, 40, " " * 9).splitlines()
    assert "".join(shown).split() == line.split()
    assert all(len(one) <= 40 for one in shown[:-1])
    assert shown[-1] == " " * 9 + "x" * 50
    assert wrapped(line, None, "") == line
