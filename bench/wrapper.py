"""What the wrapper adds to a call beside no wrapper and `glassport wrap` (PyPI) where that is installed: CPU of the
wrapping process, and the round trip's wall clock.

    python -m bench.wrapper [--rounds 7] [--calls 200] [--sizes 40,1024,65536] [--glassport PATH] [--go PATH]

The ways are interleaved call by call, so that all of them meet the same load of the machine. The server is one in
Python, one in Node and one in Go, as far as their toolchains are installed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.policy import policy_file
from bench.policy_store import bare

HERE = Path(__file__).parent
WARM_UP = 50
OBSERVED = "mcpobs instrument"
IN_MEMORY = "mcpobs instrument --policy, 20 rules, state in memory"
RESERVED = 2
"""Counters of the policy's limit: of the session and of the principal."""
IN_SQLITE = "mcpobs instrument --policy, 20 rules, state in SQLite"


@dataclass
class Way:
    """One way from client to server, its running process, and what each round of calls took."""

    name: str
    command: list[str]
    start_ms: float = 0.0
    resident_mib: float = 0.0
    cpu_us: list[float] = field(default_factory=list)
    p50_us: list[float] = field(default_factory=list)
    p95_us: list[float] = field(default_factory=list)

    def start(self, env: dict[str, str]) -> None:
        started = time.perf_counter()
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env, bufsize=0
        )
        self.call(0)
        self.start_ms = (time.perf_counter() - started) * 1e3

    def call(self, n: int) -> float:
        """Returns how many seconds the answer took."""
        assert self.process.stdin and self.process.stdout
        back = self.process.stdout.fileno()
        frame = request(n)
        started = time.perf_counter()
        os.write(self.process.stdin.fileno(), frame)
        got = b"?"
        while not got.endswith(b"\n"):
            got = os.read(back, 1 << 16)
            if not got:
                raise SystemExit(f"{self.name}: the server went away")
        return time.perf_counter() - started

    def stop(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(timeout=20)

    def cpu_ns(self) -> int:
        """Nanoseconds that the process's threads ran; the server behind a wrapper is another process."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


def ways(server: list[str], glassport: str | None, lake: str) -> list[Way]:
    found = [
        Way("no wrapper", server),
        Way(OBSERVED, [sys.executable, "-m", "mcpobs", "instrument", "--lake", lake, "--", *server]),
        Way(IN_MEMORY, [*_policing(lake, "memory"), "--", *server]),
        Way(IN_SQLITE, [*_policing(lake), "--", *server]),
        Way("no wrapper again (A/A)", server),
    ]
    if glassport:
        found.append(Way("glassport wrap", [glassport, "wrap", "--log-dir", f"{lake}-glassport", "--", *server]))
    return found


def _policing(lake: str, state: str | None = None) -> list[str]:
    """A wrapper that enforces 20 rules. `state` None keeps the counters in a SQLite file beside its lake."""
    config = Path(f"{lake}-config-{state}")
    config.mkdir(exist_ok=True)
    if state is not None:
        (config / "config.toml").write_text(f'[policy]\nstate = "{state}"\n')
    own = ["--lake", f"{lake}-policy-{state}", "--config", str(config), "--policy", policy_file(str(config))]
    return [sys.executable, "-m", "mcpobs", "instrument", *own]


def servers(folder: str, go: str | None) -> dict[str, list[str]]:
    """The commands of the servers that can run here, by language."""
    found = {"Python": [sys.executable, str(HERE / "echo_server.py")]}
    node = shutil.which("node")
    if node:
        found["Node"] = [node, str(HERE / "echo_server.js")]
    if go:
        built = f"{folder}/echo_server"
        env = {**os.environ, "GOCACHE": f"{folder}/go", "GO111MODULE": "off"}
        subprocess.run([go, "build", "-o", built, str(HERE / "echo_server.go")], check=True, env=env)
        found["Go"] = [built]
    return found


def request(n: int) -> bytes:
    return (
        b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"search","arguments":'
        b'{"query":"customer %d","limit":5}}}\n' % (n, n % 50)
    )


def measure(
    found: list[Way], rounds: int, calls: int, env: dict[str, str], reserve: Callable[[], object]
) -> list[float]:
    """Calls all ways in turn. Returns what one bare SQLite reservation took in between, in microseconds."""
    reserves_us: list[float] = []
    for way in found:
        way.start(env)
    for n in range(1, WARM_UP):
        for way in found:
            way.call(n)
    for _ in range(rounds):
        before = [way.cpu_ns() for way in found]
        times: list[list[float]] = [[] for _ in found]
        for n in range(calls):
            for way, took in zip(found, times, strict=True):
                took.append(way.call(n))
            begun = time.perf_counter_ns()
            reserve()
            reserves_us.append((time.perf_counter_ns() - begun) / 1e3)
        for way, took, cpu_ns in zip(found, times, before, strict=True):
            way.cpu_us.append((way.cpu_ns() - cpu_ns) / calls / 1e3)
            way.p50_us.append(statistics.median(took) * 1e6)
            way.p95_us.append(statistics.quantiles(took, n=20)[18] * 1e6)
    for way in found:
        way.resident_mib = _resident_mib(way.process.pid)
        way.stop()
    return reserves_us


def _resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def _rows(server: str, size: int, found: list[Way]) -> list[str]:
    bare = found[0]
    lines = []
    for way in found[1:]:
        wraps = not way.name.startswith("no wrapper")
        cpu = f"{statistics.median(way.cpu_us):.0f}" if wraps else ""
        p50 = _added(way.p50_us, bare.p50_us)
        p95 = _added(way.p95_us, bare.p95_us)
        memory = f"{way.resident_mib:.1f}" if wraps else ""
        lines.append(
            f"| {server} | {size} | {way.name} | {cpu} | {p50:.0f} | {p95:.0f} "
            f"| {way.start_ms - bare.start_ms:.0f} | {memory} |"
        )
    return lines


def _policy_lines(title: str, found: list[Way], reserves_us: list[float]) -> str:
    """How the ways with a policy compare with the one without, and SQLite's share with a bare reservation."""
    by = {way.name: way for way in found}
    bare_us, reserve_us = found[0].p50_us, statistics.median(reserves_us)
    plain, memory, shared = (_added(by[name].p50_us, bare_us) for name in (OBSERVED, IN_MEMORY, IN_SQLITE))
    cpu = [statistics.median(by[name].cpu_us) for name in (OBSERVED, IN_MEMORY, IN_SQLITE)]
    return (
        f"| {title} | {memory / plain:.2f} | {cpu[1] / cpu[0]:.2f} | {shared / plain:.2f} | {reserve_us:.0f} "
        f"| {(shared - memory) / reserve_us:.2f} |"
    )


def _added(ours: list[float], bare: list[float]) -> float:
    return statistics.median(one - other for one, other in zip(ours, bare, strict=True))


def run(rounds: int, calls: int, glassport: str | None, go: str | None, sizes: list[int]) -> str:
    lines = [
        f"Median of {rounds} rounds of {calls} calls, interleaved call by call. CPU is that of the wrapping process "
        "(user and system); the rest is what it adds to no wrapper.",
        "",
        "| server | bytes | way | CPU µs a call | added p50 µs | added p95 µs | added to start, ms | resident MiB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    beside = [
        "",
        "| server, bytes | memory ÷ no policy, added p50 | the same, CPU | SQLite ÷ no policy, added p50 "
        "| bare reservation, µs | (SQLite − memory) ÷ bare reservation |",
        "|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        reserve = bare(Path(folder) / "bare.db", RESERVED)
        env = {**os.environ, "HOME": folder, "MCPOBS_CONFIG": folder, "PYTHONPATH": str(HERE.parent)}
        for name in [n for n in env if n.startswith("OTEL_")]:
            del env[name]
        for language, command in servers(folder, go).items():
            for size in sizes:
                found = ways([*command, str(size)], glassport, f"{folder}/lake")
                reserves_us = measure(found, rounds, calls, env, reserve)
                lines += _rows(language, size, found)
                beside.append(_policy_lines(f"{language}, {size}", found, reserves_us))
    return "\n".join([*lines, *beside, "", f"Load average at the end: {os.getloadavg()[0]:.1f}."])


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--sizes", type=_numbers, default=[40, 1024, 65536])
    parser.add_argument("--glassport", default=shutil.which("glassport"))
    parser.add_argument("--go", default=shutil.which("go"), help="the go command, to build a server with")
    given = parser.parse_args()
    print(run(given.rounds, given.calls, given.glassport, given.go, given.sizes))


if __name__ == "__main__":
    main()
