"""The planted hour: any seed plants all six problems, and the shim harms only the faulty tool."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from bench.planted_hour import shim
from bench.planted_hour.hour import Hour
from bench.planted_hour.ordinary import sessions
from bench.planted_hour.planted import burn, hang, injection, loop, plant, shape, slow
from bench.planted_hour.workspace import Workspace, make_workspace

SECONDS = 300
SERVER = """
import json, sys
for line in sys.stdin:
    print(json.dumps({"jsonrpc": "2.0", "id": json.loads(line)["id"], "result": {}}), flush=True)
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_workspace(tmp_path_factory.mktemp("workspace"), Random(1))


@pytest.mark.parametrize("seed", range(20))
def test_any_seed_plants_all_six_problems_with_tools_of_their_own(workspace: Workspace, seed: int) -> None:
    chance = Random(seed)
    hour = Hour(SECONDS, workspace, sessions(workspace, SECONDS, chance))
    problems = plant(hour, chance)

    planted = Counter(call.planted for session in hour.sessions for call in session.calls)
    assert planted[hang.NAME] == hang.HUNG
    assert planted[burn.NAME] == burn.CALLS
    assert planted[loop.NAME] == 2 * loop.TIMES
    assert planted[injection.NAME] == injection.READS
    assert planted[shape.NAME] == shape.SESSIONS
    assert planted[slow.NAME] >= 8
    assert len({problem.tool for problem in problems}) == 6


def test_the_shim_swallows_the_answers_of_the_faulty_tool_only(tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text(
        json.dumps(
            {
                "hangs": {"kind": "swallow", "from": 0, "delay_s": [0, 0]},
                "late": {"kind": "delay", "from": 0, "delay_s": [0.01, 0.02]},
                "not_yet": {"kind": "swallow", "from": 1e12, "delay_s": [0, 0]},
            }
        )
    )
    calls = ["fine", "hangs", "late", "not_yet"]
    asked = [{"id": name, "method": "tools/call", "params": {"name": name}} for name in calls]
    done = subprocess.run(
        [sys.executable, shim.__file__, str(faults), sys.executable, "-c", SERVER],
        input="".join(json.dumps(each) + "\n" for each in [*asked, {"id": "listed", "method": "tools/list"}]),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    answered = [json.loads(line)["id"] for line in done.stdout.splitlines()]
    assert sorted(answered) == ["fine", "late", "listed", "not_yet"]
