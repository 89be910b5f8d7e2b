"""Whatever dies between a commit and a charge, each model call is charged once."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mcpobs import interpreter, keys
from mcpobs.collector.charger import Report
from mcpobs.lake import writer
from mcpobs.policy import file
from mcpobs.policy.spend import Budgets, ModelCall, Sharing
from mcpobs.policy.sqlite import SqliteStore
from tests.charging.spans import MICROUSD, keyed_session, request_of
from tests.sending import logged

POLICY = "version: 1\ndefault: allow\nbudgets:\n  session: {usd: 1000}\n  principal: {usd: 1000, window: 1d}\n"
CALLS = 400
LONG_S = 60
OF = Sharing(None, None, "shop", "process:1", None, "talk", 0)


class World:
    """A lake with a session, a policy and the file of its counters."""

    def __init__(self, folder: Path) -> None:
        self.lake, self.policy, self.state = folder / "lake", folder / "policy.yaml", folder / "state.db"
        self.policy.write_text(POLICY)
        keys.open_folder(self.lake)

    def receive(self, *bodies: bytes) -> None:
        logged(self.lake, *bodies)
        writer.commit(self.lake)

    def spent(self) -> list[int]:
        """What the counters of the session and its caller hold."""
        asking = ModelCall("", "", None, None, 0, 0)
        (charge,) = Budgets(file.load([self.policy])).charges(asking, OF)
        store = SqliteStore(self.state)
        try:
            return [taken.before for taken in store.reserve(charge.session, charge.counts).counts]
        finally:
            store.close()

    @contextmanager
    def charging(self) -> Iterator[subprocess.Popen[bytes]]:
        command = interpreter.command("mcpobs.charging.process", str(self.lake), str(self.state), str(self.policy))
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            try:
                yield process
            finally:
                process.kill()

    def rounds(self) -> list[Report]:
        """The reports of a process that ends by itself."""
        with self.charging() as process:
            found = [reported(process)]
            out, _ = process.communicate()
            assert process.returncode == 0
        return found + [json.loads(line) for line in out.splitlines()]


def reported(process: subprocess.Popen[bytes], order: bytes = b"") -> Report:
    """The next report, after an order if there is one."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(order)
    process.stdin.flush()
    found: Report = json.loads(process.stdout.readline())
    return found


@pytest.fixture
def world(tmp_path: Path) -> World:
    found = World(tmp_path)
    found.receive(keyed_session("shop", "process:1", "talk"))
    return found


@pytest.mark.parametrize("deaths", [8, pytest.param(40, marks=pytest.mark.slow)])
def test_a_process_that_is_killed_again_and_again_charges_each_call_once(world: World, deaths: int) -> None:
    body = request_of("talk", CALLS)
    world.receive(body)
    chance = random.Random(1)
    between = 0
    for _ in range(deaths):
        with world.charging() as process:
            before, end = world.spent()[0], time.monotonic() + LONG_S
            while world.spent()[0] == before < CALLS * MICROUSD:  # until it charges
                assert time.monotonic() < end
                time.sleep(0.001)
            time.sleep(chance.random() * 0.02)  # the moment of its death
            process.send_signal(signal.SIGKILL)
        between += 0 < world.spent()[0] < CALLS * MICROUSD
        if world.spent()[0] == CALLS * MICROUSD:
            break
    assert between  # it did die within a round
    world.receive(body)
    reports = world.rounds()
    assert [report["error"] for report in reports] == [None] * len(reports)
    assert world.spent() == [CALLS * MICROUSD] * 2


def test_spans_that_were_committed_before_the_collector_died_are_charged_by_the_next(world: World) -> None:
    world.receive(request_of("talk", 3))
    assert sum(report["charged"] for report in world.rounds()) == 3
    assert sum(report["charged"] for report in world.rounds()) == 0
    assert world.spent() == [3 * MICROUSD] * 2


def test_a_call_before_the_first_of_its_session_is_charged_when_that_comes(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.receive(request_of("talk", 2), request_of("other"))
    with world.charging() as process:
        first = reported(process)
        world.receive(keyed_session("shop", "process:1", "talk"))
        second = reported(process, b"\n")
    assert (first["charged"], first["uncharged"]["unmatched"]) == (0, 3)
    assert (second["charged"], second["uncharged"]["unmatched"]) == (2, 1)
    assert world.spent() == [2 * MICROUSD] * 2


def test_a_conversation_of_two_callers_is_charged_to_both(world: World) -> None:
    world.receive(keyed_session("shop", "process:2", "talk"), request_of("talk"))
    (report, *_) = world.rounds()
    assert (report["charged"], sum(report["uncharged"].values())) == (1, 0)
    assert world.spent() == [MICROUSD] * 2


def test_a_store_that_is_no_store_is_reported_and_charged_when_it_is_one_again(world: World) -> None:
    world.receive(request_of("talk", 2))
    world.state.write_bytes(b"not a database" * 1000)
    world.state.chmod(0o600)
    with world.charging() as process:
        first = reported(process)
        world.state.unlink()
        second = reported(process, b"\n")
    assert "state.db" in first["error"]
    assert (second["error"], second["charged"]) == (None, 2)
    assert world.spent() == [2 * MICROUSD] * 2


def test_a_changed_policy_is_taken_before_the_next_round(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.policy.write_text("version: 1\ndefault: allow\nsession: {calls: 9}\n")
    world.receive(keyed_session("shop", "process:1", "talk"), request_of("talk"))
    with world.charging() as process:
        first = reported(process)
        world.policy.write_text(POLICY)
        world.receive(request_of("talk"))
        second = reported(process, b"\n")
    assert (first["charged"], second["charged"]) == (0, 1)
    assert world.spent() == [MICROUSD] * 2
