"""Which sessions stand out, plainly."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from tests.queries.oracles import Row, failed, grouped, percentile, tool_calls

LEAST = {"calls": 10, "failures": 5, "time": 60 * 10**9, "cost": 10_000}
"""The measures that a session can stand out by, and the least amount of each."""

_Kind = tuple[str, ...]


def sessions(rows: list[Row]) -> list[Row]:
    groups = grouped((row for row in tool_calls(rows) if row.get("session_id") is not None), "session_id")
    facts = {session: _facts(calls) for (session,), calls in groups.items()}
    verdicts = {measure: _judged(measure, facts) for measure in LEAST}
    result = []
    for (session,), calls in groups.items():
        fact = facts[session]
        by_calls = verdicts["calls"].get(session, {})
        why = [verdict["reason"] for measure in LEAST if (verdict := verdicts[measure].get(session)) and verdict["odd"]]
        large = [
            f"{measure} {math.floor(100 * verdict['share'] + 0.5)} %"
            for measure in ("calls", "cost")
            if (verdict := verdicts[measure].get(session)) and verdict["place"] <= 3 and verdict["share"] >= 0.01
        ]
        first = min(call["start_unix_nano"] for call in calls)
        end = max(call["start_unix_nano"] + (call.get("duration_ns") or 0) for call in calls)
        sure = [s for s in ("low", "medium", "high") if any(call.get("session_confidence") == s for call in calls)]
        result.append(
            {
                "session_id": session,
                "service_name": fact["server"] or None,
                "calls": fact["calls"],
                "share_ratio": by_calls.get("share", 0.0),
                "why": "; ".join(why) or None,
                "largest": "; ".join(large) or None,
                "times_median": by_calls.get("times"),
                "peers": by_calls.get("peers"),
                "compared_with": by_calls.get("kind"),
                "failed": fact["failures"],
                "busy_ms": fact["time"] / 1e6,
                "cost_microusd": fact["cost"],
                "disproportionate": True if why else False if by_calls.get("peers", 0) >= 5 else None,
                "main_tool": fact["tool"] or None,
                "tools": len({call["tool"] for call in calls if call.get("tool") is not None}),
                "confidence": sure[0] if sure else None,
                "first_unix_nano": first,
                "last_unix_nano": max(call["start_unix_nano"] for call in calls),
                "duration_ms": (end - first) / 1e6,
                "result_bytes": sum(call.get("result_bytes") or 0 for call in calls),
            }
        )
    return sorted(
        result, key=lambda r: (r["disproportionate"] is not True, r["largest"] is None, -r["calls"], r["session_id"])
    )


def _facts(calls: list[Row]) -> Row:
    costs = [call["cost_microusd"] for call in calls if call.get("cost_microusd") is not None]
    of_tools: Counter[tuple[Any, ...]] = Counter()
    for call in calls:
        of_tools[call.get("service_name"), call.get("tool"), call.get("tenant")] += _whole(call)
    return {
        "calls": sum(map(_whole, calls)),
        "failures": sum(map(failed, calls)),
        "time": sum(call.get("duration_ns") or 0 for call in calls),
        "cost": sum(costs) if costs else None,
        "server": min((call["service_name"] for call in calls if call.get("service_name") is not None), default=""),
        "client": max((call["client_name"] for call in calls if call.get("client_name") is not None), default=""),
        "tool": max((number, tool or "") for (_, tool, _), number in of_tools.items())[1],
    }


def _whole(row: Row) -> int:
    return 0 if row.get("outcome") == "input_required" else 1


def _judged(measure: str, facts: dict[str, Row]) -> dict[str, Row]:
    """The verdict on each session that can be compared by this measure."""
    amounts = {
        session: fact[measure]
        for session, fact in facts.items()
        if fact["calls"] and (measure == "failures" or (fact[measure] or 0) > 0)
    }
    sizes = {session: math.log(amount + (measure == "failures")) for session, amount in amounts.items()}
    total = sum(amounts.values())
    places = {s: n for n, s in enumerate(sorted(amounts, key=lambda s: (-amounts[s], s)), start=1)}
    verdicts = {}
    kinds = _kinds(facts, sizes)
    for kind, members in kinds.items():
        ordered = sorted(sizes[session] for session in members)
        median = percentile([amounts[session] for session in members], 0.5)
        bound = _bound(ordered, whole=kind[-1] == "")
        if kind[-1] == "large":
            both = [*members, *kinds[(*kind[:-1], "small")]]
            bound = min(bound, _bound(sorted(sizes[session] for session in both), whole=True))
        for session in members:
            amount, share = amounts[session], amounts[session] / total if total else None
            times = amount / median if median else None
            odd = (
                len(members) >= 5
                and sizes[session] > bound + 1e-9
                and sizes[session] >= percentile(ordered, 0.5) + math.log(2)
                and amount >= max(LEAST[measure], 0.0002 * total)
            )
            if measure == "failures":
                calls = sum(facts[other]["calls"] for other in members) - facts[session]["calls"]
                others = sum(amounts[other] for other in members) - amount
                odd = odd and amount * calls >= 2 * facts[session]["calls"] * others
            verdicts[session] = {
                "odd": odd,
                "share": share,
                "times": times,
                "peers": len(members),
                "place": places[session],
                "kind": " · ".join([kind[0] or "?", *filter(None, kind[1:])]),
                "reason": measure if times is None else f"{measure} {math.floor(times + 0.5)} ×",
            }
    return verdicts


def _bound(ordered: Sequence[float], *, whole: bool) -> float:
    n = len(ordered)
    if n < 5:
        return math.inf
    top = percentile(ordered, 0.95) if n >= 20 else ordered[-2]
    low = percentile(ordered, 0.75 if n >= 20 or not whole else 0.5)
    if not whole:
        return top + (top - low) + math.log(1.25)
    return top + (top - low) * (1 + 2 / math.sqrt(n)) + math.log(1.2 + 5 / n)


def _kinds(facts: dict[str, Row], sizes: dict[str, float]) -> dict[_Kind, list[str]]:
    """The sessions of each kind: server, client or nothing, main tool or nothing, half or nothing."""

    def mean(*names: str) -> Callable[[str], tuple[float, int]]:
        groups: dict[tuple[str, ...], list[float]] = defaultdict(list)
        for session, size in sizes.items():
            groups[tuple(facts[session][name] for name in names)].append(size)
        means = {key: (math.fsum(group) / len(group), len(group)) for key, group in groups.items()}
        return lambda session: means[tuple(facts[session][name] for name in names)]

    of_server, of_client, of_tool = mean("server"), mean("server", "client"), mean("server", "client", "tool")
    labelled: dict[tuple[str, str | None, str | None], list[str]] = defaultdict(list)
    for session in sizes:
        fact = facts[session]
        parent, (client, clients), (tool, tools) = of_server(session)[0], of_client(session), of_tool(session)
        own_client = clients >= 20 and abs(client - parent) >= math.log(1.5)
        own_tool = tools >= 20 and abs(tool - (client if own_client else parent)) >= math.log(1.5)
        labelled[
            fact["server"],
            fact["client"] if own_client or own_tool else None,
            fact["tool"] if own_tool else None,
        ].append(session)
    kinds: dict[_Kind, list[str]] = {}
    for (server, *rest), members in labelled.items():
        labels = [server, *(name for name in rest if name is not None)]
        cut = _cut(sorted(sizes[session] for session in members))
        if cut is None:
            kinds[(*labels, "")] = members
            continue
        kinds[(*labels, "small")] = [session for session in members if sizes[session] <= cut]
        kinds[(*labels, "large")] = [session for session in members if sizes[session] > cut]
    return kinds


def _cut(ordered: list[float]) -> float | None:
    """The largest size of the lower half, if the sizes fall in two."""
    n, best = len(ordered), (-math.inf, 0.0, 0.0)
    for low in range(3, n - 2) if n >= 20 else ():
        halves = ordered[:low], ordered[low:]
        if ordered[low - 1] == ordered[low] or min(map(len, halves)) < 0.05 * n:
            continue
        share = low / n
        (lower, below), (upper, above) = map(_moments, halves)
        gain = (
            0.5 * math.log(_moments(ordered)[1]) - 0.5 * share * math.log(below) - 0.5 * (1 - share) * math.log(above)
        )
        gain = round(gain + share * math.log(share) + (1 - share) * math.log(1 - share), 9)
        if gain > best[0]:
            best = gain, ordered[low - 1], (upper - lower) / math.sqrt((below + above) / 2)
    return best[1] if best[0] > 0.15 and best[2] > 3.3 else None


def _moments(sizes: Sequence[float]) -> tuple[float, float]:
    """The mean, and the variance and 0.01."""
    mean = math.fsum(sizes) / len(sizes)
    return mean, 0.01 + max(0.0, math.fsum(size * size for size in sizes) / len(sizes) - mean * mean)
