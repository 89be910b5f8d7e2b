"""A Result as a Markdown table (GitHub's form)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mcpobs.output.table import Rows
from mcpobs.output.table import cells as table_cells
from mcpobs.queries.header import Column
from mcpobs.terminal import printable

_LINKS = re.compile(r"@|:(?=//)|(?i:(?<=www)\.)")
"""Characters by which GitHub knows addresses and mentions; as entities they are just shown."""


def render(columns: Sequence[Column], rows: Rows, *, own: bool = False) -> str:
    """The table. Markup of Markdown and HTML is escaped, because a tool's name is the peer's text."""
    headings, right, body = table_cells(columns, rows, own=own)
    rule = ["---:" if flush_right else "---" for flush_right in right]
    return "".join(_line(line) for line in ([escaped(text) for text in headings], rule)) + "".join(
        _line([escaped(text) for text in row]) for row in body
    )


def _line(texts: list[str]) -> str:
    return f"| {' | '.join(texts)} |\n"


def escaped(text: str) -> str:
    """The text as Markdown that shows just this: no markup, no HTML, and no link that GitHub makes of a bare address
    or a mention."""
    text = printable(text)
    for char in "\\|`*_[]#~":
        text = text.replace(char, "\\" + char)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _LINKS.sub(lambda found: f"&#{ord(found[0])};", text)
