"""Converts limits to plain data, in the order of the file: for JSON and for the file's layout. Does no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields

from mcpobs.limits.model import (
    VERSION,
    Baseline,
    GroupLimits,
    KeyLimits,
    Limit,
    Limits,
    SessionLimits,
    ToolLimits,
    ValueLimits,
)

Data = str | float | list["Data"] | dict[str, "Data"]

_ORDER = (
    "rule",
    "order_statistic",
    "observed_max",
    "observed_min",
    "mean",
    "factor",
    "p50",
    "p95",
    "n",
    "censored",
    "cut_at",
    "n_all",
    "would_have_cut",
    "next_1000_cut",
    "next_1000_all",
)
"""Evidence in reading order: the observed values, the sample size, and the effect of the limit."""


def data(limits: Limits) -> dict[str, Data]:
    """Returns data that `limits.file.read_text` reads back as the same limits."""
    found: dict[str, Data] = {"version": VERSION}
    if limits.baseline is not None:
        found["baseline"] = baseline_data(limits.baseline)
    found |= _group(GroupLimits(limits.session, limits.key, limits.tools))
    for name, groups in (("tenants", limits.tenants), ("roles", limits.roles)):
        if groups:
            found[name] = {who: _group(groups[who]) for who in sorted(groups)}
    if limits.sequences:
        found["sequences"] = [
            {"after": one.after, "then": one.then, "share": one.share, "n": one.n} for one in limits.sequences
        ]
    return found


def _group(group: GroupLimits) -> dict[str, Data]:
    found: dict[str, Data] = {}
    if session := _leaves(group.session):
        found["session"] = session
    if key := _leaves(group.key):
        found["key"] = key
    if group.tools:
        found["tools"] = {name: tool_data(group.tools[name]) for name in sorted(group.tools)}
    return found


def tool_data(tool: ToolLimits) -> dict[str, Data]:
    """Returns one tool's entry; empty if the tool has no number of its own."""
    arguments = _sized(tool.arguments.max_bytes, tool.arguments.shapes)
    values: dict[str, Data] = {name: _leaves(tool.argument_values[name]) for name in sorted(tool.argument_values)}
    return _present(
        {
            "calls_per_session": _leaf("limit", tool.calls_per_session),
            "calls_per_hour": _leaf("limit", tool.calls_per_hour),
            "error_rate": _leaf("limit", tool.error_rate),
            "latency_ms": _leaf("budget", tool.latency_ms),
            "arguments": arguments or None,
            "argument_values": values or None,
            "result": _sized(tool.result_max_bytes, tool.result_shapes) or None,
        }
    )


def _sized(most: Limit | None, shapes: Sequence[str] | None) -> dict[str, Data]:
    """Returns the entry of arguments or results: the size with its evidence, and the shapes."""
    found: dict[str, Data] = {} if most is None else _whole("max_bytes", most)
    if shapes is not None:
        found["shapes"] = list(shapes)
    return found


def baseline_data(baseline: Baseline) -> dict[str, Data]:
    """Returns the entry of the traffic; lists come last."""
    found: dict[str, Data | None] = {
        "server": baseline.server,
        "run": baseline.run,
        "strategy": baseline.strategy,
        "cut_rate": baseline.cut_rate,
        "factor_calls": baseline.factor_calls,
        "counted_on": list(baseline.counted_on) or None,
        "from": baseline.first,
        "to": baseline.last,
        "sessions": baseline.sessions,
        "calls": baseline.calls,
        "drift": None if baseline.drift is None else dict(asdict(baseline.drift)),
        "excluded_share": baseline.excluded_share,
        "more_censored": baseline.more_censored or None,
        "more_excluded": baseline.more_excluded or None,
        "censored": [{"session": one.session, "why": one.why} for one in baseline.censored] or None,
        "excluded": [{"session": one.session, "why": one.why} for one in baseline.excluded] or None,
    }
    return _present(found)


def _leaves(limits: SessionLimits | KeyLimits | ValueLimits) -> dict[str, Data]:
    """Returns the limits of a dataclass that has nothing else, by the names of its fields."""
    return _present({field.name: _leaf("limit", getattr(limits, field.name)) for field in fields(limits)})


def _leaf(key: str, limit: Limit | None) -> Data | None:
    """Returns a limit and its evidence; a bare number if there is no evidence."""
    if limit is None:
        return None
    found = _whole(key, limit)
    return limit.value if len(found) == 1 else found


def _whole(key: str, limit: Limit) -> dict[str, Data]:
    evidence = {field.name: getattr(limit.evidence, field.name) for field in fields(limit.evidence)}
    for name in ("next_1000_cut", "next_1000_all"):
        if evidence[name] is not None:
            evidence[name] = list(evidence[name])
    return {key: limit.value, **_present({name: evidence[name] for name in _ORDER})}


def _present(members: Mapping[str, Data | None]) -> dict[str, Data]:
    return {key: value for key, value in members.items() if value is not None}
