"""How fast reports answer on ten and on a hundred million calls, each as a cold process, beside other engines.

    python -m bench.size LAKE [--rounds 5] [--rivals]

LAKE is one that `python -m bench.big_lake` made. With --rivals the calls are first written to one Parquet file, sorted
by time, with the columns that the questions need; then polars, ClickHouse (chdb) and DuckDB answer the same questions
from it, each as a cold process too, with one of the engine's own ways and no roll-up.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MCPOBS = str(Path(sys.executable).with_name("mcpobs"))
REPORTS = (
    "--p95",
    "latency",
    "latency --since 1h",
    "latency --since 7d",
    "latency --exact",
    "loops",
    "loops --since 7d",
    "sessions",
    "sessions --tool get_file",
    "failures",
    "errors",
    "shapes",
    "precursors",
    "cost",
    "coverage",
    "",
)
COLUMNS = (
    "session_id, start_unix_nano, sequence, service_name, tool, outcome, duration_ns, args_digest, result_digest, "
    "args_shape, args_features"
)

DUCKDB = """
import duckdb
print(len(duckdb.sql('''{sql}''').fetchall()))
"""
CHDB = """
import chdb
print(len(str(chdb.query('''{sql}''', 'TSV')).splitlines()))
"""
P95 = "select tool, count(*), {quantile} from {file} group by tool"
SESSIONS = "select session_id, count(*) as n from {file} group by session_id order by n desc limit 20"
SHAPES = "select tool, args_shape, args_features, count(*) from {file} group by all"
FAILURES = """
select * from (
    select session_id, start_unix_nano, tool, outcome, {lags}
    from {file} {window}
) where outcome in ('tool_error', 'server_error', 'timeout') order by start_unix_nano desc limit 20"""
LOOPS = """
select session_id, tool, run, count(*) as n from (
    select session_id, tool, deed, place - row_number() over (partition by session_id, deed order by place) as run
    from (
        select session_id, tool, concat(tool, args_digest, result_digest) as deed,
            row_number() over (partition by session_id order by start_unix_nano) as place
        from {file}
    )
) group by session_id, tool, deed, run having count(*) >= 3"""
_LAGS = ", ".join(f"lag(tool, {n}) over w as before_{n}" for n in range(1, 6))
_CH_LAGS = ", ".join(f"lagInFrame(tool, {n}) over w as before_{n}" for n in range(1, 6))
_W = "window w as (partition by session_id order by start_unix_nano)"
_CH_W = _W[:-1] + " rows between unbounded preceding and unbounded following)"

POLARS = {
    "p95 per tool": "f.group_by('tool').agg(pl.len(), pl.col('duration_ns').quantile(0.95, 'linear'))",
    "sessions": "f.group_by('session_id').len().sort('len', descending=True).head(20)",
    "shapes": "f.group_by('tool', 'args_shape', 'args_features').len()",
    "failures": "f.sort('session_id', 'start_unix_nano').with_columns(*[pl.col('tool').shift(n).over('session_id')"
    ".alias(f'b{n}') for n in range(1, 6)]).filter(pl.col('outcome').is_in(['tool_error', 'server_error', 'timeout']))"
    ".sort('start_unix_nano', descending=True).head(20)",
    "loops": "f.sort('session_id', 'start_unix_nano').with_columns(deed=pl.concat_str('tool', 'args_digest', "
    "'result_digest')).with_columns(run=(pl.col('deed') != pl.col('deed').shift(1)).fill_null(True).cum_sum()"
    ".over('session_id')).group_by('session_id', 'deed', 'run').len().filter(pl.col('len') >= 3)",
}


def rivals(file: Path) -> dict[str, list[str]]:
    """Each engine's way for each question, as a command."""
    duck, click = f"'{file}'", f"file('{file}', Parquet)"
    texts = {
        "p95 per tool": (
            P95.format(quantile="quantile_cont(duration_ns, 0.95)", file=duck),
            P95.format(quantile="quantileExactInclusive(0.95)(duration_ns)", file=click),
        ),
        "sessions": (SESSIONS.format(file=duck), SESSIONS.format(file=click)),
        "shapes": (SHAPES.format(file=duck), SHAPES.format(file=click)),
        "failures": (
            FAILURES.format(lags=_LAGS, window=_W, file=duck),
            FAILURES.format(lags=_CH_LAGS, window=_CH_W, file=click),
        ),
        "loops": (LOOPS.format(file=duck), LOOPS.format(file=click)),
    }
    ways = {}
    for question, (for_duckdb, for_chdb) in texts.items():
        ways[f"{question}: DuckDB"] = DUCKDB.format(sql=for_duckdb.replace("'''", ""))
        ways[f"{question}: ClickHouse (chdb)"] = CHDB.format(sql=for_chdb)
        polars = POLARS[question]
        ways[f"{question}: polars"] = (
            f"import polars as pl\nf = pl.scan_parquet({str(file)!r})\n"
            f"print(len(({polars}).collect(engine='streaming')))"
        )
    return {name: [sys.executable, "-c", code] for name, code in ways.items()}


def one_file(lake: str, file: str) -> None:
    """All tool calls in one Parquet file, sorted by time."""
    from mcpobs.lake.reader import open_reading

    with open_reading(Path(lake)) as reading:
        reading.connection.execute(
            f"copy (select {COLUMNS} from spans where method = 'tools/call' order by start_unix_nano) "
            f"to '{file}' (format parquet, compression zstd)"
        )


def measure(ways: dict[str, list[str]], env: dict[str, str], rounds: int, limit_s: float) -> list[str]:
    """A line a way: wall and CPU time of the whole process, its peak memory."""
    took: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ways}
    failed: dict[str, str] = {}
    for round_ in range(rounds + 1):
        for name, command in ways.items():
            if name in failed:
                continue
            try:
                one = _once(command, env, limit_s)
            except RuntimeError as error:
                failed[name] = str(error)
                continue
            if round_:  # the first is for the caches
                took[name].append(one)
    lines = ["| whole cold process | wall s, median | min | CPU s, median | peak MiB |", "|---|---|---|---|---|"]
    for name in ways:
        if name in failed:
            lines.append(f"| {name} | {failed[name]} | | | |")
            continue
        wall, cpu, peak = zip(*took[name], strict=True)
        lines.append(
            f"| {name} | {statistics.median(wall):.2f} | {min(wall):.2f} | {statistics.median(cpu):.2f} "
            f"| {max(peak):.0f} |"
        )
    return lines


def _once(command: list[str], env: dict[str, str], limit_s: float) -> tuple[float, float, float]:
    started = time.perf_counter()
    child = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            break
        if time.perf_counter() - started > limit_s:
            child.kill()
            os.wait4(child.pid, 0)
            raise RuntimeError(f"over {limit_s:.0f} s")
        time.sleep(0.001)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise RuntimeError(f"failed ({child.returncode})")
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lake", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rivals", action="store_true")
    parser.add_argument("--limit-s", type=float, default=120.0)
    parser.add_argument("--only", help="reports whose name holds this, e.g. sessions")
    given = parser.parse_args()
    env = {**os.environ, "MCPOBS_LAKE": str(given.lake)}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    ways = {f"mcpobs report {name}".rstrip(): [MCPOBS, "report", *name.split()] for name in REPORTS}
    ways = {name: command for name, command in ways.items() if given.only is None or given.only in name}
    with tempfile.TemporaryDirectory(dir=given.lake.parent) as folder:
        if given.rivals:
            file = Path(folder) / "calls.parquet"
            # In a process of its own: what this one holds would count as each child's peak.
            code = f"from bench.size import one_file; one_file({str(given.lake)!r}, {str(file)!r})"
            subprocess.run([sys.executable, "-c", code], check=True)
            ways |= rivals(file)
        print(f"Median of {given.rounds} interleaved rounds; load average {os.getloadavg()[0]:.1f} at the start.\n")
        print("\n".join(measure(ways, env, given.rounds, given.limit_s)))


if __name__ == "__main__":
    main()
