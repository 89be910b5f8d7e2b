"""What `report latency` has to say of the calls of a lake, computed plainly."""

from __future__ import annotations

from tests.queries.oracles import ANSWERED, Row, failed, grouped, nulls_last, percentile, tool_calls, unanswered

FOREVER = 2**63 - 1


def _asked(row: Row) -> bool:
    """Whether an answer was wanted. Our own rows without an id are notifications; others may just not tell the id."""
    return row.get("request_id") is not None or row.get("scope_name") != "mcpobs"


def latency(rows: list[Row], since: int = 0, until: int = FOREVER, before: int | None = None) -> list[Row]:
    every = tool_calls(rows)
    answered = [
        row for row in every if row.get("outcome") in ANSWERED and _asked(row) and row.get("duration_ns") is not None
    ]
    now = [row for row in answered if since <= row["start_unix_nano"] < until]
    now += [row for row in _open(every) if since <= row["start_unix_nano"] < until]
    earlier = [row for row in answered if before is not None and before <= row["start_unix_nano"] < since]
    spent = sum(row["duration_ns"] for row in now)
    old = grouped(earlier, "service_name", "tool")
    result = []
    for (service, tool), calls in grouped(now, "service_name", "tool").items():
        took, past = _took(calls), _took(old.get((service, tool), []))
        p95, past_p95 = _p(took, 0.95), _p(past, 0.95)
        good = _took([call for call in calls if not failed(call)])
        bad = _took([call for call in calls if failed(call)])
        result.append(
            {
                "service_name": service,
                "tool": tool,
                "calls": len(calls),
                "p50_ms": _p(took, 0.5),
                "p90_ms": _p(took, 0.9),
                "p95_ms": p95,
                "p99_ms": _p(took, 0.99),
                "max_ms": max(took),
                "failed": len(bad),
                "failed_ratio": len(bad) / len(calls),
                "time_ratio": sum(call["duration_ns"] for call in calls) / spent if spent else None,
                "p95_trend": p95 / past_p95
                if p95
                and past_p95
                and min(len(took), len(past)) >= 20
                and "p95_ms" not in (_bounds(calls) or "").split()
                else None,
                "ok_p50_ms": _p(good, 0.5),
                "ok_p95_ms": _p(good, 0.95),
                "failed_p50_ms": _p(bad, 0.5),
                "failed_p95_ms": _p(bad, 0.95),
                "slowest_trace_id": min(
                    (unanswered(c), c["trace_id"]) for c in calls if c["duration_ns"] / 1e6 == max(took)
                )[1],
                "unanswered": sum(map(unanswered, calls)),
                "lower_bounds": _bounds(calls),
            }
        )
    return sorted(result, key=lambda r: (-r["p95_ms"], nulls_last(r["service_name"]), nulls_last(r["tool"])))


def _open(calls: list[Row]) -> list[Row]:
    """The unanswered calls that count: those that failed, and those of a tool that never answered."""
    heard = {_key(call) for call in calls if call.get("outcome") in ANSWERED and call.get("duration_ns") is not None}
    return [
        call
        for call in calls
        if unanswered(call)
        and (call.get("hung") or (_key(call) not in heard and (call.get("duration_ns") or 0) >= 10**9))
    ]


def _key(call: Row) -> tuple[str, str]:
    return call.get("service_name") or "", call.get("tool") or ""


def _bounds(calls: list[Row]) -> str | None:
    """The percentiles that are lower bounds: had the unanswered calls never ended, they would be others."""
    names = ["p50_ms", "p90_ms", "p95_ms", "p99_ms", "max_ms"]
    found = [name for name, p in zip(names, (0.5, 0.9, 0.95, 0.99, 1.0), strict=True) if _moves(calls, p)]
    bad = [call for call in calls if failed(call)]
    found += [name for name, p in (("failed_p50_ms", 0.5), ("failed_p95_ms", 0.95)) if _moves(bad, p)]
    return " ".join(found) or None


def _moves(calls: list[Row], p: float) -> bool:
    """Whether the percentile is another one if each unanswered call takes for ever."""
    took = [call["duration_ns"] for call in calls]
    longer = [10**18 if unanswered(call) else call["duration_ns"] for call in calls]
    return bool(calls) and percentile(took, p) != percentile(longer, p)


def _took(calls: list[Row]) -> list[float]:
    return [call["duration_ns"] / 1e6 for call in calls]


def _p(values: list[float], p: float) -> float | None:
    return percentile(values, p) if values else None
