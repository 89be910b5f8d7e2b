"""A value for people, by the unit that its column's name ends with. The numbers for machines stay as they are."""

from __future__ import annotations

from mcpobs.output.text import printable
from mcpobs.reports.wording import milliseconds, moment

NOTHING = "-"
"""Shown in an empty cell of a table."""

TIME = " (UTC)"
"""Ends the heading of a time."""

_TITLES = {
    "_unix_nano": TIME,
    "_ratio": " %",
    "_microusd": " $",
}


def title(name: str) -> str:
    """The heading of a column: `p95_ms` → `p95 ms`, `last_unix_nano` → `last (UTC)`, `failed_ratio` → `failed %`."""
    for suffix, unit in _TITLES.items():
        if name.endswith(suffix):
            name = name.removesuffix(suffix) + unit
    return {"service_name": "server", "session_id": "session"}.get(name, printable(name.replace("_", " ")))


def is_number(name: str, type_: str) -> bool:
    """Whether the column is set flush right."""
    return type_ in ("bigint", "smallint", "double", "integer", "hugeint") and not name.endswith("_unix_nano")


def shown(name: str, value: object) -> str:
    """One cell. A user's own SQL can answer with every type that the engine has."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _number(name, value)
    return printable(str(value)) or "''"


def _number(name: str, value: int | float) -> str:
    if name.endswith("_unix_nano") and isinstance(value, int):
        return moment(value)
    if value != value or value in (float("inf"), float("-inf")):
        return str(value)
    if name.endswith("_ms"):
        return milliseconds(value)
    if name.endswith("_ratio"):
        return f"{value * 100:.1f}"
    if name.endswith("_microusd"):
        return f"{value / 1_000_000:,.{6 if 0 < abs(value) < 100 else 4}f}"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
