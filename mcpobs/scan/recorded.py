"""Reads the texts of a lake in pieces: names, messages, attributes and events of its spans."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import orjson

from mcpobs.queries import catalog
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import check_interrupted
from mcpobs.scan.piece import Piece, of_value
from mcpobs.scan.sources import Progress

_BATCH: Final = 1_000
_JSON: Final = frozenset({"http_headers", "attributes", "resource", "events", "links", "scope"})


def pieces(plan: Plan, progress: Progress, since: int, until: int) -> Iterator[Piece]:
    """Yields each distinct text once. Keeps at most a batch of texts in memory."""
    query = catalog.load("recorded_texts")
    values = query.values({"since": since, "until": until})
    rows = plan.connection.execute(plan.statement(query, values), values)
    while batch := rows.fetchmany(_BATCH):
        check_interrupted()
        for server, field, text, _, span_id in batch:
            progress.at = field
            for piece in of_value(server or "-", _value(field, text), f"{field}@{span_id}"):
                progress.characters += sum(len(window.text) - window.fresh for window in piece.windows)
                yield piece


def _value(field: str, text: str) -> object:
    if field not in _JSON:
        return text
    try:
        value: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return value
