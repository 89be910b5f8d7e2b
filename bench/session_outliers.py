"""How many calm sessions `report sessions` reports, and how many planted ones it finds.

    python -m bench.session_outliers [--lakes 100] [--sessions 50 200]

Each lake has sessions of one shape. Calm: the share of sessions that are reported. Planted: one more session with 3 and
with 10 times the 99th percentile of its kind, or with 30 times the kind's median.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass

from mcpobs.lake.engine import Connection, connect
from mcpobs.queries import catalog


@dataclass(frozen=True, slots=True)
class Session:
    """A session: its calls, those of a second tool with a price, and its failures."""

    calls: int
    server: str = "files"
    client: str = "claude"
    tool: str = "search"
    priced: int = 0
    failed: int = 0


Make = Callable[[random.Random], Session]


def _lognormal(chance: random.Random, median: float, sigma: float) -> int:
    return max(1, round(median * math.exp(chance.gauss(0, sigma))))


def _sized(size: Callable[[random.Random], int], **facts: str) -> Make:
    return lambda chance: Session(size(chance), **facts)


def _either(share: float, one: Make, other: Make) -> Make:
    return lambda chance: one(chance) if chance.random() < share else other(chance)


_SMALL = _sized(lambda chance: _lognormal(chance, 8, 0.3))
_LARGE = _sized(lambda chance: _lognormal(chance, 96, 0.3))
_OTHER = _sized(lambda chance: _lognormal(chance, 60, 0.5), server="web", tool="fetch")
_CURSOR = _sized(lambda chance: _lognormal(chance, 40, 0.5), client="cursor")
_USUAL = _sized(lambda chance: _lognormal(chance, 8, 0.5))


def _buyer(chance: random.Random) -> Session:
    calls = _lognormal(chance, 5, 0.3)
    return Session(calls, priced=1 + int(chance.random() * 3) if chance.random() < 0.3 else 0)


def _failing(chance: random.Random) -> Session:
    calls = _lognormal(chance, 10, 1)
    return Session(calls, failed=sum(chance.random() < 0.05 for _ in range(calls)))


SHAPES: dict[str, tuple[Make, Make]] = {
    "constant": (_sized(lambda _: 10),) * 2,
    "lognormal, sigma 0.5": (_sized(lambda chance: _lognormal(chance, 10, 0.5)),) * 2,
    "lognormal, sigma 1": (_sized(lambda chance: _lognormal(chance, 10, 1)),) * 2,
    "Pareto, index 1.2": (_sized(lambda chance: round(5 * chance.paretovariate(1.2))),) * 2,
    "Pareto, index 1.5": (_sized(lambda chance: round(5 * chance.paretovariate(1.5))),) * 2,
    "two sizes, 10 % large": (_either(0.1, _LARGE, _SMALL), _LARGE),
    "two sizes, 30 % large": (_either(0.3, _LARGE, _SMALL), _LARGE),
    "two servers, plant in the smaller": (_either(0.4, _OTHER, _USUAL), _USUAL),
    "two clients, plant of the smaller": (_either(0.3, _CURSOR, _USUAL), _USUAL),
    "a price that 30 % pay": (_buyer, _buyer),
    "5 % of the calls fail": (_failing, _failing),
}
"""Each shape of traffic: what makes a session, and what makes one of the kind that a plant belongs to."""


def summed(sessions: list[Session]) -> Connection:
    """A connection whose `session_usage` has what the view of that name says of the calls of these sessions."""
    connection = connect(threads=2)
    columns = catalog.view("session_usage").columns
    connection.execute(f"create table session_usage ({', '.join(f'{c.name} {c.type}' for c in columns)})")
    rows = [
        {
            "session_id": f"s{number}",
            "service_name": session.server,
            "client_name": session.client,
            "main_tool": session.tool,
            "calls": session.calls + session.priced,
            "failed": session.failed,
            "duration_ns": 10_000_000 * (session.calls + session.priced),
            "cost_microusd": 20_000 * session.priced or None,
        }
        for number, session in enumerate(sessions)
    ]
    for first in range(0, len(rows), 1000):
        some = rows[first : first + 1000]
        values = [value for row in some for value in row.values()]
        places = ", ".join(["(" + ", ".join("?" * len(rows[0])) + ")"] * len(some))
        connection.execute(f"insert into session_usage ({', '.join(rows[0])}) values {places}", values)
    return connection


def reported(sessions: list[Session]) -> dict[int, bool]:
    """Which sessions stand out, by their number."""
    query = catalog.report("sessions")
    values = {name: value for name, value in query.values({}).items() if name in query.used}
    names = [column.name for column in query.columns]
    rows = summed(sessions).execute(query.sql, values).fetchall()
    place, odd = names.index("session_id"), names.index("disproportionate")
    return {int(row[place][1:]): bool(row[odd]) for row in rows}


def _usual(make: Make) -> tuple[int, int]:
    """The median and the 99th percentile of a kind."""
    sizes = sorted(make(random.Random(number)).calls for number in range(20_000))
    return sizes[len(sizes) // 2], sizes[len(sizes) * 99 // 100]


def _planted(kind: Make, chance: random.Random, calls: int) -> Session:
    like = kind(chance)
    return Session(calls, like.server, like.client, like.tool)


def measure(lakes: int, sizes: list[int]) -> str:
    lines = [
        "| calm traffic | sessions | reported | lakes with more than 1 % | 3 × p99 found | 10 × p99 | 30 × median |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, (make, kind) in SHAPES.items():
        median, p99 = _usual(kind)
        for size in sizes:
            chance = random.Random(f"{name} {size}")
            total = many = 0
            found = [0, 0, 0]
            for _ in range(lakes):
                calm = [make(chance) for _ in range(size)]
                heavy = sum(reported(calm).values())
                total += heavy
                many += heavy > max(1, 0.01 * size)
                for place, calls in enumerate((3 * p99, 10 * p99, 30 * median)):
                    found[place] += reported([*calm, _planted(kind, chance, calls)])[size]
            shares = " | ".join(f"{100 * number / lakes:.0f} %" for number in (many, *found))
            lines.append(f"| {name} | {size} | {100 * total / lakes / size:.2f} % | {shares} |")
            print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lakes", type=int, default=100)
    parser.add_argument("--sessions", type=int, nargs="+", default=[50, 200])
    given = parser.parse_args()
    print(measure(given.lakes, given.sessions))


if __name__ == "__main__":
    main()
