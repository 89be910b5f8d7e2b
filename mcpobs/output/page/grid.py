"""A result as an HTML table. The meaning of a column is the tooltip of its heading."""

from __future__ import annotations

from collections.abc import Sequence

from mcpobs.output import units
from mcpobs.output.page.markup import element, safe
from mcpobs.output.table import Rows, cells, groups
from mcpobs.queries.header import Column

_PROSE = 40
"""A text of more characters is wrapped; shorter ones stay on one line, and the table scrolls sideways."""


def grid(columns: Sequence[Column], rows: Rows, name: str) -> str:
    headings, right, body = cells(columns, rows)
    found = groups(columns, rows)
    meanings = [_meaning(columns, group.indexes) for group in found]
    times = [units.is_time(group.name) for group in found]
    head = "".join(
        element("th", safe(heading), scope="col", title=meaning or None, class_="number" if flush_right else None)
        for heading, meaning, flush_right in zip(headings, meanings, right, strict=True)
    )
    lines = "".join(
        element("tr", "".join(_cell(*cell) for cell in zip(times, right, row, strict=True))) for row in body
    )
    table = element("table", element("thead", element("tr", head)) + element("tbody", lines))
    return element("div", table, class_="scroll", tabindex="0", role="region", aria_label=f"table of {name}")


def _cell(is_time: bool, flush_right: bool, text: str) -> str:
    kind = "number" if flush_right else "prose" if len(text) > _PROSE and not is_time else None
    return element("td", safe(text), class_=kind)


def _meaning(columns: Sequence[Column], indexes: Sequence[int]) -> str:
    meanings = [columns[index].meaning for index in indexes if columns[index].meaning]
    return " → ".join(dict.fromkeys([meanings[0], meanings[-1]])) if meanings else ""
