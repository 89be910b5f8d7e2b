"""Ids that one tenant's results show are that tenant's: through the engine, with the store in memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcpobs.policy.codes import Code
from mcpobs.policy.conditions import CallFacts
from mcpobs.policy.decision import Lane
from mcpobs.policy.engine import Engine
from mcpobs.policy.file import of_texts
from mcpobs.policy.memory import MemoryStore
from mcpobs.policy.state import StoreError
from mcpobs.protocol.session import Identity

POLICY = """
version: 1
default: allow
halt_after_denials: off
rules:
- {id: orders, effect: require, tools: [list_orders, get_order], tenant: {ids: ["rows[*].id", id], arg: order_id, MORE}}
"""


def _engine(more: str = "ttl: 1h", store: MemoryStore | None = None) -> Engine:
    policy = of_texts([(POLICY.replace("MORE", more).encode(), "policy.yaml")])
    return Engine(policy, store or MemoryStore(), id_key=lambda: b"k" * 32)


def _facts(tenant: str | None, tool: str, **arguments: object) -> CallFacts:
    identity = Identity("p", tenant)
    return CallFacts("tools/call", kind="tool", target=tool, arguments=arguments, identity=identity, session_id="s",
                     enforcement_key=f"principal:{tenant}")  # fmt: skip


def _show(engine: Engine, tenant: str | None, result: object, *, is_error: bool = False) -> Lane | None:
    facts = _facts(tenant, "list_orders")
    decision = engine.begin(facts)
    return engine.end(decision, facts, {"structuredContent": result, "content": []}, is_error=is_error)


def _code(engine: Engine, tenant: str | None, **arguments: object) -> Code | None:
    return engine.begin(_facts(tenant, "get_order", **arguments)).lane.code


def test_an_id_that_one_tenant_was_shown_is_refused_to_another() -> None:
    engine = _engine()
    assert _show(engine, "acme", {"rows": [{"id": "o-1"}, {"id": 7}]}) is None
    assert _code(engine, "acme", order_id="o-1") is None
    for used in ("o-1", "O-1", " o-1", ["o-2", "o-1"], 7, "7", "007", 7.0):
        assert _code(engine, "other", order_id=used) == Code.TENANT, used
    assert _code(engine, "other", order_id="o-9") is None
    assert _code(engine, "other") is None


def test_the_first_tenant_keeps_an_id() -> None:
    engine = _engine()
    _show(engine, "acme", {"id": "o-1"})
    _show(engine, "other", {"id": "o-1"})
    assert _code(engine, "acme", order_id="o-1") is None
    assert _code(engine, "other", order_id="o-1") == Code.TENANT


def test_an_error_shows_no_ids() -> None:
    engine = _engine()
    _show(engine, "acme", {"id": "o-1"}, is_error=True)
    assert _code(engine, "other", order_id="o-1") is None


def test_an_id_that_nobody_was_shown_may_be_blocked() -> None:
    engine = _engine("on_unseen: block")
    assert _code(engine, "acme", order_id="o-1") == Code.TENANT
    _show(engine, "acme", {"id": "o-1"})
    assert _code(engine, "acme", order_id="o-1") is None
    assert _code(engine, "acme") is None


def test_a_caller_without_a_tenant_is_refused() -> None:
    engine = _engine()
    assert _code(engine, None, order_id="o-1") == Code.TENANT


def test_what_is_no_id_is_refused() -> None:
    for used in ({"$ne": 1}, [{"a": 1}], True, ""):
        assert _code(_engine(), "acme", order_id=used) == Code.TENANT, used
    assert _code(_engine(), "acme", Order_ID="o-1") == Code.TENANT


def test_the_store_holds_digests_alone() -> None:
    store = MemoryStore()
    _show(_engine(store=store), "acme", {"id": "very-secret-id"})
    assert "very-secret-id" not in repr(vars(store))
    assert _code(_engine(store=store), "other", order_id="very-secret-id") == Code.TENANT


def test_a_result_with_too_many_ids_is_withheld() -> None:
    lane = _show(_engine(), "acme", {"rows": [{"id": number} for number in range(5_000)]})
    assert lane is not None
    assert (lane.code, lane.rules) == (Code.RESULT, ("orders",))


class _Full(MemoryStore):
    """A store that takes no ids, as one that is full does."""

    def own(self, *_: object) -> None:
        raise StoreError("full")


class _Broken(MemoryStore):
    def owner(self, *_: object) -> str | None:
        raise StoreError("broken")


def test_a_result_whose_ids_cannot_be_noted_is_withheld() -> None:
    lane = _show(_engine(store=_Full()), "acme", {"id": "o-1"})
    assert lane is not None
    assert (lane.code, lane.degraded) == (Code.STORE_ERROR, True)


def test_a_store_that_cannot_say_whose_an_id_is_denies() -> None:
    decision = _engine(store=_Broken()).begin(_facts("acme", "get_order", order_id="o-1"))
    assert (decision.lane.code, decision.lane.degraded) == (Code.STORE_ERROR, True)


@pytest.mark.parametrize("store", [_Full(), _Broken()])
def test_on_error_allow_lets_both_pass(store: MemoryStore) -> None:
    text = POLICY.replace("MORE", "ttl: 1h").replace("default: allow", "default: allow\non_error: allow")
    engine = Engine(of_texts([(text.encode(), "p")]), store)
    assert _show(engine, "acme", {"id": "o-1"}) is None
    assert _code(engine, "acme", order_id="o-1") is None


def test_a_key_of_another_process_makes_other_digests() -> None:
    store = MemoryStore()
    _show(_engine(store=store), "acme", {"id": "o-1"})
    other = Engine(_engine().policy, store, id_key=lambda: b"x" * 32)
    assert _code(other, "other", order_id="o-1") is None


def test_an_id_is_forgotten_after_its_time() -> None:
    clock = [0]

    engine = _engine("ttl: 1h", MemoryStore(lambda: clock[0]))
    _show(engine, "acme", {"id": "o-1"})
    clock[0] = 3_599 * 10**9
    assert _code(engine, "other", order_id="o-1") == Code.TENANT
    clock[0] = 3_601 * 10**9
    assert _code(engine, "other", order_id="o-1") is None


def test_facts_are_left_as_they_are() -> None:
    facts = _facts("acme", "get_order", order_id="o-1")
    before = replace(facts)
    _engine().begin(facts)
    assert facts == before
