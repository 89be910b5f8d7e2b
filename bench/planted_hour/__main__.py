"""Plans the hour by the seed, runs it, and writes the answers."""

from __future__ import annotations

import json
import sys
import tempfile
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from random import Random

import anyio

import bench.planted_hour
from bench.planted_hour.answers import answers
from bench.planted_hour.client import run
from bench.planted_hour.front import Front
from bench.planted_hour.hour import Hour
from bench.planted_hour.ordinary import sessions
from bench.planted_hour.planted import plant
from bench.planted_hour.workspace import make_workspace
from tests.interop.packages import install


def main() -> None:
    parser = ArgumentParser(description=bench.planted_hour.__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("lake", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--answers", type=Path, metavar="FILE")
    parser.add_argument("--config", type=Path, metavar="FOLDER")
    given = parser.parse_args()
    lake = given.lake.resolve()
    if lake.exists():
        parser.error(f"{lake} exists: the hour needs a new lake")
    beside = lake.parent
    file = given.answers or beside.with_name(f"{beside.name}-answers") / "answers.json"
    chance = Random(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        workspace = make_workspace(Path(folder).resolve(), chance)
        hour = Hour(given.minutes * 60, workspace, sessions(workspace, given.minutes * 60, chance))
        problems = plant(hour, chance)
        front = Front(lake, given.config or beside / "config", Path(folder).resolve(), install(given.cache), workspace)
        front.prepare(hour)
        anyio.run(run, hour, front)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(answers(hour, problems, lake, given.seed), indent=2) + "\n")
    print(f"{lake} has the hour, {file} what was planted", file=sys.stderr)


if __name__ == "__main__":
    main()
