"""A value for people, by the unit that its column's name ends with. The numbers for machines stay as they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from mcpobs.output.text import printable
from mcpobs.reports import zone
from mcpobs.reports.wording import milliseconds, moment

NOTHING = "-"
"""Shown in an empty cell of a table."""

_TIME = "_unix_nano"

COUNTERS = 2
"""Counters of a decision that a table shows; JSON and CSV have all."""

_TITLES = {
    "_ratio": " %",
    "_microusd": " $",
}


_IN_WORDS = {"bits": "surprise", "phantoms": "own listings"}
"""Headings of columns whose public names are words of ours."""

_AS_THEY_ARE = frozenset({"service_name", "session_id"})
"""Names that an operator writes in SQL and --columns the same."""


def title(name: str) -> str:
    """The heading of a column: `bits` → `surprise`, `p95_ms` → `p95 ms`, `last_unix_nano` → `last (UTC)`,
    `failed_ratio` → `failed %`."""
    name = _IN_WORDS.get(name, name)
    if is_time(name):
        return f"{title(name.removesuffix(_TIME))} ({zone.current().label})"
    for suffix, unit in _TITLES.items():
        if name.endswith(suffix):
            name = name.removesuffix(suffix) + unit
    return name if name in _AS_THEY_ARE else printable(name.replace("_", " "))


def spelled(name: str) -> str:
    """A column as --columns takes it, in words that an operator knows."""
    return _IN_WORDS.get(name, name).replace(" ", "_")


def as_written(name: str) -> str:
    """The heading of a column of a user's SQL."""
    return printable(name)


def is_time(name: str) -> bool:
    return name.endswith(_TIME)


def is_id(name: str) -> bool:
    """Whether its texts are ids, which people copy."""
    return name.endswith("_id")


def is_number(name: str, type_: str) -> bool:
    """Whether the column is set flush right."""
    return type_ in ("bigint", "smallint", "double", "integer", "hugeint") and not is_time(name)


def shown(name: str, value: object) -> str:
    """One cell. A user's own SQL can answer with every type that the engine has."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _number(name, value)
    if name in _OF_DECISIONS:
        return printable(_OF_DECISIONS[name](str(value)))
    return printable(str(value)) or "''"


def shown_as_written(name: str, value: object) -> str:
    """A cell of a user's SQL: a number in the unit that its column names. A time is shown as one."""
    return shown(name if is_time(name) or name.endswith("_ms") else "", value)


def _rules(text: str) -> str:
    """The ids of rules, of a JSON list."""
    found = _json(text)
    return ", ".join(map(str, found)) if isinstance(found, list) else text


def _counters(text: str) -> str:
    """`searches 14 → 15 of 15` for the fullest counters of a JSON object: before, after and most."""
    found = _json(text)
    if not isinstance(found, dict):
        return text
    fullest = sorted(found.items(), key=lambda one: -_fullness(one[1]))
    more = [f"{len(fullest) - COUNTERS} more"] if len(fullest) > COUNTERS else []
    return ", ".join([_counter(id_, one) for id_, one in fullest[:COUNTERS]] + more)


def _fullness(numbers: object) -> float:
    if not isinstance(numbers, list) or len(numbers) != 3 or not all(isinstance(one, int) for one in numbers):
        return 0
    return float(numbers[1] / numbers[2]) if numbers[2] else 1


def _counter(id_: str, numbers: object) -> str:
    if not isinstance(numbers, list) or len(numbers) != 3 or not all(isinstance(one, int) for one in numbers):
        return id_
    counted = id_.removesuffix(".reopened")
    if counted.endswith("cost_usd") or counted.startswith("budgets."):
        before, after, most = (f"${one / 1_000_000:g}" for one in numbers)
    elif counted.endswith("duration_s"):
        before, after, most = (f"{one / 1_000:g} s" for one in numbers)
    else:
        before, after, most = (f"{one:,}" for one in numbers)
    return f"{id_} {before} of {most}" if before == after else f"{id_} {before} → {after} of {most}"


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


_OF_DECISIONS: Mapping[str, Callable[[str], str]] = {"rules": _rules, "shadow_rules": _rules, "counters": _counters}


def _number(name: str, value: int | float) -> str:
    if is_time(name) and isinstance(value, int):
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
