"""Which sessions are normal: those that a limit may be learned from. Reads sessions and shapes; derives no number.

Left out is, in this order,

- a session with a denied call: it is censored (`censored`), and may be normal but shows no maximum;
- a session with a loop signature (`queries/loops.sql`), however many there are;
- one that is far out: a runaway of 100 calls must not become a ceiling of 300. Far out is what lies beyond Tukey's
  outer fence, Q3 + 3 × (Q3 - Q1) (Exploratory Data Analysis, 1977, §2D), taken on log2(calls + 1), so that a long
  tail is not taken for an accident: of a Pareto tail as heavy as P(calls > x) = 1/x it is 1 %. Both the session's
  calls and its calls of each tool are looked at;
- one with an argument shape that no other session used: a single odd call must not become an allowed one.

Far out and odd are exceptions, or they are nothing: where more than 5 % are so, it is a kind of session, and all stay.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from mcpobs.baseline.evidence import quantile
from mcpobs.baseline.traffic import Hour, Loop, Pair, Session, Shape

EXCEPTIONS = 0.05
MIN_COMPARED = 8  # quartiles of fewer sessions mean nothing
MIN_SPREAD = 1.0  # log2: where all sessions are alike, up to 8 × the third quartile is still normal
FEW_CALLS = 3  # from so many calls on, a shape is in use even if one session makes them all
MAX_SHAPES = 20

Why = dict[Pair, str]


def looping(sessions: Iterable[Session], loops: Iterable[Loop]) -> Why:
    """Sessions with a loop signature, with the most wasteful of their loops; the largest session first."""
    first: dict[str, Loop] = {}
    for loop in loops:
        first.setdefault(loop.session, loop)
    looped = [session for session in sessions if session.pair.session in first]
    return {
        session.pair: f"loop: {first[session.pair.session].pattern} × {first[session.pair.session].calls}"
        for session in sorted(looped, key=lambda session: -session.calls)
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
    """Sessions with far more calls than the others, in all or of one tool."""
    fences = {}
    for tool, values in _measured(sessions).items():
        fence, third_quartile = _fence(sorted(values))
        beyond = sum(calls > fence for calls in values)
        if 0 < beyond <= _exceptions(len(values)):
            fences[tool] = fence, third_quartile
    furthest: dict[Pair, tuple[float, bool, str]] = {}
    for session in sessions if fences else ():
        for tool, calls in _calls(session):
            fence, third_quartile = fences.get(tool, (math.inf, 0))
            if calls > fence:
                what = "calls" if tool is None else f"calls of {tool}"
                why = f"{calls} {what}; three of four sessions make at most {third_quartile:g}"
                furthest[session.pair] = max(
                    furthest.get(session.pair, (0.0, False, "")), (calls / fence, tool is not None, why)
                )
    found = sorted(furthest, key=lambda pair: furthest[pair], reverse=True)
    return {pair: furthest[pair][2] for pair in found[: _exceptions(len(sessions))]}


def far_beyond(cut: Iterable[Session], sessions: Sequence[Session]) -> set[Pair]:
    """The cut sessions that are far out among the others: a runaway may have been cut late."""
    fences = {tool: _fence(sorted(values))[0] for tool, values in _measured(sessions).items()}
    return {
        session.pair for session in cut if any(calls > fences.get(tool, math.inf) for tool, calls in _calls(session))
    }


def usual_hours(hours: Sequence[Hour]) -> list[Hour]:
    """The hours without the days of callers that are far out: many sessions of one caller must not become the rule."""
    measured: dict[str | None, list[int]] = defaultdict(list)
    for hour in hours:
        measured[hour.tool].append(hour.calls)
    days: set[tuple[str, str | None, int]] = set()
    for tool, values in measured.items():
        fence, _ = _fence(sorted(values))
        beyond = {(hour.key, hour.tenant, hour.day) for hour in hours if hour.tool == tool and hour.calls > fence}
        if len(beyond) <= _exceptions(len(values)):
            days |= beyond
    return [hour for hour in hours if (hour.key, hour.tenant, hour.day) not in days]


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


def _fence(ordered: Sequence[int]) -> tuple[float, float]:
    """The largest number of calls that is not far out, and the third quartile."""
    if len(ordered) < MIN_COMPARED:
        return math.inf, math.inf
    q1, q3 = quantile(ordered, 0.25), quantile(ordered, 0.75)
    low, high = math.log2(q1 + 1), math.log2(q3 + 1)
    return 2 ** (high + 3 * max(high - low, MIN_SPREAD)) - 1, q3


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


def _exceptions(count: int) -> int:
    return max(1, math.floor(EXCEPTIONS * count))
