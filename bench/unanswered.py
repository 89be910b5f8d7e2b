"""What reports say of calls that nobody answers, and how often they call a client that left a failure.

    python -m bench.unanswered [--sessions 200]

Two kinds of traffic, as rows in memory. Hung: a tool that answers nothing, another that hangs now and then, and clients
that quit after 1 to 60 s. Calm: tools of six shapes of latency, and clients that quit at any moment, so that a
call may be open then; each such call is one that the tool would have answered in its usual time.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Callable
from typing import Any

from mcpobs.queries import catalog
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import run
from tests.queries.recorded import START, call, in_memory

Row = dict[str, Any]
SECOND = 10**9

SHAPES: dict[str, Callable[[random.Random], float]] = {
    "constant 10 ms": lambda chance: 0.01,
    "lognormal, sigma 0.5": lambda chance: 0.05 * math.exp(chance.gauss(0, 0.5)),
    "lognormal, sigma 1": lambda chance: 0.05 * math.exp(chance.gauss(0, 1)),
    "Pareto, alpha 1.5": lambda chance: 0.02 * chance.paretovariate(1.5),
    "bimodal, 10 % at 8 s": lambda chance: 8.0 if chance.random() < 0.1 else 0.02,
    "slow, 20 to 90 s": lambda chance: chance.uniform(20, 90),
}


def session(chance: random.Random, number: int, tool: str, takes: Callable[[random.Random], float]) -> list[Row]:
    """A session of calls one after the other; its client quits at a moment that knows nothing of them."""
    rows: list[Row] = []
    at_s = 0.0
    durations = [takes(chance) for _ in range(20)]
    quits_s = chance.uniform(0, sum(durations))
    for place, took_s in enumerate(durations):
        left = quits_s < at_s + took_s
        ended = {"outcome": "unfinished", "error_type": "client_disconnect"} if left else {}
        ns = int((quits_s - at_s if left else took_s) * SECOND)
        start = START + number * 3600 * SECOND + int(at_s * SECOND)
        columns = {"tool": tool, "session_id": f"{tool}-{number}", "start_unix_nano": start, "duration_ns": ns, **ended}
        rows.append(call(number * 100 + place, **columns))
        if left:
            break
        at_s += took_s
    return rows


def unanswered(rows: list[Row]) -> list[Row]:
    return run(Plan(in_memory(rows)), catalog.load("unanswered")).records()


def calm(sessions: int) -> None:
    print("| latency of the tool | calls | left open | called failed | of the open | of all calls |")
    print("|---|---|---|---|---|---|")
    for name, takes in SHAPES.items():
        chance = random.Random(name)
        rows = [row for number in range(sessions) for row in session(chance, number, "tool", takes)]
        open_calls = sum(row["outcome"] == "unfinished" for row in rows)
        failed = sum(record["calls"] for record in unanswered(rows) if record["failed"])
        shares = f"{failed / max(open_calls, 1):.1%} | {failed / len(rows):.2%}"
        print(f"| {name} | {len(rows):,} | {open_calls:,} | {failed:,} | {shares} |")


def hung(sessions: int) -> None:
    """A tool that never answers, and one that hangs in one of 50 calls; the client quits after 1 to 60 s."""
    chance = random.Random(7)
    rows = []
    for number in range(sessions * 10):
        tool = "dead" if number % 10 == 0 else "good"
        hangs = tool == "dead" or chance.random() < 0.02
        ended = {"outcome": "unfinished", "error_type": "client_disconnect"} if hangs else {}
        took_s = chance.uniform(1, 60) if hangs else 0.05 * math.exp(chance.gauss(0, 0.5))
        rows.append(call(number, tool=tool, session_id=f"s{number // 10}", duration_ns=int(took_s * SECOND), **ended))
    before = sum(row["outcome"] == "tool_error" for row in rows)
    plan = Plan(in_memory(rows))
    found = {record["tool"]: 0 for record in unanswered(rows)}
    for record in unanswered(rows):
        found[record["tool"]] += record["calls"] if record["failed"] else 0
    latency = {record["tool"]: record for record in run(plan, catalog.load("latency")).records()}
    print("| tool | calls that hang | failed before | failed now | in `latency` before | in `latency` now |")
    print("|---|---|---|---|---|---|")
    for tool in ("dead", "good"):
        open_calls = sum(row["tool"] == tool and row["outcome"] == "unfinished" for row in rows)
        row = latency[tool]
        bound = "≥ " if "p95_ms" in (row["lower_bounds"] or "") else ""
        was = "absent" if tool == "dead" else "answered calls only"
        now = f"p95 {bound}{row['p95_ms']:,.0f} ms, {row['unanswered']:,} unanswered"
        print(f"| {tool} | {open_calls:,} | {before} | {found[tool]:,} | {was} | {now} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=200)
    sessions = parser.parse_args().sessions
    hung(sessions)
    print()
    calm(sessions)


if __name__ == "__main__":
    main()
