"""Loops and what looks like one, planted with their results in many forms: each is judged as it was meant."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.queries.recorded import Row, ask, call, in_memory

CASES = 60
Steps = list[Row]
"""The calls of a session, but for what all calls have."""


def _ordinary(chance: random.Random, count: int) -> Steps:
    """Calls that are all different and find something."""
    return [
        {"tool": chance.choice(["read", "list", "edit"]), "args_digest": _new(chance), "result_digest": _new(chance)}
        for _ in range(count)
    ]


def _new(chance: random.Random) -> str:
    return f"{chance.getrandbits(64):016x}"


def _same(chance: random.Random, tool: str = "search") -> Row:
    """A call with the answer that it always gets: a finding, nothing, or a failure."""
    step: Row = {"tool": tool, "args_digest": _new(chance), "result_digest": _new(chance)}
    match chance.randrange(3):
        case 0:
            return step | {"result_empty": True}
        case 1:
            return step | {"outcome": chance.choice(["tool_error", "server_error", "timeout", "protocol_error"])}
        case _:
            return step


def _no_progress(chance: random.Random) -> Steps:
    """The same call with the same answer, or one call after another that finds nothing."""
    if chance.random() < 0.5:
        return [_same(chance)] * chance.randrange(3, 30)
    nothing: list[Row] = [{"result_empty": True, "result_digest": "none"}, {"outcome": "tool_error"}]
    return [
        {"tool": "search", "args_digest": _new(chance)} | chance.choice(nothing) for _ in range(chance.randrange(8, 40))
    ]


def _ping_pong(chance: random.Random) -> Steps:
    """Two to eight calls in turn, always with the same answers; it may break off within a round."""
    tools = ["search", "fetch", "write", "plan"]
    once = [_same(chance, chance.choice(tools)) for _ in range(chance.randrange(2, 9))]
    rounds = once * chance.randrange(3, 8)
    return rounds + once[: chance.randrange(len(once))]


def _progress(chance: random.Random) -> Steps:
    """The same tool with the same arguments, or two in turn, where each answer says something new: a queue that is
    worked off, tests that are run after each edit."""
    if chance.random() < 0.5:
        take = {"tool": "next_item", "args_digest": _new(chance)}
        return [take | {"result_digest": _new(chance)} for _ in range(chance.randrange(3, 40))]
    test = {"tool": "run_tests", "args_digest": _new(chance)}
    return [
        step
        for _ in range(chance.randrange(3, 20))
        for step in (
            {"tool": "edit", "args_digest": _new(chance), "result_digest": "edited"},
            test | {"result_digest": _new(chance)},
        )
    ]


def _polling(chance: random.Random) -> Steps:
    """Asking until it is done, with answers that stay for a while; now and then a wait in between, which always says
    the same; now and then it ends while it still waits for the next answer."""
    status = {"tool": "status", "args_digest": _new(chance)}
    steps: Steps = []
    stays = chance.choice([1, 3, 6])
    for stage in range(chance.randrange(3, 7)):
        steps += [status | {"result_digest": f"stage {stage}"}] * (stays + chance.randrange(2))
    if chance.random() < 0.7:
        steps.append(status | {"result_digest": "done"})
    else:
        steps += [status | {"result_digest": "nearly done"}] * stays
    if chance.random() < 0.4:
        wait = {"tool": "sleep", "args_digest": _new(chance), "result_digest": "slept"}
        steps = [part for step in steps for part in (step, wait)]
    return steps


def _paging(chance: random.Random) -> Steps:
    """A cursor that moves: other arguments each time, something found each time but perhaps the last."""
    pages: Steps = [
        {"tool": "list", "args_digest": _new(chance), "result_digest": _new(chance)}
        for _ in range(chance.randrange(3, 60))
    ]
    if chance.random() < 0.5:
        pages.append({"tool": "list", "args_digest": _new(chance), "result_digest": "none", "result_empty": True})
    return pages


def _judged(kind: Callable[[random.Random], Steps], seed: int) -> tuple[set[str], set[str]]:
    """The sessions with a planted loop, and those with a reported loop."""
    chance = random.Random(seed)
    rows: list[Row] = []
    planted = set()
    for number in range(CASES):
        session = f"{kind.__name__}-{number:02d}"
        planted.add(session)
        steps = _ordinary(chance, chance.randrange(4)) + kind(chance) + _ordinary(chance, chance.randrange(4))
        rows += [call(len(rows) + place, session_id=session, **step) for place, step in enumerate(steps)]
    chance.shuffle(rows)
    return planted, {row["session_id"] for row in ask(in_memory(rows), "loops")}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", [_no_progress, _ping_pong], ids=lambda kind: kind.__name__)
def test_an_agent_that_gets_no_further_is_found(kind: Callable[[random.Random], Steps], seed: int) -> None:
    planted, detected = _judged(kind, seed)
    assert detected == planted


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", [_progress, _polling, _paging], ids=lambda kind: kind.__name__)
def test_an_agent_that_gets_further_is_left_alone(kind: Callable[[random.Random], Steps], seed: int) -> None:
    _, detected = _judged(kind, seed)
    assert detected == set()
