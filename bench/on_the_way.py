"""Time of a stdio front's Python on the way of one call, without pipes: what holds a request up, what runs while the
server works, and what holds its response up. Without a policy, and with 20 rules and their state in memory.

    python -m bench.on_the_way [--rounds 9] [--calls 1000] [--emptied]

`--emptied` reads 1 MiB before each step, as other processes' work between two frames empties the caches. Rows are
written to a lake, as in a wrapper. The p50 of a step is the least of its rounds: the machine may be busy.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.policy import POLICY
from mcpobs.gate.frames import FrameGate
from mcpobs.gate.gate import Gate
from mcpobs.gate.policing import judge
from mcpobs.gate.recorder import LakeRecorder
from mcpobs.gate.row import Origin
from mcpobs.policy import file
from mcpobs.protocol.conversation import Conversation
from mcpobs.protocol.lifecycle import Lifecycle, now
from mcpobs.protocol.registry import Registry
from mcpobs.proxy.tap import Tap
from mcpobs.sessions.stdio import StdioSessions
from mcpobs.stderr import Faults, warn

Step = Callable[[int], object]
_STEPS = ("request, before it goes on", "after it has gone on", "response")
_MORE_THAN_CACHES = bytearray(1 << 20)


def request(n: int) -> bytes:
    return (
        b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"search","arguments":'
        b'{"query":"customer %d","limit":5}}}' % (n, n % 50)
    )


def response(n: int) -> bytes:
    return b'{"jsonrpc":"2.0","id":%d,"result":{"content":[{"type":"text","text":"%b"}]}}' % (n, b"x" * 40)


def _front(lake: Path, policy: str | None) -> tuple[Conversation, Gate]:
    sessions = StdioSessions("process", time.time_ns())
    origin = Origin("shop", "process", "stdio", "pipe", "proxy/stdio")
    recorder = LakeRecorder.open(origin, sessions.process_session, lake=lake, warn=warn)
    rules = policy and file.of_texts([(policy.encode(), "policy.yaml")])
    gate = Gate(recorder, judge(rules, "shop") if rules else None)
    lifecycle = Lifecycle(recorder.facts, Registry(), sessions, keeps_content=gate.enforcing, puts_off=gate.enforcing)
    return Conversation(lifecycle, sessions.caller), gate


def observed(lake: Path) -> tuple[Step, Step, Step]:
    tap = Tap(*_front(lake, None), Faults("", "", warn))
    return lambda n: tap.note(request(n) + b"\n"), lambda n: tap.catch_up(), lambda n: tap.seen(response(n) + b"\n")


def enforced(lake: Path) -> tuple[Step, Step, Step]:
    conversation, gate = _front(lake, POLICY.replace(", roles: [billing, support]", ""))
    frames = FrameGate(gate, conversation)

    def asked(n: int) -> None:
        held = frames.take("client", request(n), now(), gate.record)
        assert held.ready and held.release().onward is not None

    def answered(n: int) -> None:
        held = frames.take("server", response(n), now(), gate.record)
        assert held.ready and held.release().onward is not None

    return asked, lambda n: frames.catch_up(), answered


def measure(ways: dict[str, tuple[Step, Step, Step]], calls: int, emptied: bool) -> dict[str, list[list[float]]]:
    """Microseconds of each step, by way; interleaved call by call."""
    found: dict[str, list[list[float]]] = {name: [[], [], []] for name in ways}
    for n in range(calls):
        for name, steps in ways.items():
            for step, took in zip(steps, found[name], strict=True):
                if emptied:
                    sum(_MORE_THAN_CACHES[::64])
                begun = time.perf_counter_ns()
                step(n)
                took.append((time.perf_counter_ns() - begun) / 1e3)
    return found


def run(rounds: int, calls: int, emptied: bool) -> str:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MCPOBS_CONFIG"] = folder
        ways = {
            "no policy": observed(Path(folder) / "observed"),
            "policy in memory": enforced(Path(folder) / "enforced"),
        }
        measure(ways, calls // 5, emptied)
        gc.freeze()
        least: dict[str, list[float]] = {name: [float("inf")] * 3 for name in ways}
        for _ in range(rounds):
            for name, steps in measure(ways, calls, emptied).items():
                least[name] = [min(a, statistics.median(b)) for a, b in zip(least[name], steps, strict=True)]
    lines = [
        f"Least p50 of {rounds} rounds of {calls} calls, interleaved; caches {'emptied' if emptied else 'warm'}. "
        f"Load average {os.getloadavg()[0]:.1f}.",
        "",
        f"| µs | {' | '.join(_STEPS)} | on the way of a call |",
        "|---|---|---|---|---|",
        *[
            f"| {name} | {' | '.join(f'{one:.1f}' for one in steps)} | {steps[0] + steps[2]:.1f} |"
            for name, steps in least.items()
        ],
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=1_000)
    parser.add_argument("--emptied", action="store_true")
    given = parser.parse_args()
    print(run(given.rounds, given.calls, given.emptied))


if __name__ == "__main__":
    main()
