"""The fence around SQL that a user or an agent brings: one SELECT over the lake's views, and nothing else.

Two walls, for either alone has had holes. The first reads the statement as DuckDB itself parsed it and lets through
what it knows: query nodes, the four relations and the statement's own CTEs, harmless table functions. (DuckDB 2.0
calls `with x as (copy … to '…') select 1` a SELECT; inside a list of allowed paths it overwrote a Parquet file.)
The second takes the engine's access to files away but for the lake's Parquet files, and locks that.
"""

from __future__ import annotations

import json
import re
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mcpobs.errors import UsageError, nearest
from mcpobs.lake.engine import Connection, EngineError, quoted
from mcpobs.queries import catalog
from mcpobs.queries.limits import NARROW

RELATIONS: Final = ("operations", "sessions", "spans", "tool_calls")


@dataclass(frozen=True, slots=True)
class Room:
    """Memory and temporary files that the engine may take."""

    memory_bytes: int = 2 << 30
    spill_bytes: int = 8 << 30


ROOM: Final = Room()

_HINT = f"write one select over {', '.join(RELATIONS)}"
_MAX_MESSAGE: Final = 500
_MAX_NAME: Final = 200
_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE", "VALUES_NODE"})
_TABLE_FUNCTIONS = frozenset({"unnest", "range", "generate_series", "generate_subscripts", "json_each", "json_tree"})
_REFERENCES = frozenset({"BASE_TABLE", "EMPTY", "EXPRESSION_LIST", "JOIN", "PIVOT", "SUBQUERY", "TABLE_FUNCTION"})
"""The kinds of table references that are understood here: what each reads is below it in the tree."""

_FUNCTIONS_REFUSED = re.compile(
    r"getenv|current_setting|getvariable|read_.*|write_.*|glob|query|query_table|json_(de)?serialize_.*"
    r"|json_execute_.*|duckdb_.*|pragma_.*|.*scan.*|nextval|currval|setval|set_(?!bit$).*|export_.*|import_.*|sniff_.*"
    r"|parquet_.*"
    # Macros of DuckDB's that read its catalog, where the views say in which files the lake lies.
    r"|pg_(?!size_pretty$|typeof$|sleep$).*|has_.*_privilege|.*_description|format_pg_type|format_type|map_to_pg_oid"
    r"|get_block_size|inet_.*|current_schemas|in_search_path"
    # The engine's own, which trust what they are given: a made-up state of an aggregate is read as memory.
    r"|__internal_.*|combine|finalize|to_aggregate_state|parse_duckdb_log_message"
)
"""Scalar functions and macros that read, or reach for, anything but the lake; the second wall stands
behind this one. Names that no release has are refused as well."""

_ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
"""How DuckDB compares names. Python's own lower() makes other letters equal too, of which DuckDB makes two names."""


def close(connection: Connection, files: list[Path], room: Room = ROOM) -> None:
    """Shuts the connection in: from here on it reads the given Parquet files and nothing else. Cannot be undone."""
    paths = ", ".join(quoted(path) for path in files)
    connection.execute(f"set memory_limit = '{room.memory_bytes}B'")
    connection.execute(f"set max_temp_directory_size = '{room.spill_bytes}B'")
    connection.execute(f"set allowed_paths = [{paths}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def check(connection: Connection, sql: str) -> None:
    """Raises UsageError unless the text is one SELECT that reads the lake's relations only. Runs nothing of it."""
    try:
        statements = connection.extract_statements(sql)
    except EngineError as error:
        raise explained(error) from None
    if not statements:
        raise UsageError("there is no SQL statement", _HINT)
    if len(statements) > 1:
        raise UsageError(f"there are {len(statements)} statements, and one is allowed", _HINT)
    kind = statements[0].type.name
    if kind != "SELECT":
        raise UsageError(f"a {kind.replace('_', ' ')} statement is not allowed", _HINT)
    row = connection.execute("select json_serialize_sql($1)", [sql]).fetchone()
    try:
        tree = json.loads(row[0]) if row else {"error": True}
    except RecursionError:
        raise UsageError("the statement nests too deep", "write it with fewer levels, or with a WITH") from None
    if tree.get("error"):
        raise UsageError("this statement is no plain SELECT", _HINT)
    _check_tree(tree["statements"])


_Names = frozenset[str]


def _check_tree(tree: Any) -> None:  # noqa: ANN401 - JSON
    """Checks each object of the tree, with the names of the CTEs that count there.

    A loop, because a hostile statement may be nested deeper than Python recurses.
    """
    left: list[tuple[Any, _Names]] = [(tree, frozenset())]
    while left:
        value, scope = left.pop()
        if isinstance(value, list):
            left.extend((item, scope) for item in value)
        elif isinstance(value, dict):
            _check_object(value, scope)
            left.extend(_below(value, scope))


def _below(node: dict[str, Any], scope: _Names) -> list[tuple[Any, _Names]]:
    """The parts of an object of the tree, and the CTEs that count in each.

    A CTE counts in those that are defined after it and in the node that defines it; in its own definition only in the
    recursive half. What DuckDB allows beyond that is refused.
    """
    parts: list[tuple[Any, _Names]] = []
    rest = dict(node)
    if isinstance(ctes := rest.pop("cte_map", None), dict):
        for entry in ctes.get("map") or []:
            parts.append((entry.get("value"), scope))
            scope |= {_lower(entry.get("key"))}
    inner = scope | {_lower(node["cte_name"])} if isinstance(node.get("cte_name"), str) else scope
    for name, value in rest.items():
        parts.append((value, inner if name in ("right", "child") else scope))
    return parts


def _check_object(node: dict[str, Any], scope: _Names) -> None:
    kind = node.get("type")
    if "info_type" in node or (isinstance(kind, str) and kind.endswith("_NODE") and kind not in _NODES):
        raise UsageError("a statement that writes is not allowed, not even inside a WITH", _HINT)
    if kind == "SHOW_REF":
        raise UsageError(
            "SHOW, DESCRIBE and SUMMARIZE are not allowed", "`select * from operations limit 1` shows the columns"
        )
    if "sample" in node and "alias" in node and kind not in _REFERENCES:
        raise UsageError("this kind of table is not allowed", _HINT)
    if kind == "BASE_TABLE":
        _check_table(node, scope)
    elif kind == "TABLE_FUNCTION":
        _check_function(node.get("function") or {}, is_table=True)
    elif node.get("class") == "FUNCTION":
        _check_function(node, is_table=False)


def _check_function(node: dict[str, Any], *, is_table: bool) -> None:
    name = _lower(node.get("function_name", ""))
    if name in _TABLE_FUNCTIONS:
        return
    if is_table or _FUNCTIONS_REFUSED.fullmatch(name):
        raise UsageError(f"the function {_named(name)} is not allowed", _HINT)


def _check_table(node: dict[str, Any], scope: _Names) -> None:
    path = (node.get("qualified_name") or {}).get("path") or [
        part for part in (node.get("catalog_name"), node.get("schema_name"), node.get("table_name")) if part
    ]
    name = ".".join(map(str, path))
    if len(path) == 1 and (_lower(name) in RELATIONS or _lower(name) in scope):
        return
    close_name = nearest(str(path[-1])[:100] if path else name, RELATIONS)
    meant = f"did you mean {close_name}? " if close_name else ""
    raise UsageError(f"there is no table {_named(name)}", f"{meant}the tables are {', '.join(RELATIONS)}")


def _lower(name: object) -> str:
    return str(name).translate(_ASCII_LOWER)


def _named(name: str) -> str:
    return repr(name if len(name) <= _MAX_NAME else name[:_MAX_NAME] + "…")


def explained(error: EngineError) -> UsageError:
    """DuckDB's error in one line, with a hint."""
    text = str(error)
    message = text.split("\n", 1)[0].strip()
    message = re.sub(r"^[A-Z][A-Za-z ]*Error: ", "", message)
    if len(message) > _MAX_MESSAGE:  # it quotes a value, or the statement
        message = message[:_MAX_MESSAGE] + "…"
    return UsageError(f"the SQL does not work: {message}", _mend(text))


def _mend(text: str) -> str:
    if match := re.search(r'column "([^"]+)" not found|not have a column named "([^"]+)"', text):
        missing = match[1] or match[2]
        views = [name for name in RELATIONS if name != catalog.SOURCE]
        columns = {name: {column.name for column in catalog.view(name).columns} for name in views}
        if tables := [name for name, known in columns.items() if missing in known]:
            return f"{missing[:_MAX_NAME]} is a column of {', '.join(tables)}"
        close_name = nearest(missing[:_MAX_NAME], sorted(set().union(*columns.values())))
        if close_name:
            return f"did you mean {close_name}?"
        return "`select * from operations limit 1` shows the columns"
    if match := re.search(r"Did you mean \"?([\w .]+)\"?\?", text):
        return f"did you mean {match[1][:_MAX_NAME]}?"
    if re.search("memory|allocat", text.lower()):
        return NARROW
    return _HINT
