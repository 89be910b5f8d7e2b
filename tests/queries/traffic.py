"""Random traffic that is dense in what the queries look for: small alphabets, ties in time, gaps in every column."""

from __future__ import annotations

import random
from typing import Any

from tests.queries.recorded import SECOND, START, Row, call

_OUTCOMES = ["ok"] * 12 + ["tool_error"] * 4 + ["server_error", "timeout", "protocol_error", "cancelled", "denied"]
_OUTCOMES += ["input_required", "task", "unfinished"]
_FLAGS = ["control", "invisible", "long_run", "markup", "null_byte", "shell", "sql", "template", "traversal", "url"]

_FINDINGS = [
    '[{"id":"a","find":"injection","rule":"x","where":"content","count":2,"action":"flag","family":"roles","start":3}]',
    '[{"id":"b","find":"email","rule":"email","where":"key","count":1,"action":"block","shadow":true},'
    '{"id":"a","find":"email","rule":"email","where":"key","count":1,"action":"mask"}]',
]


def random_rows(chance: random.Random, calls: int) -> list[Row]:
    rows: list[Row] = []
    sessions = [f"s{n}" for n in range(chance.randrange(1, 9))]
    sessions += [sessions[0]] * chance.choice([0, 0, 40])  # now and then one is far ahead
    args, results = chance.choice([2, 3, 6]), chance.choice([1, 2, 4])
    while len(rows) < calls:
        session = chance.choice(sessions)
        if chance.random() < 0.25:
            rows += _stretch(chance, session, len(rows))
        if chance.random() < 0.02:
            rows += _deletions(chance, session, len(rows))
        rows.append(_one(chance, session, len(rows), args, results))
    return rows[:calls]


def _one(chance: random.Random, session: str, number: int, args: int, results: int) -> Row:
    outcome = chance.choice(_OUTCOMES)
    service = chance.choice(["files", "web", None]) if chance.random() < 0.2 else "files"
    # one layer a service: what is reported twice is the subject of test_counting.py
    scope = {"files": "mcpobs", "web": "fastmcp"}.get(service or "") or chance.choice(["mcpobs", "fastmcp", None])
    columns: dict[str, Any] = {
        "session_id": session if chance.random() < 0.97 else None,
        "session_confidence": chance.choice(["high", "high", "medium", "low", None]),
        "tool": chance.choice(["search", "fetch", "fetch", None]) if chance.random() < 0.2 else "search",
        "service_name": service,
        "start_unix_nano": START + _tick(chance, number),
        "sequence": number if chance.random() < 0.95 else None,
        "outcome": outcome,
        "error_type": chance.choice(["server_exit", None]) if outcome == "unfinished" else None,
        "status_code": chance.choice(["-32603", None]) if outcome == "server_error" else None,
        "args_digest": f"a{chance.randrange(args)}" if chance.random() < 0.97 else None,
        "result_digest": f"r{chance.randrange(results)}" if outcome == "ok" and chance.random() < 0.95 else None,
        "result_empty": chance.random() < 0.6 if chance.random() < 0.95 else None,
        "duration_ns": _duration_ns(chance, outcome),
        "cost_microusd": chance.randrange(1000) if chance.random() < 0.3 else None,
        "request_id": str(number) if chance.random() < 0.97 else None,
        "scope_name": scope,
        "trace_flags": chance.choice([0, 1, 1, None]),
        "kind": "server" if chance.random() < 0.97 else "client",
        "method": "tools/call" if chance.random() < 0.97 else chance.choice(["ping", "tools/list", None]),
    }
    return call(number, **columns, **_input(chance), **_decided(chance))


def _duration_ns(chance: random.Random, outcome: str) -> int | None:
    """Below a second, but for a call that hung."""
    if chance.random() < 0.03:
        return None
    return chance.randrange(40 * 10**9 if outcome == "unfinished" and chance.random() < 0.5 else 10**9)


def _decided(chance: random.Random) -> dict[str, Any]:
    """What a policy made of a call: of most nothing, of some a denial, a warning, or one in log_only."""
    if chance.random() < 0.9:
        return {}
    return {
        "decision": chance.choice(["allow", "warn", "deny"]),
        "decision_code": chance.choice(["call_limit", "order", None]),
        "rule": chance.choice(["a", None]),
        "rules": chance.choice(['["a","b"]', None]),
        "shadow_code": chance.choice(["size", None]),
        "shadow_rules": '["c"]',
        "findings": chance.choice([None, *_FINDINGS]),
    }


def _tick(chance: random.Random, number: int) -> int:
    """Nearly one a second, often at the very same nanosecond as another, sometimes days later."""
    return (number // 2 if chance.random() < 0.3 else number) * SECOND + (2 * 86_400 * SECOND if number % 7 == 0 else 0)


def _stretch(chance: random.Random, session: str, number: int) -> list[Row]:
    """A run, cycle, poll or fruitless search, whole and in order."""
    period, rounds = chance.choice([1, 1, 2, 3, 4, 5, 8]), chance.randrange(2, 9)
    kind = chance.choice(["same", "same", "failing", "polled", "waiting", "empty"])
    rows = []
    for index in range(period * rounds if kind != "empty" else chance.randrange(6, 12)):
        place = index % period
        last = kind == "polled" and index >= period * (rounds - 1)
        answer = f"w{index // (period * 2)}" if kind == "waiting" and place == 0 else f"q{place}"
        rows.append(
            call(
                number + index,
                session_id=session,
                tool=["search", "fetch", "write", "search"][place % 4],
                args_digest=f"e{index}" if kind == "empty" else f"p{place}",
                outcome="tool_error" if kind == "failing" else "ok",
                result_digest="done" if last else answer,
                result_empty=kind == "empty",
                **_input(chance),
            )
        )
    return rows


def _deletions(chance: random.Random, session: str, number: int) -> list[Row]:
    """A tool that says nothing even when it works; seldom enough that some traffic holds a few sessions of it."""
    has_result = chance.random() < 0.05
    return [
        call(number + index, session_id=session, tool="delete", result_empty=not has_result, **_input(chance))
        for index in range(chance.choice([2, 9]))
    ]


def _input(chance: random.Random) -> dict[str, Any]:
    strange = chance.choice(["{}", "{q:integer}", "{#a1b2c3:null}", None])
    columns: dict[str, Any] = {
        "args_shape": "{q:string}" if chance.random() < 0.96 else strange,
        "args_bytes": chance.randrange(10, 400) if chance.random() < 0.98 else chance.choice([None, 20_000]),
    }
    if chance.random() < 0.02:
        return columns | {"args_features": None}
    flags = sorted(chance.sample(_FLAGS, chance.choice([1, 1, 2]))) if chance.random() < 0.03 else []
    if chance.random() < 0.7:
        return columns | {"args_features": _worded(chance)}
    return columns | {"flags": flags, "longest": chance.randrange(100) if chance.random() < 0.99 else 9_000}


def _worded(chance: random.Random) -> str:
    """Features with a word for each argument; now and then one of another kind, size or type."""
    size = chance.choice("345") if chance.random() < 0.97 else chance.choice("0189cz")
    letters = "".join(
        sorted(chance.choice(["aw", "alw", "awt"]) + (chance.choice("bdgq+CDOUS") if chance.random() < 0.05 else ""))
    )
    words = {"q": f"s{size}{chance.choice('-89')}{letters}"}
    if chance.random() < 0.8:
        words["n"] = chance.choice(["n0+"] * 40 + ["n1+", "n7+", "n0-", "n0+t", "z", "s3-d"])
    if chance.random() < 0.1:
        words["list"] = chance.choice(["l23", "l23", "l79D", "o11"])
    if chance.random() < 0.01:
        words["#a1b2c3"] = "b"
    longest = chance.randrange(30)
    members = ",".join(f'"{name}":"{word}"' for name, word in sorted(words.items()))
    return f'{{"depth":1,"flags":[],"keys":{len(words)},"longest":{longest},"values":{{{members}}}}}'
