"""Which sessions are normal: those that a limit may be learned from. Reads sessions and shapes; derives no number.

Left out is, in this order,

- a session with a denied call: it is censored (`censored`), and may be normal but shows no maximum;
- a session with a loop signature (`queries/loops.sql`): the most wasteful, up to a share of `extreme.MOST`. Where more
  loop, the others are how this traffic is, and stay;
- one of an extreme size (`baseline/extreme.py`), in calls or in calls of one tool, up to the same share: a runaway of
  100 calls must not become a ceiling of 300. Sessions that mostly use tools of their own are not compared with others;
- one with an argument shape that no other session used: a single odd call must not become an allowed one. Where more
  than 5 % have one, shapes vary, and all stay.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from mcpobs.baseline.extreme import MOST, Extreme, extreme
from mcpobs.baseline.traffic import Hour, Loop, Pair, Session, Shape

EXCEPTIONS = 0.05
OWN_TOOL = 0.8
"""Share of a tool's users from which on it is theirs."""
FEW_CALLS = 3  # from so many calls on, a shape is in use even if one session makes them all
MAX_SHAPES = 20

Why = dict[Pair, str]


def looping(sessions: Sequence[Session], loops: Iterable[Loop]) -> Why:
    """Sessions with a loop signature, with the most wasteful of their loops; the largest session first. A share of MOST
    of all at most, those with the most calls."""
    first: dict[str, Loop] = {}
    for loop in loops:
        first.setdefault(loop.session, loop)
    looped = [session for session in sessions if session.pair.session in first]
    return {
        session.pair: f"loop: {first[session.pair.session].pattern} × {first[session.pair.session].calls}"
        for session in sorted(looped, key=lambda session: -session.calls)[: most(len(sessions))]
    }


def censored(sessions: Iterable[Session]) -> Why:
    """Sessions with a denied call: nobody knows what they would have done, so they make no maximum."""
    found = {}
    for session in sessions:
        if session.denied:
            calls = sum(use.denied for use in session.denied)
            rules = sorted({use.denied_by for use in session.denied if use.denied_by is not None})
            by = f" by {', '.join(rules[:3])}" if rules else ""
            found[session.pair] = f"{calls} call{'' if calls == 1 else 's'} denied{by}, after {session.calls}"
    return found


def far_out(sessions: Sequence[Session]) -> Why:
    """Sessions with far more calls than the others, in all or of one tool; the furthest first, a share of MOST of all
    at most."""
    ceilings = _ceilings(sessions)
    furthest: dict[Pair, tuple[float, bool, str]] = {}
    for session in sessions:
        for tool, calls in _calls(session):
            found = ceilings[tool]
            if calls > found.ceiling:
                what = "calls" if tool is None else f"calls of {tool}"
                why = f"{calls} {what}; three of four sessions make at most {found.usual:g}"
                furthest[session.pair] = max(
                    furthest.get(session.pair, (0.0, False, "")), (calls / max(1, found.usual), tool is not None, why)
                )
    found_pairs = sorted(furthest, key=lambda pair: furthest[pair], reverse=True)
    return {pair: furthest[pair][2] for pair in found_pairs[: most(len(sessions))]}


def far_beyond(cut: Iterable[Session], sessions: Sequence[Session]) -> set[Pair]:
    """The cut sessions that are far out among the others: a runaway may have been cut late."""
    ceilings = _ceilings(sessions)
    return {
        session.pair
        for session in cut
        if any(tool in ceilings and calls > ceilings[tool].ceiling for tool, calls in _calls(session))
    }


def usual_hours(hours: Sequence[Hour]) -> list[Hour]:
    """The hours without the days of callers that are far out: many sessions of one caller must not become the rule."""
    measured: dict[str | None, list[int]] = defaultdict(list)
    for hour in hours:
        measured[hour.tool].append(hour.calls)
    ceilings = {tool: extreme(values).ceiling for tool, values in measured.items()}
    days = {(hour.key, hour.tenant, hour.day) for hour in hours if hour.calls > ceilings[hour.tool]}
    return [hour for hour in hours if (hour.key, hour.tenant, hour.day) not in days]


def _ceilings(sessions: Sequence[Session]) -> dict[str | None, Extreme]:
    """What is extreme in all calls (None), and in those of each tool."""
    found = {tool: extreme(values) for tool, values in _measured(sessions).items()}
    beyond = [session for session in sessions if session.calls > found[None].ceiling]
    if apart := _of_other_work(beyond, sessions):
        found[None] = extreme([session.calls for session in sessions], apart)
    return found


def _of_other_work(beyond: Sequence[Session], sessions: Sequence[Session]) -> list[int]:
    """The calls of each large session that mostly uses tools which hardly any other session uses."""
    users = Counter(use.tool for session in sessions for use in session.uses)
    large = Counter(use.tool for session in beyond for use in session.uses)
    own = {tool for tool, count in large.items() if count >= OWN_TOOL * users[tool]}
    return [
        session.calls
        for session in beyond
        if 2 * sum(use.calls for use in session.uses if use.tool in own) > session.calls
    ]


def _measured(sessions: Iterable[Session]) -> dict[str | None, list[int]]:
    """The calls of each session: in all (None), and of each tool."""
    found: dict[str | None, list[int]] = defaultdict(list)
    for session in sessions:
        for tool, calls in _calls(session):
            found[tool].append(calls)
    return found


def _calls(session: Session) -> Iterator[tuple[str | None, int]]:
    yield None, session.calls
    yield from ((use.tool, use.calls) for use in session.uses if use.tool is not None)


def settled_shapes(
    shapes: Iterable[Shape], sessions_of: Mapping[str, int], min_sessions: int, total: int, what: str = "argument"
) -> tuple[dict[str, tuple[str, ...]], Why, dict[str, str]]:
    """The shapes that each tool takes, the sessions with a shape of their own, and why a tool has no list. `what` has
    the shapes: arguments or results.

    The share of sessions with a shape of their own estimates how often a new one will come (Good 1953, "The
    population frequencies of species and the estimation of population parameters"): where that is more than 5 %,
    a list would refuse ordinary calls.
    """
    by_tool: dict[str, list[Shape]] = defaultdict(list)
    for shape in shapes:
        by_tool[shape.tool].append(shape)
    listed: dict[str, tuple[str, ...]] = {}
    refused: dict[str, str] = {}
    odd: Why = {}
    own = {
        tool: [one for one in found if one.sessions == 1 and one.calls < FEW_CALLS] for tool, found in by_tool.items()
    }
    for tool in sorted(by_tool, key=lambda tool: (len(own[tool]), tool)):
        count, used = sessions_of.get(tool, 0), by_tool[tool]
        if count < min_sessions:
            continue
        alone = {shape.pair: f"{what}s of {tool} in a shape that no other session used" for shape in own[tool]}
        if len(used) - len(own[tool]) > MAX_SHAPES:
            refused[tool] = f"{what} shapes vary too much for a list: {len(used)}"
        elif len(alone) > _exceptions(count) or len(odd.keys() | alone.keys()) > _exceptions(total):
            refused[tool] = (
                f"{what} shapes vary too much for a list: {len(alone)} of {count} sessions used one of their own"
            )
        else:
            odd = alone | odd
            listed[tool] = tuple(sorted(shape.shape for shape in used if shape not in own[tool]))
    return listed, odd, refused


def most(count: int) -> int:
    """How many of so many sessions are left out at most for one reason."""
    return max(1, math.floor(MOST * count))


def _exceptions(count: int) -> int:
    return max(1, math.floor(EXCEPTIONS * count))
