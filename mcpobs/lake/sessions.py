"""Assigns received operations without a session id to sessions, by caller and across senders.

Spans of other tools, and of replicas that serve one caller in turns, come without a session or with one that each
sender made up alone. They are grouped before they are written, so that stored rows never change: a caller's operations
are one session until a pause longer than the idle gap. If one of a caller's traces holds several operations, one after
the other, the caller uses a trace per conversation: each of its traces is then a session. The caller is the verified
identity, else the peer; an operation with neither keeps its trace, because it could be anybody. The id of a verified
caller's session includes the caller, as in `protocol/naming.py`.

`sessions/remote.py` has the same rule for operations seen one at a time. This module sees a batch in any order, and the
table's rows around it. Never alters what is in the table.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from mcpobs.lake import cold
from mcpobs.lake.dialects.naming import caller_digest
from mcpobs.lake.engine import Connection, EngineError
from mcpobs.lake.schema import DERIVED, PARTITION, REPORTED, TYPES
from mcpobs.lake.snapshot import DataFile

_PEER = """json_extract_string(attributes, '$."client.address"')"""
_VERIFIED = caller_digest("principal", "tenant")  # null if the caller is not verified
_CALLER = f"coalesce('principal:' || {_VERIFIED}, enforcement_key, 'peer:' || {_PEER})"
_GROUP = (
    f"concat_ws(chr(31), {_CALLER}, coalesce(service_name, ''), coalesce(client_name, ''), coalesce(user_agent, ''))"
)

UNSETTLED: Final = (
    f"case when coalesce(session_source, 'trace') in ('trace', 'principal', 'connection') and {REPORTED} "
    # in a branch, so that the attributes of the other rows, the majority, are not searched
    "then principal is not null or enforcement_key is not null or contains(attributes, '\"client.address\"') end"
)
"""Selects rows, by columns of the lake, whose session is determined here."""

_COLUMNS: Final = (
    "{place} as place, trace_id, span_id, start_unix_nano, "
    "start_unix_nano + coalesce(duration_ns, 0) as end_unix_nano, "
    "method not like 'notifications/%' as asks, principal is not null as verified, "
    f"coalesce('~' || {_VERIFIED}, '') as of_caller, "
    f"{_GROUP} as caller"
)
"""`place` is the row in the batch; null for a row of the table. Ids do not identify a row: see schema.KEY."""

_READ: Final = {
    name: TYPES[name]
    for name in (
        "trace_id", "span_id", "start_unix_nano", "duration_ns", "method", "kind", "principal", "tenant",
        "enforcement_key", "attributes", "service_name", "client_name", "user_agent", "session_id",
        "session_start_unix_nano", "session_source",
    )
}  # fmt: skip


def settle(connection: Connection, name: str, table: Path, files: Iterable[DataFile], idle_gap_ns: int) -> int:
    """Finds the sessions of the unsettled rows of an in-memory table and writes them there; returns how many.

    `files` are the table's; those that overlap the rows' times, with an idle gap around, are read.
    """
    first, last, rows = connection.execute(
        f"select min(start_unix_nano), max(start_unix_nano + coalesce(duration_ns, 0)), count(*) from {name} "
        f"where {UNSETTLED}"
    ).fetchall()[0]
    if not rows:
        return 0
    connection.execute(
        f"create or replace temp table unsettled as select {_COLUMNS.format(place='rowid')}, "
        "cast(null as varchar) as known_id, cast(null as bigint) as known_start, false as known_trace "
        f"from {name} where {UNSETTLED}"
    )
    since, until = first - 2 * idle_gap_ns, last + idle_gap_ns + 1  # an operation may itself have taken a while
    near = [file for file in files if file.overlaps(since, until) and cold.visible_damage(table, file) is None]
    if near:
        try:
            _add_known(connection, table, near, since, until)
        except EngineError:
            for file in near:
                if cold.hidden_damage(connection, table, file) is None:
                    _add_known(connection, table, [file], since, until)
    written = ("session_id", "session_start_unix_nano", "session_source", "session_confidence", PARTITION)
    connection.execute(
        f"update {name} set {', '.join(f'{column} = found.{column}' for column in written)} "
        f"from (select *, {DERIVED[PARTITION]} as {PARTITION} from ({_SETTLED.format(gap=idle_gap_ns)})) as found "
        f"where {name}.rowid = found.place"
    )
    connection.execute("drop table unsettled")
    return int(rows)


def _add_known(connection: Connection, table: Path, files: list[DataFile], since: int, until: int) -> None:
    connection.execute(
        f"insert into unsettled select {_COLUMNS.format(place='null')}, session_id, "
        "coalesce(session_start_unix_nano, start_unix_nano), session_source = 'trace' "
        f"from ({cold.relation(connection, table, files, _READ)}) "
        f"where start_unix_nano >= {since} and start_unix_nano < {until} and session_id is not null and {UNSETTLED} "
        "and caller in (select caller from unsettled)"
    )


_SETTLED: Final = """
with seen as (
    select
        *,
        max(end_unix_nano) over (
            partition by caller order by start_unix_nano, span_id rows between unbounded preceding and 1 preceding
        ) as caller_end,
        max(case when asks then end_unix_nano end) over (
            partition by caller, trace_id order by start_unix_nano, span_id
            rows between unbounded preceding and 1 preceding
        ) as trace_end
    from unsettled
),
callers as (
    select caller, bool_or(known_trace or (asks and start_unix_nano >= trace_end)) as trace_a_session
    from seen
    group by caller
),
placed as (
    select
        *,
        sum(case when start_unix_nano - caller_end <= {gap} then 0 else 1 end) over (
            partition by caller order by start_unix_nano, span_id
        ) as stretch,
        case when known_id is not null then {{'id': known_id, 'began': known_start}} end as known
    from seen
),
grouped as (
    select
        placed.*,
        callers.trace_a_session,
        min(start_unix_nano) over (partition by caller, stretch) as stretch_began,
        min(start_unix_nano) over (partition by caller, trace_id) as trace_began,
        first_value(known ignore nulls) over (
            partition by caller, trace_id order by start_unix_nano, span_id
            rows between unbounded preceding and unbounded following
        ) as of_trace,
        coalesce(
            last_value(known ignore nulls) over (
                partition by caller, stretch order by start_unix_nano, span_id
                rows between unbounded preceding and current row
            ),
            first_value(known ignore nulls) over (
                partition by caller, stretch order by start_unix_nano, span_id
                rows between current row and unbounded following
            )
        ) as of_stretch
    from placed inner join callers using (caller)
)
select
    place,
    start_unix_nano,
    case
        when of_trace is not null then of_trace.id
        when trace_a_session then trace_id || of_caller
        when of_stretch is not null then of_stretch.id
        else md5(caller || stretch_began) || of_caller
    end as session_id,
    case
        when of_trace is not null then of_trace.began
        when trace_a_session then trace_began
        when of_stretch is not null then of_stretch.began
        else stretch_began
    end as session_start_unix_nano,
    case
        when trace_a_session and (of_trace is null or of_trace.id in (trace_id, trace_id || of_caller)) then 'trace'
        when verified then 'principal'
        else 'connection'
    end as session_source,
    case
        when verified then 'medium'
        when trace_a_session and (of_trace is null or of_trace.id in (trace_id, trace_id || of_caller)) then 'medium'
        else 'low'
    end as session_confidence
from grouped
where known_id is null
"""
