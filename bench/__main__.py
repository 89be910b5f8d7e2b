"""Runs every benchmark and writes bench/RESULTS.md. Needs a quiet machine and about twenty minutes.

python -m bench [--glassport PATH] [--go PATH] [--otelcol PATH] [--texts FOLDER --scanners PYTHON]
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

from bench import collector, report, wrapper

RESULTS = Path(__file__).with_name("RESULTS.md")
LIBRARIES = ("duckdb", "deltalake", "orjson", "typer", "opentelemetry-sdk")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--glassport", default=shutil.which("glassport"))
    parser.add_argument("--go", default=shutil.which("go"), help="the go command, to build a server with")
    parser.add_argument("--otelcol", default=shutil.which("otelcol"), help="an OpenTelemetry Collector's binary")
    parser.add_argument("--texts", help="the folder with injection_dev.jsonl.gz")
    parser.add_argument("--scanners", help="the Python of an environment with other injection scanners")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    sections = {
        "The wrapper": wrapper.run(7, 200, given.glassport, given.go, [40, 1024, 65536]),
        "A decision": _output("bench.policy"),
        "A recorded span, in its caller": _output("bench.span_cost"),
        "A call, observed in its own process": _output("bench.inprocess"),
        "The HTTP front": _output("bench.http_front"),
        "Sessions of modern HTTP clients, by the rule": _output("bench.sessions"),
        "Sessions of received calls": _output("bench.stored_sessions"),
        "OTLP to queryable Parquet": collector.run(300_000, 5, given.otelcol),
        "Receiving OTLP, nothing kept": _output("bench.receiving"),
        "Decoding OTLP": _output("bench.decode"),
        "Sessions that stand out": _output("bench.session_outliers"),
        "The slowest tool right now": _output("bench.slowest"),
        "Precursors of failures": _output("bench.precursors"),
        "Replaying the lake through a policy": _output("bench.simulate"),
        "A reservation in the policy's store": _output("bench.policy_store"),
        "Reports and bytes": report.run(1_000_000, 5),
    }
    if given.texts and given.scanners:
        sections["Finding injections"] = _output("bench.injection.rivals", given.texts, given.scanners)
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


def _output(module: str, *arguments: str) -> str:
    """What a benchmark prints that needs a process of its own."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout


if __name__ == "__main__":
    main()
