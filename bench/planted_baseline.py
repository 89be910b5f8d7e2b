"""Which sessions `mcpobs baseline` leaves out of made-up traffic, and what its cap on calls is then worth.

    python -m bench.planted_baseline [--rounds 5] [--samples 200] [--seed 1]

Each traffic is a lake of its own, with honest sessions and in some with runaways; values are real arguments and
results, as in bench.planted_loops.

A round is right if the sessions over `session.calls`, of 1,000 further ones of the same
traffic, lie in the 90 % interval for all sessions (before it existed: in that for normal ones). The second table has
the share of calm sizes that `baseline/extreme.py` takes for extreme.
"""

from __future__ import annotations

import argparse
import math
import random
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.planted_loops import Row, Session, Step, rows_of
from bench.spans import fill_spool
from mcpobs.baseline.extreme import extreme
from mcpobs.baseline.learn import learn
from mcpobs.baseline.rules import Rules
from mcpobs.errors import LakeError
from mcpobs.lake.reader import open_reading
from mcpobs.lake.writer import commit
from mcpobs.limits.model import Limits
from mcpobs.queries.run import plan_of
from mcpobs.reports.window import EVERYTHING
from mcpobs.settings import Config

Steps = list[Step]
Honest = Callable[[random.Random], Steps]


def call(tool: str, number: int, **more: object) -> Step:
    """A call that is unlike all others and brings something new."""
    return Step("tools/call", tool, {"id": number, **more}, f"{tool} {number}: {number * 7919 % 10_007} found")


def of(size: int, chance: random.Random, tools: tuple[str, ...] = ("search", "get", "list")) -> Steps:
    start = chance.randrange(10**6)
    return [call(chance.choice(tools), start + n) for n in range(size)]


def runaway(chance: random.Random) -> Steps:
    return of(chance.randint(200, 300), chance, ("get",))


def few(chance: random.Random) -> Steps:
    return of(chance.randint(2, 35), chance)


def flaky(chance: random.Random) -> Steps:
    """Orders whose payment fails and is tried again until it works, later and later."""
    steps = []
    for order in range(chance.randint(1, 6)):
        tries = 0
        while chance.random() < 0.45:
            steps.append(Step("tools/call", "charge", {"order": order}, "503", "tool_error", 2 ** min(tries, 5)))
            tries += 1
        steps.append(Step("tools/call", "charge", {"order": order}, f"charged {chance.random()}", after_s=2))
        steps.append(call("lookup", chance.randrange(10**6)))
    return steps


def monitor(chance: random.Random) -> Steps:
    return [Step("tools/call", "check_inbox", {}, "no new mail", after_s=60) for _ in range(24)]


def lognormal(chance: random.Random) -> Steps:
    return of(min(2_000, int(chance.lognormvariate(math.log(10), 1)) + 1), chance)


def pareto(chance: random.Random) -> Steps:
    return of(min(2_000, int(4 * chance.paretovariate(1.5))), chance)


def kinds(share: float, tools: tuple[str, ...] = ("search", "get", "list"), size: int = 30) -> Honest:
    def one(chance: random.Random) -> Steps:
        if chance.random() < share:
            return of(chance.randint(size, 2 * size), chance, tools)
        return of(chance.randint(2, 6), chance)

    return one


TRAFFIC: dict[str, tuple[Honest, int, int]] = {
    "flaky server, retries that succeed": (flaky, 100, 0),
    "monitors": (monitor, 60, 0),
    "8 runaways of 208": (few, 200, 8),
    "12 runaways of 212": (few, 200, 12),
    "40 runaways of 240": (few, 200, 40),
    "wide: lognormal, sigma 1": (lognormal, 200, 0),
    "wide: Pareto 1.5": (pareto, 200, 0),
    "two kinds, 10 % long": (kinds(0.1), 200, 0),
    "two kinds, 30 % long": (kinds(0.3), 200, 0),
    "two kinds, 10 % with own tools": (kinds(0.1, ("export", "upload"), 100), 200, 0),
}
"""Honest sessions, how many of them, and how many runaways."""


@dataclass
class Tally:
    """What became of a traffic, over all rounds."""

    honest: int = 0
    runaways: int = 0
    honest_out: int = 0
    runaways_out: int = 0
    refused: int = 0
    caps: list[float] = field(default_factory=list)
    right: int = 0


def recorded(sessions: list[Session], chance: random.Random) -> Iterator[Row]:
    for row in rows_of(sessions, "s", chance):
        yield row | {"enforcement_key": f"process:{row['session_id']}"}


def learned(sessions: list[Session], chance: random.Random) -> tuple[Limits, set[str]] | None:
    """The limits and the sessions left out; None if the baseline refuses."""
    with tempfile.TemporaryDirectory() as scratch:
        lake = Path(scratch) / "lake"
        fill_spool(lake, recorded(sessions, chance))
        commit(lake)
        with open_reading(lake) as reading:
            try:
                found = learn(plan_of(reading), EVERYTHING, None, Config(), Rules())
            except LakeError:
                return None
    kept = {session.pair.session for session in found.learned.normal}
    return found.limits, {session.pair.session for session in found.learned.sessions} - kept


def add(tally: Tally, honest: Honest, count: int, runaways: int, chance: random.Random) -> None:
    steps = [honest(chance) for _ in range(count)] + [runaway(chance) for _ in range(runaways)]
    sessions = [Session(one, begins_s=3600.0 * place) for place, one in enumerate(steps)]
    tally.honest += count
    tally.runaways += runaways
    found = learned(sessions, chance)
    if found is None:
        tally.refused += 1
        return
    limits, out = found
    tally.honest_out += sum(f"s-{n:03d}" in out for n in range(count))
    tally.runaways_out += sum(f"s-{n:03d}" in out for n in range(count, len(steps)))
    cap = limits.session.calls
    assert cap is not None
    tally.caps.append(cap.value)
    share = runaways / len(steps)
    further = [len(runaway(chance) if chance.random() < share else honest(chance)) for _ in range(1_000)]
    interval = getattr(cap.evidence, "next_1000_all", None) or cap.evidence.next_1000_cut
    assert interval is not None
    tally.right += interval[0] <= sum(size > cap.value for size in further) <= interval[1]


CALM: dict[str, Callable[[random.Random], int]] = {
    "constant": lambda chance: 5,
    "uniform, 1 to 35": lambda chance: chance.randint(1, 35),
    "exponential, mean 10": lambda chance: int(chance.expovariate(0.1)) + 1,
    "lognormal, sigma 0.5": lambda chance: int(chance.lognormvariate(3, 0.5)) + 1,
    "lognormal, sigma 1": lambda chance: int(chance.lognormvariate(3, 1)) + 1,
    "lognormal, sigma 1.5": lambda chance: int(chance.lognormvariate(3, 1.5)) + 1,
    "Pareto 1": lambda chance: int(chance.paretovariate(1)),
    "Pareto 1.5": lambda chance: int(5 * chance.paretovariate(1.5)),
    "two kinds, 10 % 10 × as long": lambda chance: _of_two(chance, 0.1),
    "two kinds, 30 % 10 × as long": lambda chance: _of_two(chance, 0.3),
}


def _of_two(chance: random.Random, share: float) -> int:
    return int(chance.lognormvariate(math.log(50 if chance.random() < share else 5), 0.3))


def calm(samples: int, seed: int) -> str:
    """How many sizes of calm traffic are extreme, by the number of sessions."""
    counts = (30, 100, 300, 1_000)
    lines = ["| sizes | " + " | ".join(f"{count:,} sessions" for count in counts) + " |", "|---" * 5 + "|"]
    for name, size in CALM.items():
        shares = []
        for count in counts:
            chance = random.Random(f"{seed}/{name}/{count}")
            out = 0
            for _ in range(samples):
                sizes = [size(chance) for _ in range(count)]
                ceiling = extreme(sizes).ceiling
                out += sum(one > ceiling for one in sizes)
            shares.append(f"{out / samples / count:.2%}")
        lines.append(f"| {name} | {' | '.join(shares)} |")
    return "\n".join(lines)


def run(rounds: int, seed: int) -> str:
    lines = [
        "| traffic | honest left out | runaways left out | refused | caps on calls | interval right |",
        "|---" * 6 + "|",
    ]
    for name, (honest, count, runaways) in TRAFFIC.items():
        tally = Tally()
        for number in range(rounds):
            add(tally, honest, count, runaways, random.Random(f"{seed}/{name}/{number}"))
        caps = f"{min(tally.caps):g} to {max(tally.caps):g}" if tally.caps else "-"
        out = f"{tally.runaways_out} of {tally.runaways}" if runaways else "-"
        judged = f"{tally.right} of {rounds - tally.refused}"
        honest_out = f"{tally.honest_out:,} of {tally.honest:,}"
        lines.append(f"| {name} | {honest_out} | {out} | {tally.refused} of {rounds} | {caps} | {judged} |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--samples", type=int, default=200, help="of calm sizes")
    given = parser.parse_args()
    print(run(given.rounds, given.seed))
    print("\n" + calm(given.samples, given.seed))
