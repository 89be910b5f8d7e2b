"""Counters and facts in memory, for one process. Everything is bounded, whatever names callers choose."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import NamedTuple

import orjson

from mcpobs.policy.state import (
    IDLE_NS,
    MAX_COUNTERS_A_SESSION,
    MAX_FACT_BYTES,
    MAX_MEMBERS,
    MAX_SESSIONS_A_KEY,
    Correction,
    Count,
    Done,
    Halt,
    HaltScope,
    Reserved,
    SessionFacts,
    SessionKey,
    StoreError,
    Taken,
    Under,
)
from mcpobs.policy.windows import FOREVER, Window

MAX_KEYS = 65_536
MAX_SCOPED = 262_144
"""Counters that sessions share."""
MAX_OWNED = 1_048_576
"""Ids that belong to a tenant: about 200 MB at most, if a policy asks for so many."""
OVERFLOW = "\0more"  # no session id of ours holds a NUL


class _Counter:
    __slots__ = ("members", "window")

    def __init__(self, window_ns: int) -> None:
        self.window = Window(window_ns)
        self.members: set[str] | None = None


class _Session:
    __slots__ = ("counters", "denied", "done", "first_ns", "last_ns")

    def __init__(self, now_ns: int) -> None:
        self.first_ns = self.last_ns = now_ns
        self.counters: dict[tuple[str, int], _Counter] = {}
        self.done: dict[str, Done] = {}
        self.denied: tuple[str, int] = ("", 0)


class _Owner(NamedTuple):
    tenant: str
    until_ns: int


class Clock:
    """The Unix time at its first look, and from there on what a clock says that is never set."""

    def __init__(self) -> None:
        self._offset = time.time_ns() - time.monotonic_ns()

    def __call__(self) -> int:
        return time.monotonic_ns() + self._offset


class MemoryStore:
    """Counters of one process. `clock` returns nanoseconds and never goes back."""

    blocks = False

    def __init__(self, clock: Callable[[], int] | None = None) -> None:
        self.now_ns = clock or Clock()
        self._lock = Lock()
        self._keys: dict[tuple[str, bool], dict[str, _Session]] = {}
        self._scoped: dict[tuple[str, str, int, bool], _Counter] = {}
        self._halts: dict[tuple[HaltScope, str, str, bool], Halt] = {}
        self._halted_of: dict[tuple[str, bool], dict[str, Halt]] = {}  # halted sessions of a key: each call looks there
        self._owners: dict[tuple[str, str], _Owner] = {}

    def reserve(
        self, session: SessionKey, counts: Sequence[Count], under: Under = (), halt_for_ns: int | None = None
    ) -> Reserved:
        with self._lock:
            now_ns = self.now_ns()
            known = self._session(session, now_ns)
            if self._halts and (halt := self._halted(session, known, under, now_ns)) is not None:
                return Reserved(False, now_ns, halt=halt)
            counters = [self._counter(known, session, count) for count in counts]
            taken = [_look(counter, count, now_ns) for counter, count in zip(counters, counts, strict=True)]
            stopping = [count for count, one in zip(counts, taken, strict=True) if one.exceeded and _stops(count)]
            if stopping:
                halt = None
                if (halting := next((count for count in stopping if count.on_exceed == "halt"), None)) is not None:
                    until_ns = None if halt_for_ns is None else now_ns + halt_for_ns
                    halt = Halt("session", session.key, session.session, now_ns, until_ns, halting.name)
                    self._note_halt(halt, session.shadow)
                return Reserved(False, now_ns, taken, halt)
            for counter, count in zip(counters, counts, strict=True):
                _add(counter, count, now_ns)
            known.denied = ("", 0)
            return Reserved(True, now_ns, taken)

    def settle(
        self,
        session: SessionKey,
        reserved: Reserved,
        corrections: Sequence[Correction],
        done: Mapping[str, Mapping[str, object]] | None = None,
    ) -> None:
        with self._lock:
            now_ns = self.now_ns()
            known = self._session(session, now_ns)
            for count, amount in corrections:
                self._counter(known, session, count).window.add(amount, reserved.at_ns)
            for tool, arguments in (done or {}).items():
                before = known.done.pop(tool, None)
                known.done[tool] = Done((before.ok if before else 0) + 1, _bounded(arguments), now_ns)

    def facts(self, session: SessionKey) -> SessionFacts:
        with self._lock:
            known = self._session(session, self.now_ns())
            return SessionFacts(known.first_ns, dict(known.done))

    def denied(self, session: SessionKey, denial: str, most: int, halt_for_ns: int | None, reason: str) -> Halt | None:
        with self._lock:
            now_ns = self.now_ns()
            known = self._session(session, now_ns)
            last, times = known.denied
            times = times + 1 if last == denial else 1
            known.denied = denial, times
            if times < most:
                return None
            until_ns = None if halt_for_ns is None else now_ns + halt_for_ns
            halt = Halt("session", session.key, session.session, now_ns, until_ns, reason)
            self._note_halt(halt, session.shadow)
            return halt

    def halted(self, session: SessionKey, under: Under = ()) -> Halt | None:
        with self._lock:
            now_ns = self.now_ns()
            known = self._session(session, now_ns)  # seen, whether or not anybody is halted
            return self._halted(session, known, under, now_ns) if self._halts else None

    def halt(self, halt: Halt) -> None:
        with self._lock:
            at_ns = halt.at_ns or self.now_ns()
            self._note_halt(replace(halt, at_ns=at_ns), False)

    def resume(self, scope: HaltScope, name: str, session: str = "") -> bool:
        with self._lock:
            if scope == "session":
                self._halted_of.get((name, False), {}).pop(session, None)
            return self._halts.pop((scope, name, session, False), None) is not None

    def halts(self) -> list[Halt]:
        with self._lock:
            found = [halt for (*_, shadow), halt in self._halts.items() if not shadow]
        return sorted(found, key=lambda halt: halt.at_ns)

    def own(self, rule: str, tenant: str, ids: Sequence[str], ttl_ns: int) -> None:
        with self._lock:
            now_ns = self.now_ns()
            for id_ in ids:
                known = self._owners.get((rule, id_))
                if known is not None and known.tenant != tenant and known.until_ns > now_ns:
                    continue
                if known is None and len(self._owners) >= MAX_OWNED:
                    self._forget_owners(now_ns)
                self._owners[rule, id_] = _Owner(tenant, now_ns + ttl_ns)

    def owner(self, rule: str, id_: str) -> str | None:
        with self._lock:
            known = self._owners.get((rule, id_))
            return known.tenant if known is not None and known.until_ns > self.now_ns() else None

    def close(self) -> None:
        pass

    # -- sessions, and what is forgotten of them -------------------------------------------------------------

    def _session(self, session: SessionKey, now_ns: int) -> _Session:
        whose = (session.key, session.shadow)
        sessions = self._keys.pop(whose, None)
        if sessions is None:
            if len(self._keys) >= MAX_KEYS:
                self._forget_keys(now_ns)
            sessions = {}
        self._keys[whose] = sessions  # the key that was seen last is forgotten last
        known = sessions.get(session.session)
        if known is None:
            known = self._new_session(sessions, session.session, now_ns)
        elif now_ns - known.last_ns > IDLE_NS:
            sessions[session.session] = known = _Session(now_ns)
        known.last_ns = now_ns
        return known

    @staticmethod
    def _new_session(sessions: dict[str, _Session], name: str, now_ns: int) -> _Session:
        if len(sessions) >= MAX_SESSIONS_A_KEY:
            for idle in [name for name, one in sessions.items() if now_ns - one.last_ns > IDLE_NS]:
                del sessions[idle]
        if len(sessions) >= MAX_SESSIONS_A_KEY:
            name = OVERFLOW
            if name in sessions:
                return sessions[name]
        sessions[name] = found = _Session(now_ns)
        return found

    def _forget_keys(self, now_ns: int) -> None:
        """Makes room for a key: idle ones go first, then the one of unverified callers that was seen longest ago."""
        for whose, sessions in list(self._keys.items()):
            if now_ns - max((one.last_ns for one in sessions.values()), default=0) > IDLE_NS:
                del self._keys[whose]
        if len(self._keys) < MAX_KEYS:
            return
        unverified = next((whose for whose in self._keys if not whose[0].startswith("principal:")), None)
        if unverified is None:
            raise StoreError(f"{MAX_KEYS} verified callers at once")
        del self._keys[unverified]

    def _counter(self, known: _Session, session: SessionKey, count: Count) -> _Counter:
        if count.scope is not None:
            key = (count.name, count.scope, count.window_ns, session.shadow)
            found = self._scoped.pop(key, None)
            if found is None:
                if len(self._scoped) >= MAX_SCOPED:
                    self._forget_scoped()
                found = _Counter(count.window_ns)
            self._scoped[key] = found
            return found
        counters = known.counters
        own = (count.name, count.window_ns)
        found = counters.get(own)
        if found is None:
            if len(counters) >= MAX_COUNTERS_A_SESSION:
                oldest = next((name for name in counters if name[1] != FOREVER), None)
                if oldest is None:
                    raise StoreError("too many counters in one session")
                del counters[oldest]
            found = counters[own] = _Counter(count.window_ns)
        return found

    def _forget_scoped(self) -> None:
        now_ns = self.now_ns()
        for key, counter in list(self._scoped.items()):
            if counter.window.window_ns != FOREVER and not counter.window.total(now_ns):
                del self._scoped[key]
        if len(self._scoped) >= MAX_SCOPED:
            unverified = next((key for key in self._scoped if not key[1].startswith(("principal:", "tenant:"))), None)
            if unverified is None:
                raise StoreError(f"{MAX_SCOPED} counters of verified callers at once")
            del self._scoped[unverified]

    def _forget_owners(self, now_ns: int) -> None:
        for key in [key for key, owner in self._owners.items() if owner.until_ns <= now_ns]:
            del self._owners[key]
        if len(self._owners) >= MAX_OWNED:
            raise StoreError(f"{MAX_OWNED} ids of tenants at once")

    def _halted(self, session: SessionKey, known: _Session, under: Under, now_ns: int) -> Halt | None:
        own = self._halts.get(("session", session.key, session.session, session.shadow))
        if own is not None:
            return own
        for scope, name in under:
            found = self._halts.get((scope, name, "", False))
            if found is not None and (found.until_ns is None or now_ns < found.until_ns):
                return found
        for halt in self._halted_of.get((session.key, session.shadow), {}).values():
            if _covers(halt, known, now_ns):
                return halt
        return None

    def _note_halt(self, halt: Halt, shadow: bool) -> None:
        self._halts[halt.scope, halt.name, halt.session, shadow] = halt
        if halt.scope == "session":
            self._halted_of.setdefault((halt.name, shadow), {})[halt.session] = halt


def _covers(halt: Halt, session: _Session, now_ns: int) -> bool:
    """Whether the halt of one session stops another of its key: one that began after it, for a while."""
    return session.first_ns > halt.at_ns and (halt.until_ns is None or now_ns < halt.until_ns)


def _stops(count: Count) -> bool:
    return count.on_exceed != "warn"


def _look(counter: _Counter, count: Count, now_ns: int) -> Taken:
    total = counter.window.total(now_ns)
    if count.member is not None and counter.members is not None and count.member in counter.members:
        return Taken(total, False)
    if count.limit is None or total + count.amount <= count.limit:
        return Taken(total, False)
    return Taken(total, True, counter.window.free_at_ns(count.amount, count.limit, now_ns))


def _add(counter: _Counter, count: Count, now_ns: int) -> None:
    if count.member is not None:
        members = counter.members = counter.members or set()
        if count.member in members:
            return
        if len(members) < MAX_MEMBERS:
            members.add(count.member)
    counter.window.add(count.amount, now_ns)


def _bounded(arguments: Mapping[str, object]) -> dict[str, object]:
    """The arguments to remember: none if they are too large, so that a rule that reads them finds them missing."""
    found = dict(arguments)
    return found if len(orjson.dumps(found, default=str)) <= MAX_FACT_BYTES else {}
