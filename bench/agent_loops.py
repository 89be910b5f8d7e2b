"""What `report loops` finds in recorded agent runs, held against a plain definition of a loop.

    python -m bench.agent_loops FILE

FILE is a JSONL file, gzipped, with one tool call a line: source, session_id, seq, tool, args_hash, result_chars and
is_error (null where unknown), duration_ms and ts where known. The calls are written into a spool, committed, and read
as the report reads them. Results are known by their sizes only: two answers of one size count as the same answer, and
so do two of which nothing is known.

The definition looks at tools and arguments alone: the same call three times or more in a row, or a cycle of two to four
calls, three rounds or more. A stretch of it counts as polling, and need not be found, where the results of equal calls
that succeeded differ. (Paging changes its arguments and is none by definition.) Found is a stretch that overlaps with
a loop of the report. A false finding is a loop of the report, of equal calls, that overlaps with no such stretch.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.spans import fill_spool
from mcpobs.lake.reader import open_reading
from mcpobs.lake.writer import commit
from mcpobs.queries import catalog
from mcpobs.queries.run import plan_of
from mcpobs.queries.run import run as run_query

Call = dict[str, Any]
Stretch = tuple[int, int]
"""First and last call of a session, by their places."""

_START = 1_790_000_000_000_000_000
_SECOND = 1_000_000_000
_REPEATS, _ROUNDS, _PERIODS = 3, 3, (2, 3, 4)


def read(path: Path) -> dict[tuple[str, str], list[Call]]:
    """The calls of each (source, session), in their order."""
    sessions: dict[tuple[str, str], list[Call]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            call = json.loads(line)
            sessions[call["source"], call["session_id"]].append(call)
    for calls in sessions.values():
        calls.sort(key=lambda call: int(call["seq"]))
    return dict(sessions)


def rows(sessions: dict[tuple[str, str], list[Call]]) -> Iterator[dict[str, object]]:
    """The calls as rows of the lake."""
    for (source, session), calls in sessions.items():
        for place, call in enumerate(calls):
            yield {
                "trace_id": _digest(source, session, place)[:32],
                "span_id": _digest(source, session, place)[32:48],
                "name": f"tools/call {call['tool']}",
                "kind": "server",
                "scope_name": "mcpobs",
                "service_name": source,
                "sequence": place,
                "start_unix_nano": _start(calls, place),
                "duration_ns": int((call.get("duration_ms") or 10) * 1_000_000),
                "method": "tools/call",
                "tool": call["tool"],
                "request_id": str(place),
                "session_id": f"{source}/{session}",
                "session_source": "stdio_process",
                "session_confidence": "high",
                "outcome": "tool_error" if call["is_error"] else "ok",
                "args_digest": call["args_hash"],
                "result_digest": str(call["result_chars"]),
                "result_empty": call["result_chars"] == 0,
            }


def _start(calls: list[Call], place: int) -> int:
    """Where no time is known, one call a second."""
    if calls[place].get("ts") is None:
        return _START + place * _SECOND
    return int(datetime.fromisoformat(calls[place]["ts"]).timestamp() * 1000) * 1_000_000


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def defined(calls: list[Call]) -> tuple[list[Stretch], list[Stretch]]:
    """The stretches that are loops by the definition, and those that are polling."""
    keys = [(call["tool"], call["args_hash"]) for call in calls]
    found = [(low, high) for low, high in _periodic(keys, 1) if high - low + 1 >= _REPEATS]
    for period in _PERIODS:
        for low, high in _periodic(keys, period):
            if high - low + 1 >= period * _ROUNDS and len(set(keys[low : high + 1])) > 1:
                found.append((low, high))
    polling = [stretch for stretch in found if _is_polling(calls, *stretch)]
    return [stretch for stretch in found if stretch not in polling], polling


def _periodic(keys: list[tuple[str, str]], period: int) -> Iterator[Stretch]:
    """Every maximal stretch in which each call is the one `period` places before it."""
    index = period
    while index < len(keys):
        begin = index
        while index < len(keys) and keys[index] == keys[index - period]:
            index += 1
        if index > begin:
            yield begin - period, index - 1
        index += 1


def _is_polling(calls: list[Call], low: int, high: int) -> bool:
    answers: dict[tuple[str, str], set[object]] = defaultdict(set)
    for call in calls[low : high + 1]:
        if not call["is_error"]:
            answers[call["tool"], call["args_hash"]].add(call["result_chars"])
    return any(len(sizes) > 1 for sizes in answers.values())


def run(path: Path) -> str:
    sessions = read(path)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MCPOBS_CONFIG"] = folder
        lake = Path(folder) / "lake"
        fill_spool(lake, rows(sessions))
        commit(lake)
        with open_reading(lake) as reading:
            reported = run_query(plan_of(reading), catalog.load("loops"), {}).records()
    return _table(sessions, reported)


def _table(sessions: dict[tuple[str, str], list[Call]], reported: list[dict[str, Any]]) -> str:
    found: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
    for loop in reported:
        low = loop["from_call"] - 1
        found[loop["session_id"]].append((loop["kind"], low, low + loop["calls"] - 1))
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for (source, session), calls in sessions.items():
        loops, polling = defined(calls)
        ours = found[f"{source}/{session}"]
        count = counts[source]
        count["sessions"] += 1
        count["calls"] += len(calls)
        count["defined"] += len(loops)
        count["polling"] += len(polling)
        count["found"] += sum(any(_overlap(loop, one[1:]) for one in ours) for loop in loops)
        for kind, low, high in ours:
            count[kind] += 1
            real = any(_overlap((low, high), stretch) for stretch in loops)
            count["false"] += kind == "repeat" and not real
            count["longer"] += kind == "cycle" and not real
    head = "| source | sessions | calls | loops by the definition | found | recall | polling | repeats | cycles | "
    lines = [head + "empty runs | false repeats | cycles that the definition has not |", "|---" * 12 + "|"]
    for source, count in sorted(counts.items()):
        recall = f"{count['found'] / count['defined']:.3f}" if count["defined"] else "-"
        shown = [source, f"{count['sessions']:,}", f"{count['calls']:,}", count["defined"], count["found"], recall]
        shown += [count[name] for name in ("polling", "repeat", "cycle", "empty", "false", "longer")]
        lines.append("| " + " | ".join(map(str, shown)) + " |")
    return "\n".join(lines)


def _overlap(one: Stretch, other: tuple[int, int]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    print(run(parser.parse_args().file))
