"""Which part of the lake a round reads, and that nothing is left out in the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcpobs import keys
from mcpobs.charging.rounds import RECENT_NS, WHOLE_EVERY_S, Rounds
from mcpobs.lake import writer
from mcpobs.policy import file
from mcpobs.policy.memory import MemoryStore
from mcpobs.policy.spend import Budgets
from tests.charging.spans import MICROUSD, keyed_session, request_of
from tests.sending import logged

POLICY = b"version: 1\ndefault: allow\nbudgets:\n  session: {usd: 1000}\n"
LONG_AGO_S = 2 * RECENT_NS / 1e9


class World:
    def __init__(self, lake: Path) -> None:
        keys.open_folder(lake)
        self.lake, self.now_s = lake, 0.0
        budgets = Budgets(file.of_texts([(POLICY, "policy.yaml")]))
        self.rounds = Rounds(lake, budgets, MemoryStore(), lambda: self.now_s)

    def receive(self, *bodies: bytes) -> None:
        logged(self.lake, *bodies)
        writer.commit(self.lake)

    def charged(self) -> tuple[int, int]:
        """What a round charges, and how many calls share nothing yet."""
        done = self.rounds.round()
        assert done.charged_microusd == done.charged * MICROUSD
        return done.charged, done.uncharged["unmatched"]


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


def test_a_second_caller_of_a_conversation_is_noticed_whenever_the_first_called(world: World) -> None:
    world.receive(keyed_session("shop", "process:1", "talk", LONG_AGO_S))
    assert world.charged() == (0, 0)
    world.receive(keyed_session("files", "process:2", "talk"), request_of("talk"))
    done = world.rounds.round()
    assert (done.charged, done.uncharged["ambiguous"]) == (0, 1)
