"""What `report latency` has to say of the calls of a lake, computed plainly."""

from __future__ import annotations

from tests.queries.oracles import Row, failed, grouped, nulls_last, percentile, tool_calls

ANSWERED = ("ok", "tool_error", "server_error", "timeout")
FOREVER = 2**63 - 1


def _asked(row: Row) -> bool:
    """Whether an answer was wanted. Our own rows without an id are notifications; others may just not tell the id."""
    return row.get("request_id") is not None or row.get("scope_name") != "mcpobs"


def latency(rows: list[Row], since: int = 0, until: int = FOREVER, before: int | None = None) -> list[Row]:
    answered = [
        row
        for row in tool_calls(rows)
        if row.get("outcome") in ANSWERED and _asked(row) and row.get("duration_ns") is not None
    ]
    now = [row for row in answered if since <= row["start_unix_nano"] < until]
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
                "p95_trend": p95 / past_p95 if p95 and past_p95 and min(len(took), len(past)) >= 20 else None,
                "ok_p50_ms": _p(good, 0.5),
                "ok_p95_ms": _p(good, 0.95),
                "failed_p50_ms": _p(bad, 0.5),
                "failed_p95_ms": _p(bad, 0.95),
                "slowest_trace_id": min(c["trace_id"] for c in calls if c["duration_ns"] / 1e6 == max(took)),
            }
        )
    return sorted(result, key=lambda r: (-r["p95_ms"], nulls_last(r["service_name"]), nulls_last(r["tool"])))


def _took(calls: list[Row]) -> list[float]:
    return [call["duration_ns"] / 1e6 for call in calls]


def _p(values: list[float], p: float) -> float | None:
    return percentile(values, p) if values else None
