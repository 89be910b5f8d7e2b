"""Makes a policy that a replay can decide: what the lake does not record becomes undecidable, never allow or deny.

Not recorded are the scopes of a token, whether a tool reads or writes, the URIs of resources, and all content. A rule
about scopes or kinds keeps its place in the policy and gets a condition that cannot be decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from mcpobs.policy.codes import Code
from mcpobs.policy.conditions import CallFacts, Reads, UndecidableError
from mcpobs.policy.model import CallLimit, Layer, Policy, Rule, What, Who
from mcpobs.policy.rules.tenant import Tenant

KINDS = frozenset({"read", "write"})


@dataclass(frozen=True)
class Unrecorded:
    """A condition on what the lake does not record."""

    reads: frozenset[Reads] = frozenset({"arguments"})
    code: Code = Code.REQUIREMENT
    remembers: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)

    def holds(self, facts: CallFacts) -> bool:
        raise UndecidableError

    def needs(self, facts: CallFacts) -> str:
        return ""


def decidable(policy: Policy) -> Policy:
    """Returns the policy with undecidable conditions in place of those on scopes and kinds."""
    return Policy([_layer(layer) for layer in policy.layers], policy.hash)


def _layer(layer: Layer) -> Layer:
    rules, limits = tuple(map(_rule, layer.rules)), tuple(map(_limit, layer.limits))
    return layer if rules == layer.rules and limits == layer.limits else replace(layer, rules=rules, limits=limits)


def _rule(rule: Rule) -> Rule:
    if _is_recorded(rule.what, rule.who):
        return rule
    conditions = (*rule.conditions, Unrecorded())
    return replace(rule, what=_known(rule.what), who=replace(rule.who, scopes=None), conditions=conditions)


def _limit(limit: CallLimit) -> CallLimit:
    """A limit that may not be about the call sums an argument that nobody knows."""
    if _is_recorded(limit.what, limit.who):
        return limit
    who = replace(limit.who, scopes=None)
    return replace(limit, what=_known(limit.what), who=who, counts="sum", argument=("",))


def _is_recorded(what: What, who: Who) -> bool:
    return who.scopes is None and (what.kinds is None or frozenset(what.kinds) >= KINDS)


def _known(what: What) -> What:
    return replace(what, kinds=None)


def unnamed_methods(policy: Policy) -> frozenset[str]:
    """The methods whose calls depend on a name that the lake does not record: those of resources and completions.

    What treats all resources alike needs no name."""
    whats = [found for layer in policy.layers for found in _whats(layer)]
    found: set[str] = set()
    if any(what.resources is not None and (by_name or what.resources != ("*",)) for what, by_name in whats):
        found |= {"resources/read", "resources/subscribe"}
    if any(what.resources is not None or what.prompts is not None for what, _ in whats):
        found.add("completion/complete")
    if any(layer.default == "deny" for layer in policy.layers) or any(what.resources is not None for what, _ in whats):
        found.add("subscriptions/listen")  # of resources, perhaps
    return frozenset(found)


def reads_results(policy: Policy) -> bool:
    """Whether any rule looks at results."""
    conditions = (one for layer in policy.layers for rule in layer.rules for one in rule.conditions)
    return any("result" in one.reads or isinstance(one, Tenant) for one in conditions)


def _whats(layer: Layer) -> Iterator[tuple[What, bool]]:
    """What each rule and limit is about, and whether it has a counter for each name."""
    for rule in layer.rules:
        yield rule.what, False
    for limit in layer.limits:
        yield limit.what, limit.each_tool or limit.counts in ("same_args", "tools")
