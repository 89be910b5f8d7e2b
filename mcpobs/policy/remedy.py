"""Says what would have had to be different for a denied call to pass: for the operator, not for the model. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mcpobs.policy import wording
from mcpobs.policy.applies import is_about, matches
from mcpobs.policy.codes import Code
from mcpobs.policy.compiled import Compiled
from mcpobs.policy.conditions import CallFacts
from mcpobs.policy.inspect.words import DEFINITIONS
from mcpobs.policy.model import Inspection, Policy, Rule, Who
from mcpobs.policy.text import Texts
from mcpobs.protocol.session import NOBODY, Identity

OURS: Mapping[str, str] = {
    "default": "no `allow` matched",
    "lookalike": "the name resembles one that the policy names",
    "arguments": "the arguments can be read in two ways",
    "halt": "a halt is in force",
    "store": "the counters could not be read or written",
}
"""What decides without a rule of the file."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A limit as a decision recorded it: what was used before the call, after it, and at most."""

    before: int
    after: int
    most: int


@dataclass(frozen=True, slots=True)
class Denied:
    """A denial as it is recorded."""

    code: str
    rules: Sequence[str]
    target: str
    method: str = "tools/call"
    server: str | None = None
    client: str | None = None
    identity: Identity = NOBODY
    counters: Mapping[str, Counted] = field(default_factory=dict)
    args_bytes: int | None = None
    args_shape: str | None = None
    done: frozenset[str] = frozenset()
    """Tools that had succeeded in the session before."""


def remedies(denied: Denied, policy: Policy | None, texts: Texts | None) -> list[str]:
    """What would have had to be different. `policy` is the one that decided, if it is at hand."""
    found = list(_of_code(denied, policy, texts))
    return found or ["nothing more is recorded of why"]


def _of_code(denied: Denied, policy: Policy | None, texts: Texts | None) -> Iterator[str]:
    rules = ", ".join(denied.rules)
    match denied.code:
        case Code.HALTED:
            yield "the halt would have had to be over; a new session of the same caller is refused until then too"
            yield "`mcpobs halt` lists halts, and `mcpobs resume` ends one"
        case Code.UNKNOWN | Code.NOT_ALLOWED:
            yield from _missing_allow(denied, policy, texts)
        case Code.DENIED:
            yield f"the call would have had to be one that {rules} is not about{_conditions(denied, texts)}"
        case Code.REQUIREMENT | Code.SCHEDULE | Code.TENANT:
            yield f"{rules} would have had to hold{_conditions(denied, texts)}"
            yield f"the caller was {_caller(denied)}"
        case Code.ORDER:
            yield f"the other tool would have had to succeed before{_conditions(denied, texts)}"
            done = ", ".join(sorted(denied.done)) or "no tool"
            yield f"before this call, {done} had succeeded in the session"
        case Code.ARGUMENTS:
            shape = f": their shape was {denied.args_shape}" if denied.args_shape else ""
            yield f"the arguments would have had to be valid by {rules}{_conditions(denied, texts)}"
            yield f"arguments are not recorded{shape}"
        case Code.SIZE:
            size = "" if denied.args_bytes is None else f"; they had {denied.args_bytes:,} bytes"
            yield f"the arguments would have had to be smaller than {rules} says{size}"
        case Code.REPEATED:
            yield "other arguments, or fewer calls with these"
            yield from _counters(denied)
        case Code.CALL_LIMIT | Code.RATE_LIMIT | Code.SUM_LIMIT | Code.COST_LIMIT | Code.TOOL_LIMIT | Code.DURATION:
            yield from _counters(denied)
            if denied.code == Code.RATE_LIMIT:
                yield "the same call passes later, when earlier ones have left the window"
        case Code.SERVER_REQUEST:
            yield f"{rules} would have had to be allow"
        case Code.POLICY_ERROR | Code.STORE_ERROR:
            yield "nothing about the call: deciding it failed, and `on_error` is deny; stderr of the front says why"
        case Code.RESULT:
            yield "the result would have had to show fewer ids of tenants"
        case Code.INSPECTION:
            yield f"{rules} would have had to find nothing; the findings are above and in `mcpobs report findings`"
            if any(entry.id in denied.rules and DEFINITIONS in entry.find for entry in _inspections(policy)):
                yield "`mcpobs approve definitions` shows changed definitions and approves them"


def _missing_allow(denied: Denied, policy: Policy | None, texts: Texts | None) -> Iterator[str]:
    if "lookalike" in denied.rules:
        yield "the name resembles one that the policy names, and the server has not listed it"
        return
    if any(id_ not in ("default", "lookalike") for id_ in denied.rules) and denied.code == Code.UNKNOWN:
        rules = ", ".join(denied.rules)
        yield f"the call would have had to be one that {rules} is not about{_conditions(denied, texts)}"
        return
    yield f"an `allow` for {denied.target} would have had to match; the caller was {_caller(denied)}"
    for rule in _allows(denied, policy):
        lacks = ", ".join(_lacks(rule.who, denied)) or "its conditions did not hold"
        yield f"`{rule.id}` allows {denied.target} to {wording.who(rule.who)}: {lacks}"


def _allows(denied: Denied, policy: Policy | None) -> Iterator[Rule]:
    if policy is None:
        return
    facts = CallFacts(
        method=denied.method,
        kind="tool" if denied.method == "tools/call" else "prompt" if denied.method == "prompts/get" else None,
        target=denied.target,
        identity=denied.identity,
        server=denied.server,
    )
    for layer in Compiled(policy, denied.server, shadow=True).layers:
        for rule in layer.rules:
            if rule.effect == "allow" and is_about(
                rule.what, facts, denied.target, frozenset({"read", "write"}), denied.server
            ):
                yield rule


def _inspections(policy: Policy | None) -> Iterator[Inspection]:
    for layer in () if policy is None else policy.layers:
        yield from layer.inspect


def _lacks(who: Who, denied: Denied) -> Iterator[str]:
    identity = denied.identity
    for word, names, value in (
        ("role", who.roles, identity.role),
        ("caller", who.principals, identity.principal),
        ("tenant", who.tenants, identity.tenant),
        ("client", who.clients, denied.client),
    ):
        if names is not None and (value is None or not matches(names, value)):
            yield f"the {word} was {value or 'not verified'}"
    if who.scopes is not None:
        yield "its scopes are not recorded"


def _caller(denied: Denied) -> str:
    identity = denied.identity
    known = [
        f"{word} {value}"
        for word, value in (("", identity.principal), ("tenant", identity.tenant), ("role", identity.role))
        if value is not None
    ]
    return ", ".join(known).strip() or "not verified"


def _conditions(denied: Denied, texts: Texts | None) -> str:
    said = [] if texts is None else [texts.of(id_) for id_ in denied.rules]
    conditions = [condition for one in said if one is not None for condition in one.conditions]
    return f": {'; '.join(conditions)}" if conditions else ""


def _counters(denied: Denied) -> Iterator[str]:
    for id_ in denied.rules:
        counted = denied.counters.get(id_)
        if counted is None:
            continue
        used, most = (_amount(value, denied.code) for value in (counted.before, counted.most))
        behind = ": the window behind the limit of a session" if id_.endswith(".reopened") else ""
        yield f"{id_} allows {most}, and {used} were used before this call{behind}"
    if not any(id_ in denied.counters for id_ in denied.rules):
        yield f"{', '.join(denied.rules)} would have had to allow one more"


def _amount(value: int, code: str) -> str:
    match code:
        case Code.COST_LIMIT:
            return f"${value / wording.MICRO:,.2f}" if value >= 10_000 or not value else f"${value / wording.MICRO:g}"
        case Code.SUM_LIMIT:
            return f"{value / wording.MICRO:g}"
        case _:
            return f"{value:,}"
