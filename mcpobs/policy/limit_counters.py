"""The counters that the limits and numbers of a policy stand for, up to what only a call knows. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mcpobs.limits.model import ANY_TOOL
from mcpobs.policy.codes import Code
from mcpobs.policy.conditions import CallFacts
from mcpobs.policy.learned import Number
from mcpobs.policy.model import Budget, CallLimit, Cap, Control, Layer, What, reopened
from mcpobs.policy.state import Count, HaltScope, OnExceed, Under
from mcpobs.policy.windows import FOREVER

SEPARATOR = "\x1f"
NOT_LISTED = "not listed"
"""The kind of a tool that is missing in the whole list of its server, beside `write`. Such names share their counters,
because a caller can make up any number of them."""


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter that a call adds to, up to what only the call knows: its amount, its member, its digest."""

    id: str
    """What decisions name it by."""
    name: str
    cap: Cap
    counts: str  # calls, sum, same_args, tools, cost, duration
    code: Code
    on_exceed: OnExceed
    on_error_allows: bool
    argument: tuple[str, ...] = ()

    def count(self, facts: CallFacts, amount: int = 1, suffix: str = "", member: str | None = None) -> Count:
        """What a store counts for a call."""
        cap = self.cap
        scope = None
        if cap.by == "principal":
            scope = whose(facts)
        elif cap.by == "tenant":
            tenant = facts.identity.tenant
            scope = whose(facts) if tenant is None else f"tenant:{tenant}"
        return Count(
            self.name + suffix,
            amount,
            cap.most,
            cap.window_ns,
            scope,
            member,
            self.on_exceed,
            disposable=self.counts == "same_args",
            is_age=self.counts == "duration",
        )

    def fixed(self, facts: CallFacts) -> Count | None:
        """The same counter if it reads nothing of the call."""
        match self.counts:
            case "calls":
                return self.count(facts)
            case "duration":
                return self.count(facts, 0)
        return None


def whose(facts: CallFacts) -> str:
    """Who is held to account for a call: the enforcement key, and the tenant within it."""
    tenant = facts.identity.tenant
    return facts.enforcement_key if tenant is None else f"{facts.enforcement_key}{SEPARATOR}{tenant}"


def under(facts: CallFacts, server: str | None) -> Under:
    """The other names by which a call may be halted."""
    found: list[tuple[HaltScope, str]] = [("principal", facts.enforcement_key)]
    if facts.identity.tenant is not None:
        found.append(("tenant", facts.identity.tenant))
    if facts.kind == "tool" and isinstance(facts.target, str):
        found.append(("tool", facts.target))
    if server is not None:
        found.append(("server", server))
    return tuple(found)


def on_error_allows(control: Control, layer: Layer) -> bool:
    return (control.on_error or layer.on_error) == "allow"


def of_limit(limit: CallLimit, layer: Layer, target: str | None) -> Iterable[Counter]:
    allows = on_error_allows(limit.control, layer)
    name = f"{limit.id}:{target}" if limit.each_tool or limit.counts == "same_args" else limit.id
    windowed = any(cap.by == "principal" for cap in limit.caps)
    for cap in limit.caps:
        code = _code(limit.counts, cap)
        yield Counter(limit.id, f"{name}/{cap.by}", cap, limit.counts, code, limit.on_exceed, allows, limit.argument)
        if cap.by == "session" and not windowed:
            yield Counter(
                f"{limit.id}.reopened",
                f"{name}/reopened",
                reopened(cap),
                limit.counts,
                _code(limit.counts, reopened(cap)),
                "deny",
                allows,
                limit.argument,
            )


def of_number(number: Number, layer: Layer) -> Counter:
    """A number of a limits file."""
    name, allows = f"{layer.source}:{number.name}", layer.on_error == "allow"
    return Counter(number.id, name, number.cap, number.counts, number.code, number.on_exceed, allows)


def of_budget(budget: Budget, layer: Layer) -> Iterable[Counter]:
    name = f"{layer.source}:{budget.id}"
    allows = on_error_allows(budget.control, layer)
    yield Counter(budget.id, name, budget.cap, "cost", Code.COST_LIMIT, budget.on_exceed, allows)
    if budget.cap.by == "session" and not any(one.cap.by == "principal" for one in layer.budgets):
        again = reopened(budget.cap)
        yield Counter(f"{budget.id}.reopened", f"{name}.reopened", again, "cost", Code.COST_LIMIT, "deny", allows)


def shared_name(what: What, target: str | None, kinds: frozenset[str]) -> str | None:
    """The name that a limit counts a target by: `*` for a tool that the server does not list, if no name means it."""
    if target is None or NOT_LISTED not in kinds or target in (what.tools or ()):
        return target
    return ANY_TOOL


def _code(counts: str, cap: Cap) -> Code:
    match counts:
        case "sum":
            return Code.SUM_LIMIT
        case "same_args":
            return Code.REPEATED
        case "tools":
            return Code.TOOL_LIMIT
        case _:
            return Code.CALL_LIMIT if cap.window_ns == FOREVER else Code.RATE_LIMIT
