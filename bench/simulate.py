"""How many calls a second `mcpobs simulate` replays, beside a plain scan of the same rows.

    python -m bench.simulate [--calls 300000] [--rounds 3]

The lake is that of `bench.big_lake`: 40 tools of three servers, sessions of about 200 calls. The control reads the very
same rows, sorted, into Python and does nothing with them; what a replay takes beyond it are decisions.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.big_lake import DAY_NS, fill
from mcpobs.lake import maintain
from mcpobs.lake.reader import open_reading
from mcpobs.policy import file
from mcpobs.policy.model import Policy
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import plan_of
from mcpobs.reports.window import FOREVER
from mcpobs.simulate.findings import Findings
from mcpobs.simulate.recorded import extent, operations
from mcpobs.simulate.replay import Replay
from mcpobs.simulate.sweep import Sweep

END = 1_795_000_000_000_000_000 // DAY_NS * DAY_NS
LIMITS = b"""
version: 1
session: {calls: 400, cost_usd: 0.2}
tools:
  "*": {calls_per_session: 60, arguments: {max_bytes: 65536}}
"""
RULES = b"""
version: 1
default: allow
rules:
%s
limits:
- {id: searches, tools: ["search_*"], per_session: 40, per_principal: 400, per_tenant: 100000, window: 1h}
- {id: same, tools: ["*"], same_args: 8}
- {id: tools, tools: ["*"], distinct_tools: 30}
budgets:
  session: {usd: 0.3}
  tenant: {usd: 1000, window: 1d}
""" % b"\n".join(b"- {id: r%d, effect: deny, tools: [update_*], tenants: [tenant-%d]}" % (n, n) for n in range(20))


def scan(plan: Plan) -> int:
    """The control: all rows, in their order, into Python."""
    return sum(1 for _ in operations(plan, extent(plan, 0, FOREVER, None), None))


def replay(policy: Policy) -> Callable[[Plan], int]:
    def run(plan: Plan) -> int:
        findings = Findings()
        one = Replay(policy, findings)
        done = 0
        for done, call in enumerate(operations(plan, extent(plan, 0, FOREVER, None), None), start=1):  # noqa: B007
            one.take(call)
        one.close()
        return done

    return run


def sweep(policy: Policy, limit: str) -> Callable[[Plan], int]:
    def run(plan: Plan) -> int:
        one, done = Sweep(limit, policy, 0, lambda server, tool: None), 0
        whole = extent(plan, 0, FOREVER, None)
        for done, call in enumerate(operations(plan, whole, None), start=1):  # noqa: B007
            one.probe(call)
        if one.probed():
            for call in operations(plan, whole, None):
                one.take(call)
        one.close()
        return done

    return run


def measure(lake: Path, rounds: int) -> str:
    limits = file.of_texts([(LIMITS, "limits.yaml")])
    rules = file.of_texts([(LIMITS, "limits.yaml"), (RULES, "policy.yaml")])
    ways = {
        "rows only (control)": scan,
        "limits file: 6 counters a call": replay(limits),
        "limits file, 20 rules, 5 limits and budgets": replay(rules),
        "limits file, sweep of 8 caps from half of its own": sweep(limits, "session.calls"),
        "rows only again (A/A)": scan,
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    calls = 0
    with open_reading(lake) as reading:
        plan = plan_of(reading)
        scan(plan)
        for _ in range(rounds):
            for name, way in ways.items():
                started = time.process_time()
                calls = way(plan)
                took[name].append(time.process_time() - started)
    lines = [
        f"{calls:,} calls, median of {rounds} interleaved rounds; CPU time of all threads.",
        "",
        "| what | CPU µs a call | calls a CPU second |",
        "|---|---|---|",
    ]
    for name, seconds in took.items():
        median = statistics.median(seconds)
        lines.append(f"| {name} | {median / calls * 1e6:.1f} | {calls / median:,.0f} |")
    return "\n".join(lines)


def run(calls: int, rounds: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MCPOBS_CONFIG"] = folder
        lake = Path(folder) / "lake"
        for _ in fill(lake, calls, max(1, calls // 200), 10, END):
            pass
        maintain.compact(lake)
        text = measure(lake, rounds)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return f"{text}\n\nMost memory: {peak:,.0f} MiB, DuckDB's included."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print(run(given.calls, given.rounds))


if __name__ == "__main__":
    main()
