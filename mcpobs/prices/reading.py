"""Reads [prices] and [servers.NAME.prices] of config.toml. An error names the key's place and a valid value.

Numbers are int or Decimal (tomllib with parse_float=Decimal), so a price keeps every digit as written.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from mcpobs.errors import UsageError, nearest
from mcpobs.prices.book import ANY_TOOL, Book
from mcpobs.prices.rule import (
    MICRO,
    MOST_MICROUSD,
    MOST_MICROUSD_PER_MTOK,
    MOST_TOKENS,
    MOST_UNITS_MILLI,
    Path,
    Rule,
)

_KEYS: Final = (
    *("per_call", "per_unit", "units", "max_units", "reported", "reported_in", "max_reported"),
    *("per_million_tokens", "model", "tokens", "max_tokens"),
)
_EXAMPLE: Final = "write e.g. search = 0.002"
_MOST_STEPS: Final = 16
_PATH_HINT: Final = 'write e.g. units = "pages", or a list of names where one has a dot: ["_meta", "example.com/cost"]'


def read_book(prices: Mapping[str, object], servers: Mapping[str, object], where: str) -> Book:
    """Returns the book of the two tables; `where` is the file. Raises UsageError."""
    own = {}
    for server, table in servers.items():
        place = f"{where}: [servers.{_key(server)}]"
        if not isinstance(table, dict):
            raise UsageError(f"{place} must be a table", "write [servers.NAME.prices] and prices below it")
        _known(table, ("prices", "record"), place)
        rules = table.get("prices", {})
        if not isinstance(rules, dict):
            raise UsageError(f"{place} prices must be a table", "write [servers.NAME.prices] and prices below it")
        own[server] = _rules(rules, f"{where}: [servers.{_key(server)}.prices")
    return Book(_rules(prices, f"{where}: [prices"), own)


def _rules(table: Mapping[str, object], begun: str) -> dict[str, Rule]:
    return {tool: _rule(given, f"{begun}.{_key(tool)}]", f"{begun}] {_key(tool)}") for tool, given in table.items()}


def _rule(given: object, place: str, plain: str) -> Rule:
    if not isinstance(given, dict):
        return Rule(call_microusd=_usd(given, plain, f"US dollars a call; {_EXAMPLE}"))
    _known(given, _KEYS, place)
    if not given:
        raise UsageError(f"{place} is empty", "write e.g. per_call = 0.002")
    _belong(given, place)
    per_call = _usd(given["per_call"], f"{place} per_call", "US dollars a call") if "per_call" in given else None
    model = given.get("model")
    if model is not None and (not isinstance(model, str) or not model or len(model) > 200):
        raise UsageError(f"{place} model must be a model's name", 'write e.g. model = "claude-sonnet-4-5"')
    rule = Rule(
        call_microusd=per_call,
        unit_nanousd=_per_unit(given, place),
        units=_path(given["units"], f"{place} units") if "units" in given else (),
        max_units_milli=_count(given, "max_units", place, 1000, MOST_UNITS_MILLI),
        reported=_path(given["reported"], f"{place} reported") if "reported" in given else None,
        reported_in=_currency(given.get("reported_in", "usd"), place),
        max_reported_microusd=(
            _usd(given["max_reported"], f"{place} max_reported", "US dollars") if "max_reported" in given else 0
        ),
        microusd_per_mtok=_per_million(given, place),
        model=model,
        tokens=_path(given["tokens"], f"{place} tokens") if "tokens" in given else None,
        max_tokens=_count(given, "max_tokens", place, 1, MOST_TOKENS),
    )
    if (rule.unit_nanousd or 0) * rule.max_units_milli > MOST_MICROUSD * MICRO:
        raise UsageError(f"{place} max_units lets a call cost more than a million dollars", "lower it")
    return rule


def _belong(given: Mapping[str, object], place: str) -> None:
    """Checks keys that need each other. A value that a tool reports is accepted only up to a maximum."""
    needs = {
        "per_unit": ("units", 'the path of their number in the result, e.g. units = "pages"'),
        "units": ("per_unit", "US dollars for one, e.g. per_unit = 0.0015"),
        "max_units": ("units", 'the path of their number in the result, e.g. units = "pages"'),
        "reported": ("max_reported", "the most US dollars that a call is believed to cost, e.g. max_reported = 5.00"),
        "reported_in": ("reported", 'the path of the cost in the result, e.g. reported = "_meta.cost_usd"'),
        "max_reported": ("reported", 'the path of the cost in the result, e.g. reported = "_meta.cost_usd"'),
        "max_tokens": ("tokens", 'the path of the token count in the result, e.g. tokens = "usage.tokens"'),
    }
    for key, (needed, what) in needs.items():
        if key in given and needed not in given:
            raise UsageError(f"{place} has {key} and no {needed}", f"{needed} is {what}")
    for key, most, what in (
        ("units", "max_units", "the most units of a call that are charged, e.g. max_units = 500"),
        ("tokens", "max_tokens", "the most tokens of a result that are charged, e.g. max_tokens = 50000"),
    ):
        if key in given and most not in given:
            raise UsageError(f"{place} has {key} and no {most}", f"{most} is {what}")
    if "tokens" in given and not {"per_million_tokens", "model"} & set(given):
        raise UsageError(f"{place} has tokens and no price for them", 'write per_million_tokens = 3.00 or model = "…"')
    if {"per_million_tokens", "model"} <= set(given):
        raise UsageError(f"{place} has per_million_tokens and model", "leave one of them out")


def _per_unit(given: Mapping[str, object], place: str) -> int | None:
    if "per_unit" not in given:
        return None
    return _money(given["per_unit"], f"{place} per_unit", 9, MOST_MICROUSD * 1000, "US dollars a unit, e.g. 0.0015")


def _per_million(given: Mapping[str, object], place: str) -> int | None:
    if "per_million_tokens" not in given:
        return None
    what = "US dollars a million tokens, at most 1000"
    return _money(given["per_million_tokens"], f"{place} per_million_tokens", 6, MOST_MICROUSD_PER_MTOK, what)


def _usd(value: object, place: str, what: str) -> int:
    return _money(value, place, 6, MOST_MICROUSD - 1, what)


def _money(value: object, place: str, digits: int, most: int, what: str) -> int:
    """Returns dollars as a whole number of units of the `digits`th decimal place, rounded to nearest."""
    number = _number(value)
    if number is None or number < 0 or number > Decimal(most).scaleb(-digits):
        raise UsageError(f"{place} is not {what.partition(';')[0]}: {_short(value)}", _hint(what))
    found = _nearest(number.scaleb(digits))
    if not found and number:
        raise UsageError(
            f"{place} is too small to be counted: {_short(value)}", f"the least is {10.0**-digits:.{digits}f}"
        )
    return found


def _hint(what: str) -> str:
    before, _, example = what.partition("; ")
    return example or f"write {before}"


def _count(given: Mapping[str, object], key: str, place: str, times: int, most: int) -> int:
    if key not in given:
        return most
    number = _number(given[key])
    if number is None or number <= 0 or number * times > most:
        raise UsageError(
            f"{place} {key} is not a number up to {most // times:,}: {_short(given[key])}", "write e.g. 500"
        )
    return max(1, _nearest(number * times))


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | float):
        return None
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    return number if number.is_finite() else None


def _nearest(number: Decimal) -> int:
    return int((number + Decimal("0.5")) // 1)


def _currency(value: object, place: str) -> str:
    if value not in ("usd", "microusd"):
        raise UsageError(f"{place} reported_in is {_short(value)}", 'write "usd" or "microusd"')
    return str(value)


def _path(value: object, place: str) -> Path:
    """Parses `pages`, `usage.total`, `pages.0.n`, `.` for the answer itself, or a list of names and indexes."""
    steps: list[object]
    if isinstance(value, str):
        steps = [] if value == "." else [int(step) if step.isdecimal() else step for step in value.split(".")]
    else:
        steps = list(value) if isinstance(value, list) else [None]
    if len(steps) > _MOST_STEPS or any(
        isinstance(step, bool) or not isinstance(step, str | int) or step == "" or len(str(step)) > 200
        for step in steps
    ):
        raise UsageError(f"{place} is not a path into a result: {_short(value)}", _PATH_HINT)
    if steps and steps[0] == "$":
        raise UsageError(f"{place} begins with $: {_short(value)}", "write it without: the path begins in the answer")
    if any(isinstance(step, int) and step < 0 for step in steps):
        raise UsageError(f"{place} counts from the end: {_short(value)}", "places in a list are counted from 0")
    if steps and steps[0] == "structuredContent":
        steps = steps[1:]  # the answer is this member anyway, if it exists
    return tuple(step for step in steps if isinstance(step, str | int))


def _known(table: Mapping[str, object], keys: tuple[str, ...], place: str) -> None:
    unknown = sorted(set(table) - set(keys))
    if unknown:
        close = nearest(unknown[0], keys)
        known = f"known here: {', '.join(keys)}"
        raise UsageError(f"{place}: unknown key {unknown[0]!r}", f"did you mean {close}? {known}" if close else known)


def _key(name: str) -> str:
    """Returns a key in TOML syntax."""
    bare = name.isascii() and name and all(char.isalnum() or char in "-_" for char in name)
    return name if bare and name != ANY_TOOL else f'"{name}"'


def _short(value: object) -> str:
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= 60 else text[:60] + "…"
