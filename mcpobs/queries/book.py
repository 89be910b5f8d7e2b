"""The rules of a book of prices as rows of the view `price_book`. Loaded only if calls are priced anew (20 ms)."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from mcpobs.prices.book import Book
from mcpobs.prices.rule import Path, Rule
from mcpobs.queries.pricing import Rows


def rules_of(book: Book, called: Iterable[tuple[str | None, str]]) -> Rows:
    """The rows of `price_book` for the tools that were called; a tool without a price has none."""
    found = ((server, tool, book.of(server, tool)) for server, tool in called)
    return [[server, tool, *_entry(rule)] for server, tool, rule in found if rule is not None]


def _entry(rule: Rule) -> list[object]:
    places = rule.places
    return [
        rule.call_microusd,
        rule.unit_nanousd,
        _recorded("units", places.get("units")),
        rule.max_units_milli,
        _recorded(f"reported_{rule.reported_in}", rule.reported),
        rule.max_reported_microusd,
        rule.counts_tokens,
        rule.microusd_per_mtok,
        _recorded("tokens", rule.tokens),
        rule.max_tokens,
    ]


def _recorded(name: str, path: Path | None) -> str | None:
    """How `cost_paths` of a call records that a value was looked for there. Its texts have their quotes escaped, so
    nothing else in it can look like this."""
    return None if path is None else orjson.dumps({name: list(path)}).decode()[1:-1]
