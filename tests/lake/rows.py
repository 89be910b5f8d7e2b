"""Rows for the tests of the lake, and ways to put them there and read them back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mcpobs.keys import open_folder
from mcpobs.lake.reader import open_reading
from mcpobs.telemetry.spool import Spool

DAY = 86_400 * 10**9
NOON = 1_790_000_000 * 10**9 // DAY * DAY + DAY // 2  # noon of a day, UTC


def row(number: int, **changes: Any) -> dict[str, Any]:
    """The row of an operation; its ids follow from its number."""
    return {
        "trace_id": f"{number:032x}",
        "span_id": f"{number:016x}",
        "name": "tools/call search",
        "start_unix_nano": NOON + number * 1_000_000,
        "duration_ns": 1_000_000 + number,
        "session_id": "one",
        "session_start_unix_nano": NOON,
        "sequence": number,
        "method": "tools/call",
        "tool": "search",
        "outcome": "ok",
        "attributes": '{"network.transport":"pipe"}',
    } | changes


def loss_row(count: int, reason: str) -> dict[str, Any]:
    raise AssertionError(f"{count} rows could not be written: {reason}")


def new_spool(lake: Path, **options: Any) -> Spool:
    open_folder(lake)
    return Spool(lake, loss_row, **options)


def spooled(lake: Path, rows: list[dict[str, Any]], **options: Any) -> None:
    """Writes rows by a process that has come to its end."""
    spool = new_spool(lake, **options)
    for each in rows:
        assert spool.write(each)
    spool.close()


def segments(lake: Path) -> list[Path]:
    return sorted((lake / "spool").glob("*.jsonl"))


def parquet_files(lake: Path) -> list[Path]:
    return sorted((lake / "spans").glob("date=*/*.parquet"))


def numbers(lake: Path, **window: Any) -> list[int]:
    """The numbers of the rows that a reading of the lake has, each as often as it has it."""
    with open_reading(lake, **window) as reading:
        found = reading.connection.execute("select span_id from spans order by 1").fetchall()
    return [int(span_id, 16) for (span_id,) in found]
