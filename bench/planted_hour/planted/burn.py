"""A cost burn: one session calls a priced tool far more than the others do, each time with other arguments."""

from __future__ import annotations

from itertools import combinations
from random import Random
from typing import Any, Final

from bench.planted_hour.hour import Call, Hour, Problem, Tool
from bench.planted_hour.workspace import text

NAME: Final = "cost burn"
CALLS: Final = 48
PRICES_USD: Final = {"get-structured-content": 0.002, "edit_file": 0.001, "git_diff": 0.001}
"""Prices of other tools, which cost little in all."""


def plant(hour: Hour, server: str, chance: Random) -> Problem:
    tool, usd = Tool(server, _TOOLS[server]), chance.choice((0.01, 0.02, 0.03))
    hour.taken.add(tool)
    hour.prices_usd = {**PRICES_USD, tool.name: usd}
    session = chance.choice(hour.of(server, 0.15 * hour.seconds, 0.7 * hour.seconds))
    session.pause_s = hour.seconds / 600
    session.calls[1:1] = [Call(tool.name, each, NAME) for each in _arguments(hour, tool, chance)]
    return Problem(NAME, tool, f"{CALLS} calls at {usd} USD in one session")


_TOOLS: Final = {"filesystem": "read_multiple_files", "git": "git_show", "everything": "echo"}


def _arguments(hour: Hour, tool: Tool, chance: Random) -> list[dict[str, Any]]:
    match tool.server:
        case "filesystem":
            pairs = chance.sample(list(combinations(hour.workspace.documents, 2)), CALLS)
            return [{"paths": [str(each) for each in pair]} for pair in pairs]
        case "git":
            repository = str(hour.workspace.repository)
            return [{"repo_path": repository, "revision": each} for each in hour.workspace.revisions[:CALLS]]
        case _:
            return [{"message": f"{number}. {text(chance, 1).splitlines()[-1]}"} for number in range(CALLS)]
