"""Which tool `report --p95` names when few calls are slow.

python -m bench.slowest
"""

from __future__ import annotations

from mcpobs.lake.engine import Connection, connect
from mcpobs.lake.schema import TYPES
from mcpobs.queries.plan import Plan
from mcpobs.reports.filters import Filters
from mcpobs.reports.kinds.p95 import MIN_CALLS, rank, sentence

NOW = 1_790_000_000_000_000_000
HOUR = 3600 * 10**9
Calls = tuple[str, int, float, int]
"""A tool, a number of calls, how many milliseconds each took, and how many hours ago."""

CASES: dict[str, list[Calls]] = {
    "b: 19 calls of 10 ms and one of 60 s; a: 100 of 50 ms": [("b", 19, 10, 0), ("b", 1, 60_000, 0), ("a", 100, 50, 0)],
    "b: 19 calls of 30 s; a: 100 of 50 ms": [("b", 19, 30_000, 0), ("a", 100, 50, 0)],
    "b: 5 calls of 8 s; a: 100 of 50 ms last week": [("b", 5, 8_000, 0), ("a", 100, 50, 168)],
    "b: 3 calls of 8 s; a: 100 of 50 ms": [("b", 3, 8_000, 0), ("a", 100, 50, 0)],
}


def recorded(cases: list[Calls]) -> Connection:
    """A connection whose `spans` has these calls."""
    connection = connect(threads=2)
    connection.execute(f"create table spans ({', '.join(f'{name} {type_}' for name, type_ in TYPES.items())})")
    for tool, number, ms, hours in cases:
        connection.execute(
            """
            insert into spans by name
            select 's1' as session_id, 'srv' as service_name, $tool as tool, 'ok' as outcome, 'tools/call' as method,
                'server' as kind, 'mcpobs' as scope_name, place::varchar as request_id,
                ($ms::double * 1000000)::bigint as duration_ns, $start - place * 1000000000::bigint as start_unix_nano,
                $tool || $ms::varchar as trace_id, place::varchar as span_id
            from range($number) as places(place)
            """,
            {"tool": tool, "number": number, "ms": ms, "start": NOW - 60 * 10**9 - hours * HOUR},
        )
    return connection


def main() -> None:
    print("| recorded | answer |\n|---|---|")
    for name, cases in CASES.items():
        print(f"| {name} | {sentence(rank(Plan(recorded(cases)), Filters(), None, NOW, MIN_CALLS))} |", flush=True)


if __name__ == "__main__":
    main()
