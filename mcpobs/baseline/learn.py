"""Learns limits from the lake: reads the traffic, excludes sessions that are not normal, derives. Writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from mcpobs.baseline import early, normal, traffic
from mcpobs.baseline.comments import comment, left_out_words
from mcpobs.baseline.derive import baseline_of, derivation
from mcpobs.baseline.drift import drift
from mcpobs.baseline.evidence import share_bound
from mcpobs.baseline.learned import Hours, Learned, LeftOut
from mcpobs.baseline.rules import MIN_SESSIONS, Rules
from mcpobs.baseline.traffic import Hour, Pair, Session
from mcpobs.errors import LakeError, UsageError
from mcpobs.limits.layout import Comments
from mcpobs.limits.model import Excluded, Limits
from mcpobs.limits.paths import Path
from mcpobs.queries.plan import Plan
from mcpobs.reports import filters
from mcpobs.reports.early import HashName
from mcpobs.reports.filters import Filters
from mcpobs.reports.window import Window
from mcpobs.settings import Config

NAMED = 5
"""Sessions that an error or a summary names; the file names more."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Limits with their comments, the traffic that they were learned from, and the numbers that were refused."""

    limits: Limits
    comments: Comments
    learned: Learned
    refused: Mapping[Path, int]


@traffic.uncollected()
def learn(
    plan: Plan,
    window: Window,
    server: str | None,
    config: Config,
    rules: Rules,
    run: str | None = None,
    hash_name: HashName | None = None,
) -> Baseline:
    """The limits of one server, of the traffic with one label if `run` names it. Raises LakeError with the
    missing traffic if there is too little."""
    plan = plan.of_run(run)
    sessions = traffic.sessions(plan, window, server)
    if not sessions:
        filters.check_known(plan, Filters(server=server))
        raise LakeError(
            f"no tool calls of any session {window.when}" + (f" with the label {run!r}" if run else ""),
            "record calls with `mcpobs instrument -- <server command>`, or look further back with --since",
        )
    server = server or the_server(sessions)
    sessions = traffic.with_values(sessions, plan, window, server)
    learned, refused_shapes = _learned(plan, window, server, sessions, config, rules, run, hash_name)
    found = derivation(learned, rules)
    baseline = replace(baseline_of(learned, rules), drift=drift(learned, rules))
    limits = replace(found.limits, baseline=baseline)
    return Baseline(limits, comment(limits, learned, rules, refused_shapes, found.refused), learned, found.refused)


def _learned(
    plan: Plan,
    window: Window,
    server: str | None,
    sessions: Sequence[Session],
    config: Config,
    rules: Rules,
    run: str | None,
    hash_name: HashName | None,
) -> tuple[Learned, Mapping[str, str]]:
    """The traffic, divided into normal, cut and other sessions; and why a tool has no list of shapes."""
    apart = set_apart(plan, window, server, rules.min_sessions, sessions, hash_name)
    censored, excluded, listed, refused = apart.censored, apart.excluded, apart.listed, apart.refused
    rest = _left(_left(sessions, censored), excluded)
    _require_enough(sessions, rest, rules, apart)
    kept = _without(plan, censored, excluded)
    using = _using(rest)
    forms, _, varied = normal.settled_shapes(
        traffic.forms(kept, window, server), using, rules.min_sessions, len(rest), "result"
    )
    cut = [session for session in sessions if session.pair in censored]
    runaways = normal.far_beyond(cut, rest)
    learned = Learned(
        sessions=sessions,
        normal=rest,
        excluded=_named(excluded),
        latencies=traffic.latencies(kept, window, server, min_calls=1, answered_only=True),
        shapes=listed,
        price=traffic.prices(sessions, config),
        server=server,
        cut=[session for session in cut if session.pair not in runaways],
        censored=_named(censored),
        hours=_hours(plan, kept, window, server),
        followings=traffic.followings(kept, window, server, rules.min_sessions),
        run=run,
        forms=forms,
        left_out=apart.left_out,
    )
    return learned, _joined(refused, varied)


def _using(sessions: Iterable[Session]) -> Counter[str]:
    """How many sessions use each tool."""
    return Counter(use.tool for session in sessions for use in session.uses if use.tool is not None)


def _joined(refused: Mapping[str, str], others: Mapping[str, str]) -> Mapping[str, str]:
    """Why a tool has no list of shapes, of its arguments or its results."""
    return {tool: "; ".join(why[tool] for why in (refused, others) if tool in why) for tool in {**refused, **others}}


def _hours(plan: Plan, kept: Plan, window: Window, server: str | None) -> Hours:
    """The busiest hours: normal are those of normal sessions alone, of callers and days that no policy cut."""
    every = traffic.hours(plan, window, server)
    cut_days = {_day(hour) for hour in every if hour.wanted > hour.calls}
    alone = every if kept is plan else traffic.hours(kept, window, server)
    usual = normal.usual_hours([hour for hour in alone if _day(hour) not in cut_days])
    counted = {(*_day(hour), hour.tool): hour.calls for hour in usual}
    return Hours(
        normal=usual,
        odd=[
            hour for hour in every if _day(hour) not in cut_days and counted.get((*_day(hour), hour.tool)) != hour.calls
        ],
        cut=[hour for hour in every if _day(hour) in cut_days],
    )


def _day(hour: Hour) -> tuple[str, str | None, int]:
    return hour.key, hour.tenant, hour.day


def _without(plan: Plan, *sessions: Iterable[Pair]) -> Plan:
    return plan.without([pair for pairs in sessions for pair in pairs])


def _named(sessions: Mapping[Pair, str]) -> list[Excluded]:
    """Several callers may use one session id; to a reader those are one line."""
    return list(dict.fromkeys(Excluded(pair.session, why) for pair, why in sessions.items()))


class Apart(NamedTuple):
    """The sessions of a server, those that a policy cut and those that are not normal, each with the reason, and the
    shapes of the others by tool: those that are listed, and why a tool has none."""

    sessions: Sequence[Session]
    censored: Mapping[Pair, str]
    excluded: Mapping[Pair, str]
    listed: Mapping[str, tuple[str, ...]]
    refused: Mapping[str, str]
    left_out: LeftOut


def set_apart(
    plan: Plan,
    window: Window,
    server: str | None,
    min_sessions: int = MIN_SESSIONS,
    sessions: Sequence[Session] | None = None,
    hash_name: HashName | None = None,
) -> Apart:
    """Separates the normal sessions of a server from the others."""
    sessions = traffic.sessions(plan, window, server) if sessions is None else sessions
    censored = normal.censored(sessions)
    rest = _left(sessions, censored)
    # A loop may have begun before the window, in a session that reaches into it and counts whole.
    loops = traffic.loops(plan, Window(0, window.until, window.words), server)
    with_loop = {loop.session for loop in loops}
    looping = normal.looping(rest, loops)
    rest = _left(rest, looping)
    far_out = normal.far_out(rest)
    rest = _left(rest, far_out)
    excluded = looping | far_out
    shapes = early.named(traffic.shapes(_without(plan, censored, excluded), window, server), {}, hash_name)
    listed, odd, refused = normal.settled_shapes(shapes, _using(rest), min_sessions, len(rest))
    left_out = LeftOut(
        sessions=len(sessions),
        loops=len(looping),
        sizes=len(far_out),
        shapes=len(odd),
        more_loops=sum(session.pair.session in with_loop for session in rest),
    )
    return Apart(sessions, censored, excluded | odd, listed, refused, left_out)


def the_server(sessions: Sequence[Session]) -> str | None:
    """The one server of the sessions. Tools of two servers may share a name, and a session cap is of one server."""
    names = {use.service for session in sessions for use in session.uses}
    if len(names) > 1:
        listed = sorted(name for name in names if name is not None)
        raise UsageError(
            f"the lake holds {len(names)} servers, and a limits file is of one: {', '.join(listed)}",
            f"name one: --server {listed[0]}",
        )
    return names.pop()


def _left(sessions: Sequence[Session], excluded: Container[Pair]) -> list[Session]:
    return [session for session in sessions if session.pair not in excluded]


def _require_enough(sessions: Sequence[Session], rest: Sequence[Session], rules: Rules, apart: Apart) -> None:
    missing = rules.min_sessions - len(rest)
    if missing <= 0:
        return
    has = f"{len(sessions)} session" + ("" if len(sessions) == 1 else "s")
    if len(rest) < len(sessions):
        has += f", {len(rest)} of them normal"
    raise LakeError(
        f"too little traffic for a baseline: {has}, and it needs at least {rules.min_sessions}: {missing} more",
        "; ".join([*_who(apart), _certainty(rules)]),
    )


def _who(apart: Apart) -> Iterator[str]:
    """Who was left out."""
    if apart.excluded:
        yield left_out_words(apart.left_out)
        named = [f"{one.session} ({one.why})" for one in _named(apart.excluded)]
        more = [f"{len(named) - NAMED:,} more"] if len(named) > NAMED else []
        yield "they are " + ", ".join(named[:NAMED] + more)


def _certainty(rules: Rules) -> str:
    """What so many sessions are needed for."""
    if rules.strategy == "cut-rate":
        return (
            f"a cut rate of {rules.cut_rate:g} needs so many: with fewer, more may exceed even the largest; "
            "record more, look further back with --since, or choose a higher --cut-rate"
        )
    return (
        f"with {MIN_SESSIONS}, at most {share_bound(MIN_SESSIONS):.1%} of further sessions lie beyond the largest "
        "(95 % confidence); record more, look further back with --since, or lower --min-sessions and its certainty"
    )
