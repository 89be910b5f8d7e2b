"""A tool that stops answering: no call of it is answered from some time on."""

from __future__ import annotations

from random import Random
from typing import Any, Final

from bench.planted_hour.hour import Call, Fault, Hour, Problem, Session, Tool

NAME: Final = "hanging tool"
BEFORE: Final = 6
HUNG: Final = 6
A_SESSION: Final = 2


def plant(hour: Hour, server: str, chance: Random) -> Problem:
    tool, from_s = Tool(server, _TOOLS[server]), hour.seconds * chance.uniform(0.3, 0.5)
    hour.taken.add(tool)
    hour.faults.append(Fault(tool, "swallow", from_s))
    _add(hour, tool, BEFORE, hour.of(server, 0, from_s * 0.7), None, chance)
    _add(hour, tool, HUNG, hour.of(server, from_s), NAME, chance)
    return Problem(NAME, tool, f"no answer from second {from_s:.0f} of {hour.seconds:.0f} on; the client gives up")


_TOOLS: Final = {"filesystem": "get_file_info", "git": "git_branch", "everything": "get-annotated-message"}


def _add(hour: Hour, tool: Tool, calls: int, sessions: list[Session], planted: str | None, chance: Random) -> None:
    for _ in range(calls):
        session = _next_free(sessions, chance.choice(sessions), tool)
        call = Call(tool.name, _arguments(hour, tool, chance), planted)
        session.calls.insert(chance.randint(1, len(session.calls)) if planted else 1, call)


def _next_free(sessions: list[Session], chosen: Session, tool: Tool) -> Session:
    """The chosen session or the next one with few calls of the tool: three equal calls would be a loop."""
    place = sessions.index(chosen)
    after = [*sessions[place:], *sessions[:place]]
    return next((each for each in after if [call.tool for call in each.calls].count(tool.name) < A_SESSION), chosen)


def _arguments(hour: Hour, tool: Tool, chance: Random) -> dict[str, Any]:
    match tool.server:
        case "filesystem":
            return {"path": str(chance.choice(hour.workspace.documents))}
        case "git":
            return {"repo_path": str(hour.workspace.repository), "branch_type": chance.choice(("local", "all"))}
        case _:
            return {"messageType": chance.choice(("error", "success", "debug"))}
