"""Compiles the layers of a policy for one server: which rules and limits a call of a target by a caller falls under.

What depends on the target and the caller alone is settled once and kept. So a call costs only what is left: conditions
on its arguments, and its counters. Does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from mcpobs.policy.applies import is_about, is_caller, is_drawn, matches
from mcpobs.policy.conditions import CallFacts, Reads, Unknown, calls_of
from mcpobs.policy.learned import max_bytes_of, numbers_of, spending_of, values_of
from mcpobs.policy.limit_counters import (
    NOT_LISTED,
    Counter,
    of_budget,
    of_limit,
    of_number,
    shared_name,
    under,
    whose,
)
from mcpobs.policy.lookalikes import Lookalikes
from mcpobs.policy.model import Control, Layer, Policy
from mcpobs.policy.plan import BoundRule, Checks, LayerPlan, Plan, bind
from mcpobs.policy.rules.tenant import Tenant
from mcpobs.protocol.session import Identity

MAX_PLANS = 16_384
PLUMBING = frozenset(
    {
        "initialize",
        "ping",
        "server/discover",
        "tools/list",
        "resources/list",
        "resources/templates/list",
        "resources/unsubscribe",
        "prompts/list",
        "logging/setLevel",
        "subscriptions/listen",
        "tasks/get",
        "tasks/list",
        "tasks/result",
        "tasks/cancel",
        "tasks/update",
    }
)
"""Requests of a client that no `allow` is needed for: they reach no tool, no resource and no prompt."""


_Key = tuple[str, str | None, str | None, str, Identity, str | None, frozenset[str]]


class Compiled:
    """The layers that are for one server, and the plans made of them. `shadow` also takes rules in `log_only`."""

    def __init__(self, policy: Policy, server: str | None, *, shadow: bool) -> None:
        self.policy = policy
        self.layers = [layer for layer in policy.layers if layer.server in (None, server)]
        self.shadow = shadow
        self._server = server
        self.mode: Literal["enforce", "log_only"] = (
            "enforce" if any(layer.mode == "enforce" for layer in self.layers) else "log_only"
        )
        """`log_only` if no layer is in force as a whole."""
        self._plans: dict[_Key, Plan] = {}
        self._last: tuple[_Key, Plan] | None = None
        self._shares = {
            (index, id_): share
            for index, layer in enumerate(self.layers)
            for id_, share in _shares(layer)
            if share is not None
        }
        self._remembers = _remembers(self.layers)
        self.lookalikes = Lookalikes(self.layers)
        self.judges_results = any(
            isinstance(condition, Tenant) and (condition.result is not None or bool(condition.ids))
            for layer in self.layers
            for rule in layer.rules
            if (rule.control.mode or layer.mode) == "enforce"
            for condition in rule.conditions
        )

    @property
    def has_shadow(self) -> bool:
        """Whether some rule, limit or budget is not in force for every session."""
        return bool(self._shares) or any(
            (control.mode or layer.mode) == "log_only" for layer in self.layers for control in _controls(layer)
        )

    def plan(self, facts: CallFacts, kinds: frozenset[str]) -> Plan:
        """The plan for a call. `kinds` are those of the tool: `read` or `write`."""
        target = None if isinstance(facts.target, Unknown) else facts.target
        drawn = self._drawn(facts) if self._shares else None
        asked = facts.method if facts.kind is None else facts.kind
        key = (asked, target, facts.client, facts.enforcement_key, facts.identity, drawn, kinds)
        last = self._last
        if last is not None and last[0] == key:  # the same objects, as a rule: no hash of the identity is needed
            return last[1]
        found = self._plans.get(key)
        if found is None:
            if len(self._plans) >= MAX_PLANS:
                self._plans.clear()
            found = self._plans[key] = self._make(facts, target, kinds)
        self._last = key, found
        return found

    def _drawn(self, facts: CallFacts) -> str | None:
        """Which rules with a share are in force for the session; None if no rule has one."""
        if self.shadow:
            return None
        return "".join("1" if is_drawn(share, id_, facts) else "0" for (_, id_), share in self._shares.items())

    def _is_in_force(self, layer: Layer, control: Control, id_: str, facts: CallFacts) -> bool:
        if self.shadow:
            return True
        if (control.mode or layer.mode) == "log_only":
            return False
        share = control.share if control.share is not None else layer.share
        return share is None or is_drawn(share, id_, facts)

    def _make(self, facts: CallFacts, target: str | None, kinds: frozenset[str]) -> Plan:
        layers, counters = [], list[Counter]()
        hidden: str | None = None
        max_args: list[tuple[str, int]] = []
        shapes: list[tuple[str, tuple[str, ...]]] = []
        unlisted: list[str] = []
        for layer in self.layers:
            made, hides = self._layer(layer, facts, target, kinds)
            layers.append(made)
            hidden = hidden or hides
            counters += self._counters(layer, facts, target, kinds)
            if facts.kind == "tool" and target is not None and self._is_in_force(layer, Control(), "", facts):
                of = layer.learned.tool_of(target, facts.identity.tenant, facts.identity.role)
                if (most := max_bytes_of(layer.learned, target, facts.identity, of)) is not None:
                    max_args.append(most)
                if of.arguments.shapes is not None:
                    shapes.append((f"tools.{target}.arguments.shapes", of.arguments.shapes))
                if not layer.learned.lists(target):
                    unlisted.append(f"tools.{target}")
        conditional = [
            bound
            for layer_plan in layers
            for bound in (*layer_plan.denies, *layer_plan.requires, *(layer_plan.allows or ()), *layer_plan.notes)
        ]
        reads: set[Reads] = {one for bound in conditional for part in bound.rule.conditions for one in part.reads}
        remembered = self._remembers.get(target or "") if facts.kind == "tool" else None
        counts_calls = facts.kind == "tool" and calls_of(target or "") in self._remembers
        halts = [layer.halt_for_ns for layer in self.layers]
        counts = [one.fixed(facts) for one in counters]
        fixed = tuple([one for one in counts if one is not None])
        checks = Checks.of(layers, facts.identity)
        is_lookalike = facts.kind == "tool" and target is not None and self.lookalikes.may_hold(target)
        reads_arguments = "arguments" in reads or any(one.counts == "sum" for one in counters)
        return Plan(
            whose=whose(facts),
            under=under(facts, self._server),
            layers=tuple(layers),
            checks=checks,
            counters=tuple(counters),
            counts=tuple(counts),
            fixed=fixed if len(fixed) == len(counts) else None,
            asks_nothing=checks is not None and checks.is_empty and not reads_arguments,
            is_open=hidden is None and not (is_lookalike or max_args or shapes or unlisted),
            settles=counts_calls or remembered is not None or any(one.counts == "cost" for one in counters),
            is_lookalike=is_lookalike,
            tenants=tuple(
                (bound, condition)
                for layer_plan in layers
                for bound in (*layer_plan.requires, *(layer_plan.allows or ()))
                for condition in bound.rule.conditions
                if isinstance(condition, Tenant) and condition.result is not None
            ),
            ids=tuple(
                (bound, condition)
                for layer_plan in layers
                for bound in layer_plan.requires
                for condition in bound.rule.conditions
                if isinstance(condition, Tenant) and condition.ids
            ),
            hidden_by=hidden,
            reads_facts=bool(max_args or shapes) or any(one.counts == "same_args" for one in counters),
            needs_session="session" in reads,
            reads_arguments=reads_arguments,
            remembers=tuple(sorted(remembered)) if remembered else (),
            remembered=remembered is not None,
            counts_calls=counts_calls,
            max_args=tuple(max_args),
            shapes=tuple(shapes),
            unlisted=tuple(unlisted),
            halt_for_ns=None if None in halts else max((one for one in halts if one is not None), default=0),
            denials_in_a_row=min((one.denials_in_a_row for one in self.layers if one.denials_in_a_row), default=0),
            on_error_allows=bool(self.layers) and all(one.on_error == "allow" for one in self.layers),
        )

    def _layer(
        self, layer: Layer, facts: CallFacts, target: str | None, kinds: frozenset[str]
    ) -> tuple[LayerPlan, str | None]:
        denies, requires, allows, notes, missing = [], [], list[BoundRule](), [], []
        allowed = False
        hides: str | None = None
        for rule in layer.rules:
            if not is_about(rule.what, facts, target, kinds, self._server):
                continue
            if not self._is_in_force(layer, rule.control, rule.id, facts):
                continue
            bound = bind(rule, layer)
            by_caller = is_caller(rule.who, facts)
            match rule.effect:
                case "require":
                    if not by_caller:
                        missing.append(bound)
                    elif rule.conditions:
                        requires.append(bound)
                case "deny" if by_caller:
                    denies.append(bound)
                    if not rule.conditions:
                        hides = hides or rule.id
                case "allow" if by_caller:
                    allowed = allowed or not rule.conditions
                    allows.append(bound)
                case "log_only" if by_caller:
                    notes.append(bound)
        wanted: tuple[BoundRule, ...] | None = None
        if self._needs_allow(layer, facts, target) and self._is_in_force(layer, Control(), "", facts):
            wanted = None if allowed else tuple(allows)
            if not allows:
                hides = hides or "default"
        if facts.kind == "tool" and target is not None and self._is_in_force(layer, Control(), "", facts):
            values = values_of(layer, target, facts.identity)
            if values is not None:
                requires.append(bind(values, layer))
        return LayerPlan(tuple(denies), tuple(requires), wanted, tuple(notes), tuple(missing)), hides

    def _needs_allow(self, layer: Layer, facts: CallFacts, target: str | None) -> bool:
        if facts.sender == "server" or facts.method.startswith("notifications/"):
            return False
        if facts.kind is None:
            return layer.default == "deny" and facts.method not in PLUMBING
        if layer.default == "deny":
            return True
        return facts.kind == "tool" and target is not None and matches(layer.sensitive, facts.whole or target)

    def _counters(self, layer: Layer, facts: CallFacts, target: str | None, kinds: frozenset[str]) -> Iterable[Counter]:
        if facts.sender == "server" or facts.kind is None:
            return
        for limit in layer.limits:
            if (
                is_about(limit.what, facts, target, kinds, self._server)
                and is_caller(limit.who, facts)
                and self._is_in_force(layer, limit.control, limit.id, facts)
            ):
                yield from of_limit(limit, layer, shared_name(limit.what, target, kinds))
        yield from self._budgets(layer, facts)
        if facts.kind == "tool" and target is not None and self._is_in_force(layer, Control(), "", facts):
            for number in numbers_of(layer, target, facts.identity, is_listed=NOT_LISTED not in kinds):
                yield of_number(number, layer)

    def _budgets(self, layer: Layer, facts: CallFacts) -> Iterable[Counter]:
        for budget in layer.budgets:
            if self._is_in_force(layer, budget.control, budget.id, facts):
                yield from of_budget(budget, layer)

    def spending(self, facts: CallFacts) -> list[Counter]:
        """The counters that what a caller spends besides its calls adds to: those of costs, whatever the tool."""
        found = list[Counter]()
        for layer in self.layers:
            found += self._budgets(layer, facts)
            if self._is_in_force(layer, Control(), "", facts):
                found += [of_number(number, layer) for number in spending_of(layer)]
        return found


def _shares(layer: Layer) -> Iterable[tuple[str, float | None]]:
    yield "", layer.share
    for id_, control in _named_controls(layer):
        yield id_, control.share if control.share is not None else layer.share


def _named_controls(layer: Layer) -> Iterable[tuple[str, Control]]:
    yield from ((rule.id, rule.control) for rule in layer.rules)
    yield from ((limit.id, limit.control) for limit in layer.limits)
    yield from ((budget.id, budget.control) for budget in layer.budgets)


def _controls(layer: Layer) -> Iterable[Control]:
    yield Control()
    for _, control in _named_controls(layer):
        yield control


def _remembers(layers: Iterable[Layer]) -> dict[str, set[tuple[str, ...]]]:
    """Arguments that later calls are compared with, by the tool whose call has them."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for layer in layers:
        for rule in layer.rules:
            for condition in rule.conditions:
                for tool, paths in condition.remembers.items():
                    found.setdefault(tool, set()).update(paths)
    return found
