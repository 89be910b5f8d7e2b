"""Decides sessions of callers over a network. Pure; one object a recording process.

The rules, in their order: the protocol's own session id (before 2026-07-28) · the id of the SSE endpoint · the
conversation that the caller names · its trace · which client instance it is, with an idle gap. The last two share a
state: if a trace of a caller holds several calls, one after the other, each trace of that caller is a session. Callers
that begin a new trace for every call, as an SDK client without a surrounding span does, are divided by the rest:
name and version of the client, its User-Agent, the numbers of its requests (`numbering`), and the idle gap.

Whatever the rule, the id of a verified caller's session includes the caller: two of them that name one conversation,
trace or session id have two sessions. Without a verified caller the name alone is the session, as when one agent uses
several servers; the caller chose it, so the confidence is medium at most, unless the server gave it out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

from mcpobs.protocol.eras import is_modern
from mcpobs.protocol.naming import confidence, qualified
from mcpobs.protocol.operation import Operation
from mcpobs.protocol.session import Caller, Session
from mcpobs.semconv import Confidence, SessionSource
from mcpobs.sessions.numbering import Instances
from mcpobs.settings import IDLE_GAP_S

MAX_CALLERS = 16_384
MAX_SESSIONS = 65_536
MAX_TRACES = 1_024  # of one caller

_BY_CALLER = frozenset({"connection", "principal", "trace"})
_CONFIDENCE: dict[SessionSource, Confidence] = {
    "protocol_session": "high",
    "sse_endpoint": "high",
    "conversation": "high",
    "trace": "medium",
    "principal": "medium",
    "connection": "low",
}


@dataclass(slots=True)
class _Trace:
    """A trace of such a caller, and the first operation in it."""

    session: Session
    first: Operation | None  # until it ends
    first_ended_unix_nano: int | None = None


@dataclass(slots=True)
class _Current:
    """The current session of a client instance."""

    session: Session
    last_unix_nano: int
    open: int = 0  # operations under way: a client that waits for one is not idle


@dataclass(slots=True)
class _Group:
    """A caller without a session of the protocol's: its client instances."""

    instances: Instances = field(default_factory=Instances)
    current: dict[int, _Current] = field(default_factory=dict)  # by the identity of an instance
    traces: dict[str, _Trace] = field(default_factory=dict)
    trace_a_session: bool = False


class RemoteSessions:
    """The sessions of all callers. `process_id` is random; ids that are made here begin with it."""

    def __init__(self, process_id: str, idle_gap_s: float = IDLE_GAP_S) -> None:
        self._process_id = process_id
        self._idle_gap_ns = int(idle_gap_s * 1e9)
        self._made = 0
        self._known: dict[tuple[object, ...], Session] = {}
        self._groups: dict[tuple[object, ...], _Group] = {}
        self._under_way: dict[int, tuple[Operation, _Group, _Current]] = {}  # by the identity of the operation

    def begin(self, operation: Operation, caller: Caller, legacy: bool = False) -> Session:
        """The session of an operation that begins. That of `initialize` is provisional: its answer may name one."""
        session = self._named_by(operation, caller)
        if session is None and operation.method == "initialize":
            return _session(_source(caller), self._process_id, operation, caller)
        return _of_identity(session or self._begin_by_caller(operation, caller), caller)

    def settle(self, operation: Operation, session: Session, caller: Caller) -> Session:
        """The session of an operation that ended."""
        named = self._named_by(operation, caller)
        if operation.method == "initialize":
            if named is None:
                session = self._begin_by_caller(operation, caller)
                self._end_by_caller(operation, caller)
        elif session.source in _BY_CALLER:
            self._end_by_caller(operation, caller)
        return _of_identity(named or session, caller)

    def _named_by(self, operation: Operation, caller: Caller) -> Session | None:
        """The session that protocol, endpoint or caller name; None if only the caller does."""
        if caller.protocol_session is not None and not is_modern(operation.protocol_version):
            return self._named("protocol_session", caller.protocol_session, operation, caller)
        if caller.sse_endpoint is not None:
            return self._named("sse_endpoint", caller.sse_endpoint, operation, caller)
        if operation.conversation_id is not None:
            return self._named("conversation", operation.conversation_id, operation, caller)
        return None

    def _named(self, source: SessionSource, name: str, operation: Operation, caller: Caller) -> Session:
        key = (source, name, caller.key, caller.transport)
        found = self._known.pop(key, None) or _session(source, name, operation, caller)
        if len(self._known) >= MAX_SESSIONS:  # a caller can name as many as it likes
            del self._known[next(iter(self._known))]
        self._known[key] = found  # what was used last is forgotten last
        return found

    def _begin_by_caller(self, operation: Operation, caller: Caller) -> Session:
        group = self._group(operation, caller)
        session = self._current(group, operation, caller).session
        trace = _trace_of(operation, caller)
        if trace is None:
            return session
        known = group.traces.get(trace)
        if known is not None:
            ended = known.first_ended_unix_nano
            group.trace_a_session = group.trace_a_session or (ended is not None and operation.start.unix_nano >= ended)
            return known.session
        if group.trace_a_session:
            session = _session("trace", trace, operation, caller)
        if len(group.traces) >= MAX_TRACES:
            del group.traces[next(iter(group.traces))]
        group.traces[trace] = _Trace(session, operation)
        return session

    def _end_by_caller(self, operation: Operation, caller: Caller) -> None:
        begun = self._under_way.pop(id(operation), None)
        if begun is None:
            return
        _, group, current = begun
        ended = operation.start.unix_nano + operation.duration_ns
        current.open -= 1
        current.last_unix_nano = max(ended, current.last_unix_nano)
        trace = group.traces.get(_trace_of(operation, caller) or "")
        if trace is not None and trace.first is operation:
            trace.first, trace.first_ended_unix_nano = None, ended

    def _group(self, operation: Operation, caller: Caller) -> _Group:
        key = _group_key(operation, caller)
        found = self._groups.pop(key, None) or _Group()
        if len(self._groups) >= MAX_CALLERS:
            del self._groups[next(iter(self._groups))]
        self._groups[key] = found  # the caller that was last seen is the last to be forgotten
        return found

    def _current(self, group: _Group, operation: Operation, caller: Caller) -> _Current:
        now = operation.start.unix_nano
        instance = group.instances.of(operation.request_id, caller.connection)
        found = group.current.get(id(instance))
        if found is None or (found.open <= 0 and now - found.last_unix_nano > self._idle_gap_ns):
            self._made += 1
            name = f"{self._process_id}-{self._made:x}"
            found = group.current[id(instance)] = _Current(_session(_source(caller), name, operation, caller), now)
            if len(group.current) > len(group.instances.found):
                known = set(map(id, group.instances.found))
                group.current = {key: current for key, current in group.current.items() if key in known}
        found.last_unix_nano = max(now, found.last_unix_nano)
        found.open += 1
        self._under_way[id(operation)] = operation, group, found
        return found


def _group_key(operation: Operation, caller: Caller) -> tuple[object, ...]:
    return (caller.key, operation.client.name, operation.client.version, caller.user_agent, caller.transport)


def _trace_of(operation: Operation, caller: Caller) -> str | None:
    return operation.parent.trace_id if operation.parent is not None else caller.trace


def _source(caller: Caller) -> SessionSource:
    return "connection" if caller.identity.principal is None else "principal"


def _of_identity(session: Session, caller: Caller) -> Session:
    """The session with the caller's identity as it is now: a newer token of the same principal may differ."""
    return session if session.identity == caller.identity else replace(session, identity=caller.identity)


def _session(source: SessionSource, name: str, operation: Operation, caller: Caller) -> Session:
    enforcement_key, enforcement_source = caller.enforcement
    who = caller.identity
    candidates = {
        "protocol_session": caller.protocol_session,
        "sse_endpoint": caller.sse_endpoint,
        "conversation": operation.conversation_id,
        "principal": who.principal,
        "connection": caller.connection,
    }
    return Session(
        id=qualified(name, who.principal, who.tenant),
        start_unix_nano=operation.start.unix_nano,
        source=source,
        confidence=_confidence(source, caller),
        enforcement_key=enforcement_key,
        enforcement_source=enforcement_source,
        candidates=json.dumps({rule: found for rule, found in candidates.items() if found is not None}),
        identity=who,
        transport=caller.transport,
    )


def _confidence(source: SessionSource, caller: Caller) -> Confidence:
    given_out = source == "sse_endpoint" or (source == "protocol_session" and caller.issued)
    return confidence(_CONFIDENCE[source], verified=given_out or caller.identity.principal is not None)
