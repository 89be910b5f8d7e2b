"""Runs every benchmark and writes bench/RESULTS.md. Needs a quiet machine and about ten minutes.

python -m bench [--glassport PATH]
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from bench import report, wrapper

RESULTS = Path(__file__).with_name("RESULTS.md")
LIBRARIES = ("duckdb", "deltalake", "orjson", "typer", "opentelemetry-sdk")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--glassport", default=shutil.which("glassport"))
    given = parser.parse_args()
    load = os.getloadavg()[0]
    span_cost = subprocess.run(
        [sys.executable, "-m", "bench.span_cost"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    ).stdout
    sections = {
        "The wrapper": wrapper.run(9, 400, given.glassport),
        "A recorded span, in its caller": span_cost,
        "Reports and bytes": report.run(1_000_000, 5),
    }
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    head = (
        "# Results\n\n"
        "Written by `make bench`. A time is the median of interleaved rounds; compare within a table only: the A/A\n"
        "rows say how much of a difference is noise.\n\n"
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {libraries}; "
        f"load average {load:.1f} at the start.\n"
    )
    body = "".join(f"\n## {title}\n\n{text.strip()}\n" for title, text in sections.items())
    RESULTS.write_text(head + body)
    print(head + body)


if __name__ == "__main__":
    main()
