"""Which part of the lake a round reads, and that nothing is left out in the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcpobs import keys
from mcpobs.charging.rounds import RECENT_NS, WHOLE_EVERY_S, Rounds
from mcpobs.lake import writer
from mcpobs.policy import file
from mcpobs.policy.conditions import CallFacts
from mcpobs.policy.engine import Engine
from mcpobs.policy.memory import MemoryStore
from mcpobs.policy.spend import Budgets
from mcpobs.protocol.session import Identity
from tests.charging.spans import MICROUSD, keyed_session, request_of
from tests.sending import logged

POLICY = b"""version: 1
default: allow
budgets:
  session: {usd: 0.01}
  principal: {usd: 0.02, window: 1h}
  tenant: {usd: 0.03, window: 1h}
"""
LONG_AGO_S = 2 * RECENT_NS / 1e9


class World:
    def __init__(self, lake: Path) -> None:
        keys.open_folder(lake)
        self.lake, self.now_s = lake, 0.0
        policy, store = file.of_texts([(POLICY, "policy.yaml")]), MemoryStore()
        self.rounds = Rounds(lake, Budgets(policy), store, lambda: self.now_s)
        self.engine = Engine(policy, store, "shop")

    def receive(self, *bodies: bytes) -> None:
        logged(self.lake, *bodies)
        writer.commit(self.lake)

    def charged(self) -> tuple[int, int]:
        """What a round charges, and how many calls share nothing yet."""
        done = self.rounds.round()
        assert done.charged_microusd == done.charged * MICROUSD
        return done.charged, done.uncharged["unmatched"]

    def denies(self, session: str, key: str = "principal:ann", tenant: str = "acme") -> bool:
        identity = Identity(tenant=tenant)
        facts = CallFacts("tools/call", "client", "tool", "search", {}, identity=identity)
        facts.enforcement_key, facts.session_id = key, session
        return self.engine.begin(facts).lane.denies


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_session_of_long_ago_is_charged_at_once_for_a_call_of_now(world: World) -> None:
    world.receive(keyed_session("shop", "process:1", "talk", LONG_AGO_S), request_of("talk", age_s=LONG_AGO_S))
    assert world.charged() == (1, 0)
    world.receive(request_of("talk"))
    assert world.charged() == (1, 0)
    assert world.charged() == (0, 0)


def test_a_span_that_comes_late_is_charged_by_the_next_round_of_all(world: World) -> None:
    world.receive(keyed_session("shop", "process:1", "talk"))
    assert world.charged() == (0, 0)
    world.receive(request_of("talk", age_s=LONG_AGO_S))
    assert world.charged() == (0, 0)
    world.now_s += WHOLE_EVERY_S
    assert world.charged() == (1, 0)
    world.now_s += WHOLE_EVERY_S
    assert world.charged() == (0, 0)


def test_a_call_waits_for_its_session(world: World) -> None:
    world.receive(request_of("talk"), request_of("talk", age_s=LONG_AGO_S))
    assert world.charged() == (0, 2)
    world.receive(keyed_session("shop", "process:1", "talk"))
    assert world.charged() == (1, 1)
    world.now_s += WHOLE_EVERY_S
    assert world.charged() == (1, 0)


def test_a_second_caller_of_a_conversation_pays_too_whenever_the_first_called(world: World) -> None:
    world.receive(keyed_session("shop", "process:1", "talk", LONG_AGO_S))
    assert world.charged() == (0, 0)
    world.receive(keyed_session("files", "process:2", "talk"), request_of("talk"))
    done = world.rounds.round()
    assert (done.charged, done.uncharged) == (1, {"unmatched": 0, "unpriced": 0})
    world.receive(keyed_session("more", "process:3", "talk"))
    assert world.charged() == (1, 0)
    assert world.charged() == (0, 0)


def test_a_trace_is_charged_to_the_session_in_it_before_a_conversation_is(world: World) -> None:
    trace = b"\x0a" * 16
    world.receive(
        keyed_session("shop", "principal:ann", "of-trace", trace=trace, tenant="acme"),
        keyed_session("shop", "principal:ann", "of-conversation", tenant="acme"),
        request_of("of-conversation", 2, trace=trace),
    )
    assert world.charged() == (2, 0)
    assert [world.denies("of-trace"), world.denies("of-conversation")] == [True, False]


def test_session_principal_and_tenant_are_charged_each_up_to_its_budget(world: World) -> None:
    for key in ("principal:ann", "principal:bob"):
        for talk in ("one", "two"):
            world.receive(keyed_session("shop", key, f"{key}-{talk}", tenant="acme"))
    others = ("other", "principal:eve", "other")
    world.receive(request_of("principal:ann-one", 2))
    assert world.charged() == (2, 0)
    assert [world.denies("principal:ann-one"), world.denies("principal:ann-two")] == [True, False]
    world.receive(request_of("principal:ann-two", 2))
    assert world.charged() == (2, 0)
    assert [world.denies("principal:ann-new"), world.denies("principal:bob-one", "principal:bob")] == [True, False]
    world.receive(request_of("principal:bob-one", 1), request_of("principal:bob-two", 1))
    assert world.charged() == (2, 0)
    assert [world.denies("new", "principal:new"), world.denies(*others)] == [True, False]
