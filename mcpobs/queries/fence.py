"""The fence around SQL that a user or an agent brings: one SELECT over the lake's views, and nothing else.

Two walls, for either alone has had holes. The first reads the statement as DuckDB itself parsed it and lets through
what it knows: query nodes, the four relations and the statement's own CTEs, harmless table functions. (DuckDB 2.0
calls `with x as (copy … to '…') select 1` a SELECT; inside a list of allowed paths it overwrote a Parquet file.)
The second takes the engine's access to files away but for the lake's Parquet files, and locks that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from mcpobs.errors import UsageError, nearest
from mcpobs.lake.engine import Connection, EngineError, quoted
from mcpobs.queries import catalog

RELATIONS: Final = ("operations", "sessions", "spans", "tool_calls")
MEMORY: Final = "2GiB"

_HINT = f"write one select over {', '.join(RELATIONS)}"
_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE", "VALUES_NODE"})
_TABLE_FUNCTIONS = frozenset({"unnest", "range", "generate_series", "generate_subscripts", "json_each", "json_tree"})
_FUNCTIONS_REFUSED = re.compile(
    r"getenv|current_setting|getvariable|read_.*|write_.*|glob|query|query_table|json_(de)?serialize_.*"
    r"|json_execute_.*|duckdb_.*|pragma_.*|.*scan.*|nextval|currval|set_.*|export_.*|import_.*|sniff_.*|parquet_.*"
)
"""Scalar functions that tell of, or reach for, something that is not the lake's. Most exist in no release; the
second wall stands behind this one."""


def close(connection: Connection, files: list[Path]) -> None:
    """Shuts the connection in: from here on it reads the given Parquet files and nothing else. Cannot be undone."""
    paths = ", ".join(quoted(path) for path in files)
    connection.execute(f"set memory_limit = '{MEMORY}'")
    connection.execute(f"set allowed_paths = [{paths}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def check(connection: Connection, sql: str) -> None:
    """Raises UsageError unless the text is one SELECT that reads the lake's relations only. Runs nothing of it."""
    try:
        statements = connection.extract_statements(sql)
    except EngineError as error:
        raise told(error) from None
    if not statements:
        raise UsageError("there is no SQL statement", _HINT)
    if len(statements) > 1:
        raise UsageError(f"there are {len(statements)} statements, and one is allowed", _HINT)
    kind = statements[0].type.name
    if kind != "SELECT":
        raise UsageError(f"a {kind.replace('_', ' ')} statement is not allowed", _HINT)
    row = connection.execute("select json_serialize_sql($1)", [sql]).fetchone()
    tree = json.loads(row[0]) if row else {"error": True}
    if tree.get("error"):
        raise UsageError("this statement is no plain SELECT", _HINT)
    _check_tree(tree["statements"])


def _check_tree(tree: Any) -> None:  # noqa: ANN401 - JSON
    own = {name.lower() for name in _cte_names(tree)}
    for node in _objects(tree):
        kind = node.get("type")
        if "info_type" in node or (isinstance(kind, str) and kind.endswith("_NODE") and kind not in _NODES):
            raise UsageError("a statement that writes is not allowed, not even inside a WITH", _HINT)
        if kind == "SHOW_REF":
            raise UsageError(
                "SHOW, DESCRIBE and SUMMARIZE are not allowed", "`select * from operations limit 1` shows the columns"
            )
        if kind == "BASE_TABLE":
            _check_table(node, own)
        elif kind == "TABLE_FUNCTION":
            _check_function(node.get("function") or {}, is_table=True)
        elif node.get("class") == "FUNCTION":
            _check_function(node, is_table=False)


def _check_function(node: dict[str, Any], *, is_table: bool) -> None:
    name = str(node.get("function_name", "")).lower()
    if name in _TABLE_FUNCTIONS:
        return
    if is_table or _FUNCTIONS_REFUSED.fullmatch(name):
        raise UsageError(f"the function {name!r} is not allowed", _HINT)


def _check_table(node: dict[str, Any], own: set[str]) -> None:
    path = (node.get("qualified_name") or {}).get("path") or [
        part for part in (node.get("catalog_name"), node.get("schema_name"), node.get("table_name")) if part
    ]
    name = ".".join(map(str, path))
    if len(path) == 1 and (name.lower() in RELATIONS or name.lower() in own):
        return
    close_name = nearest(str(path[-1]) if path else name, RELATIONS)
    meant = f"did you mean {close_name}? " if close_name else ""
    raise UsageError(f"there is no table {name!r}", f"{meant}the tables are {', '.join(RELATIONS)}")


def _cte_names(tree: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    for node in _objects(tree):
        entries = (node.get("cte_map") or {}).get("map") if isinstance(node.get("cte_map"), dict) else None
        for entry in entries or []:
            yield str(entry.get("key", ""))
        if isinstance(node.get("cte_name"), str):
            yield node["cte_name"]


def _objects(tree: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON
    """Every object of a JSON value. A loop, for a hostile statement may be nested deeper than Python recurses."""
    left = [tree]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            yield value
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)


def told(error: EngineError) -> UsageError:
    """DuckDB's error in one line, with a hint."""
    text = str(error)
    message = text.split("\n", 1)[0].strip()
    message = re.sub(r"^[A-Z][A-Za-z ]*Error: ", "", message)
    return UsageError(f"the SQL does not work: {message}", _mend(text))


def _mend(text: str) -> str:
    if match := re.search(r'column "([^"]+)" not found|not have a column named "([^"]+)"', text):
        missing = match[1] or match[2]
        columns = {name: {column.name for column in catalog.view(name).columns} for name in catalog.views()}
        if tables := [name for name, known in columns.items() if missing in known]:
            return f"{missing} is a column of {', '.join(tables)}"
        close_name = nearest(missing, sorted(set().union(*columns.values())))
        if close_name:
            return f"did you mean {close_name}?"
        return "`select * from operations limit 1` shows the columns"
    if match := re.search(r"Did you mean \"?([\w .]+)\"?\?", text):
        return f"did you mean {match[1]}?"
    if "memory" in text.lower():
        return "narrow the query with where, or select fewer columns"
    return _HINT
