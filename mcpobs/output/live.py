"""The picture of a live view: what fits on the screen. Pure; knows no terminal."""

from __future__ import annotations

from collections.abc import Sequence

from mcpobs.output.fresh import margin
from mcpobs.output.text import taken, width


def picture(head: Sequence[str], body: Sequence[str], columns: int, lines: int) -> list[str]:
    """The lines of a screen of so many cells: the head, and below it what there is room for of the body."""
    room, shown = max(0, lines - len(head)), list(body)
    if len(shown) > room:
        left_out = len(shown) - room + 1
        shown = [*shown[: max(0, room - 1)], f"{margin(False)}… {left_out:,} more lines"][:room]
    return [_cut(line, columns) for line in [*head, *shown][:lines]]


def change(now: int, before: int | None, noun: str) -> str:
    """A number, and by how much it is another than before: `1,204 calls (+12)`."""
    counted = f"{now:,} {noun}"
    return counted if before is None or now == before else f"{counted} ({now - before:+,})"


def _cut(line: str, columns: int) -> str:
    """The line in at most so many cells. One in bold is a table's heading, which fits."""
    if "\x1b" in line or width(line) <= columns:
        return line
    return taken(line, max(0, columns - 1)) + "…"
