"""A tool that becomes slow in the second half of the hour."""

from __future__ import annotations

from random import Random
from typing import Any, Final

from bench.planted_hour.hour import Call, Fault, Hour, Problem, Session, Tool
from bench.planted_hour.workspace import SUBJECTS

NAME: Final = "slow tool"
A_SESSION: Final = 4
DELAY_S: Final = (1.2, 2.4)


def plant(hour: Hour, server: str, chance: Random) -> Problem:
    tool, from_s = Tool(server, _TOOLS[server]), hour.seconds / 2
    hour.taken.add(tool)
    hour.faults.append(Fault(tool, "delay", from_s, DELAY_S))
    for session in hour.of(server):
        _use(hour, session, tool, chance)
        for call in session.calls:
            call.planted = NAME if call.tool == tool.name and session.starts_s >= from_s else call.planted
    return Problem(NAME, tool, f"answers are {DELAY_S[0]} to {DELAY_S[1]} s late from second {from_s:.0f} on")


_TOOLS: Final = {"filesystem": "search_files", "git": "git_log", "everything": "get-sum"}


def _use(hour: Hour, session: Session, tool: Tool, chance: Random) -> None:
    for _ in range(chance.randint(1, A_SESSION)):
        call = Call(tool.name, _arguments(hour, tool, chance))
        session.calls.insert(chance.randint(1, len(session.calls)), call)


def _arguments(hour: Hour, tool: Tool, chance: Random) -> dict[str, Any]:
    match tool.server:
        case "filesystem":
            return {
                "path": str(hour.workspace.files),
                "pattern": f"**/{chance.choice(SUBJECTS)}-{chance.randrange(9)}*",
            }
        case "git":
            return {"repo_path": str(hour.workspace.repository), "max_count": chance.randint(3, 25)}
        case _:
            return {"a": chance.randint(1, 900), "b": chance.randint(1, 900)}
