"""The formats of an answer, and the terminal or file for a table. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mcpobs.output.fresh import Fresh

Format = Literal["table", "json", "csv", "markdown"]

DEFAULT_ROWS = 20
"""Rows of a table if --limit does not say; other formats have all."""


@dataclass(frozen=True, slots=True)
class Paper:
    """A terminal of so many cells, or, without a width, a file."""

    cells_wide: int | None = None
    colour: bool = False
    blocks: bool = False
    """Whether bars are drawn."""
    wide: bool = False
    """Whether a table has every column, whatever the width of the terminal."""
    columns: tuple[str, ...] = ()
    """The columns that a table shows, by name. Empty: those that answer the question, and others with room."""
    fresh: Fresh | None = None
    """What marks new lines, in a margin that the width does not count. None: there is no margin."""
