"""Answers a view from what was taken of files of the table, where that is the same as reading them. Takes it, too.

A view says in its header which files' rows make up those of all (`header.py`). Then its rows for a file are kept
beside the table (`lake/rollup.py`), and a reading of the view is those of the files that lie in the window whole,
together with what the view's own text says of all other files and of the spool. Nothing is trusted that a later call
could have changed: a file whose session has calls elsewhere too is read, and so is all where calls are set aside.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zlib import crc32

from mcpobs.lake import cold, rollup
from mcpobs.lake.engine import Connection, EngineError, identifier, quoted
from mcpobs.lake.place import table_of
from mcpobs.lake.reader import DATA_FILES
from mcpobs.lake.schema import TIME, TYPES
from mcpobs.lake.snapshot import DataFile
from mcpobs.queries import catalog
from mcpobs.queries.header import Param, Query, Rollup, Value
from mcpobs.queries.window import FOREVER

MEMBERS = "members"
"""The view of the sessions of a file: what tells that one has calls elsewhere too."""

LARGE_ROWS = 10_000
MOST_SMALL = 16
"""Files with fewer than LARGE_ROWS rows that are rolled up: each takes 0.3 to 1.2 s for all views."""

_PARAM = re.compile(r"\$([a-z_]+)")
_COMMENT = re.compile(r"--[^\n]*")
_WINDOW = ("since", "until")
STEP = "step"
"""A parameter of a view: the length of the steps that it counts in. Its reader puts shorter ones together."""


@dataclass(frozen=True, slots=True)
class _File:
    """A file of the reading. Its bounds are those of the starts of its spans."""

    lake: Path
    path: str
    rows: int
    first: int
    last: int
    whole: bool
    within: bool  # no row of it is left out by the reading

    def inside(self, since: int, until: int) -> bool:
        return self.within and self.first >= since and self.last < until


@dataclass(frozen=True, slots=True)
class _Parts:
    """How a view is put together: the answers that are used, for so many spans, and the files that are read."""

    kept: tuple[Path, ...]
    kept_rows: int
    read: tuple[str, ...]


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


def define(connection: Connection, view: Query, given: Mapping[str, Value], *, all_counted: bool) -> None:
    """Makes the view. `all_counted` says that no call is set aside, so each file's rows are what it holds."""
    text = text_of(view, given)
    parts = _parts(connection, view, given) if all_counted else None
    if parts is not None and parts.kept:
        columns = ", ".join(identifier(column.name) for column in view.columns)
        selects = [f"select {columns} from read_parquet([{', '.join(map(quoted, parts.kept))}])"]
        if (rest := _relation(connection, parts.read)) is not None:
            selects.append(f"select {columns} from (\n{_over(rest, view, given)}\n)")
        text = " union all ".join(selects)
    connection.execute(f"create or replace temp view {view.name} as\n{text}")


def kept_rows(connection: Connection, view: Query, given: Mapping[str, Value]) -> int:
    """How many spans need not be read for the view, for an answer was taken of them."""
    parts = _parts(connection, view, given)
    return 0 if parts is None else parts.kept_rows


def take(
    connection: Connection, lake: Path, files: Sequence[DataFile], grace_s: float, tell: Callable[[str], None]
) -> int:
    """Takes of each whole file what is not there yet, and deletes what is not asked any more. `maintain.RollUp`."""
    from mcpobs.lake import rolling  # a report does without

    views = [view for view in map(catalog.view, catalog.views()) if view.rollup is not None]
    places = {view.name: rollup.folder(lake, view.name, _mark(view)) for view in views}
    whole = [file for file in files if file.whole]
    missing = {
        file.path: [view for view in views if not rollup.sound(rollup.path_of(places[view.name], file.path))]
        for file in _worth_rolling(whole)
    }
    wanted = {path: lacking for path, lacking in missing.items() if lacking}
    taken = 0
    for number, (path, lacking) in enumerate(wanted.items(), start=1):
        tell(f"rolling up file {number:,} of {len(wanted):,}")
        try:
            relation = cold.relation(connection, table_of(lake), [_named(path)])
            for view in lacking:
                rolling.store(connection, places[view.name], path, _over(relation, view, {}))
        except EngineError:
            continue  # one that cannot be read has no answer; whoever reads the lake is told of it
        taken += 1
    rolling.vacuum(lake, whole, places.values(), grace_s)
    return taken


def _worth_rolling(files: Sequence[DataFile]) -> list[DataFile]:
    """Large files, and of small ones those with most rows: to read a small file takes no longer than its answer."""
    large = [file for file in files if file.rows is None or file.rows >= LARGE_ROWS]
    small = sorted((file for file in files if file.rows is not None and file.rows < LARGE_ROWS), key=_by_rows)
    return large + small[:MOST_SMALL]


def _by_rows(file: DataFile) -> tuple[int, str]:
    return -(file.rows or 0), file.path


def _parts(connection: Connection, view: Query, given: Mapping[str, Value]) -> _Parts | None:
    """None where the view must be read as a whole."""
    values = {param.name: given.get(param.name, param.default) for param in view.params}
    if not all(_fits(param, values[param.name]) for param in view.params):
        return None
    files = _files(connection)
    if not files:
        return None
    since, until = _bound(values.get("since"), 0), _bound(values.get("until"), FOREVER)
    looks_back = view.whole_history
    near = [file for file in files if file.first < until and (looks_back or file.last >= since)]
    answers = rollup.stored(rollup.folder(files[0].lake, view.name, _mark(view)), (file.path for file in near))
    kept = {file.path: file for file in near if file.path in answers and _of_window(view.rollup, file, since, until)}
    past = {
        file.path: file for file in near if file.path in answers and file.path not in kept and file.inside(0, since)
    }
    if kept and view.rollup != "calls":
        for path in _sharing(connection, [*kept.values(), *past.values()], [f.path for f in near]):
            kept.pop(path, None)
            past.pop(path, None)
    read = tuple(file.path for file in near if file.path not in kept and file.path not in past)
    return _Parts(tuple(answers[path] for path in kept), sum(file.rows for file in kept.values()), read)


def _of_window(kind: Rollup | None, file: _File, since: int, until: int) -> bool:
    """Whether all of the file's answer is what the window asks for."""
    if kind == "rows":
        return file.inside(0, until)
    return file.inside(since, until) or (kind == "sides" and file.inside(0, min(since, until)))


def _files(connection: Connection) -> list[_File]:
    columns = "lake, path, rows, first_unix_nano, last_unix_nano, whole, since_unix_nano, until_unix_nano"
    try:
        rows = connection.execute(f"select {columns} from {DATA_FILES}").fetchall()
    except EngineError:
        return []  # a connection that no reader of the lake opened
    return [
        _File(
            Path(lake), path, rows or 0, 0 if first is None else first, FOREVER if last is None else last, whole,
            first is not None and last is not None and first >= since and last < until,
        )
        for lake, path, rows, first, last, whole, since, until in rows
    ]  # fmt: skip


def _sharing(connection: Connection, candidates: Sequence[_File], all_paths: Sequence[str]) -> set[str]:
    """Those of the candidates that have a session which has calls in another file too, or in the spool."""
    at = rollup.folder(candidates[0].lake, MEMBERS, _mark(catalog.view(MEMBERS)))
    lists = rollup.stored(at, (file.path for file in candidates if file.whole))
    shared = {file.path for file in candidates if file.path not in lists}
    if not lists:
        return shared
    by_name = {str(path): file for file, path in lists.items()}
    selects = [
        f"select session_id, filename as place from read_parquet([{', '.join(map(quoted, by_name))}], filename = true)"
    ]
    rest = _relation(connection, [path for path in all_paths if path not in lists])
    if rest is not None:
        members = catalog.view(MEMBERS)
        selects.append(f"select session_id, '' as place from (\n{_over(rest, members, {})}\n)")
    listed = " union all ".join(selects)
    found = connection.execute(
        f"with listed as materialized ({listed}) select distinct place from listed where session_id in "
        "(select session_id from listed group by session_id having count(*) > 1)"
    ).fetchall()
    return shared | {by_name[place] for (place,) in found if place}


def _relation(connection: Connection, paths: Sequence[str]) -> str | None:
    """A select of all spans of files and of the spool, as the reading bounds them; None where there are none."""
    selects = []
    if paths:
        lake, since, until = _told(connection)
        bounded = f" where {TIME} >= {since} and {TIME} < {until}" if (since, until) != (0, FOREVER) else ""
        scan = cold.relation(connection, table_of(Path(lake)), [_named(path) for path in paths])
        selects.append(f"select * from ({scan}){bounded}")
    if connection.execute("select 1 from _hot limit 1").fetchall():
        selects.append(f"select {', '.join(TYPES)} from _hot")
    return " union all ".join(selects) or None


def _told(connection: Connection) -> tuple[str, int, int]:
    columns = "lake, since_unix_nano, until_unix_nano"
    lake, since, until = connection.execute(f"select {columns} from {DATA_FILES} limit 1").fetchall()[0]
    return lake, since, until


def _over(relation: str, view: Query, given: Mapping[str, Value]) -> str:
    """The view's text over other spans than those of the reading."""
    below = "".join(
        f", {query.name} as not materialized (\n{text_of(query, given)}\n)" for query in catalog.views_below(view.reads)
    )
    return f"with {catalog.SOURCE} as not materialized ({relation}){below} select * from (\n{text_of(view, given)}\n)"


@cache
def _mark(view: Query) -> str:
    """Changes with what the view's rows are: its text and those below it, comments left out."""
    texts = [query.sql for query in (*catalog.views_below(view.reads), view)]
    return f"{crc32(''.join(_COMMENT.sub('', text) for text in texts).encode()):08x}"


def _named(path: str) -> DataFile:
    return DataFile(path, 0, None, None, None, None)


def _fits(param: Param, value: Value) -> bool:
    """Whether what was taken with the view's own parameters holds for this one: steps can be put together."""
    if param.name == STEP and isinstance(value, int) and isinstance(param.default, int):
        return value % param.default == 0
    return param.name in _WINDOW or value == param.default


def _bound(value: Value, default: int) -> int:
    return value if isinstance(value, int) else default
