"""Compiles the layers of a policy for one server: which rules and limits a call of a target by a caller falls under.

What depends on the target and the caller alone is settled once and kept. So a call costs only what is left: conditions
on its arguments, and its counters. Does no I/O.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

from mcpobs.limits.model import ANY_TOOL
from mcpobs.policy.codes import Code
from mcpobs.policy.conditions import CallFacts, Condition, Holds, Prepared, Reads, Unknown, calls_of
from mcpobs.policy.learned import Number, max_bytes_of, numbers_of, spending_of, values_of
from mcpobs.policy.model import CallLimit, Cap, Control, Layer, Policy, Rule, What, Who, reopened
from mcpobs.policy.rules.tenant import Tenant
from mcpobs.policy.state import Count, HaltScope, OnExceed, Under
from mcpobs.policy.windows import FOREVER
from mcpobs.protocol.session import Identity

MAX_PLANS = 16_384
SEPARATOR = "\x1f"
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


class BoundRule(NamedTuple):
    """A rule with what its layer says of it."""

    rule: Rule
    on_error_allows: bool
    fingerprint: str
    """Names the rule with its text: verdicts of an older text are not used."""
    reads_content: bool


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
        self._lookalikes = _lookalikes(self.layers)
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
        is_lookalike = facts.kind == "tool" and target is not None and self.is_lookalike(target)
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
            bound = _bound(rule, layer)
            by_caller = _is_caller(rule.who, facts)
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
                requires.append(_bound(values, layer))
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
                and _is_caller(limit.who, facts)
                and self._is_in_force(layer, limit.control, limit.id, facts)
            ):
                yield from _of_limit(limit, layer, _shared(limit.what, target, kinds))
        yield from self._budgets(layer, facts)
        if facts.kind == "tool" and target is not None and self._is_in_force(layer, Control(), "", facts):
            for number in numbers_of(layer, target, facts.identity, is_listed=NOT_LISTED not in kinds):
                yield _of_number(number, layer)

    def _budgets(self, layer: Layer, facts: CallFacts) -> Iterable[Counter]:
        for budget in layer.budgets:
            if self._is_in_force(layer, budget.control, budget.id, facts):
                name = f"{layer.source}:{budget.id}"
                allows = _on_error_allows(budget.control, layer)
                yield Counter(budget.id, name, budget.cap, "cost", Code.COST_LIMIT, budget.on_exceed, allows)
                if budget.cap.by == "session" and not any(one.cap.by == "principal" for one in layer.budgets):
                    yield Counter(
                        f"{budget.id}.reopened",
                        f"{name}.reopened",
                        reopened(budget.cap),
                        "cost",
                        Code.COST_LIMIT,
                        "deny",
                        allows,
                    )

    def spending(self, facts: CallFacts) -> list[Counter]:
        """The counters that what a caller spends besides its calls adds to: those of costs, whatever the tool."""
        found = list[Counter]()
        for layer in self.layers:
            found += self._budgets(layer, facts)
            if self._is_in_force(layer, Control(), "", facts):
                found += [_of_number(number, layer) for number in spending_of(layer)]
        return found

    def is_lookalike(self, name: str) -> bool:
        """Whether a name that no tool is known by may pose as one that the policy names: it differs from that in case,
        width or invisible characters only, or it is not ASCII."""
        known = self._lookalikes.get(_skeleton(name))
        return bool(self._lookalikes) and (name not in known if known else not name.isascii())


def is_drawn(share: float, id_: str, facts: CallFacts) -> bool:
    """Whether a rule with a share is in force for the session of a call."""
    text = f"{id_}\0{facts.enforcement_key}\0{facts.session_id}"
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=7).digest()
    return int.from_bytes(digest, "big") < share * (1 << 56)


def matches(patterns: Iterable[str], name: str) -> bool:
    """Whether a name is one of some names or patterns. Case counts; only `*` is special."""
    return any(
        pattern == name or ("*" in pattern and fnmatchcase(name, pattern.replace("[", "[[]").replace("?", "[?]")))
        for pattern in patterns
    )


def is_about(what: What, facts: CallFacts, target: str | None, kinds: frozenset[str], server: str | None) -> bool:
    if what.servers is not None and (server is None or not matches(what.servers, server)):
        return False
    if what.methods is not None and matches(what.methods, facts.method):
        return True
    if target is None or facts.kind is None:
        return False
    target = facts.whole or target
    patterns = {"tool": what.tools, "resource": what.resources, "prompt": what.prompts}[facts.kind]
    if patterns is None or not matches(patterns, target):
        return False
    if facts.kind != "tool":
        return True
    if what.kinds is not None and not kinds & frozenset(what.kinds):
        return False
    return not matches(what.unless_tools, target)


def _is_caller(who: Who, facts: CallFacts) -> bool:
    identity = facts.identity
    return (
        (who.roles is None or (identity.role is not None and identity.role in who.roles))
        and (who.scopes is None or not frozenset(identity.scopes).isdisjoint(who.scopes))
        and (who.principals is None or (identity.principal is not None and matches(who.principals, identity.principal)))
        and (who.tenants is None or (identity.tenant is not None and matches(who.tenants, identity.tenant)))
        and (who.clients is None or (facts.client is not None and matches(who.clients, facts.client)))
    )


def _bound(rule: Rule, layer: Layer) -> BoundRule:
    reads = {one for condition in rule.conditions for one in condition.reads}
    fingerprint = f"{rule.id}@{hashlib.blake2b(repr(rule).encode(), digest_size=4).hexdigest()}"
    return BoundRule(rule, _on_error_allows(rule.control, layer), fingerprint, bool(reads & {"arguments", "session"}))


def _on_error_allows(control: Control, layer: Layer) -> bool:
    return (control.on_error or layer.on_error) == "allow"


def _of_limit(limit: CallLimit, layer: Layer, target: str | None) -> Iterable[Counter]:
    allows = _on_error_allows(limit.control, layer)
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


def _of_number(number: Number, layer: Layer) -> Counter:
    """A number of a limits file."""
    name, allows = f"{layer.source}:{number.name}", layer.on_error == "allow"
    return Counter(number.id, name, number.cap, number.counts, number.code, number.on_exceed, allows)


def _shared(what: What, target: str | None, kinds: frozenset[str]) -> str | None:
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


def _skeleton(name: str) -> str:
    """A name without what a careless comparison overlooks: case, width, spaces and invisible characters."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(c for c in folded if unicodedata.category(c)[0] not in "CZ")


def _lookalikes(layers: Iterable[Layer]) -> dict[str, set[str]]:
    """The tools that the policy names, by their skeletons."""
    found: dict[str, set[str]] = {}
    for layer in layers:
        abouts = [*(rule.what for rule in layer.rules), *(limit.what for limit in layer.limits)]
        named = [name for what in abouts for name in (*(what.tools or ()), *what.unless_tools)]
        for name in (*named, *layer.learned.tools):
            if "*" not in name:
                found.setdefault(_skeleton(name), set()).add(name)
    return found
