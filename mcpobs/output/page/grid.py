"""A result as an HTML table whose headings explain themselves and whose names lead to other places of the page."""

from __future__ import annotations

from collections.abc import Sequence

from mcpobs.output import units
from mcpobs.output.colours import is_failure
from mcpobs.output.groups import Group, answering_first, cell, groups
from mcpobs.output.page.links import Links, anchor
from mcpobs.output.page.markup import element, safe
from mcpobs.queries.header import Column
from mcpobs.queries.run import Row

_PROSE = 40
"""A text of more characters is wrapped; shorter ones stay on one line, and the table scrolls sideways."""


def grid(columns: Sequence[Column], rows: Sequence[Row], name: str, answers: Sequence[str], links: Links) -> str:
    """The table, with the columns that answer the question first; the first one stays while the others scroll."""
    found = _named_first(answering_first(groups(columns, rows), answers)[0])
    head = "".join(
        heading(group.heading, _meaning(columns, group.indexes), group.right, f"{name}-h{place}")
        for place, group in enumerate(found)
    )
    lines = "".join(_line(columns, row, found, links, name, number) for number, row in enumerate(rows))
    return table(head, lines, f"table of {name}")


def _named_first(found: list[Group]) -> list[Group]:
    """The groups with the server behind the column that it belongs to: many rows share its name."""
    if len(found) > 1 and found[0].name == "service_name":
        found[:2] = found[1::-1]
    return found


def table(head: str, lines: str, label: str) -> str:
    """A table that scrolls sideways within the page, of headings and lines that are HTML."""
    inner = element("table", element("thead", element("tr", head)) + element("tbody", lines))
    return element("div", inner, class_="scroll", tabindex="0", role="region", aria_label=label)


def heading(text: str, meaning: str, right: bool, place: str) -> str:
    """A heading that a click or a key sorts by. It shows its meaning at the foot of the window while it has the focus,
    and as a tooltip to a mouse."""
    tip = element("span", safe(meaning), class_="tip", id=place, role="tooltip") if meaning else ""
    button = element("button", safe(text), type="button", aria_describedby=place if meaning else None)
    return element("th", button + tip, scope="col", title=meaning or None, class_="number" if right else None)


def _line(columns: Sequence[Column], row: Row, found: Sequence[Group], links: Links, name: str, number: int) -> str:
    cells = "".join(
        data(
            cell(columns, row, group),
            group.name,
            group.right,
            links.leading(columns, row, group.indexes[0], name) if len(group.indexes) == 1 else None,
        )
        for group in found
    )
    return element("tr", cells, id=links.id_of(anchor(name, number)))


def data(text: str, name: str, right: bool, leads: str | None = None, number: float | None = None) -> str:
    """A cell of the column: failures red, absent values dim. `number` is its place in order if its text has a unit."""
    kinds = ["number"] if right else ["prose"] if len(text) > _PROSE and not units.is_time(name) else []
    kinds += ["failed"] if is_failure(name, text) else ["absent"] if text == units.NOTHING else []
    inner = safe(text)
    if leads is not None and text != units.NOTHING:
        inner = element("a", inner, href=leads)
    return element("td", inner, class_=" ".join(kinds) or None, data_n=None if number is None else f"{number:g}")


def _meaning(columns: Sequence[Column], indexes: Sequence[int]) -> str:
    meanings = [columns[index].meaning for index in indexes if columns[index].meaning]
    return " → ".join(dict.fromkeys([meanings[0], meanings[-1]])) if meanings else ""
