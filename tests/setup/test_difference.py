"""The difference that `init` shows: applied to the old lines it gives the new ones, and only changes are in it."""

from __future__ import annotations

import difflib
import re

from hypothesis import given
from hypothesis import strategies as st

from mcpobs.setup import difference

LINES = st.lists(st.sampled_from(["a", "b", "{", "}", "},", ""]), max_size=40)
_HEAD = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


def _applied(old: list[str], shown: list[str]) -> list[str]:
    """The new text, by the rules of a unified difference."""
    new: list[str] = []
    at = 0
    for line in shown[2:]:
        head = _HEAD.fullmatch(line)
        if head:
            start = int(head[1]) - (0 if head[2] == "0" else 1)
            new += old[at:start]
            at = start
            continue
        if line[0] in " -":
            assert old[at] == line[1:]
            at += 1
        if line[0] in " +":
            new.append(line[1:])
    return new + old[at:]


@given(LINES, LINES)
def test_the_difference_applied_to_the_old_text_gives_the_new_one(old: list[str], new: list[str]) -> None:
    shown = list(difference.unified(old, new, "f"))
    assert _applied(old, shown) == new
    assert bool(shown) == (old != new)


@given(st.integers(1, 60), st.integers(0, 59))
def test_an_edit_is_shown_as_difflib_shows_it(length: int, at: int) -> None:
    old = [f'"command": "{n}",' for n in range(length)]
    new = [*old[:at], "instead", *old[at + 1 :]]
    assert list(difference.unified(old, new, "f")) == list(difflib.unified_diff(old, new, "f", "f", lineterm=""))


def test_the_lines_compared_grow_with_the_text_and_not_with_its_square() -> None:
    class Counted(str):
        compared = 0
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            Counted.compared += 1
            return str.__eq__(self, other)

    def compared(servers: int) -> int:
        lines = [Counted(text) for n in range(servers) for text in (f"{n}: {{", '"command": "x"', "}", "")]
        new = [Counted("new") if line == '"command": "x"' else line for line in lines]
        Counted.compared = 0
        assert len(list(difference.unified(lines, new, "f"))) > servers
        return Counted.compared

    assert compared(4_000) < 5 * compared(1_000)
