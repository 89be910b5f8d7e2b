"""Puts SQL texts together: parameters as literals, views as common table expressions. Knows no engine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from mcpobs.lake.engine import identifier, quoted
from mcpobs.queries.header import Column, Query, Value

_PARAM = re.compile(r"\$([a-z_]+)")
_LEAD = re.compile(r"(?:\s+|--[^\n]*(?:\n|$))*")
_WITH = re.compile(r"with\s")


def text_of(view: Query, given: Mapping[str, Value]) -> str:
    """The view's SQL with its parameters as literals."""
    values = {param.name: given.get(param.name, param.default) for param in view.params}

    def literal(match: re.Match[str]) -> str:
        if match[1] not in values:
            return match[0]
        value = values[match[1]]
        if value is None:
            return "null"
        return quoted(value) if isinstance(value, str) else str(value)

    return _PARAM.sub(literal, view.sql)


def with_views(views: Mapping[str, str], sql: str) -> str:
    """A statement that reads views by their names, with the views' texts in front of it.

    `not materialized` makes the engine plan them as it plans views; to create temporary views instead takes 50 ms more
    for a report, because the engine binds each one.
    """
    if not views:
        return sql
    ctes = ",\n".join(f"{name} as not materialized (\n{text}\n)" for name, text in views.items())
    code = sql[_LEAD.match(sql).end() :]  # type: ignore[union-attr]  # it matches the empty text too
    if _WITH.match(code):
        return f"with {ctes},\n{code[len('with') :].lstrip()}"
    return f"with {ctes}\n{code}"


def listed(columns: Iterable[Column | str]) -> str:
    """The names of columns as a select has them."""
    return ", ".join(identifier(column if isinstance(column, str) else column.name) for column in columns)


def no_rows(view: Query) -> str:
    """A select of the view's columns that reads nothing and has no rows."""
    columns = ", ".join(f"cast(null as {column.type}) as {identifier(column.name)}" for column in view.columns)
    return f"select {columns} where false"


def without_rows(view: Query, text: str) -> str:
    """A text with the view's columns and no rows, which the engine answers without reading anything."""
    return f"select {listed(view.columns)} from (\n{text}\n) as unread where false"
