"""Learns limits from the lake: reads the traffic, excludes sessions that are not normal, derives. Writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass

from mcpobs.baseline import early, normal, traffic
from mcpobs.baseline.comments import comment
from mcpobs.baseline.derive import MIN_SESSIONS, Learned, Rules, derive
from mcpobs.baseline.evidence import share_bound
from mcpobs.baseline.traffic import Pair, Session
from mcpobs.errors import LakeError, UsageError
from mcpobs.limits.layout import Comments
from mcpobs.limits.model import Excluded, Limits
from mcpobs.queries.plan import Plan
from mcpobs.reports import filters
from mcpobs.reports.early import HashName
from mcpobs.reports.filters import Filters
from mcpobs.reports.window import Window
from mcpobs.settings import Config


@dataclass(frozen=True, slots=True)
class Baseline:
    """Limits with their comments, and the traffic that they were learned from."""

    limits: Limits
    comments: Comments
    learned: Learned


@traffic.uncollected()
def learn(
    plan: Plan, window: Window, server: str | None, config: Config, rules: Rules, hash_name: HashName | None = None
) -> Baseline:
    """The limits of one server. Raises LakeError, with what is missing, if there is too little traffic."""
    sessions = traffic.sessions(plan, window, server)
    if not sessions:
        filters.check_known(plan, Filters(server=server))
        raise LakeError(
            f"no tool calls of any session in {window.words}",
            "record calls with `mcpobs instrument -- <server command>`, or look further back with --since",
        )
    server = server or the_server(sessions)
    sessions, excluded, listed, refused = set_apart(plan, window, server, rules.min_sessions, sessions, hash_name)
    rest = _left(sessions, excluded)
    _require_enough(sessions, rest, rules)
    latencies = traffic.latencies(plan.without(excluded), window, server, min_calls=1)
    learned = Learned(
        sessions=sessions,
        normal=rest,
        # Several callers may use one session id; to a reader those are one line.
        excluded=list(dict.fromkeys(Excluded(pair.session, why) for pair, why in excluded.items())),
        latencies=latencies,
        shapes=listed,
        price=traffic.prices(sessions, config),
        server=server,
    )
    limits = derive(learned, rules)
    return Baseline(limits, comment(limits, learned, rules, refused), learned)


def set_apart(
    plan: Plan,
    window: Window,
    server: str | None,
    min_sessions: int = MIN_SESSIONS,
    sessions: list[Session] | None = None,
    hash_name: HashName | None = None,
) -> tuple[list[Session], normal.Why, dict[str, tuple[str, ...]], dict[str, str]]:
    """The sessions of a server, those that are not normal with the reason, and the shapes of the others by tool: those
    that are listed, and why a tool has none."""
    sessions = traffic.sessions(plan, window, server) if sessions is None else sessions
    # A loop may have begun before the window, in a session that reaches into it and counts whole.
    loops = traffic.loops(plan, Window(0, window.until, window.words), server)
    excluded = normal.looping(sessions, loops)
    rest = _left(sessions, excluded)
    excluded |= normal.far_out(rest)
    rest = _left(rest, excluded)
    shapes = early.named(traffic.shapes(plan.without(excluded), window, server), {}, hash_name)
    using = Counter(use.tool for session in rest for use in session.uses if use.tool is not None)
    listed, odd, refused = normal.settled_shapes(shapes, using, min_sessions, len(rest))
    return sessions, excluded | odd, listed, refused


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


def _require_enough(sessions: Sequence[Session], rest: Sequence[Session], rules: Rules) -> None:
    missing = rules.min_sessions - len(rest)
    if missing <= 0:
        return
    has = f"{len(sessions)} session" + ("" if len(sessions) == 1 else "s")
    if len(rest) < len(sessions):
        has += f", {len(rest)} of them normal"
    raise LakeError(
        f"too little traffic for a baseline: {has}, and it needs at least {rules.min_sessions}: {missing} more",
        f"with {MIN_SESSIONS}, at most {share_bound(MIN_SESSIONS):.1%} of further sessions lie beyond the largest "
        "(95 % confidence); record more, look further back with --since, or lower --min-sessions and its certainty",
    )
