"""Loads segments of the collector's log into a DuckDB table. Never alters a segment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb  # noqa: F401  # the package, not its C module alone, lets DuckDB read Arrow streams

from mcpobs.lake import wal
from mcpobs.lake.dialects import translated
from mcpobs.lake.engine import Connection
from mcpobs.lake.hot import Loaded, one_a_span
from mcpobs.lake.otlp.decode import decode

_RAW = "raw_spans"


def load(connection: Connection, table: str, segments: Sequence[Path]) -> Loaded:
    """Makes a table of the lake's columns with one row a span."""
    read = [wal.read(path) for path in segments]
    batch = decode([body for found in read for body in found.bodies])
    connection.register(_RAW, batch)
    try:
        connection.execute(f"create or replace table {table} as {translated(_RAW)}")
    finally:
        connection.unregister(_RAW)
    rows = one_a_span(connection, table)
    return Loaded(rows=rows, damaged=sum(found.damaged for found in read), repeated=batch.rows - rows)
