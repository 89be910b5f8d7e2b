"""Prices for views: those of models that agents called, and the rules of a book in place of recorded costs.

A recorded cost was in force when the call was made, as an invoice is. A book puts its own prices before the view
`tool_calls`: `queries/views/repriced_calls.sql` is the arithmetic of `prices/rule.py`, and a test holds both together.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from mcpobs.queries import catalog
from mcpobs.queries.text import listed, with_views

CALLS: Final = "tool_calls"
MODEL_CALLS: Final = "llm_calls"
MODEL_PRICES: Final = "model_prices"
PRICE_BOOK: Final = "price_book"
"""The view of a book's rules; empty as it is shipped."""

_REPRICED: Final = "repriced_calls"
_ENDLESS: Final = 2**62

Rows = list[list[object]]


def of_table(view: str, table: str) -> str:
    """The text of a view whose rows are those of a table."""
    return f"select {listed(catalog.view(view).columns)} from {table}"


def repriced(calls: str, table: str) -> str:
    """The text of the view `tool_calls` with the costs by the rules of a table."""
    return with_views({CALLS: calls, PRICE_BOOK: of_table(PRICE_BOOK, table)}, catalog.view(_REPRICED).sql)


def prices_of(called: Iterable[tuple[str, str]]) -> Rows:
    """The rows of `model_prices` for providers and models; none if genai-prices is not installed."""
    called = list(called)
    if not called:
        return []
    from mcpobs.prices import models  # few lakes hold model calls

    if not models.installed():
        return []
    rows: Rows = []
    for provider, model in called:
        prices = models.tiers(model, provider or None)
        ends = [tier.above for tier in prices[1:]] + [_ENDLESS]
        for place, (tier, end) in enumerate(zip(prices, ends, strict=False)):
            rows.append([provider, model, tier.above if place else -1, end, *tier[1:]])
    return rows
