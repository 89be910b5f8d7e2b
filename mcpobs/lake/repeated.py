"""Finds repeated deliveries: spans that the table has already. Never writes to the table.

A pending row says how long an open call has waited; the row of its end is a delivery of the same span that supersedes
it, and so does one that says a longer wait. If the table has the pending row, such a delivery is no repeated one, and
the pending row has to go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mcpobs.lake import cold
from mcpobs.lake.engine import Connection, EngineError
from mcpobs.lake.schema import KEY, PENDING, SENT, TIME
from mcpobs.lake.snapshot import DataFile
from mcpobs.lake.times import DAY_NS

_PARTS: Final = ", ".join(f"{part} as key_{n}" for n, part in enumerate(KEY))
_IS_PENDING: Final = f"coalesce({PENDING}, false)"
_STATE: Final = f"{_IS_PENDING} as is_pending, coalesce(duration_ns, 0) as waited_ns"
_MET = "met_deliveries"
_SAME: Final = " and ".join(f"known.key_{n} is not distinct from fresh.key_{n}" for n in range(len(KEY)))
_MOST_STRETCHES: Final = 64
_MOST_OLD: Final = 64
_MOST_OLD_ROWS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Sought:
    """Time ranges in which earlier deliveries of a batch may lie, by start as sent.

    Of files that end before `since` only small ones are read, such as the file of a wrapper whose clock stands at 1970:
    a sender of old times must not make each commit read the whole table.
    """

    stretches: Sequence[tuple[int, int]]
    since: int | None = None

    def near(self, table: Path, files: Iterable[DataFile]) -> list[DataFile]:
        """Returns the files that may have one of the spans and are not visibly damaged.

        A span with a plausible start lies at this start, any other in a file that records the starts as sent.
        """
        found = [file for file in files if any(file.may_have(first, last) for first, last in self.stretches)]
        chosen = [file for file in found if file.overlaps(self.since, None)]
        rows = 0
        for file in sorted((file for file in found if not file.overlaps(self.since, None)), key=_rows)[:_MOST_OLD]:
            rows += _rows(file)
            if rows > _MOST_OLD_ROWS:
                break
            chosen.append(file)
        return [file for file in chosen if cold.visible_damage(table, file) is None]


def _rows(file: DataFile) -> int:
    return _MOST_OLD_ROWS + 1 if file.rows is None else file.rows


def any_known(connection: Connection, relation: str, table: Path, files: Iterable[DataFile], sought: Sought) -> bool:
    """Returns True if one of the files has a span of a relation (a select of the columns that KEY reads) or cannot be
    read."""
    near = sought.near(table, files)
    if not near:
        return False
    try:
        found = connection.execute(
            f"select 1 from ({_known(connection, table, near, relation)}) as known "
            f"inner join (select {_PARTS} from ({relation})) as fresh on {_SAME} limit 1"
        )
        return bool(found.fetchall())
    except EngineError:
        return True


@dataclass(frozen=True, slots=True)
class Dropped:
    """The number of rows that were deleted, and the files that have pending rows which remaining rows supersede."""

    rows: int = 0
    outdated: Sequence[DataFile] = ()


def drop_known(
    connection: Connection, name: str, table: Path, files: Iterable[DataFile], since: int | None = None
) -> Dropped:
    """Deletes the rows of an in-memory table whose span is in one of the files, unless they say more of it: it is
    pending there, and has ended or waited longer by now.

    A repeated delivery has the same start as sent, because the start is part of the span; so only files whose
    statistics overlap these times are read, not the whole table. A file that cannot be read is skipped: it must not
    keep new rows out. `since` is that of Sought.
    """
    rows = _count(connection, name)
    if not rows:
        return Dropped()
    near = Sought(stretches(connection, f"from {name}"), since).near(table, files)
    outdated: list[DataFile] = []
    if near:
        try:
            if _delete(connection, name, table, near):
                outdated = [file for file in near if _delete(connection, name, table, [file])]
        except EngineError:
            sound = [file for file in near if cold.hidden_damage(connection, table, file) is None]
            outdated = [file for file in sound if _delete(connection, name, table, [file])]
    return Dropped(rows - _count(connection, name), outdated)


def keep_ends(connection: Connection, name: str, ends: str) -> None:
    """Creates the table `ends` with the keys of a table's rows, for `still_valid`."""
    connection.execute(f"create or replace temp table {ends} as select {_PARTS} from {name}")


def still_valid(ends: str) -> str:
    """Returns the condition of a row that is not the pending row of a span in `ends`."""
    same = " and ".join(f"{ends}.key_{n} is not distinct from ({part})" for n, part in enumerate(KEY))
    return f"not ({_IS_PENDING} and exists (select 1 from {ends} where {same}))"


def stretches(connection: Connection, select: str) -> list[tuple[int, int]]:
    """Returns the first and last start as sent of each day, so that one span of 1970 does not make a commit read all
    files."""
    sent = f"coalesce({SENT}, {TIME})"
    days = connection.execute(
        f"select min({sent}), max({sent}) from ({select}) group by {sent} // {DAY_NS} order by 1"
    ).fetchall()
    if len(days) <= _MOST_STRETCHES:
        return [(first, last) for first, last in days]
    return [(days[0][0], days[-1][1])]


def _known(connection: Connection, table: Path, files: list[DataFile], fresh: str) -> str:
    """Returns a select of the files' keys. The span's id alone is nearly unique, so it is read before the other
    columns."""
    return (
        f"select {_PARTS}, {_STATE} from ({cold.relation(connection, table, files)}) "
        f"where span_id in (select span_id from ({fresh}))"
    )


def _delete(connection: Connection, name: str, table: Path, files: list[DataFile]) -> bool:
    """Deletes the rows whose span is in the files; returns True if others supersede a pending row there."""
    known = _known(connection, table, files, f"select span_id from {name}")
    connection.execute(
        f"create or replace temp table {_MET} as select fresh.place as place, "
        f"known.is_pending and (not fresh.is_pending or fresh.waited_ns > known.waited_ns) as ends from "
        f"(select rowid as place, {_STATE}, {_PARTS} from {name}) "
        f"as fresh inner join ({known}) as known on {_SAME}"
    )
    connection.execute(f"delete from {name} where rowid in (select place from {_MET} where not ends)")
    return bool(connection.execute(f"select 1 from {_MET} where ends limit 1").fetchall())


def _count(connection: Connection, name: str) -> int:
    return int(connection.execute(f"select count(*) from {name}").fetchall()[0][0])
