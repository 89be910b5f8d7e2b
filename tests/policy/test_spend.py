"""What agents spend on models reaches the counters of their sessions: whose, which counters, and once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.policy import file
from mcpobs.policy.conditions import CallFacts
from mcpobs.policy.engine import Engine
from mcpobs.policy.rows import Bounds
from mcpobs.policy.spend import WITHIN_NS, Budgets, ModelCall, Sessions, Sharing
from mcpobs.protocol.session import Identity
from tests.policy.conformance import HOUR_NS, START_NS, Opener
from tests.policy.stores import STORES

EACH = pytest.mark.parametrize("opener", STORES.values(), ids=STORES)
BUDGET = b"version: 1\ndefault: allow\nbudgets:\n  session: {usd: 0.01}\n"


def model_call(**changes: object) -> ModelCall:
    return ModelCall("t1", "s1", None, "c1", START_NS, 6_000)._replace(**changes)  # type: ignore[arg-type]


def session(**changes: object) -> Sharing:
    whole = Sharing(None, None, "shop", "process:1", None, "one", START_NS)
    return whole._replace(**changes)  # type: ignore[arg-type]


TRACE, CONVERSATION = {"trace_id": "t1"}, {"conversation_id": "c1"}


@pytest.mark.parametrize(
    ("call", "sharing", "found"),
    [
        (model_call(), [], "unmatched"),
        (model_call(), [session(trace_id="t2"), session(conversation_id="c2")], "unmatched"),
        (model_call(conversation_id=None), [session(**CONVERSATION)], "unmatched"),
        (model_call(cost_microusd=None), [session(**TRACE)], "unpriced"),
        (model_call(), [session(**TRACE)], "one"),
        (model_call(), [session(**CONVERSATION)], "one"),
        (model_call(), [session(**CONVERSATION), session(**TRACE, session_id="two")], "two"),
        (model_call(), [session(**TRACE), session(**CONVERSATION, enforcement_key="process:2")], "one"),
        (model_call(), [session(**TRACE), session(**TRACE, enforcement_key="process:2")], "one one"),
        (model_call(), [session(**TRACE), session(**TRACE, tenant="acme")], "one one"),
        (model_call(), [session(**CONVERSATION), session(**CONVERSATION, enforcement_key="process:2")], "one one"),
        (
            model_call(),
            [session(**TRACE, first_unix_nano=START_NS + 1), session(**TRACE, session_id="first", server="files")],
            "first",
        ),
        (model_call(conversation_id="\\u00e9"), [session(conversation_id="é")], "one"),
        (model_call(conversation_id="a\\/b"), [session(conversation_id="a/b")], "one"),
        (model_call(conversation_id="\\x"), [session(conversation_id="\\x")], "one"),
    ],
)
def test_whose_a_model_call_is(call: ModelCall, sharing: list[Sharing], found: str) -> None:
    got = Sessions(sharing).of(call)
    assert (got if isinstance(got, str) else " ".join(one.session_id for one in got)) == found


FACTS = CallFacts(
    "tools/call",
    kind="tool",
    target="search",
    arguments={},
    enforcement_key="process:1",
    session_id="one",
    server="shop",
    identity=Identity(tenant="acme"),
)
OF = Sharing("t1", None, "shop", "process:1", "acme", "one", START_NS)
LEARNED = b"version: 1\ndefault: allow\nsession: {cost_usd: {limit: 0.01}}\n"


@EACH
@pytest.mark.parametrize(
    ("policy", "hit"),
    [
        (BUDGET, "same session"),
        (b"version: 1\ndefault: allow\nbudgets:\n  principal: {usd: 0.01, window: 1h}\n", "same caller"),
        (b"version: 1\ndefault: allow\nbudgets:\n  tenant: {usd: 0.01, window: 1h}\n", "same tenant"),
        (LEARNED, "same session"),
    ],
    ids=["session", "principal", "tenant", "limits file"],
)
def test_what_a_session_spends_stops_its_next_call_and_nobody_elses(opener: Opener, policy: bytes, hit: str) -> None:
    opened = opener(Bounds())
    loaded = file.of_texts([(policy, "policy.yaml")])
    engine, budgets = Engine(loaded, opened.store, "shop"), Budgets(loaded)
    others = {
        "same session": FACTS,
        "same caller": CallFacts(**{**_fields(FACTS), "session_id": "two"}),
        "same tenant": CallFacts(**{**_fields(FACTS), "session_id": "three", "enforcement_key": "process:2"}),
        "others": CallFacts(
            **{
                **_fields(FACTS),
                "session_id": "four",
                "enforcement_key": "process:3",
                "identity": Identity(tenant="other"),
            }
        ),
    }
    reached = list(others)[: list(others).index(hit) + 1]
    for number in range(2):
        assert not any(engine.begin(facts).lane.denies for facts in others.values())
        for charge in budgets.charges(model_call(span_id=f"s{number}"), OF):
            assert opened.store.charge(*charge)
            assert not opened.store.charge(*charge)
    assert [name for name, facts in others.items() if engine.begin(facts).lane.denies] == reached
    assert engine.begin(FACTS).lane.code == "cost_limit"


def _fields(facts: CallFacts) -> dict[str, object]:
    return {name: getattr(facts, name) for name in facts.__slots__}


@EACH
def test_the_shadow_of_a_policy_spends_too(opener: Opener) -> None:
    opened = opener(Bounds())
    loaded = file.of_texts([(BUDGET + b"mode: log_only\n", "policy.yaml")])
    engine, budgets = Engine(loaded, opened.store, "shop"), Budgets(loaded)
    for number in range(2):
        for charge in budgets.charges(model_call(span_id=f"s{number}"), OF):
            assert opened.store.charge(*charge)
    decision = engine.begin(FACTS)
    assert not decision.lane.denies
    assert decision.shadow is not None
    assert decision.shadow.code == "cost_limit"


@EACH
def test_a_session_spends_again_after_its_windows_have_passed(opener: Opener) -> None:
    opened = opener(Bounds())
    loaded = file.of_texts([(b"version: 1\ndefault: allow\nbudgets:\n  principal: {usd: 0.01, window: 1h}\n", "p")])
    engine, budgets = Engine(loaded, opened.store, "shop"), Budgets(loaded)
    for charge in budgets.charges(model_call(cost_microusd=50_000), OF):
        assert opened.store.charge(*charge)
    assert engine.begin(FACTS).lane.denies
    opened.advance(2 * HOUR_NS)
    assert not engine.begin(FACTS).lane.denies


def test_a_policy_without_budgets_has_nothing_to_charge() -> None:
    limits = b"version: 1\ndefault: allow\nlimits:\n- {id: x, tools: [search], per_session: 2}\n"
    budgets = Budgets(file.of_texts([(limits, "policy.yaml")]))
    assert not budgets.any
    assert budgets.charges(model_call(), OF) == []
    for costly in (BUDGET, LEARNED):
        assert Budgets(file.of_texts([(costly, "policy.yaml")])).any


@EACH
@given(
    spans=st.lists(
        st.tuples(st.integers(0, 5), st.one_of(st.none(), st.integers(6, 9)), st.integers(0, 9)),
        max_size=30,
    )
)
def test_each_span_is_charged_once_however_often_it_comes(
    opener: Opener, spans: list[tuple[int, int | None, int]]
) -> None:
    """Spans 0 to 5 are within spans 6 to 9, which are not model calls of their own until they come themselves."""
    opened = opener(Bounds())
    loaded = file.of_texts([(BUDGET, "policy.yaml")])
    budgets = Budgets(loaded)
    costs: dict[int, int] = {}
    for span, parent, cost in spans:
        call = model_call(span_id=str(span), parent_span_id=None if parent is None else str(parent), cost_microusd=cost)
        for charge in budgets.charges(call, OF):
            assert opened.store.charge(*charge) == (span not in costs)
        costs.setdefault(span, cost)
    (charge,) = budgets.charges(model_call(span_id="last", cost_microusd=0), OF)
    before = [taken.before for taken in opened.store.reserve(charge.session, charge.counts).counts]
    assert before == [sum(costs.values())] * len(charge.counts)


@EACH
def test_the_outer_of_two_spans_of_one_call_covers_the_inner(opener: Opener) -> None:
    opened = opener(Bounds())
    budgets = Budgets(file.of_texts([(BUDGET, "policy.yaml")]))
    (outer,) = budgets.charges(model_call(span_id="outer"), OF)
    (inner,) = budgets.charges(model_call(span_id="inner", parent_span_id="outer"), OF)
    assert opened.store.charge(*outer)
    assert not opened.store.charge(*inner)


@EACH
def test_a_model_call_of_long_ago_is_not_charged(opener: Opener) -> None:
    opened = opener(Bounds())
    budgets = Budgets(file.of_texts([(BUDGET, "policy.yaml")]))
    late, just = (
        budgets.charges(model_call(span_id=str(age), start_unix_nano=opened.store.now_ns() - age), OF)[0]
        for age in (WITHIN_NS, WITHIN_NS - HOUR_NS)
    )
    assert not opened.store.charge(*late)
    assert opened.store.charge(*just)


@EACH
def test_each_caller_of_a_trace_pays_and_their_tenant_once(opener: Opener) -> None:
    opened = opener(Bounds())
    policy = b"""version: 1
default: allow
budgets: {session: {usd: 1}, principal: {usd: 1, window: 1h}, tenant: {usd: 1, window: 1h}}
"""
    loaded = file.of_texts([(policy, "policy.yaml")])
    engine, budgets = Engine(loaded, opened.store, "shop"), Budgets(loaded)
    who = (("process:1", "acme"), ("process:2", "acme"), ("process:3", "b"))
    callers = [OF._replace(enforcement_key=key, tenant=tenant) for key, tenant in who]
    for _ in range(2):  # the second time nobody pays
        for one in callers:
            for charge in budgets.charges(model_call(), one):
                opened.store.charge(*charge)
    for one in callers:
        identity = Identity(tenant=one.tenant)
        decision = engine.begin(
            CallFacts(**{**_fields(FACTS), "enforcement_key": one.enforcement_key, "identity": identity})
        )
        assert [counted.before for counted in decision.lane.counted] == [6_000] * 3
