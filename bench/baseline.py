"""What the predictions of `mcpobs baseline` are worth on recorded agent runs.

    python -m bench.baseline FOLDER [--splits 20]

FOLDER holds agent_traces_*.jsonl.gz: one tool call a line with source, session_id, seq, tool, arguments and
result_chars, is_error, duration_ms, ts, tenant and role where known. The calls are written into a lake and read as the
command reads them. Each source is a server, each session a process.

Halves: limits are derived from a random half of a source's sessions and held against the other half, for normal
sessions (each half without its own excluded ones) and for all. A prediction holds if the number of sessions that are
cut lies in the 90 % interval for as many sessions as the other half has. Time: where sessions have times, the first two
thirds against the last third.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import agent_loops
from bench.agent_loops import Call
from bench.spans import fill_spool
from mcpobs.baseline import normal, traffic
from mcpobs.baseline import samples as sampling
from mcpobs.baseline.drift import Judged, drift, judge
from mcpobs.baseline.evidence import sessions_for_rate
from mcpobs.baseline.learned import Learned
from mcpobs.baseline.numbers import numbers_of
from mcpobs.baseline.rules import Rules
from mcpobs.baseline.traffic import Session
from mcpobs.lake.reader import open_reading
from mcpobs.lake.writer import commit
from mcpobs.limits.model import Limit
from mcpobs.limits.paths import Path as NumberPath
from mcpobs.protocol.features import features_of
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import plan_of
from mcpobs.reports.window import EVERYTHING

RULES = {
    "seed": Rules(),
    "cut-rate 0.05": Rules(min_sessions=max(30, sessions_for_rate(0.05)), strategy="cut-rate", cut_rate=0.05),
    "cut-rate 0.01": Rules(min_sessions=max(30, sessions_for_rate(0.01)), strategy="cut-rate", cut_rate=0.01),
}


def rows(sessions: dict[tuple[str, str], list[Call]]) -> Iterator[dict[str, object]]:
    """The calls as rows of the lake, with what is recorded of their arguments."""
    flat = (call for calls in sessions.values() for call in calls)
    for row, call in zip(agent_loops.rows(sessions), flat, strict=True):
        arguments = call["arguments"] if isinstance(call["arguments"], dict) else {}
        yield row | {
            "enforcement_key": f"process:{row['session_id']}",
            "args_bytes": len(json.dumps(arguments, ensure_ascii=False, separators=(",", ":")).encode()),
            "args_features": features_of(arguments, lambda name: name),
            "result_bytes": call["result_chars"],
            "cost_microusd": (call["result_chars"] or 0) * 3 // 4,  # 3 dollars a million tokens of 4 characters
        }


@dataclass
class Tally:
    """How many judged numbers kept their prediction, and which did not."""

    judged: int = 0
    held: int = 0
    trivial: int = 0
    more: int = 0
    missed: Counter[str] = field(default_factory=Counter)

    def add(self, judged: Sequence[Judged]) -> None:
        for one in judged:
            self.judged += 1
            self.held += one.held
            self.trivial += one.high >= one.m
            self.more += one.cut > one.high
            if not one.held:
                self.missed[one.path[-1]] += 1

    def shown(self) -> str:
        share = f"{self.held / self.judged:.3f}" if self.judged else "-"
        return f"{self.judged:,} | {share} | {self.more:,} | {self.trivial:,}"


@dataclass
class Source:
    """One server: its sessions, and its loops."""

    name: str
    sessions: list[Session]
    loops: list[traffic.Loop]
    timed: bool

    def learned(self, sessions: Sequence[Session]) -> Learned:
        """Some of its sessions, divided into normal and other ones as the command divides them."""
        excluded = normal.looping(sessions, self.loops)
        rest = [session for session in sessions if session.pair not in excluded]
        excluded |= normal.far_out(rest)
        rest = [session for session in rest if session.pair not in excluded]
        return Learned(sessions, rest, [], [], {}, {})


def samples(learned: Learned) -> dict[NumberPath, sampling.Sample]:
    kept = {session.pair for session in learned.normal}
    others = [session for session in learned.sessions if session.pair not in kept]
    return dict(sampling.of_sessions(learned.normal, others, (), learned.price))


def run(folder: Path, splits: int) -> str:
    sessions: dict[tuple[str, str], list[Call]] = {}
    for file in sorted(folder.glob("agent_traces_*.jsonl.gz")):
        sessions |= agent_loops.read(file)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["MCPOBS_CONFIG"] = scratch
        lake = Path(scratch) / "lake"
        fill_spool(lake, rows(sessions))
        commit(lake)
        with open_reading(lake) as reading:
            timed = {source for (source, _), calls in sessions.items() if calls[0].get("ts") is not None}
            names = sorted({source for source, _ in sessions})
            sources = [_source(plan_of(reading), name, name in timed) for name in names]
    parts = [_halves(sources, name, rules, splits) for name, rules in RULES.items()]
    return "\n\n".join([*parts, _time(sources), _runaways(sources, splits), _refused(sources, splits)])


def _source(plan: Plan, name: str, timed: bool) -> Source:
    sessions = traffic.with_values(traffic.sessions(plan, EVERYTHING, name), plan, EVERYTHING, name)
    return Source(name, sessions, traffic.loops(plan, EVERYTHING, name), timed)


def _split(source: Source, seed: int) -> tuple[list[Session], list[Session]]:
    shuffled = random.Random(f"{seed}/{source.name}").sample(source.sessions, len(source.sessions))
    return shuffled[: len(shuffled) // 2], shuffled[len(shuffled) // 2 :]


def _halves(sources: list[Source], name: str, rules: Rules, splits: int) -> str:
    lines = [
        f"Halves, {splits} splits, {name} (at least {rules.min_sessions} normal sessions a number):",
        "",
        "| source | sessions | judged, normal | held | cut more | trivial | judged, all | held | cut more | trivial "
        "| refused |",
        "|---" * 11 + "|",
    ]
    all_normal, all_every = Tally(), Tally()
    missed: Counter[str] = Counter()
    all_refused = 0
    for source in sources:
        usual, every = Tally(), Tally()
        refused = 0
        for seed in range(splits):
            past, further = (source.learned(half) for half in _split(source, seed))
            before, after = samples(past), samples(further)
            numbers, few = numbers_of(before, rules)
            refused += len(few)
            for tally, everybody in ((usual, False), (all_normal, False), (every, True), (all_every, True)):
                tally.add(judge(numbers, before, after, everybody=everybody))
        all_refused += refused
        lines.append(f"| {source.name} | {len(source.sessions)} | {usual.shown()} | {every.shown()} | {refused:,} |")
    missed = all_normal.missed + all_every.missed
    total = sum(len(source.sessions) for source in sources)
    lines.append(f"| all | {total:,} | {all_normal.shown()} | {all_every.shown()} | {all_refused:,} |")
    lines += [
        "",
        "Not held, by number: " + (", ".join(f"{key} {n}" for key, n in missed.most_common()) or "none") + ".",
    ]
    return "\n".join(lines)


def _time(sources: list[Source]) -> str:
    lines = [
        "First two thirds of the normal sessions against the last third, in the order of time:",
        "",
        "| source | rule | first | last | numbers judged | held | cut more |",
        "|---" * 7 + "|",
    ]
    for source in sources:
        for name, rules in RULES.items() if source.timed else ():
            learned = source.learned(source.sessions)
            found = drift(learned, rules)
            if found is None:
                lines.append(f"| {source.name} | {name} | refused: too few sessions | | | | |")
                continue
            shown = (source.name, name, found.first, found.last, found.numbers, found.held, found.cut_more)
            lines.append("| " + " | ".join(map(str, shown)) + " |")
    return "\n".join(lines)


def _runaways(sources: list[Source], splits: int) -> str:
    """The sessions with most calls of one tool: in a half that has one, and in the other half."""
    lines = [
        "Runaways (about 100 calls of a tool): limits from the half with it, from that without it, and from the other:",
        "",
        "| source | tool | calls | halves with it | limit raised by it | limits that pass it | no limit |",
        "|---" * 7 + "|",
    ]
    for source in sources:
        for session, tool, calls in _longest(source):
            raised = passed = held = none = 0
            for seed in range(splits):
                one, other = _split(source, seed)
                with_it, without = (one, other) if session in one else (other, one)
                held += 1
                limit, bare, far = (
                    _limit(source, half, tool)
                    for half in (with_it, [each for each in with_it if each is not session], without)
                )
                none += limit is None
                raised += limit is not None and bare is not None and limit.value > bare.value
                passed += sum(found is not None and calls <= found.value for found in (limit, far))
            lines.append(f"| {source.name} | {tool} | {calls} | {held} | {raised} | {passed} | {none} |")
    return "\n".join(lines)


def _longest(source: Source) -> list[tuple[Session, str, int]]:
    if source.name.startswith("claude_code"):  # long sessions are its normal ones
        return []
    found = [
        (session, use.tool, use.calls)
        for session in source.sessions
        for use in session.uses
        if use.tool is not None and use.calls >= 60
    ]
    return sorted(found, key=lambda one: -one[2])


def _limit(source: Source, sessions: Sequence[Session], tool: str) -> Limit | None:
    """The limit that holds for a tool: its own, else that of any."""
    numbers, _ = numbers_of(samples(source.learned(sessions)), Rules())
    own = numbers.get(("tools", tool, "calls_per_session"))
    return own or numbers.get(("tools", "*", "calls_per_session"))


def _refused(sources: list[Source], splits: int) -> str:
    """What is refused in the first split, by number."""
    lines = ["Refused in the first split (fewer than 30 normal sessions in the half):", ""]
    for source in sources:
        _, few = numbers_of(samples(source.learned(_split(source, 0)[0])), Rules())
        by_kind = Counter(path[-1] if path[-1] != "max_bytes" else f"{path[-2]}.max_bytes" for path in few)
        shown = ", ".join(f"{kind} {count}" for kind, count in by_kind.most_common()) or "nothing"
        lines.append(f"- {source.name}: {shown}")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--splits", type=int, default=20)
    given = parser.parse_args()
    print(run(given.folder, given.splits))
