"""What was planted, with the sessions and times that the lake has for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.planted_hour.hour import Call, Hour, Problem, Session
from mcpobs.interface import Lake, open_lake


def answers(hour: Hour, problems: list[Problem], lake: Path, seed: int) -> dict[str, Any]:
    return {
        "seed": seed,
        "began": _time(hour.began),
        "sessions": len(hour.sessions),
        "calls": sum(len(each.calls) for each in hour.sessions),
        "problems": [_answer(hour, each, open_lake(lake)) for each in problems],
    }


def _answer(hour: Hour, problem: Problem, lake: Lake) -> dict[str, Any]:
    planted = [(session, call) for session in hour.sessions for call in session.calls if call.planted == problem.name]
    return {
        "problem": problem.name,
        "server": problem.tool.server,
        "tool": problem.tool.name,
        "detail": problem.detail,
        "calls": len(planted),
        "sessions": sorted(_session_id(each, lake) for each in {session for session, _ in planted}),
        "made": list(_made(planted)),
    }


def _made(planted: list[tuple[Session, Call]]) -> Iterator[str]:
    for session, call in planted:
        yield f"{_time(call.at)} {session.agent} {call.tool}: {call.answer}"


def _session_id(session: Session, lake: Lake) -> str:
    """The session of the server and client whose first call is nearest in time."""
    sql = f"""select session_id from tool_calls
        where service_name = '{session.server}' and client_name = '{session.agent}'
        order by abs(epoch(start_time) - {session.calls[0].at}) limit 1"""
    return str(lake.sql(sql).to_dicts()[0]["session_id"])


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(sep=" ", timespec="seconds")
