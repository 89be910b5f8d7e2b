"""Answers a view from what was taken of files of the table, if that is the same as reading them. Takes it, too.

The header of a view says which files' rows make up those of all files (`header.py`). Its rows for a file are then kept
beside the table (`lake/rollup.py`). The view over a source is the kept rows of the files that lie in the window whole,
and the view's own text over all other files and the spool. Nothing is used that a later call could have changed: a file
with a session that has calls elsewhere is read, and so is everything if calls are set aside.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zlib import crc32

from mcpobs.lake import cold, rollup
from mcpobs.lake.engine import Connection, EngineError, quoted
from mcpobs.lake.place import table_of
from mcpobs.lake.reader import FOREVER
from mcpobs.lake.schema import TIME, TYPES
from mcpobs.lake.snapshot import DataFile
from mcpobs.queries import catalog
from mcpobs.queries.header import Param, Query, Rollup, Value
from mcpobs.queries.source import RELATION, Source
from mcpobs.queries.text import listed, no_rows, text_of, with_views
from mcpobs.queries.unanswered import PATIENCE, READS

MEMBERS = "members"
"""The view of the sessions of a file: it shows which sessions have calls in other files too."""

LARGE_ROWS = 10_000
MOST_SMALL = 16
"""Files with fewer than LARGE_ROWS rows that are rolled up: each takes 0.3 to 1.2 s for all views."""

_COMMENT = re.compile(r"--[^\n]*")
_WINDOW = ("since", "until")
STEP = "step"
"""A parameter of a view: the length of the steps that it counts in. Its reader puts shorter ones together."""


@dataclass(frozen=True, slots=True)
class _File:
    """A file of the source. Its bounds are those of the starts of its spans."""

    path: str
    rows: int
    first: int
    last: int
    whole: bool
    within: bool  # no row of it is left out by the source

    def inside(self, since: int, until: int) -> bool:
        return self.within and self.first >= since and self.last < until


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a view: kept answers for so many spans, and the files that are read."""

    kept: tuple[Path, ...]
    kept_rows: int
    read: tuple[str, ...]


def text(connection: Connection, source: Source, view: Query, given: Mapping[str, Value]) -> str:
    """The view's text over the source, with kept answers in place of files."""
    found = parts(connection, source, view, given)
    if found is None or not found.kept:
        return text_of(view, given)
    columns = listed(view.columns)
    selects = [f"select {columns} from read_parquet([{', '.join(map(quoted, found.kept))}])"]
    if (rest := _relation(connection, source, found.read)) is not None:
        selects.append(f"select {columns} from (\n{_over(rest, view, given)}\n) as rest")
    return " union all ".join(selects)


def kept_rows(connection: Connection, source: Source, view: Query, given: Mapping[str, Value]) -> int:
    """How many spans need not be read for the view, because an answer was taken of them."""
    found = parts(connection, source, view, given)
    return 0 if found is None else found.kept_rows


def take(
    connection: Connection, lake: Path, files: Sequence[DataFile], grace_s: float, step: Callable[[str], None]
) -> int:
    """Takes the missing answers of each whole file, and deletes those that no view asks for. `maintain.RollUp`."""
    from mcpobs.lake import rolling  # a report does not need it

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
        step(f"rolling up file {number:,} of {len(wanted):,}")
        try:
            relation = cold.relation(connection, table_of(lake), [_named(path)])
            for view in lacking:
                rolling.store(connection, places[view.name], path, _over(relation, view, {}))
        except EngineError:
            continue  # one that cannot be read has no answer; whoever reads the lake is warned of it
        taken += 1
    rolling.vacuum(lake, whole, places.values(), grace_s)
    return taken


def _worth_rolling(files: Sequence[DataFile]) -> list[DataFile]:
    """Large files, and of small ones those with most rows: a small file is read as fast as its answer."""
    large = [file for file in files if file.rows is None or file.rows >= LARGE_ROWS]
    small = sorted((file for file in files if file.rows is not None and file.rows < LARGE_ROWS), key=_by_rows)
    return large + small[:MOST_SMALL]


def _by_rows(file: DataFile) -> tuple[int, str]:
    return -(file.rows or 0), file.path


def parts(connection: Connection, source: Source, view: Query, given: Mapping[str, Value]) -> Parts | None:
    """None if the view must be read as a whole."""
    values = {param.name: given.get(param.name, param.default) for param in view.params}
    if not all(_fits(param, values[param.name]) for param in view.params):
        return None
    files = _files(source)
    if source.lake is None or not files:
        return None
    since, until = _bound(values.get("since"), 0), _bound(values.get("until"), FOREVER)
    looks_back = view.whole_history
    near = [file for file in files if file.first < until and (looks_back or file.last >= since)]
    answers = rollup.stored(rollup.folder(source.lake, view.name, _mark(view)), (file.path for file in near))
    kept = {file.path: file for file in near if file.path in answers and _of_window(view.rollup, file, since, until)}
    past = {
        file.path: file for file in near if file.path in answers and file.path not in kept and file.inside(0, since)
    }
    if kept and view.rollup != "calls":
        for path in _sharing(connection, source, [*kept.values(), *past.values()], [f.path for f in near]):
            kept.pop(path, None)
            past.pop(path, None)
    read = tuple(file.path for file in near if file.path not in kept and file.path not in past)
    return Parts(tuple(answers[path] for path in kept), sum(file.rows for file in kept.values()), read)


def _of_window(kind: Rollup | None, file: _File, since: int, until: int) -> bool:
    """Whether the window asks for all of the file's answer."""
    if kind == "rows":
        return file.inside(0, until)
    return file.inside(since, until) or (kind == "sides" and file.inside(0, min(since, until)))


def _files(source: Source) -> list[_File]:
    if not source.uses_rollups:
        return []
    return [
        _File(
            file.path,
            file.rows or 0,
            0 if file.first_unix_nano is None else file.first_unix_nano,
            FOREVER if file.last_unix_nano is None else file.last_unix_nano,
            file.whole,
            within=file.path not in source.outdated
            and file.first_unix_nano is not None
            and file.last_unix_nano is not None
            and file.first_unix_nano >= source.since
            and file.last_unix_nano < source.until,
        )
        for file in source.files
    ]


def _sharing(connection: Connection, source: Source, candidates: Sequence[_File], all_paths: Sequence[str]) -> set[str]:
    """Those of the candidates that have a session with calls in another file or in the spool."""
    assert source.lake is not None
    at = rollup.folder(source.lake, MEMBERS, _mark(catalog.view(MEMBERS)))
    lists = rollup.stored(at, (file.path for file in candidates if file.whole))
    shared = {file.path for file in candidates if file.path not in lists}
    if not lists:
        return shared
    by_name = {str(path): file for file, path in lists.items()}
    selects = [
        f"select session_id, filename as place from read_parquet([{', '.join(map(quoted, by_name))}], filename = true)"
    ]
    rest = _relation(connection, source, [path for path in all_paths if path not in lists])
    if rest is not None:
        selects.append(f"select session_id, '' as place from (\n{_over(rest, catalog.view(MEMBERS), {})}\n) as rest")
    found = connection.execute(
        f"with listed as materialized ({' union all '.join(selects)}) select distinct place from listed "
        "where session_id in (select session_id from listed group by session_id having count(*) > 1)"
    ).fetchall()
    return shared | {by_name[place] for (place,) in found if place}


def _relation(connection: Connection, source: Source, paths: Sequence[str]) -> str | None:
    """A select of all spans of some files and of the spool, within the bounds of the source; None if there are none."""
    assert source.lake is not None
    selects = []
    if paths:
        since, until = source.since, source.until
        terms = [f"{TIME} >= {since}", f"{TIME} < {until}"] if (since, until) != (0, FOREVER) else []
        terms += [] if source.valid is None else [source.valid]
        bounded = f" where {' and '.join(terms)}" if terms else ""
        scan = cold.relation(connection, table_of(source.lake), [_named(path) for path in paths])
        selects.append(f"select {listed(TYPES)} from ({scan}) as stored{bounded}")
    if source.spool is not None:
        selects.append(f"select {listed(TYPES)} from {source.spool}")
    return " union all ".join(selects) or None


def _over(relation: str, view: Query, given: Mapping[str, Value]) -> str:
    """The view's text over other spans than those of the source."""
    below = {query.name: text_of(query, given) for query in catalog.views_below(view.reads)}
    if PATIENCE in below:  # no view that is rolled up depends on it
        below = {name: text for name, text in below.items() if name not in READS}
        below[PATIENCE] = no_rows(catalog.view(PATIENCE))
    return with_views({RELATION: relation, **below}, text_of(view, given))


@cache
def _mark(view: Query) -> str:
    """Changes with what the view's rows are: its text and those below it, comments left out."""
    texts = [query.sql for query in (*catalog.views_below(view.reads), view)]
    return f"{crc32(''.join(_COMMENT.sub('', text) for text in texts).encode()):08x}"


def _named(path: str) -> DataFile:
    return DataFile(path, 0, None, None, None, None)


def _fits(param: Param, value: Value) -> bool:
    """Whether an answer to the view's own parameters holds for this value: steps can be put together."""
    if param.name == STEP and isinstance(value, int) and isinstance(param.default, int):
        return value % param.default == 0
    return param.name in _WINDOW or value == param.default


def _bound(value: Value, default: int) -> int:
    return value if isinstance(value, int) else default
