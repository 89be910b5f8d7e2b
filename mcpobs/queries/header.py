"""The header of a .sql file: what the query asks, what it takes and what it gives. Reads text; knows no engine.

    -- question: How long do tools take to answer?
    -- kind:     report
    -- reads:    tool_calls
    -- history:  whole
    -- params:
    --   since  bigint = 0  start of the window, unix ns
    -- columns:
    --   tool   varchar  gen_ai.tool.name
    -- chart:    bar tool p95_ms

`summary` has what is told of all rows of a report that may be too long to be shown, an aggregate in a line:

    -- summary:
    --   wasted  sum(wasted)

`history: whole` says that the query looks at calls before its window too (those before a failure); `chart` is a
hint for a page. Both may be left out, and so may `params`. A view may have `rollup`: then its rows for several files
are those for each of them, so they can be taken once and kept (`rollups.py`):

    calls     whatever the files
    sessions  where no session has calls in two of them
    rows      the same, and who reads the view leaves out the rows that are not in its window
    sides     the same as sessions, and rows of calls before the window are told by their last call
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from mcpobs.errors import UsageError

Kind = Literal["report", "view", "step"]
"""`report`: has a name on the command line · `view`: a relation that other queries read · `step`: a command's work."""

Rollup = Literal["calls", "sessions", "rows", "sides"]
"""Which files' rows of a view make up those of all: see above."""

Value = str | int | float | bool | None
"""What a parameter can be."""

TYPES = frozenset({"varchar", "bigint", "integer", "smallint", "double", "boolean", "timestamptz"})

_FIELD = re.compile(r"-- ([a-z]+):\s*(.*)")
_PARAM = re.compile(r"--   ([a-z][a-z0-9_]*)\s+([a-z]+) = (null|'[^']*'|-?[0-9]+(?:\.[0-9]+)?)(?:\s{2,}(.+))?")
_COLUMN = re.compile(r"--   ([a-z][a-z0-9_]*)\s+([a-z]+)\s{2,}(.+)")
_USED = re.compile(r"\$([a-z][a-z0-9_]*)")
_COMMENT = re.compile(r"--[^\n]*")
_SUMMARY = re.compile(r"--   ([a-z][a-z0-9_]*)\s{2,}(.+)")
_FIELDS = ("question", "kind", "reads", "history", "rollup", "params", "columns", "summary", "chart")


@dataclass(frozen=True, slots=True)
class Param:
    """A named `$parameter` of a query. Every one has a default."""

    name: str
    type: str
    default: Value
    meaning: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an answer. `type` is the engine's name for it, in lower case."""

    name: str
    type: str
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """A .sql file: its header and its text."""

    name: str
    question: str
    kind: Kind
    reads: tuple[str, ...]
    params: tuple[Param, ...]
    columns: tuple[Column, ...]
    sql: str
    chart: str | None = None
    whole_history: bool = False
    rollup: Rollup | None = None
    summary: tuple[tuple[str, str], ...] = ()
    """Names of aggregates over the rows of the answer, with their SQL. Without any, an answer is never cut."""

    @property
    def used(self) -> frozenset[str]:
        """The parameters that its own text has; the others are those of the views that it reads."""
        return frozenset(_USED.findall(_COMMENT.sub("", self.sql)))

    @property
    def compares(self) -> bool:
        """Whether it holds the window against the one before."""
        return any(param.name == "before" for param in self.params)


def parse(name: str, text: str) -> Query:
    """The query of a file. Raises UsageError, with the line, where the header breaks its form."""
    fields: dict[str, str] = {}
    params: list[Param] = []
    columns: list[Column] = []
    summary: list[tuple[str, str]] = []
    part = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.startswith("--"):
            break
        if match := _FIELD.fullmatch(line):
            part = match[1]
            if part not in _FIELDS or part in fields:
                raise _broken(name, number, f"{part!r} is no field of a header, or is there twice")
            fields[part] = match[2].strip()
        elif part == "params" and (match := _PARAM.fullmatch(line)):
            params.append(Param(match[1], match[2], _value(match[3]), match[4] or ""))
        elif part == "columns" and (match := _COLUMN.fullmatch(line)):
            columns.append(Column(match[1], match[2], match[3]))
        elif part == "summary" and (match := _SUMMARY.fullmatch(line)):
            summary.append((match[1], match[2]))
        else:
            raise _broken(name, number, f"cannot read {line!r}")
    return _checked(name, text, fields, tuple(params), tuple(columns), tuple(summary))


def _checked(
    name: str,
    text: str,
    fields: dict[str, str],
    params: tuple[Param, ...],
    columns: tuple[Column, ...],
    summary: tuple[tuple[str, str], ...],
) -> Query:
    for field in ("question", "kind", "reads"):
        if not fields.get(field):
            raise _broken(name, 1, f"the header has no {field!r}")
    kind = fields["kind"]
    if kind not in get_args(Kind):
        raise _broken(name, 1, f"kind {kind!r} is none of {', '.join(get_args(Kind))}")
    if not columns:
        raise _broken(name, 1, "the header has no columns")
    if fields.get("history", "window") not in ("window", "whole"):
        raise _broken(name, 1, "history is window or whole")
    rollup = fields.get("rollup")
    if rollup is not None and (kind != "view" or rollup not in get_args(Rollup)):
        raise _broken(name, 1, f"rollup is one of {', '.join(get_args(Rollup))}, and of a view")
    for listed in (params, columns):
        names = [entry.name for entry in listed]
        if len(set(names)) != len(names):
            raise _broken(name, 1, "a name is there twice")
        if unknown := {entry.type for entry in listed} - TYPES:
            raise _broken(name, 1, f"unknown type {min(unknown)!r}")
    return Query(
        name=name,
        question=fields["question"],
        kind=kind,  # type: ignore[arg-type]  # checked above against the very same names
        reads=tuple(read.strip() for read in fields["reads"].split(",")),
        params=params,
        columns=columns,
        sql=text,
        chart=fields.get("chart") or None,
        whole_history=fields.get("history") == "whole",
        rollup=rollup,  # type: ignore[arg-type]  # checked above
        summary=summary,
    )


def _value(literal: str) -> Value:
    if literal == "null":
        return None
    if literal.startswith("'"):
        return literal[1:-1]
    return float(literal) if "." in literal else int(literal)


def _broken(name: str, line: int, why: str) -> UsageError:
    return UsageError(f"{name}.sql, line {line}: {why}", "the form of a header is told in mcpobs/queries/header.py")
