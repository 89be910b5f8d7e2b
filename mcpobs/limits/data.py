"""Converts limits to plain data, in the order of the file: for JSON and for the file's layout. Does no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from mcpobs.limits.model import VERSION, Baseline, Limit, Limits, ToolLimits

Data = str | float | list["Data"] | dict[str, "Data"]

_ORDER = ("rule", "observed_max", "mean", "factor", "p50", "p95", "n", "would_have_cut", "next_1000_cut")
"""Evidence in reading order: the observed values, the sample size, and the effect of the limit."""


def data(limits: Limits) -> dict[str, Data]:
    """Returns data that `limits.file.read_text` reads back as the same limits."""
    session = _present(
        {"calls": _leaf("limit", limits.session.calls), "cost_usd": _leaf("limit", limits.session.cost_usd)}
    )
    found: dict[str, Data] = {"version": VERSION}
    if limits.baseline is not None:
        found["baseline"] = _baseline(limits.baseline)
    if session:
        found["session"] = session
    if limits.tools:
        found["tools"] = {name: tool_data(limits.tools[name]) for name in sorted(limits.tools)}
    return found


def tool_data(tool: ToolLimits) -> dict[str, Data]:
    """Returns one tool's entry; empty if the tool has no number of its own."""
    arguments: dict[str, Data] = {}
    if tool.arguments.max_bytes is not None:
        arguments |= _whole("max_bytes", tool.arguments.max_bytes)
    if tool.arguments.shapes is not None:
        arguments["shapes"] = list(tool.arguments.shapes)
    return _present(
        {
            "calls_per_session": _leaf("limit", tool.calls_per_session),
            "latency_ms": _leaf("budget", tool.latency_ms),
            "arguments": arguments or None,
            "result": _whole("max_bytes", tool.result_max_bytes) if tool.result_max_bytes else None,
        }
    )


def _baseline(baseline: Baseline) -> dict[str, Data]:
    found: dict[str, Data] = {} if baseline.server is None else {"server": baseline.server}
    found |= {"from": baseline.first, "to": baseline.last, "sessions": baseline.sessions, "calls": baseline.calls}
    if baseline.more_excluded:
        found["more_excluded"] = baseline.more_excluded
    if baseline.excluded:
        found["excluded"] = [{"session": one.session, "why": one.why} for one in baseline.excluded]
    return found


def _leaf(key: str, limit: Limit | None) -> Data | None:
    """Returns a limit and its evidence; a bare number if there is no evidence."""
    if limit is None:
        return None
    found = _whole(key, limit)
    return limit.value if len(found) == 1 else found


def _whole(key: str, limit: Limit) -> dict[str, Data]:
    evidence = {field.name: getattr(limit.evidence, field.name) for field in fields(limit.evidence)}
    if evidence["next_1000_cut"] is not None:
        evidence["next_1000_cut"] = list(evidence["next_1000_cut"])
    return {key: limit.value, **_present({name: evidence[name] for name in _ORDER})}


def _present(members: Mapping[str, Data | None]) -> dict[str, Data]:
    return {key: value for key, value in members.items() if value is not None}
