"""Prices for the queries of one connection: those of models that agents called, and, where it is asked for, those of
today's book in place of the recorded ones (`repricing.py`). Never writes to the lake."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from mcpobs.lake.engine import Connection, EngineError
from mcpobs.queries import catalog

CALLS: Final = "tool_calls"
BOOK: Final = "price_book"
"""The table that is there where calls are priced anew."""

_LLM: Final = frozenset({"llm_calls", "model_prices"})
_MODELS: Final = "found_model_prices"
_ENDLESS: Final = 2**62


def put(connection: Connection, views: Collection[str]) -> bool:
    """Puts prices into the views, which are there already; returns whether calls are priced anew."""
    if not _LLM.isdisjoint(views):
        _put_models(connection)
    if CALLS not in views or not _exists(connection, BOOK):
        return False
    from mcpobs.queries import repricing  # a report with its own prices does without

    connection.execute(f"create or replace temp view {CALLS} as\n{repricing.text(catalog.view(CALLS).sql)}")
    return True


def _put_models(connection: Connection) -> None:
    if not _exists(connection, _MODELS):
        _find_models(connection)
    found = connection.execute(f"select 1 from {_MODELS} limit 1").fetchall()
    if found:
        connection.execute(f"create or replace temp view model_prices as select * from {_MODELS}")
    elif not connection.execute("select 1 from llm_usage limit 1").fetchall():
        # Then it need not be asked to which session each belongs, which takes a look at every operation.
        text = catalog.view("llm_calls").sql
        connection.execute(f"create or replace temp view llm_calls as select * from (\n{text}) where false")


def _find_models(connection: Connection) -> None:
    """A table of what the models take that were called; empty where genai-prices is not installed."""
    from mcpobs.prices import models  # for the few lakes that hold such

    connection.execute(f"create temp table {_MODELS} as select * from model_prices where false")
    called = connection.execute(
        "select distinct provider, model from llm_usage where model is not null order by provider, model"
    ).fetchall()
    if not called or not models.installed():
        return
    rows = []
    for provider, model in called:
        prices = models.tiers(model, provider or None)
        ends = [tier.above for tier in prices[1:]] + [_ENDLESS]
        for place, (tier, end) in enumerate(zip(prices, ends, strict=False)):
            rows.append([provider, model, tier.above if place else -1, end, *tier[1:]])
    if rows:
        connection.executemany(f"insert into {_MODELS} values (?, ?, ?, ?, ?, ?, ?, ?)", rows)


def _exists(connection: Connection, table: str) -> bool:
    try:
        connection.execute(f"select 1 from temp.{table} limit 0")
    except EngineError:
        return False
    return True
