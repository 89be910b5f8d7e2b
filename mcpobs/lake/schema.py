"""Derives the lake's table from semconv.COLUMNS. Declares no column of its own.

`text` and `json` are both text in the table: not every engine that reads Parquet has a JSON type.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final
from zlib import crc32

from mcpobs.semconv import COLUMNS, SCOPE_NAME, ColumnType

PARTITION: Final = "date"
TIME: Final = "start_unix_nano"
SENT: Final = "sent_start_unix_nano"
PENDING: Final = "pending"
_OWN: Final = f"scope_name = '{SCOPE_NAME}' and front is not null"
KEY: Final = (
    "trace_id",
    "span_id",
    "kind",
    "sent_kind",
    f"case when {_OWN} then null else service_name end",
    f"case when {_OWN} then null else sent_service end",
    f"coalesce({SENT}, {TIME})",
)
"""Expressions that identify a span; two nulls are equal.

The ids alone do not: a client's and a server's span may share them (B3), and so may two services or workers whose
random generators have the same seed. Kind and service count as sent, even if the lake stores another kind or no name.
mcpobs's own spans are identified without their service: inside the server's process the server's tracer provider
exports them, whose service name may differ from the recorded one. They have `front`, which any sender may set.
"""

IMPLAUSIBLE: Final = (
    f"({SENT} is not null or sent_end_unix_nano is not null or sent_session_start_unix_nano is not null)"
)
"""Selects rows with an implausible time."""

ORDER: Final = ("session_start_unix_nano", "session_id", "start_unix_nano", "sequence", "span_id", "trace_id")
"""Sort order of a file: sessions by start, so that a row group covers a short time, and each session in order."""

_DUCKDB: Final[dict[ColumnType, str]] = {
    "text": "VARCHAR",
    "json": "VARCHAR",
    "bigint": "BIGINT",
    "smallint": "SMALLINT",
    "boolean": "BOOLEAN",
}
_DELTA: Final[dict[ColumnType, str]] = {
    "text": "string",
    "json": "string",
    "bigint": "long",
    "smallint": "short",
    "boolean": "boolean",
}

TYPES: Final[dict[str, str]] = {name.column: _DUCKDB[name.type] for name in COLUMNS if name.column is not None}
"""Column to DuckDB type, in the lake's order."""

DELTA_TYPES: Final[dict[str, str]] = {name.column: _DELTA[name.type] for name in COLUMNS if name.column is not None}

SPOOLED: Final[dict[str, str]] = {
    name.column: _DUCKDB[name.type] for name in COLUMNS if name.column is not None and name.use != "derived"
}
"""Columns that a line of the spool may hold."""

DERIVED: Final[dict[str, str]] = {
    # floor(log2(d) * 32): 32 buckets per octave, so a quantile read from them is at most 1.1 % off
    "duration_bucket": "cast(floor(log2(case when duration_ns < 1 then 1 else duration_ns end) * 32) as smallint)",
    # // floors towards zero, which only matters before 1970
    "date": "strftime(make_timestamp(coalesce(session_start_unix_nano, start_unix_nano) // 1000), '%Y-%m-%d')",
}
"""Columns computed from others when a row leaves the spool."""

REPORTED: Final = "method is not null and kind = 'server'"
"""Selects rows of operations requested from an MCP server."""

REQUIRED: Final = ("trace_id", "span_id", TIME)
"""Required columns; a line without them is counted as damaged."""


def suffix(columns: Mapping[str, str]) -> str:
    """Returns the file name suffix for exactly these columns (name to DuckDB type).

    It gives a reader a file's columns without opening the file, which costs 0.25 ms.
    """
    stored = ",".join(f"{name} {type_}" for name, type_ in columns.items() if name != PARTITION)
    return f"-{crc32(stored.encode()):08x}.parquet"


def delta_schema(columns: Mapping[str, str] = DELTA_TYPES) -> str:
    """Returns columns (name to Delta type) as the Delta protocol's schemaString JSON."""
    fields = [{"name": name, "type": type_, "nullable": True, "metadata": {}} for name, type_ in columns.items()]
    return json.dumps({"type": "struct", "fields": fields})
