"""What the wrapper adds to a call, to the server's start and to memory, beside no wrapper, `cat` on both pipes (the
floor: two more wake-ups each way) and `glassport wrap` (PyPI) where it is installed.

    python -m bench.wrapper [--rounds 7] [--calls 400] [--glassport PATH]
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

SERVER = [sys.executable, str(Path(__file__).with_name("echo_server.py"))]


@dataclass
class Way:
    """One way from client to server, with what was measured of it over the rounds."""

    name: str
    command: list[str]
    round_trip_us: list[float] = field(default_factory=list)
    p95_us: list[float] = field(default_factory=list)
    start_ms: list[float] = field(default_factory=list)
    resident_mib: list[float] = field(default_factory=list)


def ways(glassport: str | None, lake: str) -> list[Way]:
    server = shlex.join(SERVER)
    wrapper = [sys.executable, "-m", "mcpobs", "instrument", "--lake", lake, "--", *SERVER]
    found = [
        Way("no wrapper", SERVER),
        Way("cat on both pipes", ["sh", "-c", f"cat | {server} | cat"]),
        Way("mcpobs instrument", wrapper),
        Way("no wrapper again (A/A)", SERVER),
    ]
    if glassport:
        found.append(Way("glassport wrap", [glassport, "wrap", "--log-dir", f"{lake}-glassport", "--", *SERVER]))
    return found


def request(n: int) -> bytes:
    return (
        b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"search","arguments":'
        b'{"query":"customer %d","limit":5}}}\n' % (n, n % 50)
    )


def measure(way: Way, calls: int, env: dict[str, str]) -> None:
    started = time.perf_counter()
    process = subprocess.Popen(
        way.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env, bufsize=0
    )
    assert process.stdin and process.stdout
    to, back = process.stdin.fileno(), process.stdout.fileno()
    _round_trip(to, back, 0)
    way.start_ms.append((time.perf_counter() - started) * 1e3)
    for n in range(1, 50):
        _round_trip(to, back, n)
    times = [_round_trip(to, back, n) for n in range(50, 50 + calls)]
    way.round_trip_us.append(statistics.median(times) * 1e6)
    way.p95_us.append(statistics.quantiles(times, n=20)[18] * 1e6)
    way.resident_mib.append(_resident_mib(process.pid))
    process.stdin.close()
    process.wait(timeout=20)


def _round_trip(to: int, back: int, n: int) -> float:
    frame = request(n)
    started = time.perf_counter()
    os.write(to, frame)
    got = b"?"
    while not got.endswith(b"\n"):
        got = os.read(back, 1 << 16)
        if not got:
            raise SystemExit("the server went away")
    return time.perf_counter() - started


def _resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def table(found: list[Way], calls: int, rounds: int) -> str:
    bare = found[0]
    cat = next(w for w in found if w.name.startswith("cat"))

    def added(way: Way) -> float:
        return statistics.median(a - b for a, b in zip(way.round_trip_us, bare.round_trip_us, strict=True))

    lines = [
        f"Median of {rounds} interleaved rounds of {calls} calls; the response is 1 KB.",
        "",
        "| between client and server | round trip p50 µs | p95 µs | added p50 µs | × what cat adds "
        "| first answer after ms | added ms | resident MiB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for way in found:
        start = statistics.median(a - b for a, b in zip(way.start_ms, bare.start_ms, strict=True))
        memory = "" if way.name.startswith(("cat", "no wrapper")) else f"{statistics.median(way.resident_mib):.1f}"
        lines.append(
            f"| {way.name} | {statistics.median(way.round_trip_us):.0f} | {statistics.median(way.p95_us):.0f} "
            f"| {added(way):.0f} "
            f"| {added(way) / added(cat):.2f} | {statistics.median(way.start_ms):.0f} | {start:.0f} | {memory} |"
        )
    return "\n".join(lines)


def run(rounds: int, calls: int, glassport: str | None) -> str:
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "HOME": folder, "MCPOBS_CONFIG": folder}
        for name in [n for n in env if n.startswith("OTEL_")]:
            del env[name]
        found = ways(glassport, f"{folder}/lake")
        for way in found:  # one round for the caches of the file system
            measure(Way(way.name, way.command), 20, env)
        for _ in range(rounds):
            for way in found:
                measure(way, calls, env)
        return table(found, calls, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--glassport", default=shutil.which("glassport"))
    given = parser.parse_args()
    print(run(given.rounds, given.calls, given.glassport))


if __name__ == "__main__":
    main()
