"""CPU time of the injection scanner on fresh texts of 10,000 characters, beside glassport's in the same run.

    python -m bench.injection.cpu DATA PYTHON [--runs 5]

PYTHON is the interpreter of an environment with glassport. Every run is a process of its own, so that nothing is warm
but what the first text warms. Prints the medians of the runs, and of the ratio to glassport within a run.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path

from bench.injection.evaluate import DATA
from bench.injection.rivals import rounds
from bench.injection.rows import load
from mcpobs.detect.injection import scan


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("python")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--once", action="store_true", help="one run, in this process, as JSON")
    given = parser.parse_args()
    if given.once:
        print(json.dumps(_once(given.data, given.python)))
        return
    command = [sys.executable, "-m", "bench.injection.cpu", str(given.data), given.python, "--once"]
    runs = [json.loads(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(given.runs)]
    print("| scanner | CPU ms, median of runs | lowest–highest run | glassport = 1 | lowest–highest |")
    print("|---|---|---|---|---|")
    for name in runs[0]:
        times = [run[name] for run in runs]
        cells = [f"{statistics.median(times):.2f}", f"{min(times):.2f}–{max(times):.2f}"]
        if name != FIRST:
            ratios = [run[name] / run["glassport"] for run in runs]
            cells += [f"{statistics.median(ratios):.2f}", f"{min(ratios):.2f}–{max(ratios):.2f}"]
        print(f"| {name} | {' | '.join(cells)} |")


FIRST = "mcpobs, first text of a process"


def _once(data: Path, python: str) -> dict[str, float]:
    rows = load(data / DATA)
    started = time.process_time()
    scan(["A first text."])
    first = 1000 * (time.process_time() - started)
    texts = [row.text for row in rows if row.tier in ("plain", "hard")]
    return {
        **{name: statistics.median(times) for name, times in rounds(texts, python, ["glassport"]).items()},
        FIRST: first,
    }


if __name__ == "__main__":
    main()
