"""A table as text, for the prompt of Python and for notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpobs.output import table
from mcpobs.output.answer import written
from mcpobs.output.formats import Paper

if TYPE_CHECKING:
    from mcpobs.interface.table import Table

CELLS_WIDE = 100


def text_of(shown: Table, most_rows: int) -> str:
    """Returns the text of at most `most_rows` rows: the report's answer, or the rows of SQL."""
    paper = Paper(cells_wide=CELLS_WIDE)
    if shown.answer is not None and shown.rows:
        text = written(shown.answer, "table", most_rows, paper=paper)
    elif shown.rows:
        text = table.render(shown.columns, shown.rows[:most_rows], cells_wide=CELLS_WIDE)
    else:
        text = f"{shown.note or 'no rows'}\n"
    left_out = shown.total - min(len(shown), most_rows)
    if left_out > 0 and not shown.parts:
        text += f"{left_out:,} more rows\n"
    return text + "".join(f"warning: {warning}\n" for warning in shown.warnings)
