"""The header of a .sql file: what the query asks, what it takes and what it gives. Reads text; knows no engine.

    -- question: How long do tools take to answer?
    -- topic:    1 Which tool is slow?
    -- answers:  tool, p95_ms
    -- kind:     report
    -- reads:    tool_calls
    -- history:  whole
    -- params:
    --   since  bigint = 0  start of the window, unix ns
    -- columns:
    --   tool   varchar  gen_ai.tool.name
    -- chart:    bar tool p95_ms

`topic` is the place of a report in `mcpobs report all`, and its question there; reports without one come last, with
their own question. `history: whole` says that the query looks at calls before its window too (those before a failure).
`answers` names the columns that answer the question: a table shows them first and in any width; `before` stands for
`before_2, before_1`.
`chart` names the picture: `bar LABEL SIZE` or `range LABEL LOW MIDDLE HIGH`, each a column. Labels that occur twice get
the other `varchar` columns as well. A column's suffix gives its unit and heading: `_ms`, `_bytes`, `_ratio`
(shown in %), `_microusd` (in $), `_unix_nano` (a time).

A report that may be too long to be shown has aggregates of all its rows, one a line, and may count its rows by columns:

    -- summary:
    --   wasted  sum(wasted)
    -- tally:    session_source, confidence

A column `operations.*` stands for every column of that relation, `operations.* exclude (tool)` for all but one. The
same words in the text do too, so what `semconv.py` adds to the lake is in the views of operations as well.

A view may have `rollup`: then its rows for several files are those for each of them, so they can be taken once and kept
(`rollups.py`):

    calls     whatever the files
    sessions  if no session has calls in two of them
    rows      the same, and queries leave out rows of the view that are not in their window
    sides     the same as sessions, and rows of calls before the window are placed by their last call
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from mcpobs.errors import UsageError

Kind = Literal["report", "view", "step"]
"""`report`: has a name on the command line · `view`: a relation that other queries read · `step`: a command's work."""

Rollup = Literal["calls", "sessions", "rows", "sides"]
"""Which files' rows of a view make up those of all files: see above."""

Value = str | int | float | bool | None
"""A value of a parameter."""

TYPES = frozenset({"varchar", "bigint", "integer", "smallint", "double", "boolean", "timestamptz"})

_FIELD = re.compile(r"-- ([a-z]+):\s*(.*)")
_PARAM = re.compile(r"--   ([a-z][a-z0-9_]*)\s+([a-z]+) = (null|'[^']*'|-?[0-9]+(?:\.[0-9]+)?)(?:\s{2,}(.+))?")
_COLUMN = re.compile(r"--   ([a-z][a-z0-9_]*)\s+([a-z]+)\s{2,}(.+)")
_USED = re.compile(r"\$([a-z][a-z0-9_]*)")
_COMMENT = re.compile(r"--[^\n]*")
_SUMMARY = re.compile(r"--   ([a-z][a-z0-9_]*)\s{2,}(.+)")
_TOPIC = re.compile(r"([0-9]+) (.+)")
_NUMBER = re.compile(r"_[0-9]+$")
_EVERY = re.compile(r"([a-z_]+)\.\*(?: exclude \(([a-z0-9_, ]+)\))?")
_FIELDS = (
    "question", "topic", "answers", "kind", "reads", "history", "rollup", "params", "columns", "summary", "tally",
    "chart",
)  # fmt: skip


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


ColumnsOf = Callable[[str], Sequence[Column]]
"""The columns of a relation by its name."""


@dataclass(frozen=True, slots=True)
class Topic:
    """The place of a report among all, and the question that it answers there."""

    place: int
    question: str


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
    tally: tuple[str, ...] = ()
    """Columns by which the rows of the answer are counted."""
    topic: Topic | None = None
    answers: tuple[str, ...] = ()
    """The columns that answer the question, the first first. Numbered columns go by their common stem."""

    @property
    def used(self) -> frozenset[str]:
        """The parameters that its own text has; the others are those of the views that it reads."""
        return frozenset(_USED.findall(_COMMENT.sub("", self.sql)))

    def takes(self, name: str) -> bool:
        """Whether it has a parameter of that name."""
        return any(param.name == name for param in self.params)

    def values(self, given: Mapping[str, Value]) -> dict[str, Value]:
        """Returns every parameter with its value.

        Raises UsageError for a parameter that the header does not know, and for text that is not UTF-8: no name in the
        lake is such a text, and releases of DuckDB differ in the error that they raise.
        """
        known = {param.name: param.default for param in self.params}
        for name, value in given.items():
            if name not in known:
                takes = f"it takes {', '.join(known)}" if known else "it takes none"
                raise UsageError(f"{self.name} takes no parameter {name!r}", takes)
            if isinstance(value, str) and not _is_utf8(value):
                raise UsageError(
                    f"{value!r} is not UTF-8 text", "names in the lake are UTF-8; check the terminal's encoding"
                )
        return known | dict(given)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _none(relation: str) -> Sequence[Column]:
    raise KeyError(relation)


def parse(name: str, text: str, columns_of: ColumnsOf = _none) -> Query:
    """The query of a file. Raises UsageError, with the line, if the header breaks its form."""
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
        elif part == "columns" and (match := _EVERY.fullmatch(line.removeprefix("--").strip())):
            columns += _every(match, columns_of)
        elif part == "summary" and (match := _SUMMARY.fullmatch(line)):
            summary.append((match[1], match[2]))
        else:
            raise _broken(name, number, f"cannot read {line!r}")
    return _checked(name, _spelled_out(text, columns_of), fields, tuple(params), tuple(columns), tuple(summary))


def _every(match: re.Match[str], columns_of: ColumnsOf) -> list[Column]:
    excluded = {name.strip() for name in (match[2] or "").split(",")}
    return [column for column in columns_of(match[1]) if column.name not in excluded]


def _spelled_out(text: str, columns_of: ColumnsOf) -> str:
    """The text with the columns that `relation.*` stands for; the header stays as it is."""
    lines = [
        line
        if line.startswith("--")
        else _EVERY.sub(lambda match: ",\n    ".join(column.name for column in _every(match, columns_of)), line)
        for line in text.splitlines(keepends=True)
    ]
    return "".join(lines)


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
    answers = _listed(fields, "answers")
    if unknown := set(answers) - {stem(column.name) for column in columns}:
        raise _broken(name, 1, f"answers names no column {min(unknown)!r}")
    topic = _TOPIC.fullmatch(fields.get("topic", ""))
    if "topic" in fields and (topic is None or kind != "report"):
        raise _broken(name, 1, "topic is a place and a question, and of a report")
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
        tally=_listed(fields, "tally"),
        topic=None if topic is None else Topic(int(topic[1]), topic[2]),
        answers=answers,
    )


def stem(name: str) -> str:
    """The name under which a table shows a column: `before` for `before_2`, the name itself for any other."""
    return _NUMBER.sub("", name)


def _listed(fields: Mapping[str, str], field: str) -> tuple[str, ...]:
    return tuple(entry.strip() for entry in fields.get(field, "").split(",") if entry.strip())


def _value(literal: str) -> Value:
    if literal == "null":
        return None
    if literal.startswith("'"):
        return literal[1:-1]
    return float(literal) if "." in literal else int(literal)


def _broken(name: str, line: int, why: str) -> UsageError:
    return UsageError(f"{name}.sql, line {line}: {why}", "mcpobs/queries/header.py describes the form of a header")
