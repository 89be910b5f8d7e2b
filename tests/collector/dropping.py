"""A collector in a process of its own, that drops what it takes.

    python -m tests.collector.dropping [FIELD=VALUE …]     fields of Limits, `grace_s`, `hold` (requests never end),
                                                           `stderr` (is a pipe)

Says on stdout `http PORT` and `grpc PORT`, then `stopped`.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from mcpobs.collector.intake import Accepted, Encoding, Signal
from mcpobs.collector.limits import Limits
from mcpobs.collector.options import Options
from mcpobs.collector.serving import serve
from mcpobs.listening import Endpoint

ROOT = Path(__file__).parents[2]


class DroppingIntake:
    """Counts bytes. With `hold` it keeps every request waiting."""

    def __init__(self, hold: bool) -> None:
        self._hold = hold
        self._counts = {"requests": 0, "bytes": 0}

    async def take(self, signal: Signal, encoding: Encoding, body: bytes) -> Accepted:
        if self._hold:
            sys.stdout.write("held\n")
            sys.stdout.flush()
            await asyncio.Event().wait()
        self._counts["requests"] += 1
        self._counts["bytes"] += len(body)
        return Accepted()

    trouble = None

    def counters(self) -> dict[str, int]:
        return dict(self._counts)


@dataclass(frozen=True)
class Process:
    """A collector that runs."""

    popen: subprocess.Popen[str]
    http_port: int
    grpc_port: int

    def line(self) -> str:
        assert self.popen.stdout
        return self.popen.stdout.readline().strip()

    def forget_peak(self) -> None:
        Path(f"/proc/{self.popen.pid}/clear_refs").write_text("5")

    def peak_mib(self) -> float:
        """The most memory that it had since `forget_peak`."""
        for line in Path(f"/proc/{self.popen.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise AssertionError("no VmHWM")


@contextmanager
def dropping(**chosen: float) -> Iterator[Process]:
    command = [sys.executable, "-m", "tests.collector.dropping", *(f"{name}={value}" for name, value in chosen.items())]
    stderr = subprocess.PIPE if "stderr" in chosen else None
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=stderr, text=True) as popen:
        try:
            assert popen.stdout
            ports = [int(popen.stdout.readline().split()[1]) for _ in range(2)]
            yield Process(popen, *ports)
        finally:
            popen.kill()


def main() -> None:
    given = dict(word.split("=") for word in sys.argv[1:])
    kinds = {field.name: float if field.name.endswith("_s") else int for field in fields(Limits)}
    limits = Limits(**{name: kinds[name](float(value)) for name, value in given.items() if name in kinds})  # type: ignore[arg-type]
    anywhere = Endpoint("127.0.0.1", 0)
    options = Options(http=anywhere, grpc=anywhere, limits=limits, grace_s=float(given.get("grace_s", 10)))

    def tell(line: str) -> None:
        sys.stderr.write(f"{line}\n")
        if line.startswith("OTLP"):
            sys.stdout.write(f"{'http' if 'HTTP' in line else 'grpc'} {line.rpartition(':')[2]}\n")
            sys.stdout.flush()

    asyncio.run(serve(options, DroppingIntake(hold="hold" in given), tell))
    sys.stdout.write("stopped\n")


if __name__ == "__main__":
    main()
