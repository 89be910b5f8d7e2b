"""A Result as a Markdown table (GitHub's form)."""

from __future__ import annotations

from collections.abc import Sequence

from mcpobs.output.table import Rows
from mcpobs.output.table import cells as table_cells
from mcpobs.queries.header import Column


def render(columns: Sequence[Column], rows: Rows) -> str:
    """The table. What Markdown or HTML would read as its own is escaped: a tool's name is the peer's text."""
    headings, right, body = table_cells(columns, rows)
    rule = ["---:" if flush_right else "---" for flush_right in right]
    return "".join(_line(line) for line in ([escaped(text) for text in headings], rule)) + "".join(
        _line([escaped(text) for text in row]) for row in body
    )


def _line(texts: list[str]) -> str:
    return f"| {' | '.join(texts)} |\n"


def escaped(text: str) -> str:
    for char in "\\|`*_[]#~":
        text = text.replace(char, "\\" + char)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
