"""Each report's answer computed plainly in Python, row by row: what the SQL is held against."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
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


ANSWERED = ("ok", "tool_error", "server_error", "timeout")


def unanswered(row: Row) -> bool:
    outcome, error = row.get("outcome"), row.get("error_type")
    return (outcome == "unfinished" and error not in ("server_exit", "redirected")) or (
        outcome == "cancelled" and error == "client_disconnect"
    )


def patience_ns(calls: Sequence[Row]) -> int:
    """What an unanswered call of a tool with these calls may have waited, before it has failed."""
    answered = sorted(
        c["duration_ns"] for c in calls if c.get("outcome") in ANSWERED and c.get("duration_ns") is not None
    )
    waits = [call for call in calls if unanswered(call) and (call.get("duration_ns") or 0) >= 10**9]
    if len(answered) >= 20:
        slow = next(ns for place, ns in enumerate(answered, start=1) if place >= 0.99 * len(answered))
        return round(2 ** ((math.floor(math.log2(max(slow, 1)) * 32) + 1) / 32))
    return 10**9 if not answered and len(waits) >= 3 else 30 * 10**9


def failed(row: Row) -> bool:
    outcome = row.get("outcome")
    return (
        row.get("hung", False)
        or outcome in ("tool_error", "server_error", "timeout")
        or (outcome == "unfinished" and row.get("error_type") == "server_exit")
    )


def tool_calls(rows: Iterable[Row]) -> list[Row]:
    """The calls, of which those that failed unanswered are `hung`."""
    calls = [row for row in rows if row.get("method") == "tools/call" and row.get("kind") == "server"]
    of_tools = grouped(({**row, "key": (row.get("service_name") or "", row.get("tool") or "")} for row in calls), "key")
    patience = {key: patience_ns(group) for (key,), group in of_tools.items() if any(map(unanswered, group))}
    return [
        {**row, "hung": True}
        if unanswered(row)
        and (row.get("duration_ns") or 0) > patience[row.get("service_name") or "", row.get("tool") or ""]
        else row
        for row in calls
    ]


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
    kinds = ("service_name", "tool", "outcome", "error_type", "status_code", "hung")
    for (service, tool, outcome, error, status, hung), group in grouped(wrong, *kinds).items():
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
                "fault": "hung" if hung else FAULTS[outcome],
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
    return [{name: row.get(name) for name in names} | _outcome(row) for row in result]


def _outcome(row: Row) -> Row:
    return {"outcome": "unanswered"} if row.get("hung") else {}


def _ms(ns: int | None) -> float | None:
    return None if ns is None else ns / 1e6


def _label(ordered: list[Row], index: int) -> str | None:
    if index < 0:
        return None
    tool, outcome = ordered[index].get("tool") or "?", ordered[index].get("outcome")
    return tool if outcome == "ok" else f"{tool} ({outcome or '?'})"


def loops(rows: list[Row], repeats: int = 3, empties: int = 8, rounds: int = 3) -> list[Row]:
    calls = [row for row in tool_calls(rows) if row.get("session_id") is not None]
    writes = _tools_that_say_nothing(calls)
    result: list[Row] = []
    for (session,), group in grouped(calls, "session_id").items():
        steps = _without_retries(sorted(group, key=in_order))
        for kind, period, low, high in _without_beaten(_stretches(steps, repeats, empties, rounds)):
            part = steps[low : high + 1]
            if kind != "empty" and any(_waits(steps[: high + 1], act, period) for act in {*map(_act, part)}):
                continue
            silent_tool = (session, part[0].get("service_name") or "", part[0].get("tool") or "") in writes
            if kind == "empty" and silent_tool and not any(map(_fruitless, part)):
                continue
            costs = [step["cost_microusd"] for step in part if step.get("cost_microusd") is not None]
            end = part[-1]["start_unix_nano"] + (part[-1].get("duration_ns") or 0)
            result.append(
                {
                    "session_id": session,
                    "service_name": part[0].get("service_name"),
                    "kind": kind,
                    "pattern": " → ".join(step.get("tool") or "?" for step in part[:period]),
                    "calls": len(part),
                    "wasted": len(part) - period,
                    "from_call": low + 1,
                    "first_unix_nano": part[0]["start_unix_nano"],
                    "last_unix_nano": part[-1]["start_unix_nano"],
                    "duration_ms": (end - part[0]["start_unix_nano"]) / 1e6,
                    "cost_microusd": sum(costs) if costs else None,
                    "period": period,
                }
            )
    result.sort(
        key=lambda r: (-r["wasted"], -r["last_unix_nano"], r["session_id"], r["from_call"], r["kind"], r["period"])
    )
    return [{name: value for name, value in row.items() if name != "period"} for row in result]


def _fruitless(row: Row) -> bool:
    wrong = failed(row) and not row.get("hung")
    return wrong or row.get("outcome") in ("protocol_error", "denied")


def _empty(row: Row) -> bool:
    return row.get("outcome") == "ok" and row.get("result_empty") is True


def _act(row: Row) -> tuple[str, str, str] | None:
    if row.get("args_digest") is None:
        return None
    return row.get("service_name") or "", row.get("tool") or "", row["args_digest"]


def _deed(row: Row) -> tuple[Any, ...] | None:
    act = _act(row)
    if act is None:
        return None
    if row.get("outcome") == "ok":
        return None if row.get("result_digest") is None else (act, row["result_digest"])
    return (act, None) if _fruitless(row) else None


def _without_retries(ordered: list[Row]) -> list[Row]:
    kept, before = [], {}
    for row in ordered:
        key = (row.get("service_name") or "", row.get("tool") or "", row.get("args_digest"))
        if row.get("outcome") not in ("input_required", "task") and before.get(key) != "input_required":
            kept.append(row)
        before[key] = row.get("outcome")
    return kept


def _stretches(steps: list[Row], repeats: int, empties: int, rounds: int) -> list[tuple[str, int, int, int]]:
    """(kind, period, first, last) of every maximal stretch that is long enough."""
    acts, deeds = [*map(_act, steps)], [*map(_deed, steps)]

    def after_the_end(i: int, period: int) -> bool:
        """Whether a call began when the one `period` before it had ended, but for a tenth of its duration."""
        here, there = steps[i], steps[i - period]
        return (here["start_unix_nano"] - there["start_unix_nano"]) * 10 >= (there.get("duration_ns") or 0) * 9

    def maximal(same: Callable[[int], bool], period: int) -> Iterable[tuple[int, int]]:
        index = period
        while index < len(steps):
            begin = index
            while index < len(steps) and same(index):
                index += 1
            if index > begin:
                yield begin - period, index - 1
            index += 1

    found = []
    for period in range(1, 9):

        def same(i: int, period: int = period) -> bool:
            return deeds[i] is not None and deeds[i] == deeds[i - period] and after_the_end(i, period)

        for low, high in maximal(same, period):
            after = high + 1
            polled = (
                after < len(steps)
                and acts[after] is not None
                and acts[after] == acts[after - period]
                and steps[after].get("outcome") == steps[after - period].get("outcome") == "ok"
                and None not in (deeds[after], deeds[after - period])
                and deeds[after] != deeds[after - period]
            )
            least = repeats if period == 1 else period * rounds
            if high - low + 1 >= least and not polled and (period == 1 or len(set(deeds[low : high + 1])) > 1):
                found.append(("repeat" if period == 1 else "cycle", period, low, high))

    def nothing(i: int) -> bool:
        here, there = steps[i], steps[i - 1]
        return (
            (_empty(here) or _fruitless(here))
            and (_empty(there) or _fruitless(there))
            and (here.get("service_name") or "", here.get("tool") or "")
            == (there.get("service_name") or "", there.get("tool") or "")
            and after_the_end(i, 1)
        )

    for low, high in maximal(nothing, 1):
        changes = any(acts[i] is None or acts[i] != acts[i - 1] for i in range(low + 1, high + 1))
        if high - low + 1 >= empties and changes:
            found.append(("empty", 1, low, high))
    return found


def _waits(steps: list[Row], act: tuple[str, str, str] | None, period: int) -> bool:
    """Whether the question got new answers twice, and the last has not yet stayed for longer than one of those."""
    stages: list[int] = []
    last: int | None = None
    for place, step in enumerate(steps):
        if act is None or _act(step) != act:
            continue
        if last is None or place - last > period:
            stages = [0]
        elif steps[last].get("outcome") == step.get("outcome") == "ok":
            here, there = _deed(step), _deed(steps[last])
            stages += [0] * (None not in (here, there) and here != there)
        stages[-1] += 1
        last = place
    return len(stages) > 2 and stages[-1] <= max(stages[:-1])


def _without_beaten(found: list[tuple[str, int, int, int]]) -> list[tuple[str, int, int, int]]:
    rank = {"repeat": 1, "empty": 9}

    def beats(strong: tuple[str, int, int, int], weak: tuple[str, int, int, int]) -> bool:
        overlap = min(strong[3], weak[3]) - max(strong[2], weak[2]) + 1
        long, short = strong[3] - strong[2] + 1, weak[3] - weak[2] + 1
        inside = strong[2] <= weak[2] and weak[3] <= strong[3]
        if overlap <= 0 or strong == weak:
            return False
        if weak[0] == "empty" and strong[0] != "empty":
            return 2 * overlap > short
        if strong[0] == "empty":
            return inside and 2 * short <= long
        return inside and (long > short or rank.get(strong[0], strong[1]) < rank.get(weak[0], weak[1]))

    standing = [one for one in found if one[0] != "empty" or not any(beats(strong, one) for strong in found)]
    return [weak for weak in standing if not any(beats(strong, weak) for strong in standing)]


def _tools_that_say_nothing(calls: list[Row]) -> set[tuple[str, str, str]]:
    """(session, server, tool) where the tool gave almost only empty answers in at least five other sessions."""
    oks: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in calls:
        if row.get("outcome") == "ok":
            oks[row.get("service_name") or "", row.get("tool") or ""].append(row)
    silent = set()
    for session in {row["session_id"] for row in calls}:
        for (service, tool), answers in oks.items():
            others = [row for row in answers if row["session_id"] != session]
            if len({row["session_id"] for row in others}) >= 5 and sum(map(_empty, others)) >= 0.95 * len(others):
                silent.add((session, service, tool))
    return silent


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
