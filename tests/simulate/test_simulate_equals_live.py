"""What a simulation says of recorded traffic is what an enforcing front decides, decision for decision.

Random policies on recorded facts; each front records the traffic without a policy, the recording is simulated, and the
same traffic is driven again with the policy in force. The lake of that second run gives the same answer again."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from mcpobs.lake.reader import open_reading
from mcpobs.policy import file
from mcpobs.policy.decision import Lane, tightest
from mcpobs.policy.model import Inspection
from mcpobs.queries.run import plan_of
from mcpobs.reports.window import FOREVER
from mcpobs.settings import load_config
from mcpobs.simulate.recorded import Recorded, extent, operations
from mcpobs.simulate.replay import Replay
from mcpobs.simulate.simulate import prices_of
from tests.instrument.recorded import rows_of
from tests.seeds import seeds
from tests.simulate import traffic
from tests.simulate.fronts import Drive, at_once_over_http, at_once_over_stdio, in_process, over_http, over_stdio

SEEDS = seeds(4, 20)
"""Each policy takes a second over each front."""
FRONTS = pytest.mark.parametrize("drive", [over_stdio, over_http, in_process])
Decided = tuple[str, str | None, str | None, list[str], dict[str, Any]]
"""Method, tool, code, rules (or what warned), and counters: before, after and most."""


class Decisions:
    """Keeps what a replay decides."""

    def __init__(self) -> None:
        self.found: list[Decided] = []
        self.undecidable: set[str] = set()

    def decided(self, call: Recorded, lane: Lane) -> None:
        counted = _compared({id_: list(one[1:]) for id_, one in tightest(lane.counted).items()})
        code = None if lane.code is None else str(lane.code)
        self.found.append((call.method, call.tool, code, list(lane.rules or lane.warnings), counted))
        self.undecidable |= set(lane.undecidable)

    def withheld(self, call: Recorded, lane: Lane) -> None:
        raise AssertionError("no policy here looks at results")

    def undecided(self, call: Recorded, rules: Iterable[str]) -> None:
        raise AssertionError("no policy here reads content")

    def found(self, call: Recorded, entry: Inspection) -> None:
        raise AssertionError("no policy here inspects")


def simulated(lake: Path, policy: list[str]) -> list[Decided]:
    decisions = Decisions()
    with open_reading(lake) as opened:
        plan = plan_of(opened)
        replay = Replay(file.load(policy), decisions, prices_of(load_config()))
        for call in operations(plan, extent(plan, 0, FOREVER, None), None):
            replay.take(call)
        replay.close()
    assert decisions.undecidable == set()
    return decisions.found


def enforced(lake: Path) -> list[Decided]:
    return [
        (
            row["method"],
            row.get("tool"),
            row.get("decision_code"),
            json.loads(row.get("rules", "[]")),
            _compared(json.loads(row.get("policy_counters", "{}"))),
        )
        for row in _in_order(lake)
    ]


def _compared(counters: dict[str, Any]) -> dict[str, Any]:
    """Without ages in ms, which no two runs have alike."""
    return {id_: counted for id_, counted in counters.items() if not id_.endswith("duration_s")}


def _in_order(lake: Path) -> list[dict[str, Any]]:
    rows = [row for row in rows_of(lake) if "method" in row]
    return sorted(rows, key=lambda row: (row["start_unix_nano"], row["sequence"]))


@FRONTS
@pytest.mark.parametrize("seed", SEEDS)
def test_a_simulation_says_what_an_enforcing_front_decides(home: Path, drive: Drive, seed: int) -> None:
    chance = random.Random(seed)
    steps, policy = _played(home, chance), traffic.write_policy(chance, home)
    drive(home / "observed" / "lake", steps, ())
    expected = simulated(home / "observed" / "lake", policy)
    drive(home / "enforced" / "lake", steps, policy)
    found = enforced(home / "enforced" / "lake")
    assert _differences(found, expected) == []
    assert _differences(simulated(home / "enforced" / "lake", policy), expected) == []
    assert len(found) >= len(steps)


@pytest.mark.parametrize("drive", [over_stdio, over_http])
@pytest.mark.parametrize("seed", SEEDS)
def test_rules_on_content_go_by_their_recorded_verdicts(home: Path, drive: Drive, seed: int) -> None:
    chance = random.Random(f"content {seed}")
    steps, policy = _played(home, chance), _written(home, traffic.on_content(chance))
    drive(home / "enforced" / "lake", steps, policy)
    found = simulated(home / "enforced" / "lake", policy)
    assert _differences(enforced(home / "enforced" / "lake"), found) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_simulation_says_what_rules_in_log_only_noted(home: Path, seed: int) -> None:
    chance = random.Random(f"shadow {seed}")
    steps = _played(home, chance)
    policy = _written(home, traffic.on_content(chance) | {"mode": "log_only"})
    over_http(home / "noted" / "lake", steps, policy)
    found = [
        (method, tool, code, rules if code else [])
        for method, tool, code, rules, _ in simulated(home / "noted" / "lake", policy)
    ]
    noted = [
        (row["method"], row.get("tool"), row.get("shadow_code"), json.loads(row.get("shadow_rules", "[]")))
        for row in _in_order(home / "noted" / "lake")
    ]
    assert found == noted
    assert any(code for _, _, code, _ in noted)


@pytest.mark.parametrize("drive", [at_once_over_stdio, at_once_over_http])
@pytest.mark.parametrize("seed", SEEDS)
def test_calls_under_way_at_once_are_settled_when_they_ended(home: Path, drive: Drive, seed: int) -> None:
    chance = random.Random(f"at once {seed}")
    steps, policy = _played(home, chance), traffic.write_policy(chance, home)
    drive(home / "enforced" / "lake", steps, policy)
    found = simulated(home / "enforced" / "lake", policy)
    assert _differences(enforced(home / "enforced" / "lake"), found) == []


def _played(home: Path, chance: random.Random) -> list[traffic.Step]:
    settings = home / ".config" / "mcpobs"
    settings.mkdir(parents=True)
    (settings / "config.toml").write_text(traffic.CONFIG)
    return traffic.steps(chance)


def _written(home: Path, content: dict[str, Any]) -> list[str]:
    path = home / "policy.yaml"
    path.write_text(json.dumps(content))
    return [str(path)]


def _differences(found: list[Decided], expected: list[Decided]) -> list[tuple[int, Decided | None, Decided | None]]:
    """Place, what was found, and what was expected."""
    pairs = enumerate(zip_longest(found, expected))
    return [(place, one, other) for place, (one, other) in pairs if one != other]
