"""Whatever a policy says and a call holds: a call goes on only if the rules were read and held. Never by an error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mcpobs.policy.codes import Code
from mcpobs.policy.conditions import CallFacts, Reads, RuleError
from mcpobs.policy.engine import Engine
from mcpobs.policy.file import of_texts
from mcpobs.policy.memory import MemoryStore
from mcpobs.policy.model import Control, Layer, Policy, Rule, What
from mcpobs.policy.state import SessionFacts
from mcpobs.protocol.session import Identity

# -- conditions with a chosen outcome, against a model of what follows ----------------------------------------------

ERRORS: list[type[BaseException]] = [
    RuleError, ValueError, TypeError, KeyError, RecursionError, MemoryError, RuntimeError, OSError, AssertionError,
    UnicodeError, ZeroDivisionError, AttributeError, NotImplementedError, StopIteration,
]  # fmt: skip
Outcome = bool | type[BaseException]


@dataclass(frozen=True)
class Chosen:
    """A condition that holds, does not, or raises."""

    outcome: Outcome
    reads: frozenset[Reads] = frozenset()
    code: Code = Code.REQUIREMENT
    remembers: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)

    def holds(self, facts: CallFacts) -> bool:
        if isinstance(self.outcome, bool):
            return self.outcome
        raise self.outcome("chosen")

    def needs(self, facts: CallFacts) -> str:
        return "something"


_outcomes: st.SearchStrategy[Outcome] = st.booleans() | st.sampled_from(ERRORS)
_on_error = st.sampled_from([None, "allow", "deny"])
_rules = st.builds(
    lambda effect, tool, outcomes, on_error, mode: Rule(
        "", effect, What(tools=(tool,)), conditions=tuple(map(Chosen, outcomes)), control=Control(mode, on_error)
    ),
    st.sampled_from(["allow", "require", "deny", "log_only"]),
    st.sampled_from(["t", "*", "other"]),
    st.lists(_outcomes, max_size=3),
    _on_error,
    st.sampled_from([None, None, None, "log_only"]),
)
_layers = st.builds(
    lambda rules, default, on_error: Layer("p", tuple(rules), default=default, on_error=on_error, denials_in_a_row=0),
    st.lists(_rules, max_size=5),
    st.sampled_from(["allow", "deny"]),
    st.sampled_from(["deny", "deny", "allow"]),
)


def _outcome(rule: Rule) -> bool | None:
    """What all conditions of a rule make, in their order; None: an error."""
    for condition in rule.conditions:
        assert isinstance(condition, Chosen)
        if not isinstance(condition.outcome, bool):
            return None
        if not condition.outcome:
            return False
    return True


def _allowed(layer: Layer) -> bool:
    """The model: an error denies, whatever the effect, unless `on_error` says allow."""
    rules = [rule for rule in layer.rules if rule.what.tools != ("other",) and rule.control.mode != "log_only"]
    granted = layer.default == "allow"
    for rule in rules:
        outcome = _outcome(rule)
        lenient = (rule.control.on_error or layer.on_error) == "allow"
        if rule.effect == "deny" and (outcome or (outcome is None and not lenient)):
            return False
        if rule.effect == "require" and not (outcome or (outcome is None and lenient)):
            return False
        if rule.effect == "allow" and (outcome or (outcome is None and lenient)):
            granted = True
    return granted


@settings(max_examples=300, deadline=None)
@given(st.lists(_layers, min_size=1, max_size=3))
@example([Layer("p", (Rule("", "deny", What(tools=("t",)), conditions=(Chosen(ValueError),)),), default="allow")])
@example([Layer("p", (Rule("", "require", What(tools=("t",)), conditions=(Chosen(RuleError),)),), default="allow")])
def test_an_error_denies_unless_on_error_allows(layers: list[Layer]) -> None:
    named = [
        replace(layer, rules=tuple(replace(rule, id=f"r{number}.{index}") for index, rule in enumerate(layer.rules)))
        for number, layer in enumerate(layers)
    ]
    engine = Engine(Policy(named, "hash"), MemoryStore())
    decision = engine.begin(CallFacts("tools/call", kind="tool", target="t", arguments={}))
    assert decision.lane.denies is not all(_allowed(layer) for layer in layers)


# -- policies as people write them, and calls as nobody should make them --------------------------------------------

CONDITIONS: list[dict[str, object]] = [
    {},
    {"when": "args.a <= 50.0"},
    {"when": "args.a != 'x' && args.b.c == 1"},
    {"when": "!(args.a > 5.0)"},
    {"when": "principal.tenant == args.a"},
    {"when": "session.ok.t > 0 && session.last_ok.t.a == args.a"},
    {"when": "args.b.all(x, x > 0)"},
    {"when": "size(args.a) < 10 || session.calls.t < 3"},
    {"args_schema": {"type": "object", "required": ["a"], "properties": {"a": {"type": "number", "maximum": 5}}}},
    {"args_schema": {"not": {"required": ["b"]}}},
    {"after": {"tool": "t", "same": {"a": "a"}, "within": "5m"}},
    {"window": {"hours": "08:00-18:00"}},
]
STRICT: list[dict[str, object]] = [
    {"path": {"arg": "a", "under": ["/data"]}},
    {"url": {"arg": "a", "hosts": ["*.example.com"]}},
    {"sql": {"arg": "a", "dialect": "postgres", "tables": ["orders"]}},
    {"tenant": {"arg": "a"}},
]
AFTER: list[dict[str, object]] = [
    {"tenant": {"result": "tenant"}},
    {"tenant": {"ids": ["rows[*].id", "id"], "arg": "a", "on_unseen": "block"}},
]

LIMITS: list[dict[str, object]] = [
    {"per_session": 2}, {"same_args": 2}, {"sum": "a", "per_session": 100}, {"distinct_tools": 2}
]  # fmt: skip


def _written(effect: str, tools: list[str], condition: int, on_error: str | None) -> dict[str, object]:
    pool = CONDITIONS + (STRICT if effect != "deny" else []) + (AFTER if effect == "require" else [])
    found = {"effect": effect, "tools": tools, **pool[condition % len(pool)]}
    return found if on_error is None else {**found, "on_error": on_error}


_odd = st.sampled_from(
    [float("nan"), float("inf"), -float("inf"), 2**63, -(2**70), 10**40, b"x", object(), {1, 2}, datetime.now(UTC), 1j,
     "\ud800", "\x00", "a" * 100_000, (), ("x",), Ellipsis, "/data/../etc", "https://x.example.com@y", "select 1; drop",
     "acme", "/data/x", "https://x.example.com", "select * from orders"]
)  # fmt: skip
_members = st.sampled_from(["a", "b", "c", "A", "id", "rows", "tenant"]) | st.text(max_size=3)
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | _odd,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["a", "b", "c", "A", "id", "rows", "tenant"]) | st.text(max_size=3), inner, max_size=4
        )
        | st.dictionaries(st.integers() | st.none(), inner, max_size=2)
    ),
    max_leaves=8,
)
_arguments = st.dictionaries(st.sampled_from(["a", "b", "c", "A"]), _values, max_size=3) | _values
_identities = st.builds(
    Identity,
    st.none() | st.text(max_size=5),
    st.none() | st.sampled_from(["acme", "other", ""]),
    st.none() | st.text(max_size=3),
    st.lists(st.text(max_size=3), max_size=2).map(tuple),
)
_texts = st.builds(
    lambda rules, limits, default, on_error: json.dumps(
        {
            "version": 1,
            "default": default,
            "on_error": on_error,
            "halt_after_denials": "off",
            "rules": [{"id": f"r{index}", **rule} for index, rule in enumerate(rules)],
            "limits": [{"id": f"l{index}", "tools": ["*"], **limit} for index, limit in enumerate(limits)],
        }
    ),
    st.lists(
        st.builds(
            _written,
            st.sampled_from(["allow", "require", "require", "deny", "log_only"]),
            st.lists(st.sampled_from(["t", "*", "u*", "tool?", "[t]"]), min_size=1, max_size=2),
            st.integers(0, 99),
            _on_error,
        ),
        max_size=4,
    ),
    st.lists(
        st.sampled_from(
            [{"per_session": 2}, {"same_args": 2}, {"sum": "a", "per_session": 100}, {"distinct_tools": 2}]
        ),
        max_size=2,
    ),
    st.sampled_from(["allow", "deny"]),
    st.sampled_from(["deny", "deny", "deny", "allow"]),
)
_targets = st.sampled_from(["t", "u1", "T", "ｔ", "t\u200b", "", "t" * 600, "\ud800", "tool?"]) | st.none()


@settings(max_examples=150, deadline=None)
@given(_texts, st.lists(st.tuples(_targets, _arguments, _identities, _values), min_size=1, max_size=4))
def test_no_call_raises_and_one_goes_on_only_if_its_rules_hold(
    text: str, calls: list[tuple[str | None, object, Identity, object]]
) -> None:
    policy = of_texts([(text.encode(), "policy")])
    store = MemoryStore()
    engine = Engine(policy, store)
    for target, arguments, identity, result in calls:
        facts = CallFacts(
            "tools/call",
            kind="tool",
            target=target,
            arguments=arguments,
            args_digest="digest",
            identity=identity,
            enforcement_key="key",
            session_id="session",
            at_unix_nano=store.now_ns(),
        )
        assert not _odd_result(engine, facts, policy.layers[0], result)


def _odd_result(engine: Engine, facts: CallFacts, layer: Layer, result: Any) -> list[str]:
    """Rules that should have denied a call which went on."""
    decision = engine.begin(facts)
    known = SessionFacts(0) if decision.lane.session is None else engine.store.facts(decision.lane.session)
    wrong = [] if decision.lane.denies else _unmet(layer, replace(facts, session=known, store_ns=engine.store.now_ns()))
    engine.end(decision, facts, result, is_error=False)
    engine.settle(decision, facts, succeeded=True, forwarded=not decision.lane.denies, cost_microusd=1)
    decision.columns()
    assert decision.text or not decision.lane.denies
    return wrong


def _unmet(layer: Layer, facts: CallFacts) -> list[str]:
    """Strict rules that are about a call, and do not hold: evaluated here once more, each for itself."""
    found = []
    for rule in layer.rules:
        if (rule.control.on_error or layer.on_error) == "allow" or not _names(rule, facts.target):
            continue
        outcomes = [_held(condition, facts) for condition in rule.conditions]
        if rule.effect == "require" and not all(outcome is True for outcome in outcomes):
            found.append(rule.id)
        if rule.effect == "deny" and all(outcome is not False for outcome in outcomes):
            found.append(rule.id)
    return found


def _names(rule: Rule, target: object) -> bool:
    """Patterns of the strategy above, spelled out."""
    if not isinstance(target, str):
        return False
    tools = rule.what.tools or ()
    return target in tools or "*" in tools or ("u*" in tools and target.startswith("u"))


def _held(condition: Any, facts: CallFacts) -> bool | None:
    try:
        held = condition.holds(facts)
    except Exception:
        return None
    assert isinstance(held, bool)
    return held


# -- parallel calls -------------------------------------------------------------------------------------------------


def test_a_call_does_not_count_as_done_before_it_came_back() -> None:
    text = (
        "version: 1\ndefault: allow\nrules:\n"
        "- {id: first, effect: require, tools: [refund], after: {tool: lookup, same: {id: id}}}"
    )
    engine = Engine(of_texts([(text.encode(), "p")]), MemoryStore())
    lookup = CallFacts("tools/call", kind="tool", target="lookup", arguments={"id": 1}, session_id="s")
    refund = replace(lookup, target="refund")
    begun = engine.begin(lookup)
    assert engine.begin(refund).lane.code == Code.ORDER
    engine.settle(begun, lookup, succeeded=True, forwarded=True, cost_microusd=0)
    assert not engine.begin(refund).lane.denies
    assert engine.begin(replace(refund, arguments={"id": 2})).lane.code == Code.ORDER
    assert engine.begin(replace(refund, session_id="another")).lane.code == Code.ORDER


def test_a_call_that_failed_or_was_refused_does_not_count_as_done() -> None:
    text = (
        "version: 1\ndefault: allow\nrules:\n- {id: no, effect: deny, tools: [lookup], when: 'args.id == 3'}\n"
        "- {id: first, effect: require, tools: [refund], when: 'session.ok.lookup > 0'}\n"
        "- {id: few, effect: require, tools: [search], when: 'session.calls.lookup < 3'}"
    )
    engine = Engine(of_texts([(text.encode(), "p")]), MemoryStore())
    lookup = CallFacts("tools/call", kind="tool", target="lookup", arguments={"id": 1}, session_id="s")
    refund = replace(lookup, target="refund")
    for facts, succeeded, forwarded in (
        (lookup, False, True),
        (replace(lookup, arguments={"id": 3}), True, True),
        (lookup, True, False),
        (lookup, False, True),
    ):
        engine.settle(engine.begin(facts), facts, succeeded=succeeded, forwarded=forwarded, cost_microusd=0)
        assert engine.begin(refund).lane.code == Code.REQUIREMENT
    assert not engine.begin(replace(lookup, target="search")).lane.denies  # two calls came back
    begun = engine.begin(lookup)
    engine.settle(begun, lookup, succeeded=True, forwarded=True, cost_microusd=0)
    assert not engine.begin(refund).lane.denies
    assert engine.begin(replace(lookup, target="search")).lane.code == Code.REQUIREMENT
