"""Makes a lake of ten or a hundred million calls, day by day, in SQL: what reports are timed on at size.

    python -m bench.big_lake FOLDER [--calls 10000000] [--sessions 50000] [--days 30]

40 tools of three servers, drawn by Zipf's law; sessions of lognormal length, which begin at any time of a day;
durations lognormal, a median for each tool; 2 % of calls fail; arguments of 60 % of the calls are drawn, by Zipf's law
again, from 64 of the tool, those of the others occur once. A hundredth of the sessions holds a planted repeat, as many
a planted cycle of two tools. Deterministic: each value is a hash of the session, the call and what it is for. Shapes
and features are those that the recorder takes of the arguments. Then compacted, as `mcpobs lake compact` does.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

from mcpobs import keys
from mcpobs.lake import delta, maintain, parquet, snapshot
from mcpobs.lake.engine import Connection
from mcpobs.lake.lock import committer, exclusive
from mcpobs.lake.place import table_of
from mcpobs.lake.schema import DERIVED, TYPES
from mcpobs.protocol.facts import Facts
from mcpobs.queries import rollups

DAY_NS = 86_400 * 10**9
TOOLS = [f"{verb}_{noun}" for verb in ("get", "list", "search", "create", "update") for noun in
         ("issue", "file", "commit", "branch", "user", "page", "event", "message")]  # fmt: skip
ARGUMENTS = 64

# A uniform number in (0, 1) for a session, a call and what it is for. DuckDB's hash of one whole number is a good one;
# its hash of several is not: what is for one word would correlate with what is for another.
_UNIFORM = "((hash(xor(cast({0} as bigint) * 1048576 + {1}, {2})) >> 11) + 0.5) / 9007199254740992.0"
_NORMAL = "sqrt(-2 * ln({u})) * cos(6.283185307179586 * {v})"

_BEGAN_ON = "strftime(make_timestamp(began // 1000), '%Y-%m-%d')"

_SESSIONS = """
create or replace temp table drawn_sessions as
select
    {first} + range as n,
    {day_start} + cast({begins} * {day_ns} as bigint) as began,
    greatest(1, cast({mean} * exp(0.8 * {size} - 0.32) as bigint)) as calls,
    cast(1e9 * exp(1 + 0.7 * {pace}) as bigint) as gap
from range({sessions})
"""

_CALLS = """
with placed as (
    select n, began, gap, unnest(range(calls)) as seq from drawn_sessions where {began_on} = '{date}'
),
chosen as (
    select
        n, began, gap, seq,
        case
            when n % 100 = 0 and seq between 20 and 26 then 3
            when n % 100 = 1 and seq between 20 and 31 then 4 + seq % 2
            else cast(floor(pow(40.0, {tool})) as integer) - 1
        end as tool_no,
        case
            when (n % 100 = 0 and seq between 20 and 26) or (n % 100 = 1 and seq between 20 and 31) then 7
            when {repeated} < 0.6 then cast(floor(pow({arguments}.0, {argument})) as integer) - 1
        end as argument_no,
        (n % 100 = 0 and seq between 20 and 26) or (n % 100 = 1 and seq between 20 and 31) as planted,
        {normal} as z,
        {fails} as fails,
        {answer} as answer
    from placed
),
drawn as (
    select
        chosen.*, arguments.args_shape as args_shape, arguments.args_features as args_features,
        arguments.args_bytes as args_bytes, arguments.tool as tool, arguments.args_digest as known_digest,
        md5(cast(n as varchar) || '/' || cast(seq as varchar)) as id
    from chosen
    inner join arguments
        on arguments.tool_no = chosen.tool_no
        and arguments.argument_no = coalesce(chosen.argument_no, cast(hash(seq) % {arguments} as integer))
),
rows as (
    select
        id as trace_id,
        lpad(lower(to_hex(hash(id))), 16, '0') as span_id,
        cast(1 as smallint) as trace_flags,
        'tools/call ' || tool as name,
        'server' as kind,
        'server-' || cast(tool_no % 3 as varchar) as service_name,
        'mcpobs' as scope_name,
        seq as sequence,
        began + seq * gap + cast(gap * 0.1 * fails as bigint) as start_unix_nano,
        least(
            cast((20 + tool_no * 9) * 1e6 * exp(0.6 * z) * case when fails < 0.005 then 8 else 1 end as bigint),
            cast(gap * 0.85 as bigint)
        ) as duration_ns,
        'tools/call' as method,
        tool,
        cast(seq as varchar) as request_id,
        '2025-11-25' as protocol_version,
        'stdio' as transport,
        'client-' || cast(n % 5 as varchar) as client_name,
        '1.0' as client_version,
        'server-' || cast(tool_no % 3 as varchar) as server_name,
        '2.3' as server_version,
        substr(md5('session' || cast(n as varchar)), 1, 16) as session_id,
        began as session_start_unix_nano,
        'stdio_process' as session_source,
        'high' as session_confidence,
        'process:' || substr(md5('session' || cast(n as varchar)), 1, 16) as enforcement_key,
        'stdio_process' as enforcement_source,
        'tenant-' || cast(n % 20 as varchar) as tenant,
        case
            when planted or fails >= 0.02 then 'ok'
            when fails < 0.012 then 'tool_error'
            when fails < 0.015 then 'server_error'
            when fails < 0.017 then 'timeout'
            else 'protocol_error'
        end as outcome,
        case
            when planted or fails >= 0.017 then null
            when fails < 0.012 then 'tool_error'
            when fails < 0.015 then '-32603'
            else 'timeout'
        end as error_type,
        case
            when planted or fails >= 0.02 or fails < 0.012 then null
            when fails < 0.015 then '-32603'
            when fails < 0.017 then '-32001'
            else '-32602'
        end as status_code,
        case when argument_no is null then substr(id, 1, 16) else known_digest end as args_digest,
        args_shape,
        args_features,
        args_bytes,
        case
            when planted then known_digest
            when argument_no is null then substr(id, 17, 16)
            else substr(md5(known_digest || cast(cast(floor(answer * 6) as integer) as varchar)), 1, 16)
        end as result_digest,
        '[text]' as result_shape,
        cast(200 * exp(1.2 * z) as bigint) as result_bytes,
        cast(1 as bigint) as result_items,
        answer > 0.97 as result_empty,
        cast(case when tool_no % 4 = 0 then 1200 end as bigint) as cost_microusd,
        case when tool_no % 4 = 0 then 'price' end as cost_source,
        '{{"network.transport":"pipe","gen_ai.operation.name":"execute_tool"}}' as attributes,
        '{{"service.instance.id":"' || substr(md5('session' || cast(n as varchar)), 1, 16) || '"}}' as resource,
        'proxy/stdio' as front
    from drawn
)
"""


def fill(lake: Path, calls: int, sessions: int, days: int, end_unix_nano: int) -> Iterator[str]:
    """Fills a new lake, and says how far it is. The last day ends at `end_unix_nano`."""
    keys.open_folder(lake)
    table = table_of(lake)
    begin = end_unix_nano - days * DAY_NS
    mean, done = calls / sessions, 0
    with exclusive(lake, wait=True), committer(lake) as (connection, _):
        _draw_arguments(connection)
        for day in range(days):
            share = sessions * (day + 1) // days - sessions * day // days
            _draw_sessions(connection, sessions * day // days, share, begin + day * DAY_NS, mean, end_unix_nano)
            written = []
            for (date,) in connection.execute(f"select distinct {_BEGAN_ON} from drawn_sessions order by 1").fetchall():
                file = parquet.write(connection, _select(date), TYPES, table, date, sort=False)
                assert file is not None
                written.append(file)
            delta.append(table, snapshot.load(table, lambda: connection), adds=written)
            done += sum(file.rows or 0 for file in written)
            yield f"{done:,} calls, day {day + 1} of {days}"


def _draw_arguments(connection: Connection) -> None:
    """Arguments of each tool, as the recorder describes them."""
    facts = Facts(b"a key of the benchmark")
    rows = []
    for tool_no, tool in enumerate(TOOLS):
        for argument_no in range(ARGUMENTS):
            made, features = facts.arguments(_arguments(tool_no, argument_no), None)
            rows.append((tool_no, tool, argument_no, made.digest, made.shape, features, made.size_bytes))
    connection.execute(
        "create or replace temp table arguments (tool_no integer, tool varchar, argument_no integer, "
        "args_digest varchar, args_shape varchar, args_features varchar, args_bytes bigint)"
    )
    connection.executemany("insert into arguments values (?, ?, ?, ?, ?, ?, ?)", rows)


def _arguments(tool_no: int, argument_no: int) -> dict[str, object]:
    """What a tool is called with: an id, a query or a path, and now and then an option."""
    number = tool_no * 1000 + argument_no * 37
    given: dict[str, object] = [
        {"id": number},
        {"query": "status of " + "order " * (argument_no % 5) + str(number), "limit": 10 + argument_no % 3},
        {"path": f"src/part{argument_no}/file{number}.py", "recursive": argument_no % 2 == 0},
        {"owner": "acme", "repo": f"repo-{argument_no}", "filter": {"state": ["open", "closed"][argument_no % 2]}},
    ][tool_no % 4]
    if argument_no % 16 == 15:
        given["verbose"] = True
    return given


def _draw_sessions(connection: Connection, first: int, count: int, start: int, mean: float, end: int) -> None:
    def uniform(word: str) -> str:
        return _uniform(f"({first} + range)", "0", word)

    def normal(word: str) -> str:
        return _NORMAL.format(u=uniform(word + " u"), v=uniform(word + " v"))

    connection.execute(
        _SESSIONS.format(
            first=first, day_start=start, day_ns=DAY_NS, begins=uniform("begins"), mean=mean, size=normal("size"),
            pace=normal("pace"), sessions=count,
        )
    )  # fmt: skip
    # none goes on beyond the end: such a one begins earlier, with shorter pauses where it must
    connection.execute(f"update drawn_sessions set gap = least(gap, {DAY_NS // 2} // calls)")
    connection.execute(f"update drawn_sessions set began = least(began, {end} - gap * calls)")


def _uniform(session: str, call: str, word: str) -> str:
    return _UNIFORM.format(session, call, crc32(word.encode()) << 28)


def _select(date: str) -> str:
    def uniform(word: str) -> str:
        return _uniform("n", "seq", word)

    text = _CALLS.format(
        began_on=_BEGAN_ON, date=date,
        tool=uniform("tool"), repeated=uniform("repeated"), argument=uniform("argument"), fails=uniform("fails"),
        answer=uniform("answer"), normal=_NORMAL.format(u=uniform("z u"), v=uniform("z v")), arguments=ARGUMENTS,
    )  # fmt: skip
    columns = ", ".join(f"{DERIVED[name]} as {name}" if name in DERIVED else name for name in TYPES)
    nulls = ", ".join(f"cast(null as {type_}) as {name}" for name, type_ in TYPES.items() if name not in _WRITTEN)
    return f"{text} select {columns} from (select *, {nulls} from rows)"


_WRITTEN = frozenset(
    """trace_id span_id trace_flags name kind service_name scope_name sequence start_unix_nano duration_ns method tool
    request_id protocol_version transport client_name client_version server_name server_version session_id
    session_start_unix_nano session_source session_confidence enforcement_key enforcement_source tenant outcome
    error_type status_code args_digest args_shape args_features args_bytes result_digest result_shape result_bytes
    result_items result_empty cost_microusd cost_source attributes resource front duration_bucket date""".split()  # noqa: SIM905
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lake", type=Path)
    parser.add_argument("--calls", type=int, default=10_000_000)
    parser.add_argument("--sessions", type=int, default=50_000)
    parser.add_argument("--days", type=int, default=30)
    given = parser.parse_args()
    began = time.perf_counter()

    def report(what: str) -> None:
        print(f"{time.perf_counter() - began:8.1f} s  {what}", flush=True)

    for step in fill(given.lake, given.calls, given.sessions, given.days, time.time_ns()):
        report(step)
    maintain.compact(given.lake, step=report, roll_up=rollups.take)


if __name__ == "__main__":
    main()
