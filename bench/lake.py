"""The lake in figures: speed of a commit, bytes a span, a cold p95. `python -m bench.lake [--spans 1000000]`.

CPU time is what counts on a busy machine; wall time is given beside it.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.spans import fill_spool, rows
from mcpobs.lake import maintain, writer
from mcpobs.lake.inspection import inspect

_COLD = """
import sys, time
from pathlib import Path
from mcpobs.lake.reader import open_reading
with open_reading(Path(sys.argv[1])) as reading:
    reading.connection.execute(
        "select tool, count(*), quantile_cont(duration_ns, 0.95) from spans where method = 'tools/call' group by 1"
    ).fetchall()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--sessions", type=int, default=20_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lake = Path(folder) / "lake"
        spooled = fill_spool(lake, rows(given.spans, min(given.sessions, given.spans)))
        print(f"spool                {spooled / given.spans:8.0f} bytes a span")
        wall, cpu = time.perf_counter(), time.process_time()
        done = writer.commit(lake)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(f"commit               {done.rows / cpu:8,.0f} spans/s/core, {wall:.1f} s wall, {_peak_mib():.0f} MiB")
        print(f"after the commit     {inspect(lake).bytes_a_span or 0:8.1f} bytes a span, {done.files} files")
        _cold("cold p95", lake)
        wall, cpu = time.perf_counter(), time.process_time()
        maintain.compact(lake, grace_s=0.0)
        print(
            f"compaction           {done.rows / (time.process_time() - cpu):8,.0f} spans/s/core, {_peak_mib():.0f} MiB"
        )
        found = inspect(lake)
        print(f"after the compaction {found.bytes_a_span or 0:8.1f} bytes a span, {found.files} files")
        _cold("cold p95, compacted", lake)


def _cold(name: str, lake: Path) -> None:
    walls, cpus = [], []
    for _ in range(7):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        wall = time.perf_counter()
        subprocess.run([sys.executable, "-c", _COLD, str(lake)], check=True)
        walls.append(time.perf_counter() - wall)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    wall, best, cpu = sorted(walls)[3] * 1000, min(walls) * 1000, sorted(cpus)[3] * 1000
    print(f"{name:20s} {wall:8.0f} ms wall (best {best:.0f}), {cpu:.0f} ms CPU")


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
