"""Words of a policy's parts, for documents and explanations. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from mcpobs.policy.model import Budget, CallLimit, Cap, Control, Layer, What, Who
from mcpobs.policy.windows import FOREVER

MICRO = 1_000_000
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
WHOM = {
    "session": "session",
    "principal": "caller",
    "tenant": "tenant",
}
"""Whom a cap counts by."""


def duration(ns: int) -> str:
    """e.g. `1 hour`, `90 minutes`."""
    seconds = ns // 1_000_000_000
    for unit, size in _UNITS:
        if seconds % size == 0 and seconds:
            number = seconds // size
            return f"{number} {unit}" if number == 1 else f"{number:,} {unit}s"
    return f"{seconds} seconds"


def who(of: Who) -> str:
    """Whom a rule is about."""
    parts = [
        f"{word} {_any_of(names)}"
        for word, names in (
            ("role", of.roles),
            ("scope", of.scopes),
            ("caller", of.principals),
            ("tenant", of.tenants),
            ("client (by its own word)", of.clients),
        )
        if names is not None
    ]
    return " and ".join(parts) or "anybody"


def what(of: What) -> str:
    """What a rule is about."""
    parts = [
        f"{word} {', '.join(names)}"
        for word, names in (
            ("tools", of.tools),
            ("resources", of.resources),
            ("prompts", of.prompts),
            ("methods", of.methods),
        )
        if names is not None
    ]
    return "; ".join(parts) + narrowing(of)


def narrowing(of: What) -> str:
    """What a rule is about besides names."""
    found = f", but not {', '.join(of.unless_tools)}" if of.unless_tools else ""
    if of.kinds is not None:
        found += f", if it {' or '.join(f'{kind}s' for kind in of.kinds)}"
    if of.servers is not None:
        found += f", on {_any_of(of.servers)}"
    return found


def mode(control: Control, layer: Layer) -> str:
    """How a rule is applied; empty if it is enforced for everybody."""
    if (control.mode or layer.mode) == "log_only":
        return "log only"
    share = control.share if control.share is not None else layer.share
    return "" if share in (None, 1) else f"in {share:.0%} of the sessions"


def cap(of: Cap, unit: str) -> str:
    """The most of a cap, with its unit, per whom and window."""
    window = "" if of.window_ns == FOREVER else f" in {duration(of.window_ns)}"
    return f"{amount(of.most, unit)} per {WHOM[of.by]}{window}"


def amount(most: int, unit: str) -> str:
    if unit == "usd":
        return f"${most / MICRO:,.2f}" if most >= 10_000 or not most else f"${most / MICRO:g}"
    if unit.startswith("of "):
        return f"{most / MICRO:g} {unit}"
    return f"{most:,} {unit}"


def unit(limit: CallLimit | Budget) -> str:
    """What a limit counts."""
    if isinstance(limit, Budget):
        return "usd"
    match limit.counts:
        case "sum":
            return f"of {'.'.join(limit.argument)}"
        case "same_args":
            return "calls with equal arguments"
        case "tools":
            return "different tools"
        case _:
            return "calls of each tool" if limit.each_tool else "calls"


def _any_of(names: Iterable[str]) -> str:
    return " or ".join(names)
