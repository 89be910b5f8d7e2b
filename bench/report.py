"""How long a report takes as a cold process on a lake of a million spans, and what a span takes up on disk.

    python -m bench.report [--spans 1000000] [--rounds 7]

Controls in the same run: a Python that does nothing, and one that only loads DuckDB's C module.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.spans import fill_spool, rows
from mcpobs.lake.writer import commit

MCPOBS = str(Path(sys.executable).with_name("mcpobs"))
WAYS: dict[str, list[str]] = {
    "python, nothing (control)": [sys.executable, "-c", "pass"],
    "python, DuckDB's module (control)": [sys.executable, "-c", "import _duckdb"],
    "report --p95": [MCPOBS, "report", "--p95"],
    "report --p95 --since 7d": [MCPOBS, "report", "--p95", "--since", "7d"],
    "report latency": [MCPOBS, "report", "latency"],
    "report sessions": [MCPOBS, "report", "sessions"],
    "report failures": [MCPOBS, "report", "failures"],
    "report errors": [MCPOBS, "report", "errors"],
    "report loops": [MCPOBS, "report", "loops"],
    "report shapes": [MCPOBS, "report", "shapes"],
    "report": [MCPOBS, "report"],
    "query: count by tool": [MCPOBS, "query", "select tool, count(*) n from tool_calls group by tool order by n desc"],
    "baseline": [MCPOBS, "baseline"],
    "report --p95 again (A/A)": [MCPOBS, "report", "--p95"],
}


def build(lake: Path, spans: int) -> str:
    """Fills a spool, commits it, and says what that took."""
    spool_bytes = fill_spool(lake, rows(spans, sessions=max(1, spans // 50)))
    wall, cpu = time.perf_counter(), time.process_time()
    done = commit(lake)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert done.rows == spans
    parquet = sum(file.stat().st_size for file in (lake / "spans").rglob("*.parquet"))
    return (
        f"{spans:,} spans: {parquet / spans:.1f} bytes a span in Parquet, {spool_bytes / spans:.0f} in the spool; "
        f"commit {spans / wall:,.0f} spans/s, {spans / cpu:,.0f} per CPU second."
    )


def measure(lake: Path, rounds: int) -> str:
    env = {**os.environ, "MCPOBS_LAKE": str(lake)}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    took: dict[str, list[float]] = {name: [] for name in WAYS}
    cpu: dict[str, list[float]] = {name: [] for name in WAYS}
    for round_ in range(rounds + 1):
        for name, command in WAYS.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            started = time.perf_counter()
            subprocess.run(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
            ended = time.perf_counter()
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if round_:  # the first is for the caches
                took[name].append(ended - started)
                cpu[name].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    lines = ["| whole cold process | wall ms, median | min | CPU ms, median |", "|---|---|---|---|"]
    for name in WAYS:
        lines.append(
            f"| {name} | {statistics.median(took[name]) * 1e3:.0f} | {min(took[name]) * 1e3:.0f} "
            f"| {statistics.median(cpu[name]) * 1e3:.0f} |"
        )
    return "\n".join(lines)


def run(spans: int, rounds: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MCPOBS_CONFIG"] = folder
        lake = Path(folder) / "lake"
        built = build(lake, spans)
        return f"{built}\n\nMedian of {rounds} interleaved rounds.\n\n{measure(lake, rounds)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    print(run(given.spans, given.rounds))


if __name__ == "__main__":
    main()
