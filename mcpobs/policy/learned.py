"""Makes counters and a condition of the numbers of a limits file, for one caller and tool. Does no I/O.

`limits/enforcement.py` declares which numbers become counters. A number of the caller's tenant or role stands
in place of everybody's; its counter is the same, so a caller keeps its count if its number changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from mcpobs.limits.model import ANY_TOOL, GroupLimits, Limit, Limits, ToolLimits
from mcpobs.policy.codes import Code
from mcpobs.policy.model import REOPENED_WINDOW_NS, Cap, Layer, Rule, What, reopened
from mcpobs.policy.state import OnExceed
from mcpobs.policy.values import ArgumentValues
from mcpobs.policy.windows import FOREVER
from mcpobs.protocol.session import Identity

MICRO = 1_000_000
MILLI = 1_000
HOUR_NS = REOPENED_WINDOW_NS


class Number(NamedTuple):
    """A number as a counter: its path as decisions name it, what the counter is called within its file, and its cap.

    `counts` calls, cost, tools or duration (in ms)."""

    id: str
    name: str
    cap: Cap
    counts: str
    code: Code
    on_exceed: OnExceed


def numbers_of(layer: Layer, tool: str, identity: Identity, *, is_listed: bool = True) -> Iterator[Number]:
    """Yields the counters of calls of a tool. Tools that the server does not list share the counters of `*`."""
    yield from _of_session(layer, identity)
    yield from costs_of(layer, identity)
    yield from _of_tool(layer, tool, identity, is_listed=is_listed or tool in _named(layer.learned))


def _of_session(layer: Layer, identity: Identity) -> Iterator[Number]:
    held, then = layer.learned.session_of(identity.tenant, identity.role), layer.on_exceed
    hourly = layer.learned.key_of(identity.tenant, identity.role).calls_per_hour
    if held.calls is not None:
        id_ = _id(layer.learned, identity, held.calls, lambda of: of.session.calls, "session.calls")
        number = Number(id_, "session.calls", _session(held.calls), "calls", Code.CALL_LIMIT, then)
        yield number
        if hourly is None:
            yield _reopened(number, Code.RATE_LIMIT)
    if hourly is not None:
        id_ = _id(layer.learned, identity, hourly, lambda of: of.key.calls_per_hour, "key.calls_per_hour")
        yield Number(id_, "key.calls_per_hour", _hourly(hourly), "calls", Code.RATE_LIMIT, then)
    if held.distinct_tools is not None:
        id_ = _id(
            layer.learned, identity, held.distinct_tools, lambda of: of.session.distinct_tools, "session.distinct_tools"
        )
        number = Number(id_, "session.distinct_tools", _session(held.distinct_tools), "tools", Code.TOOL_LIMIT, then)
        yield number
        yield _reopened(number, Code.TOOL_LIMIT)
    if held.duration_s is not None:
        id_ = _id(layer.learned, identity, held.duration_s, lambda of: of.session.duration_s, "session.duration_s")
        cap = _session(held.duration_s, MILLI)
        yield Number(id_, "session.duration_s", cap, "duration", Code.DURATION, then)


def costs_of(layer: Layer, identity: Identity) -> Iterator[Number]:
    """Yields the counters of the costs of a session."""
    cost = layer.learned.session_of(identity.tenant, identity.role).cost_usd
    if cost is None:
        return
    id_ = _id(layer.learned, identity, cost, lambda of: of.session.cost_usd, "session.cost_usd")
    number = Number(id_, "session.cost_usd", _session(cost, MICRO), "cost", Code.COST_LIMIT, layer.on_exceed)
    yield number
    yield _reopened(number, Code.COST_LIMIT)


def spending_of(layer: Layer) -> Iterator[Number]:
    """Yields the counters to which other costs of a caller are added, for any role: adding needs no cap."""
    if layer.learned.bounds_cost:
        cap = Cap("session", 0, FOREVER)
        number = Number("session.cost_usd", "session.cost_usd", cap, "cost", Code.COST_LIMIT, layer.on_exceed)
        yield number
        yield _reopened(number, Code.COST_LIMIT)


def _of_tool(layer: Layer, tool: str, identity: Identity, *, is_listed: bool) -> Iterator[Number]:
    of, then = layer.learned.tool_of(tool, identity.tenant, identity.role), layer.on_exceed
    shown = tool if is_listed else ANY_TOOL
    if of.calls_per_session is not None:
        name = f"tools.{shown}.calls_per_session"
        id_ = _id(layer.learned, identity, of.calls_per_session, lambda group: group.of(tool).calls_per_session, name)
        number = Number(id_, name, _session(of.calls_per_session), "calls", Code.CALL_LIMIT, then)
        yield number
        if of.calls_per_hour is None:
            yield _reopened(number, Code.RATE_LIMIT)
    if of.calls_per_hour is not None:
        name = f"tools.{shown}.calls_per_hour"
        id_ = _id(layer.learned, identity, of.calls_per_hour, lambda group: group.of(tool).calls_per_hour, name)
        yield Number(id_, name, _hourly(of.calls_per_hour), "calls", Code.RATE_LIMIT, then)


def values_of(layer: Layer, tool: str, identity: Identity) -> Rule | None:
    """Returns the numbers of a tool's arguments as a rule; None if it has none."""
    of = layer.learned.tool_of(tool, identity.tenant, identity.role)
    condition = ArgumentValues.of(of.argument_values)
    if not condition.bounds:
        return None
    return Rule(f"tools.{tool}.argument_values", "require", What(tools=(tool,)), conditions=(condition,))


def max_bytes_of(limits: Limits, tool: str, identity: Identity, of: ToolLimits) -> tuple[str, int] | None:
    """Returns the most bytes of a tool's arguments, with the path that decisions name."""
    limit = of.arguments.max_bytes
    if limit is None:
        return None
    name = f"tools.{tool}.arguments.max_bytes"
    return _id(limits, identity, limit, lambda group: group.of(tool).arguments.max_bytes, name), int(limit.value)


def _id(limits: Limits, identity: Identity, limit: Limit, get: Callable[[GroupLimits], Limit | None], name: str) -> str:
    """Returns the path of a number, with its tenant or role."""
    for prefix, group in limits.named_groups_of(identity.tenant, identity.role):
        if get(group) is limit:
            return f"{prefix}.{name}"
    return name


def _named(limits: Limits) -> set[str]:
    groups = (*limits.tenants.values(), *limits.roles.values())
    return {*limits.tools, *(name for group in groups for name in group.tools)}


def _session(limit: Limit, scale: int = 1) -> Cap:
    return Cap("session", round(limit.value * scale), FOREVER)


def _hourly(limit: Limit) -> Cap:
    return Cap("principal", int(limit.value), HOUR_NS)


def _reopened(number: Number, code: Code) -> Number:
    return number._replace(
        id=f"{number.id}.reopened",
        name=f"{number.name}.reopened",
        cap=reopened(number.cap),
        code=code,
        on_exceed="deny",
    )
