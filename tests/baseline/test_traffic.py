"""The baseline counts sessions as they can be counted plainly, however the rows lie in files."""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from mcpobs.baseline import traffic
from mcpobs.baseline.traffic import Pair
from mcpobs.lake.engine import Connection
from mcpobs.lake.reader import Reading, open_reading
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import plan_of
from mcpobs.reports.window import EVERYTHING, Window
from tests.queries.oracles import failed, tool_calls
from tests.queries.recorded import SECOND, START, Row, ask, call, in_memory, scatter
from tests.queries.traffic import random_rows


def _rows(seed: int) -> list[Row]:
    chance = random.Random(seed)
    rows = random_rows(chance, chance.randrange(0, 150))
    for row in rows:
        row["enforcement_key"] = chance.choice(["p1", "p2", None])
        row["args_bytes"] = chance.choice([None, 5, 10, 500])
        row["result_bytes"] = chance.choice([None, 0, 70])
        row["tenant"] = chance.choice([None, None, "acme"])
        row["role"] = chance.choice([None, "a", "b"])
        row["decision"] = chance.choice([None, None, "allow", "deny"])
        row["rule"] = chance.choice([None, "r1", "r2"])
    return rows


def _counted(rows: list[Row], since: int, until: int, server: str | None) -> list[dict[str, Any]]:
    """queries/baseline.sql, plainly."""
    used: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    last: dict[tuple[Any, ...], int] = {}
    for row in tool_calls(rows):
        if row.get("session_id") is None:
            continue
        if row["start_unix_nano"] >= until or (server is not None and row.get("service_name") != server):
            continue
        pair = (row["session_id"], row.get("enforcement_key"), row.get("tenant"))
        used[(*pair, row.get("service_name"), row.get("tool"))].append(row)
        last[pair] = max(last.get(pair, 0), row["start_unix_nano"])

    def null_last(key: tuple[Any, ...]) -> list[tuple[bool, str]]:
        return [(part is None, part or "") for part in key]

    return [
        _use(key, found)
        for key, found in sorted(used.items(), key=lambda item: null_last(item[0]))
        if last[key[:3]] >= since
    ]


def _use(key: tuple[Any, ...], found: list[Row]) -> dict[str, Any]:
    def known(rows: list[Row], name: str) -> list[Any]:
        return [row[name] for row in rows if row.get(name) is not None]

    denied = [row for row in found if row.get("outcome") == "denied" or row.get("decision") == "deny"]
    done = [row for row in found if row not in denied]
    names = ("session_id", "enforcement_key", "tenant", "service_name", "tool")
    return dict(zip(names, key, strict=True)) | {
        "role": min(known(found, "role"), default=None),
        "calls": len(done),
        "taken": sum(row.get("outcome") != "protocol_error" for row in done),
        "failed": sum(failed(row) for row in done),
        "unpriced": sum(
            row.get("cost_microusd") is None and row.get("outcome") not in ("protocol_error", "input_required")
            for row in done
        ),
        "cost_microusd": sum(known(done, "cost_microusd")) if known(done, "cost_microusd") else None,
        "args_bytes": max(known(done, "args_bytes"), default=None),
        "result_bytes": max(known(done, "result_bytes"), default=None),
        "denied": len(denied),
        "denied_args_bytes": max(known(denied, "args_bytes"), default=None),
        "denied_by": min(known(denied, "rule"), default=None),
        "first_unix_nano": min(known(found, "start_unix_nano")),
        "last_unix_nano": max(known(found, "start_unix_nano")),
        "end_unix_nano": max((row["start_unix_nano"] + (row.get("duration_ns") or 0) for row in done), default=None),
    }


def _agree(spans: Connection | Reading, rows: list[Row]) -> None:
    for since, until, server in (
        (0, 2**63 - 1, None),
        (START + 20 * SECOND, 2**63 - 1, "files"),
        (START, START + 30 * SECOND, None),
    ):
        found = ask(spans, "baseline", since=since, until=until, server=server)
        assert found == _counted(rows, since, until, server)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("threads", [1, 2, 8])
def test_sessions_are_counted_as_they_can_be_counted_plainly(seed: int, threads: int):
    rows = _rows(seed)
    _agree(in_memory(random.Random(seed).sample(rows, len(rows)), threads), rows)


@pytest.mark.parametrize("seed", range(3))
def test_sessions_that_lie_in_several_files_are_counted_once(seed: int, tmp_path: Path):
    rows = _rows(seed + 100)
    scatter(tmp_path / "lake", rows, random.Random(seed))
    with open_reading(tmp_path / "lake") as reading:
        _agree(reading, rows)


def test_two_callers_with_one_session_id_are_two_sessions():
    rows = [call(n, session_id="same", enforcement_key=key) for n, key in enumerate(["p1", "p2", "p1", None])]
    found = traffic.sessions(Plan(in_memory(rows)), EVERYTHING, None)
    assert [(session.pair, session.calls) for session in found] == [
        (Pair("same", "p1"), 2),
        (Pair("same", "p2"), 1),
        (Pair("same", None), 1),
    ]


def test_a_session_that_reaches_into_the_window_counts_whole():
    rows = [call(n, session_id="long", at_s=n * 100) for n in range(10)] + [call(99, session_id="old", at_s=0)]
    found = traffic.sessions(Plan(in_memory(rows)), Window(START + 850 * SECOND, 2**63 - 1, "late"), None)
    assert [(session.pair.session, session.calls) for session in found] == [("long", 10)]


def test_a_denied_call_used_nothing():
    rows = [call(0), call(1, outcome="denied", args_shape="{evil:string}")]
    plan = Plan(in_memory(rows))
    (session,) = traffic.sessions(plan, EVERYTHING, None)
    assert (session.calls, session.wanted().calls, [use.denied for use in session.denied]) == (1, 2, [1])
    assert [shape.shape for shape in traffic.shapes(plan, EVERYTHING, None)] == ["{q:string}"]


def test_shapes_are_counted_by_calls_and_by_sessions():
    rows = [call(n, session_id=f"s{n % 2}", args_shape="{a:string}") for n in range(5)]
    rows += [call(9, session_id="s9", enforcement_key="p9", args_shape="{b:string}", at_s=50)]
    rows += [call(10, args_shape="{refused:string}", outcome="protocol_error"), call(11, args_shape=None)]
    found = traffic.shapes(Plan(in_memory(rows)), EVERYTHING, None)
    assert [(one.shape, one.calls, one.sessions, one.pair.session) for one in found] == [
        ("{a:string}", 5, 2, "s0"),
        ("{b:string}", 1, 1, "s9"),
    ]
    assert found[1].pair == Pair("s9", "p9")
    assert found[1].last_unix_nano == START + 50 * SECOND


def test_sessions_that_are_set_aside_are_not_seen_and_then_seen_again():
    rows = [call(n, session_id=f"s{n % 3}", enforcement_key=[None, "p", "p"][n % 3], ms=n) for n in range(30)]
    rows.append(call(99, session_id=None, ms=5))
    plan = Plan(in_memory(rows))
    left = plan.without([Pair("s0", None), Pair("s1", "other")])
    assert [s.pair.session for s in traffic.sessions(left, EVERYTHING, None)] == ["s1", "s2"]
    assert [latency.calls for latency in traffic.latencies(left, EVERYTHING, None, 1)] == [21]
    assert [s.pair.session for s in traffic.sessions(plan, EVERYTHING, None)] == ["s0", "s1", "s2"]
    assert [latency.calls for latency in traffic.latencies(plan.without([]), EVERYTHING, None, 1)] == [31]


def test_sessions_are_set_aside_in_a_real_lake_too(tmp_path: Path):
    rows = [call(n, session_id=f"s{n % 3}") for n in range(30)]
    scatter(tmp_path / "lake", rows, random.Random(1))
    with open_reading(tmp_path / "lake") as reading:
        found = traffic.sessions(plan_of(reading).without([Pair("s0", None)]), EVERYTHING, None)
        assert [(s.pair.session, s.calls) for s in found] == [("s1", 10), ("s2", 10)]
