"""A loop: the same failing call twelve times, with another call between."""

from __future__ import annotations

from random import Random
from typing import Final

from bench.planted_hour.hour import Call, Hour, Problem, Tool

NAME: Final = "loop"
TIMES: Final = 12


def plant(hour: Hour, chance: Random) -> Problem:
    tool, failing, between = chance.choice([each for each in _loops(hour) if each[0] not in hour.taken])
    hour.taken.add(tool)
    calm = [each for each in hour.of(tool.server) if not any(call.planted for call in each.calls)]
    session = chance.choice(calm or hour.of(tool.server))
    session.pause_s = min(session.pause_s, hour.seconds / 400)
    session.calls[2:2] = [Call(call.tool, call.arguments, NAME) for _ in range(TIMES) for call in (failing, between)]
    return Problem(NAME, tool, f"{TIMES} equal failing calls with {between.tool} between, in one session")


def _loops(hour: Hour) -> list[tuple[Tool, Call, Call]]:
    repository, files = {"repo_path": str(hour.workspace.repository)}, hour.workspace.files
    return [
        (
            Tool("filesystem", "read_text_file"),
            Call("read_text_file", {"path": str(files / "notes" / "index.md")}),
            Call("list_directory", {"path": str(files / "notes")}),
        ),
        (
            Tool("git", "git_show"),
            Call("git_show", {**repository, "revision": "release-candidate"}),
            Call("git_status", repository),
        ),
        (
            Tool("everything", "get-structured-content"),
            Call("get-structured-content", {"location": "San Francisco"}),
            Call("get-resource-links", {"count": 3}),
        ),
    ]
