"""Sessions in which failures follow certain calls, and what `report precursors` has to say of them, plainly."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from random import Random
from typing import Any

from tests.queries.oracles import Row, in_order, nulls_last, tool_calls
from tests.queries.recorded import call

_CLASSES = {
    "tool_error": "tool",
    "server_error": "server",
    "timeout": "server",
    "protocol_error": "caller",
    "unfinished": "gone",
    "denied": "denied",
    "cancelled": "cancelled",
}
_OUTCOME = {"tool": "tool_error", "caller": "protocol_error", "gone": "unfinished", "empty": "ok"}
_TOOLS = ("search", "list", "login", "refund", "open", "lock", "write", "fetch")
_Z = 1.959963984540054
_ZZ = 3.841458820694124

PLANTED = (
    (("login",), "refund", "tool"),
    (("search",), "list", "empty"),
    (("open", "lock"), "write", "denied"),
    (("fetch",), "fetch", "server"),
)
"""What `patterned` plants: the calls before, the tool that fails after them, and how."""


def patterned(chance: Random, sessions: int, *, share: float = 0.6) -> list[Row]:
    """Sessions of random calls of which some fail by chance, and of which planted sequences fail far more often."""
    rows: list[Row] = []
    for session in range(sessions):
        last: list[str] = []
        for _ in range(chance.randrange(2, 30)):
            likely = {"open": "lock", "lock": "write"}.get(last[-1] if last else "")
            tool = likely if likely and chance.random() < 0.4 else chance.choice(_TOOLS)
            fault = chance.choice([*_CLASSES.values(), "empty"]) if chance.random() < 0.05 else None
            for before, fails, how in PLANTED:
                if fails == tool and tuple(last[-len(before) :]) == before and chance.random() < share:
                    fault = how
            rows.append(_call(chance, len(rows), f"s{session}", tool, fault))
            last.append(tool)
    return rows


def unpatterned(chance: Random, sessions: int) -> list[Row]:
    """Sessions in which what fails has nothing to do with what came before."""
    return patterned(chance, sessions, share=0.0)


def _call(chance: Random, number: int, session: str, tool: str, fault: str | None) -> Row:
    outcome = {None: "ok", "server": chance.choice(["server_error", "timeout"])}.get(fault)
    return call(
        number,
        session_id=session,
        tool=tool,
        service_name="mail" if tool == "fetch" else "files",
        outcome=outcome or _OUTCOME.get(fault or "", fault),
        result_empty=fault == "empty",
    )


def _class(row: Row) -> str | None:
    if row.get("outcome") == "ok":
        return "empty" if row.get("result_empty") is True else None
    return _CLASSES.get(row.get("outcome") or "")


def _name(row: Row, beside: Row) -> str:
    service, tool = row.get("service_name"), row.get("tool") or "?"
    same = (service or "") == (beside.get("service_name") or "")
    return tool if same else f"{service or '?'}/{tool}"


def precursors(
    rows: list[Row], min_calls: int = 20, support: int = 5, spread: int = 3, by_chance: float = 0.05
) -> list[Row]:
    sessions: dict[str, list[Row]] = defaultdict(list)
    for row in tool_calls(rows):
        if row.get("session_id") is not None and row.get("outcome") != "input_required":
            sessions[row["session_id"]].append(row)
    after: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for calls in sessions.values():
        calls.sort(key=in_order)
        for place, row in enumerate(calls):
            before = tuple(_name(earlier, row) for earlier in calls[max(0, place - 2) : place])
            of = (row.get("service_name") or "", row.get("tool") or "")
            for length in range(1, len(before) + 1):
                after[(*of, length, before[-length:])].append(row)
    tools: dict[tuple[str, str, int], list[Row]] = defaultdict(list)
    for (service, tool, length, _), calls in after.items():
        tools[service, tool, length] += calls
    base: dict[tuple[Any, ...], float] = {}
    for (service, tool, length), calls in tools.items():
        for fault, count in Counter(map(_class, calls)).items():
            if fault is not None and count >= support and len(calls) >= min_calls:
                base[service, tool, length, fault] = count / len(calls)
    judged = Counter(of for *of_, _ in base for of in [tuple(of_)])
    tests = sum(judged[key[:3]] for key, calls in after.items() if len(calls) >= support)
    reported = []
    for (service, tool, length, before), calls in after.items():
        for fault in {*map(_class, calls)} - {None}:
            ours = base.get((service, tool, length, fault))
            failing = [row for row in calls if _class(row) == fault]
            k, n = len(failing), len(calls)
            seen = {row["session_id"] for row in failing}
            alone = after[service, tool, 1, before[-1:]] if length == 2 else []
            of_last = sum(_class(row) == fault for row in alone) / len(alone) if alone else 0.0
            if ours is None or k < support or len(seen) < spread or k / n <= max(ours, of_last):
                continue
            known = max(ours, of_last)
            surprise = k * math.log(k / n / known) + ((n - k) * math.log((1 - k / n) / (1 - known)) if k < n else 0)
            middle, half = k / n + _ZZ / (2.0 * n), _Z * math.sqrt(k / n * (1 - k / n) / n + _ZZ / (4.0 * n * n))
            low, high = (middle - half) / (1 + _ZZ / n), (middle + half) / (1 + _ZZ / n)
            if surprise < math.log(tests / by_chance) or low <= known:
                continue
            last = max(
                failing,
                key=lambda r: (
                    r["start_unix_nano"],
                    *(r.get("sequence") is not None, r.get("sequence") or 0, r["span_id"], r["trace_id"]),
                ),
            )
            reported.append(
                {
                    "service_name": service or None,
                    "tool": tool or None,
                    "fault": fault,
                    "before": " → ".join(before),
                    "support": k,
                    "calls": n,
                    "failed_ratio": k / n,
                    "base_ratio": ours,
                    "lift": k / n / ours,
                    "low_ratio": low,
                    "high_ratio": high,
                    "sessions": len(seen),
                    "last_unix_nano": last["start_unix_nano"],
                    "last_session_id": last["session_id"],
                    "last_trace_id": last["trace_id"],
                }
            )
    return sorted(
        reported,
        key=lambda r: (
            *(-r["low_ratio"] / r["base_ratio"], -r["support"]),
            *(nulls_last(r["service_name"]), nulls_last(r["tool"]), r["fault"], r["before"]),
        ),
    )
