"""Sessions in which failures follow certain calls, and what `report precursors` has to say of them, plainly."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from random import Random

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
        result_bytes=chance.choice([100, 100, 100, 70_000]),
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
    after: dict[tuple[str, str, int, str, str], list[Row]] = defaultdict(list)
    for calls in sessions.values():
        calls.sort(key=in_order)
        for place, row in enumerate(calls):
            for length, last, before in _befores(calls[max(0, place - 2) : place], row):
                after[(*_tool(row), length, last, before)].append(row)
    pools: dict[tuple[str, str, int], list[Row]] = defaultdict(list)
    for (service, tool, length, _, _), calls in after.items():
        if length <= 2:
            pools[service, tool, length] += calls
    judged = {
        (*of, fault)
        for of, calls in pools.items()
        for fault, number in Counter(map(_class, calls)).items()
        if fault is not None and number >= support and len(calls) >= min_calls
    }
    faults = Counter(of for *of_, _ in judged for of in [tuple(of_)])
    tests = sum(faults[(*key[:2], _pool(key[2]))] for key, calls in after.items() if len(calls) >= support)
    reported = []
    for (service, tool, length, last_before, before), calls in after.items():
        pool = pools[service, tool, _pool(length)]
        for fault in {*map(_class, calls)} - {None}:
            failing = [row for row in calls if _class(row) == fault]
            k, n = len(failing), len(calls)
            seen = {row["session_id"] for row in failing}
            if (service, tool, _pool(length), fault) not in judged or k < support or len(seen) < spread:
                continue
            against = [pool]
            if length > 1:
                against.append(after[service, tool, 1, last_before, last_before])
            rests = [(len(rows) - n, sum(_class(row) == fault for row in rows) - k) for rows in against]
            if not all(m and _rarer(k, n, j, m) for m, j in rests):
                continue
            middle, half = k / n + _ZZ / (2.0 * n), _Z * math.sqrt(k / n * (1 - k / n) / n + _ZZ / (4.0 * n * n))
            low, high = (middle - half) / (1 + _ZZ / n), (middle + half) / (1 + _ZZ / n)
            surprise = min(_surprise(k, n, j, m) for m, j in rests)
            if surprise <= 0 or surprise < math.log(tests / by_chance) or low <= max(j / m for m, j in rests):
                continue
            last = max(
                failing,
                key=lambda r: (
                    r["start_unix_nano"],
                    *(r.get("sequence") is not None, r.get("sequence") or 0, r["span_id"], r["trace_id"]),
                ),
            )
            (m, j), *_ = rests
            reported.append(
                {
                    "service_name": service or None,
                    "tool": tool or None,
                    "fault": fault,
                    "before": before,
                    "support": k,
                    "calls": n,
                    "failed_ratio": k / n,
                    "base_ratio": (k + j) / (n + m),
                    "lift": k / n / (j / m or 1 / m),
                    "low_ratio": low,
                    "high_ratio": high,
                    "sessions": len(seen),
                    "last_unix_nano": last["start_unix_nano"],
                    "last_session_id": last["session_id"],
                    "last_trace_id": last["trace_id"],
                    "rest_calls": m,
                    "rest_ratio": j / m,
                }
            )
    return sorted(
        reported,
        key=lambda r: (
            *(-round(r["low_ratio"] / (r["rest_ratio"] or 1 / r["rest_calls"]), 9), -r["support"]),
            *(nulls_last(r["service_name"]), nulls_last(r["tool"]), r["fault"], r["before"]),
        ),
    )


def _tool(row: Row) -> tuple[str, str]:
    return row.get("service_name") or "", row.get("tool") or ""


def _befores(earlier: list[Row], row: Row) -> list[tuple[int, str, str]]:
    """What comes before a call: how it is counted, the last tool, and its words."""
    names = [_name(one, row) for one in earlier]
    found = [(length, names[-1], " → ".join(names[-length:])) for length in (1, 2) if len(names) >= length]
    if not earlier:
        return found
    failure = _class(earlier[-1])
    if failure is not None and _tool(earlier[-1]) != _tool(row):
        found.append((3, names[-1], f"{names[-1]} ({failure})"))
    if (earlier[-1].get("result_bytes") or 0) >= 64 * 1024:
        found.append((4, names[-1], f"{names[-1]} (64 KiB or more)"))
    return found


def _pool(length: int) -> int:
    return 2 if length == 2 else 1


def _rarer(k: int, n: int, j: int, m: int) -> bool:
    """Whether one failure more among the n would be less probable by chance."""
    return j * (n - k) < (k + 1) * (m - j + 1)


def _surprise(k: int, n: int, j: int, m: int) -> float:
    """Minus the logarithm of the bound on the probability that chance puts k or more of the failures among the n."""

    def ways(of: int, some: int) -> float:
        return math.lgamma(of + 1) - math.lgamma(some + 1) - math.lgamma(of - some + 1)

    next_ratio = j * (n - k) / ((k + 1) * (m - j + 1))
    return ways(n + m, k + j) - ways(n, k) - ways(m, j) + math.log(1 - next_ratio)
