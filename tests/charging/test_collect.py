"""When `mcpobs collect` charges model calls, and that nothing of it stops the collector."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from mcpobs.cli.collect import CollectOptions, charging_command
from mcpobs.collector import child
from mcpobs.collector.charger import Charger
from mcpobs.collector.service import open_intake
from mcpobs.lake.reader import open_reading
from tests.collector.test_command import collect
from tests.sending import request

BUDGET = "version: 1\ndefault: allow\nbudgets:\n  session: {usd: 0.01}\n"
NO_BUDGET = "version: 1\ndefault: allow\n"


@pytest.fixture
def policy(home: Path) -> Path:
    path = home / "policy.yaml"
    path.write_text(BUDGET)
    return path


def given(lake: str | None = None, policy: tuple[str, ...] = ()) -> CollectOptions:
    return CollectOptions(lake, None, None, None, None, None, None, "16MiB", "64MiB", policy=policy)


def configured(home: Path, text: str) -> None:
    folder = home / ".config" / "mcpobs"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(text)


def test_budgets_of_the_option_or_the_configuration_are_charged(home: Path, policy: Path) -> None:
    lake = home / "lake"
    assert charging_command(given(lake=str(lake))) == []
    end = [str(lake), str(lake / "policy" / "state.db"), str(policy)]
    assert charging_command(given(lake=str(lake), policy=(str(policy),)))[-3:] == end
    configured(home, f'[policy]\nfiles = ["{policy}"]\nstate = "{home}/counters.db"\n')
    assert charging_command(given(lake=str(lake)))[-3:] == [str(lake), f"{home}/counters.db", str(policy)]


def test_without_a_budget_there_is_nothing_to_charge(policy: Path) -> None:
    policy.write_text(NO_BUDGET)
    assert charging_command(given(policy=(str(policy),))) == []


def test_counters_in_the_memory_of_fronts_cannot_be_charged(
    home: Path, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configured(home, f'[policy]\nfiles = ["{policy}"]\nstate = "memory"\n')
    assert charging_command(given()) == []
    assert "each `mcpobs instrument` keeps its counters in its own memory" in capsys.readouterr().err


def test_a_policy_that_cannot_be_read_ends_the_collector_at_its_start(policy: Path) -> None:
    policy.write_text("version: 1\nbudget: {}\n")
    run = collect("--http", "127.0.0.1:0", "--no-grpc", "--policy", str(policy))
    assert run.returncode == 2
    assert "policy.yaml:2" in run.stderr


@pytest.mark.parametrize("command", [["/bin/false"], ["/nonexistent"]])
def test_a_charging_process_that_cannot_start_stops_nothing(
    tmp_path: Path, command: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(child, "RESTART_S", 0.01)
    body, ids = request()

    async def run() -> None:
        async with open_intake(tmp_path / "lake", charging=command) as intake:
            await intake.take("traces", "protobuf", body)
            while intake.counters()["spend.restarts"] < 3:
                await asyncio.sleep(0.01)
            assert intake.counters()["spend.failing"] == 1
            assert intake.trouble is None

    asyncio.run(asyncio.wait_for(run(), 60))
    with open_reading(tmp_path / "lake") as reading:
        found = [row[0] for row in reading.connection.execute("select span_id from spans").fetchall()]
    assert sorted(found) == sorted(ids)
    assert capfd.readouterr().err.count("model calls are not charged") == 1


def test_a_charging_process_that_was_killed_is_started_again(
    home: Path, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "RESTART_S", 0.01)
    command = charging_command(given(lake=str(home / "lake"), policy=(str(policy),)))

    async def run() -> None:
        async with open_intake(home / "lake"):  # makes the lake
            charger = Charger(command)
            await charger.start()
            assert charger._process is not None
            os.kill(charger._process.pid, signal.SIGKILL)
            while charger.restarts == 0 or charger.error is not None:
                await asyncio.sleep(0.01)
            await charger.close()
            assert (charger.restarts, charger.error) == (1, None)

    asyncio.run(asyncio.wait_for(run(), 60))
