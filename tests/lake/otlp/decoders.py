"""Both decoders of OTLP requests, and what they make, as Python values."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from mcpobs.lake.otlp import decode as door
from mcpobs.lake.otlp import plain
from mcpobs.lake.otlp.columns import RAW
from mcpobs.lake.otlp.request import Checked, MalformedError

NATIVE = pytest.param(door, id="native", marks=pytest.mark.skipif(not door.NATIVE, reason="no compiled decoder"))
BOTH = (NATIVE, pytest.param(plain, id="plain"))

_connection = duckdb.connect()


def rows(batch: Any) -> list[dict[str, Any]]:
    _connection.register("raw", batch)
    try:
        result = _connection.execute("select * from raw")
        names = [column[0] for column in result.description]
        assert names == list(RAW)
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    finally:
        _connection.unregister("raw")


def filled(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def outcome(decoder: Any, body: bytes) -> tuple[Checked, list[dict[str, Any]]] | None:
    """None where the request is malformed; both functions of a decoder must say so."""
    try:
        checked = decoder.check(body)
    except MalformedError:
        with pytest.raises(MalformedError):
            decoder.decode([body])
        return None
    batch = decoder.decode([body])
    assert batch.rows == checked.spans
    return checked, rows(batch)
