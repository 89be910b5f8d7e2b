"""Which planted precursors `report precursors` finds, and in how many lakes without any it has a row.

    python -m bench.precursors [--lakes 200]

Planted: k of n calls of X fail after Y, j of m after Z. By chance: the failures of such lakes, and of lakes with twelve
tools, failed calls and large results, are shuffled among the calls.
"""

from __future__ import annotations

import argparse
import random
from typing import Any

from mcpobs.lake.engine import Connection, connect
from mcpobs.lake.schema import TYPES
from mcpobs.queries import catalog
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import run

Call = tuple[str, str, int]
"""Tool, outcome, bytes of the result."""

PLANTED = ((200, 50, 120, 6), (200, 60, 60, 3), (100, 40, 40, 2), (50, 25, 300, 15), (600, 60, 60, 0))


def recorded(sessions: list[list[Call]]) -> Connection:
    """A connection whose `spans` has these calls."""
    connection = connect(threads=2)
    connection.execute(f"create table spans ({', '.join(f'{name} {type_}' for name, type_ in TYPES.items())})")
    facts = [(s, n, *call) for s, calls in enumerate(sessions) for n, call in enumerate(calls)]
    columns = [list(column) for column in zip(*facts, strict=True)]
    connection.execute(
        f"""
        insert into spans by name
        select 's' || session as session_id, 'srv' as service_name, tool, outcome, size as result_bytes,
            'tools/call' as method, 'server' as kind, 'mcpobs' as scope_name, place::varchar as request_id,
            10000000 as duration_ns, false as result_empty,
            1790000000000000000 + session * 1000000000000::bigint + place * 1000000000::bigint as start_unix_nano,
            session::varchar as trace_id, place::varchar as span_id
        from (select {", ".join(f"unnest(${n}) as {name}" for n, name in enumerate(_NAMES, start=1))})
        """,
        columns,
    )
    return connection


_NAMES = ("session", "place", "tool", "outcome", "size")


def told(sessions: list[list[Call]]) -> list[dict[str, Any]]:
    return run(Plan(recorded(sessions)), catalog.report("precursors")).records()


def planted(n: int, k: int, m: int, j: int, chance: random.Random) -> list[list[Call]]:
    pairs = [("Y", i < k) for i in range(n)] + [("Z", i < j) for i in range(m)]
    chance.shuffle(pairs)
    calls = [((before, "ok", 100), ("X", "tool_error" if bad else "ok", 100)) for before, bad in pairs]
    return [[call for pair in calls[place::60] for call in pair] for place in range(60)]


def many(chance: random.Random) -> list[list[Call]]:
    """Sessions of twelve tools with failures and large results of no pattern."""
    return [
        [
            (
                f"t{int(12 * chance.random() ** 2)}",
                "tool_error" if chance.random() < 0.1 else "ok",
                70_000 if chance.random() < 0.2 else 100,
            )
            for _ in range(chance.randrange(3, 40))
        ]
        for _ in range(100)
    ]


def shuffled(sessions: list[list[Call]], chance: random.Random) -> list[list[Call]]:
    """The same calls, with the outcomes of each tool dealt anew."""
    outcomes: dict[str, list[str]] = {}
    for calls in sessions:
        for tool, outcome, _ in calls:
            outcomes.setdefault(tool, []).append(outcome)
    for dealt in outcomes.values():
        chance.shuffle(dealt)
    return [[(tool, outcomes[tool].pop(), size) for tool, _, size in calls] for calls in sessions]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lakes", type=int, default=200)
    lakes = parser.parse_args().lakes
    print("| X fails after Y | else | found |\n|---|---|---|")
    for n, k, m, j in PLANTED:
        found = sum(
            any(row["before"] == "Y" for row in told(planted(n, k, m, j, random.Random(seed)))) for seed in range(5)
        )
        print(f"| {k} of {n} | {j} of {m} | {found} of 5 lakes |", flush=True)
    chance = random.Random(1)
    rows = [
        len(told(shuffled(many(chance) if lake % 2 else planted(*PLANTED[lake % len(PLANTED)], chance), chance)))
        for lake in range(lakes)
    ]
    print(f"\nShuffled: {sum(map(bool, rows))} of {lakes} lakes have a row.")


if __name__ == "__main__":
    main()
