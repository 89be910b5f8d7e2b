"""Groups recorded calls for findings about a policy: calls that all rules treat alike are one, with their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mcpobs.policy.applies import is_about
from mcpobs.policy.compiled import Compiled
from mcpobs.policy.conditions import UNKNOWN, CallFacts, Kind, Unknown
from mcpobs.policy.model import Policy
from mcpobs.policy.plan import BoundRule, LayerPlan
from mcpobs.protocol.session import NOBODY, Identity

_KINDS: Mapping[str, Kind] = {"tools/call": "tool", "prompts/get": "prompt", "resources/read": "resource"}


@dataclass(frozen=True, slots=True)
class Traffic:
    """Calls of one target by one caller. `verdicts` are those that rules on content had when they were recorded."""

    method: str
    target: str | None = None
    server: str | None = None
    client: str | None = None
    identity: Identity = NOBODY
    calls: int = 1
    verdicts: Mapping[str, bool] = field(default_factory=dict)
    answered: int | None = None
    """Calls that came back with success; None if that is not known."""

    @property
    def facts(self) -> CallFacts:
        """Of a resource only the scheme is recorded, so rules on resources are not about it."""
        kind = _KINDS.get(self.method)
        return CallFacts(
            method=self.method,
            kind=kind,
            target=UNKNOWN if kind == "resource" or (kind is not None and self.target is None) else self.target,
            arguments=UNKNOWN,
            identity=self.identity,
            server=self.server,
            client=self.client,
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """Calls with what the policy says of them, as far as it does not depend on their arguments, time and session."""

    traffic: Traffic
    rules: frozenset[str]
    """Ids of rules that are about them, whoever calls."""
    limits: frozenset[str]
    denied_by: frozenset[str]
    """Ids of rules each of which denies them; empty if that depends on the call, or if they pass."""
    is_open: bool
    """Whether it depends on the call."""


class History:
    """The calls of a lake, judged by a policy with all of its rules in force, also those in `log_only`."""

    def __init__(self, policy: Policy, traffic: Sequence[Traffic], kinds: Mapping[str, str] | None = None) -> None:
        self.traffic = traffic
        self.calls = sum(one.calls for one in traffic)
        self._kinds = kinds or {}
        compiled = {server: Compiled(policy, server, shadow=True) for server in {one.server for one in traffic}}
        self.judged = [self._judge(compiled[one.server], one) for one in traffic]

    @property
    def tools(self) -> set[str]:
        return {one.target for one in self.traffic if one.method == "tools/call" and one.target is not None}

    @property
    def answering_tools(self) -> set[str]:
        """Tools of which a call succeeded: a caller can make up any other name."""
        return {
            one.target
            for one in self.traffic
            if one.method == "tools/call" and one.target is not None and one.answered != 0
        }

    @property
    def servers(self) -> set[str]:
        return {one.server for one in self.traffic if one.server is not None}

    def _judge(self, compiled: Compiled, traffic: Traffic) -> Judged:
        facts = traffic.facts
        kinds = frozenset({self._kinds.get(traffic.target or "", "write")})
        plan = compiled.plan(facts, kinds)
        denied: set[str] = set()
        is_open = False
        target = None if isinstance(facts.target, Unknown) else facts.target
        rules = {
            rule.id
            for layer in compiled.layers
            for rule in layer.rules
            if is_about(rule.what, facts, target, kinds, traffic.server)
        }
        for layer in plan.layers:
            found, depends = _denials(layer, traffic.verdicts)
            denied |= found
            is_open = is_open or depends
        if plan.hidden_by is not None:
            denied.add(plan.hidden_by)
        limits = frozenset(counter.id.removesuffix(".reopened") for counter in plan.counters)
        return Judged(traffic, frozenset(rules), limits, frozenset(denied), is_open and not denied)


def _denials(layer: LayerPlan, verdicts: Mapping[str, bool]) -> tuple[set[str], bool]:
    """The rules that deny the calls, and whether others may."""
    denied = {bound.rule.id for bound in layer.missing}
    depends = False
    for bound in layer.denies:
        held = _held(bound, verdicts)
        if held:
            denied.add(bound.rule.id)
        depends = depends or held is None
    for bound in layer.requires:
        held = _held(bound, verdicts)
        if held is False:
            denied.add(bound.rule.id)
        depends = depends or held is None
    if layer.allows is not None:
        allowed = [_held(bound, verdicts) for bound in layer.allows]
        if True not in allowed:
            if None in allowed:
                depends = True
            else:
                denied |= {bound.rule.id for bound in layer.allows} or {"default"}
    return denied, depends


def _held(bound: BoundRule, verdicts: Mapping[str, bool]) -> bool | None:
    """Whether a rule's conditions held; None if nobody knows."""
    return True if not bound.rule.conditions else verdicts.get(bound.fingerprint)
