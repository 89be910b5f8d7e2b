"""Rows of the lake for the tests of queries, in memory and in a real lake."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mcpobs import keys
from mcpobs.lake import writer
from mcpobs.lake.engine import Connection, connect
from mcpobs.lake.reader import Reading
from mcpobs.lake.schema import SPOOLED, TYPES
from mcpobs.queries import catalog
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import plan_of, run
from mcpobs.telemetry.spool import Spool

START = 1_790_000_000_000_000_000
SECOND = 1_000_000_000
NO_FEATURES = '{"depth":1,"flags":[],"keys":1,"longest":5}'

Row = dict[str, Any]


def call(number: int, **columns: Any) -> Row:
    """An answered tools/call, the `number`th of its session: one a second, 10 ms each.

    `at_s` and `ms` are short for start_unix_nano (seconds after START) and duration_ns; `flags`,
    `longest` or `words` (what kind of value each argument has) make args_features.
    """
    row: Row = {
        "trace_id": f"{number:032x}",
        "span_id": f"{number:016x}",
        "kind": "server",
        "scope_name": "mcpobs",
        "service_name": "files",
        "sequence": number,
        "start_unix_nano": START + number * SECOND,
        "duration_ns": 10_000_000,
        "method": "tools/call",
        "tool": "search",
        "request_id": str(number),
        "session_id": "s1",
        "session_source": "stdio_process",
        "session_confidence": "high",
        "outcome": "ok",
        "args_digest": f"a{number}",
        "args_shape": "{q:string}",
        "args_bytes": 20,
        "args_features": NO_FEATURES,
        "result_digest": f"r{number}",
        "result_bytes": 100,
        "result_empty": False,
    }
    row.update(columns)
    if "at_s" in row:
        row["start_unix_nano"] = START + int(row.pop("at_s") * SECOND)
    if "ms" in row:
        row["duration_ns"] = int(row.pop("ms") * 1_000_000)
    if "flags" in row or "longest" in row:
        features = {"depth": 1, "flags": row.pop("flags", []), "keys": 1, "longest": row.pop("longest", 5)}
        row["args_features"] = json.dumps(features, separators=(",", ":"))
    if "words" in row:
        words = dict(sorted(row.pop("words").items()))
        features = {"depth": 1, "flags": [], "keys": len(words), "longest": 5, "values": words}
        row["args_features"] = json.dumps(features, separators=(",", ":"))
    return row


def in_memory(rows: Iterable[Mapping[str, Any]], threads: int = 2) -> Connection:
    """A connection whose `spans` holds the rows in the order given, which no query may rely on."""
    connection = connect(threads=threads)
    connection.execute(f"create table spans ({', '.join(f'{name} {type_}' for name, type_ in TYPES.items())})")
    # As one JSON text: rows by executemany take 50 times as long.
    text = json.dumps([{name: row.get(name) for name in TYPES} for row in rows])
    connection.execute(
        "insert into spans select unnest(from_json($1, $2), recursive := true)", [text, json.dumps([TYPES])]
    )
    return connection


def plan_over(spans: Connection | Reading | Plan) -> Plan:
    """A plan for queries over the spans of a connection or of a reading."""
    match spans:
        case Plan():
            return spans
        case Reading():
            return plan_of(spans)
        case _:
            return Plan(spans)


def ask(spans: Connection | Reading | Plan, query: str, **params: Any) -> list[Row]:
    return run(plan_over(spans), catalog.load(query), params).records()


def create_views(spans: Connection | Reading | Plan, *reads: str) -> None:
    """Makes views on the connection, for SQL of a test."""
    plan_over(spans).create_views(reads)


def spool(lake: Path, rows: Iterable[Row], segment_bytes: int = 1 << 20) -> None:
    """Writes rows by a writer of their own, which has ended afterwards."""
    keys.open_folder(lake)
    sink = Spool(lake, lambda count, reason: {}, segment_bytes=segment_bytes)
    for row in rows:
        assert sink.write({name: row[name] for name in SPOOLED if row.get(name) is not None})
    sink.close()


def scatter(lake: Path, rows: Sequence[Row], chance: random.Random) -> None:
    """Records the rows in any order, by several writers with small segments, some of them committed to Parquet."""
    keys.open_folder(lake)
    left = list(rows)
    chance.shuffle(left)
    while left:
        size = chance.randrange(1, len(left) + 1)
        part, left = left[:size], left[size:]
        spool(lake, part, segment_bytes=chance.choice([5_000, 1 << 20]))
        if chance.random() < 0.5:
            writer.commit(lake, wait=True)
