"""Keeps which call a task is of, so that what a task comes to is judged as the result of that call."""

from __future__ import annotations

from typing import Final

from mcpobs.policy.conditions import CallFacts
from mcpobs.policy.decision import Decision

MAX_TASKS: Final = 4_096
MAX_ID: Final = 512


class Tasks:
    """The tasks of one server that calls through this front began. The oldest go first."""

    def __init__(self) -> None:
        self._calls: dict[str, tuple[Decision, CallFacts]] = {}

    def note(self, result: object, decision: Decision, facts: CallFacts) -> None:
        """Takes the result of a call, if that is a task. The first call that an id is given to keeps it."""
        if not isinstance(result, dict) or not ("task" in result or "taskId" in result):  # nearly every result
            return
        id_ = _id_of(result)
        if id_ is None or id_ in self._calls:
            return
        if len(self._calls) >= MAX_TASKS:
            del self._calls[next(iter(self._calls))]
        self._calls[id_] = decision, facts

    def of(self, params: object) -> tuple[Decision, CallFacts] | None:
        """The decision and facts of the call whose task a request names."""
        id_ = params.get("taskId") if isinstance(params, dict) else None
        return self._calls.get(id_) if isinstance(id_, str) else None


def outcome_of(method: str, result: object) -> object:
    """What a task came to, in the answer of a request about it; None if the answer does not hold that."""
    if method == "tasks/result":
        return result
    return result.get("result") if isinstance(result, dict) and method.startswith("tasks/") else None


def _id_of(result: dict[str, object]) -> str | None:
    """The id of the task that a result begins: of 2025-11-25 in `task`, since then beside `resultType`."""
    task = result.get("task")
    id_ = task.get("taskId") if isinstance(task, dict) else result.get("taskId")
    return id_ if isinstance(id_, str) and len(id_) <= MAX_ID else None
