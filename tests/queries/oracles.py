"""Each report's answer computed plainly in Python, row by row: what the SQL is held against."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

Row = dict[str, Any]
FAULTS = {
    "tool_error": "tool",
    "server_error": "server",
    "timeout": "server",
    "protocol_error": "caller",
    "denied": "policy",
    "unfinished": "gone",
}


def failed(row: Row) -> bool:
    outcome = row.get("outcome")
    return outcome in ("tool_error", "server_error", "timeout") or (
        outcome == "unfinished" and row.get("error_type") == "server_exit"
    )


def tool_calls(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row.get("method") == "tools/call" and row.get("kind") == "server"]


def grouped(rows: Iterable[Row], *names: str) -> dict[tuple[Any, ...], list[Row]]:
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row.get(name) for name in names)].append(row)
    return groups


def in_order(row: Row) -> tuple[Any, ...]:
    sequence = row.get("sequence")
    return row["start_unix_nano"], sequence is None, sequence or 0, row["span_id"], row["trace_id"]


def nulls_last(value: Any) -> tuple[bool, Any]:
    return value is None, value or ""


def percentile(values: Sequence[float], p: float) -> float:
    ordered = sorted(values)
    place = p * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _whole(row: Row) -> bool:
    """False for a call that asks for input first: its retry is the call."""
    return row.get("outcome") != "input_required"


def errors(rows: list[Row]) -> list[Row]:
    calls = tool_calls(rows)
    totals = Counter((call.get("service_name") or "", call.get("tool") or "") for call in calls if _whole(call))
    wrong = [call for call in calls if call.get("outcome") in FAULTS]
    result = []
    kinds = ("service_name", "tool", "outcome", "error_type", "status_code")
    for (service, tool, outcome, error, status), group in grouped(wrong, *kinds).items():
        newest_first = sorted(group, key=lambda r: (-r["start_unix_nano"], r.get("sequence") is None))
        start = newest_first[0]["start_unix_nano"]
        ties = [row for row in group if row["start_unix_nano"] == start]
        with_sequence = [row for row in ties if row.get("sequence") is not None] or ties
        last = max(with_sequence, key=lambda r: (r.get("sequence") or 0, r["span_id"]))
        total = totals[service or "", tool or ""]
        result.append(
            {
                "service_name": service,
                "tool": tool,
                "fault": FAULTS[outcome],
                "outcome": outcome,
                "error_type": error,
                "status_code": status,
                "calls": len(group),
                "of_calls": total,
                "error_ratio": len(group) / total,
                "sessions": len({row["session_id"] for row in group if row.get("session_id") is not None}),
                "first_unix_nano": min(row["start_unix_nano"] for row in group),
                "last_unix_nano": start,
                "last_session_id": last.get("session_id"),
            }
        )
    return sorted(
        result,
        key=lambda r: (
            -r["calls"],
            -r["last_unix_nano"],
            *(nulls_last(r[name]) for name in ("service_name", "tool", "outcome", "error_type", "status_code")),
        ),
    )


STANDS_OUT = {"calls": ("calls", 20), "failures": ("failed", 5), "time": ("ns", 60 * 10**9), "cost": ("cost", 10_000)}
"""What a session can stand out by: the word, the amount, and what it takes at least."""


def sessions(rows: list[Row]) -> list[Row]:
    groups = grouped((row for row in tool_calls(rows) if row.get("session_id") is not None), "session_id")
    if not groups:
        return []
    amounts = {session: _amounts(calls) for (session,), calls in groups.items()}
    total = sum(amount["calls"] for amount in amounts.values())
    median = percentile([amount["calls"] for amount in amounts.values()], 0.5)
    result = []
    for (session,), calls in groups.items():
        services = sorted(call["service_name"] for call in calls if call.get("service_name") is not None)
        first = min(call["start_unix_nano"] for call in calls)
        end = max(call["start_unix_nano"] + (call.get("duration_ns") or 0) for call in calls)
        sure = [s for s in ("low", "medium", "high") if any(call.get("session_confidence") == s for call in calls)]
        amount = amounts[session]
        why = [reason for word in STANDS_OUT if (reason := _stands_out(word, amount, list(amounts.values())))]
        compared = len(groups) >= 5
        result.append(
            {
                "session_id": session,
                "service_name": services[0] if services else None,
                "confidence": sure[0] if sure else None,
                "calls": amount["calls"],
                "share_ratio": amount["calls"] / total if total else None,
                "times_median": amount["calls"] / median if median else None,
                "disproportionate": bool(why) if compared else None,
                "why": "; ".join(why) or None if compared else None,
                "tools": len({call["tool"] for call in calls if call.get("tool") is not None}),
                "failed": amount["failed"],
                "first_unix_nano": first,
                "last_unix_nano": max(call["start_unix_nano"] for call in calls),
                "duration_ms": (end - first) / 1e6,
                "busy_ms": amount["ns"] / 1e6,
                "result_bytes": sum(call.get("result_bytes") or 0 for call in calls),
                "cost_microusd": amount["cost"],
            }
        )
    return sorted(result, key=lambda r: (not r["disproportionate"], -r["calls"], r["session_id"]))


def _amounts(calls: list[Row]) -> dict[str, Any]:
    costs = [call["cost_microusd"] for call in calls if call.get("cost_microusd") is not None]
    return {
        "calls": sum(map(_whole, calls)),
        "failed": sum(map(failed, calls)),
        "ns": sum(call.get("duration_ns") or 0 for call in calls),
        "cost": sum(costs) if costs else None,
    }


def _stands_out(word: str, amount: dict[str, Any], all_amounts: list[dict[str, Any]]) -> str | None:
    """Far above the median by the median absolute deviation of logarithms, and a multiple of it."""
    name, least = STANDS_OUT[word]
    value, values = amount[name], [each[name] for each in all_amounts if each[name] is not None]
    if value is None or value < least:
        return None
    median, middle = percentile(values, 0.5), percentile([math.log(1 + each) for each in values], 0.5)
    mad = percentile([abs(math.log(1 + each) - middle) for each in values], 0.5)
    if value < 3 * median or math.log(1 + value) - middle <= 3.5 * 1.4826 * mad:
        return None
    return f"{word} {math.floor(value / median + 0.5)} ×" if median else word


def failures(rows: list[Row]) -> list[Row]:
    result = []
    for (session,), calls in grouped(tool_calls(rows), "session_id").items():
        ordered = sorted(calls, key=in_order)
        for index, call in enumerate(ordered):
            if failed(call) or call.get("outcome") == "denied":
                before = [None] * 5 if session is None else [_label(ordered, index - back) for back in range(1, 6)]
                earlier = {f"before_{back}": label for back, label in enumerate(before, start=1)}
                nth = None if session is None else index + 1
                result.append(call | earlier | {"nth_call": nth, "duration_ms": _ms(call.get("duration_ns"))})
    names = ("start_unix_nano", "session_id", "service_name", "tool", "outcome", "error_type", "status_code")
    names += ("duration_ms", "nth_call", "before_5", "before_4", "before_3", "before_2", "before_1")
    names += ("trace_id", "span_id")
    result.sort(
        key=lambda r: (
            -r["start_unix_nano"],
            nulls_last(r.get("session_id")),
            r.get("sequence") is None,
            -(r.get("sequence") or 0),
            r["span_id"],
            r["trace_id"],
        )
    )
    return [{name: row.get(name) for name in names} for row in result]


def _ms(ns: int | None) -> float | None:
    return None if ns is None else ns / 1e6


def _label(ordered: list[Row], index: int) -> str | None:
    if index < 0:
        return None
    tool, outcome = ordered[index].get("tool") or "?", ordered[index].get("outcome")
    return tool if outcome == "ok" else f"{tool} ({outcome or '?'})"


RANKS = {"in_process": 2, "fastmcp": 3, "mcp-python-sdk": 4, "logfire.mcp": 6, "agentgateway": 8, "mcp-gateway": 9}
HOUR = 3600 * 10**9


def layer(row: Row) -> str:
    if row.get("scope_name") == "mcpobs":
        return row.get("front") or "proxy/stdio"
    return row.get("scope_name") or "?"


def rank(row: Row) -> int:
    scope = row.get("scope_name") or ""
    internal = row.get("sent_kind") == 1 and "sentry" not in scope
    return RANKS.get(layer(row), 1 if scope == "mcpobs" else 10 if internal else 5)


def set_aside(rows: list[Row]) -> dict[tuple[str, str], str]:
    """Why spans are set aside, by (trace_id, span_id); every pair of spans is looked at."""
    operations = [row for row in rows if row.get("method") is not None and row.get("kind") == "server"]
    spans = {(row["trace_id"], row["span_id"]): row for row in rows}
    reasons: dict[tuple[str, str], str] = {}
    for worse in operations:
        service = worse.get("service_name")
        if service is None or service.startswith("unknown_service"):
            continue
        hour = worse["start_unix_nano"] // HOUR
        if any(
            better.get("service_name") == service
            and rank(better) < rank(worse)
            and abs(better["start_unix_nano"] // HOUR - hour) <= 1
            for better in operations
        ):
            reasons[worse["trace_id"], worse["span_id"]] = "not_authoritative"
    for group in grouped(operations, "trace_id").values():
        for worse in group:
            if any(_better_of_the_same_call(better, worse, spans) for better in group):
                reasons[worse["trace_id"], worse["span_id"]] = "same_trace"
    return reasons


def _better_of_the_same_call(better: Row, worse: Row, spans: dict[tuple[str, str], Row]) -> bool:
    ids = {row["request_id"] for row in (better, worse) if row.get("request_id") is not None}
    names = {(row["method"], row.get("tool")) for row in (better, worse)}
    if layer(better) == layer(worse) or len(names) > 1 or len(ids) > 1:
        return False
    if rank(better) < rank(worse):
        same_service = (better.get("service_name") or "") == (worse.get("service_name") or "")
        below = _above(better, spans) + _above(worse, spans)
        if same_service or better["span_id"] in below or worse["span_id"] in below:
            return True
    if rank(better) > rank(worse):
        return False
    if rank(better) == rank(worse) and better["span_id"] in _above(worse, spans):
        return True
    siblings = better.get("parent_span_id") is not None and better["parent_span_id"] == worse.get("parent_span_id")
    here, there = [
        (row["start_unix_nano"], row["start_unix_nano"] + (row["duration_ns"] or 0)) for row in (better, worse)
    ]
    if not siblings or here[0] > there[1] or there[0] > here[1]:
        return False
    return rank(better) < rank(worse) or (rank(worse) == 1 and len(ids) == 1 and here[0] < there[0])


def _above(row: Row, spans: dict[tuple[str, str], Row]) -> list[str]:
    """Ids of the four spans above one, up to an MCP client's."""
    found: list[str] = []
    at: Row | None = row
    while at is not None and at.get("parent_span_id") is not None and len(found) < 4:
        found.append(at["parent_span_id"])
        at = spans.get((row["trace_id"], at["parent_span_id"]))
        if at is not None and at.get("kind") == "client" and at.get("method") is not None:
            break
    return found


def _has_mcp(row: Row) -> bool:
    return '"mcp.' in (row.get("attributes") or "")


def _resembles_mcp(row: Row) -> bool:
    own = row.get("scope_name") == "mcpobs"
    named = row.get("tool") is not None or (row.get("name") or "").startswith("execute_tool ")
    return named or (_has_mcp(row) and not own)


def coverage(rows: list[Row]) -> list[Row]:
    reasons = set_aside(rows)
    result = []
    operations = [row | {"layer": layer(row)} for row in rows if row.get("method") is not None or _resembles_mcp(row)]
    for (service, name), group in grouped(operations, "service_name", "layer").items():
        calls = tool_calls(group)
        why = Counter(reasons.get((call["trace_id"], call["span_id"])) for call in calls)
        elsewhere = [row for row in group if row["method"] == "tools/call" and row.get("kind") != "server"]
        result.append(
            {
                "service_name": service,
                "layer": name,
                "spans": sum(row["method"] is not None for row in group),
                "calls": why[None],
                "same_trace": why["same_trace"],
                "not_authoritative": why["not_authoritative"],
                "not_server": len(elsewhere),
                "unsampled": sum(
                    call.get("trace_flags") is not None and call["trace_flags"] % 2 == 0 for call in calls
                ),
                "unfinished": sum(call.get("outcome") == "unfinished" for call in calls),
                "first_unix_nano": min(row["start_unix_nano"] for row in group),
                "last_unix_nano": max(row["start_unix_nano"] for row in group),
                "agent_tools": sum(row["method"] is None and not _has_mcp(row) for row in group),
                "unread": sum(row["method"] is None and _has_mcp(row) for row in group),
                "denied": sum(
                    call.get("outcome") == "denied" and reasons.get((call["trace_id"], call["span_id"])) is None
                    for call in calls
                ),
            }
        )
    return sorted(result, key=lambda r: (nulls_last(r["service_name"]), -r["calls"], r["layer"]))


def decisions(rows: list[Row]) -> list[Row]:
    found = []
    for row in rows:
        if row.get("method") is None or row.get("kind") not in ("server", "client"):
            continue
        denied = row.get("decision") == "deny" or row.get("outcome") == "denied"
        if not denied and row.get("decision") != "warn":
            continue
        shadow = row.get("shadow_code") if not denied else None
        by_rule = None if row.get("rule") is None else f'["{row["rule"]}"]'
        found.append(
            {
                "start_unix_nano": row["start_unix_nano"],
                "effect": "deny" if denied else "would deny" if shadow else "warn",
                "code": (row.get("decision_code") or row.get("error_type")) if denied else shadow,
                "rules": row.get("shadow_rules") if shadow else row.get("rules") or by_rule,
                "target": row.get("tool") or row["method"],
                "session_id": row.get("session_id"),
                "span_id": row["span_id"],
                "trace_id": row["trace_id"],
                "_sequence": row.get("sequence"),
            }
        )
    found.sort(
        key=lambda r: (
            -r["start_unix_nano"],
            nulls_last(r["session_id"]),
            r["_sequence"] is None,
            -(r["_sequence"] or 0),
            r["span_id"],
            r["trace_id"],
        )
    )
    return [{name: value for name, value in row.items() if name != "_sequence"} for row in found]


def findings(rows: list[Row]) -> list[Row]:
    groups: dict[tuple[Any, ...], list[tuple[Row, int]]] = {}
    for row in rows:
        if row.get("method") is None or row.get("kind") not in ("server", "client") or row.get("findings") is None:
            continue
        for one in json.loads(row["findings"]):
            action = f"would {one['action']}" if one.get("shadow") else one["action"]
            target = row.get("tool") or row["method"]
            key = target, one["find"], one.get("family") or one["find"], action, one["id"], row.get("service_name")
            groups.setdefault(key, []).append((row, one["count"]))
    found = [
        {
            "target": target,
            "find": find,
            "family": family,
            "action": action,
            "findings": sum(places for _, places in group),
            "calls": len({(row["span_id"], row["trace_id"]) for row, _ in group}),
            "sessions": len({row["session_id"] for row, _ in group if row.get("session_id") is not None}),
            "first_unix_nano": min(row["start_unix_nano"] for row, _ in group),
            "last_unix_nano": max(row["start_unix_nano"] for row, _ in group),
            "entry": entry,
            "service_name": service,
        }
        for (target, find, family, action, entry, service), group in groups.items()
    ]
    return sorted(
        found,
        key=lambda r: (
            -r["findings"],
            -r["last_unix_nano"],
            r["target"],
            r["find"],
            r["family"],
            r["action"],
            r["entry"],
            nulls_last(r["service_name"]),
        ),
    )
