"""What is left to look at for calls of one target by one caller: conditions and counters."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from mcpobs.policy.conditions import CallFacts, Condition, Holds, Prepared
from mcpobs.policy.limit_counters import Counter, on_error_allows
from mcpobs.policy.model import Layer, Rule
from mcpobs.policy.rules.tenant import Tenant
from mcpobs.policy.state import Count, Under
from mcpobs.protocol.session import Identity


class BoundRule(NamedTuple):
    """A rule with what its layer says of it."""

    rule: Rule
    on_error_allows: bool
    fingerprint: str
    """Names the rule with its text: verdicts of an older text are not used."""
    reads_content: bool


def bind(rule: Rule, layer: Layer) -> BoundRule:
    reads = {one for condition in rule.conditions for one in condition.reads}
    fingerprint = f"{rule.id}@{hashlib.blake2b(repr(rule).encode(), digest_size=4).hexdigest()}"
    return BoundRule(rule, on_error_allows(rule.control, layer), fingerprint, bool(reads & {"arguments", "session"}))


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """What one layer asks of a call."""

    denies: tuple[BoundRule, ...]
    requires: tuple[BoundRule, ...]
    allows: tuple[BoundRule, ...] | None
    """Rules of which one must hold; None: the call is allowed already."""
    notes: tuple[BoundRule, ...]
    missing: tuple[BoundRule, ...]
    """`require` rules whose caller is another: they deny."""


@dataclass(frozen=True, slots=True)
class Checks:
    """All rules of a plan as plain conditions, for the usual call, that fulfils every one of them."""

    must: tuple[Holds, ...]
    must_not: tuple[Holds, ...]
    """Of `deny` rules: each has one condition."""
    verdicts: Mapping[str, bool]
    """Those of the rules that read content, if all of it is fulfilled."""

    @classmethod
    def of(cls, layers: Iterable[LayerPlan], identity: Identity) -> Checks | None:
        """None for a plan that cannot be flattened: it has alternatives, rules that only note, or nobody's callers."""
        must, must_not, verdicts = list[Holds](), list[Holds](), dict[str, bool]()
        for layer in layers:
            if layer.missing or layer.notes or layer.allows is not None:
                return None
            for bound in (*layer.requires, *layer.denies):
                if _reads_store(bound):
                    return None
                if bound.reads_content:
                    verdicts[bound.fingerprint] = bound.rule.effect == "require"
            must += [_prepared(one, identity) for bound in layer.requires for one in bound.rule.conditions]
            for bound in layer.denies:
                if len(bound.rule.conditions) != 1:
                    return None
                must_not.append(bound.rule.conditions[0].holds)
        return cls(tuple(must), tuple(must_not), verdicts)

    @property
    def is_empty(self) -> bool:
        return not (self.must or self.must_not)

    def pass_(self, facts: CallFacts) -> bool:
        """Whether a call fulfils all of it. False if that is not sure: then each rule is looked at by itself."""
        try:
            for holds in self.must:
                if holds(facts) is not True:
                    return False
            for holds in self.must_not:
                if holds(facts) is not False:
                    return False
        except Exception:
            return False
        return True


def _prepared(condition: Condition, identity: Identity) -> Holds:
    return condition.prepared(identity) if isinstance(condition, Prepared) else condition.holds


def _reads_store(bound: BoundRule) -> bool:
    """Whether a rule asks whose an id is."""
    return any(isinstance(one, Tenant) and one.ids for one in bound.rule.conditions)


@dataclass(frozen=True, slots=True)
class Plan:
    """What all layers ask of calls of one target by one caller."""

    whose: str
    """The caller to which the calls are charged."""
    under: Under
    """The other names by which the calls may be halted."""
    layers: tuple[LayerPlan, ...]
    checks: Checks | None
    counters: tuple[Counter, ...]
    counts: tuple[Count | None, ...]
    """The same as a store counts them; None for one that takes something of the call."""
    fixed: tuple[Count, ...] | None
    """The same if no counter takes something of the call."""
    asks_nothing: bool
    """Whether no rule is left to look at for a call, and it may be ambiguous."""
    is_open: bool
    """Whether neither the target's name nor size or shape of the arguments can stand against a call."""
    settles: bool
    """Whether a call that went on has something to settle: a cost, or what rules read of it later."""
    is_lookalike: bool
    """Whether the target's name may pose as another, unless the server has listed it."""
    tenants: tuple[tuple[BoundRule, Tenant], ...]
    """Rules that look at results, and what they look for."""
    ids: tuple[tuple[BoundRule, Tenant], ...]
    """Rules that note the ids of results."""
    hidden_by: str | None
    """The rule for whose sake the caller may not even see the target; `default` if no rule allows it."""
    reads_facts: bool
    """Whether a condition reads digest, shape or size of the arguments."""
    needs_session: bool
    reads_arguments: bool
    remembers: tuple[tuple[str, ...], ...]
    """Arguments to remember if the call succeeds; empty: none."""
    remembered: bool
    counts_calls: bool
    """Whether a rule reads how often the tool was called in the session."""
    max_args: tuple[tuple[str, int], ...]
    shapes: tuple[tuple[str, tuple[str, ...]], ...]
    unlisted: tuple[str, ...]
    halt_for_ns: int | None
    denials_in_a_row: int
    on_error_allows: bool
    """Whether a halt that cannot be looked up lets calls pass."""
