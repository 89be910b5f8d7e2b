"""Counters and facts in memory, for one process. Everything is bounded, whatever names callers choose."""

from __future__ import annotations

from collections import Counter as Counted
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from threading import Lock
from types import TracebackType
from typing import NamedTuple

from mcpobs.policy import forks
from mcpobs.policy.clock import Clock
from mcpobs.policy.counter import Counter, new_counter
from mcpobs.policy.ledger import Ledger
from mcpobs.policy.memory_halts import Halts
from mcpobs.policy.rows import OVERFLOW, Bounds, Seen, full_of_marks, idle, kept_ns, too_many, verified
from mcpobs.policy.state import Count, Done, Halt, HaltScope, SessionKey, StoreError

_AT_ONCE = 16
"""Rows that one step forgets at most in passing."""
_OwnKey = tuple[str, int, bool]
_ScopedKey = tuple[str, str, int, bool, bool]


_NOBODY = SessionKey("", "")
_ShareKey = tuple[str, int, bool, bool]
"""Scope, window, shadow and kind: the unit in which the share of a caller in the counters is counted."""


@dataclass(slots=True)
class _Share:
    counters: int = 0
    disposable: OrderedDict[_ScopedKey, None] = field(default_factory=OrderedDict)


@dataclass(slots=True)
class _Scoped:
    counter: Counter
    used_ns: int


class _Found(NamedTuple):
    """The counters of a plan, as a session read them last. Those of the session live as long as it does."""

    counts: Sequence[Count]
    counters: list[Counter]
    scoped: list[tuple[OrderedDict[_ScopedKey, _Scoped], _ScopedKey, _Scoped]]


@dataclass(slots=True)
class _Session(Seen):
    own: dict[_OwnKey, Counter] = field(default_factory=dict)
    disposable: OrderedDict[_OwnKey, None] = field(default_factory=OrderedDict)
    facts: dict[str, Done] = field(default_factory=dict)
    found: _Found | None = None
    name: SessionKey = _NOBODY
    shelf: OrderedDict[SessionKey, _Session] = field(default_factory=OrderedDict)
    siblings: OrderedDict[str, _Session] = field(default_factory=OrderedDict)
    """The places where it is kept in the order of use, by `name`: all sessions, and those of its key."""


class MemoryStore(Ledger):
    """Counters of one process. `clock` returns nanoseconds and never goes back."""

    blocks = False

    def __init__(self, clock: Callable[[], int] | None = None, bounds: Bounds | None = None) -> None:
        self.now_ns = clock or Clock().start()
        bounds = bounds or Bounds()
        super().__init__(MemoryRows(self.now_ns, bounds), bounds)


class _Step:
    """A step under one lock. Nothing in one fails after its first change, so there is nothing to undo."""

    __slots__ = ("_clock", "lock")

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self.lock = Lock()

    def __enter__(self) -> int:
        self.lock.acquire()
        return self._clock()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.lock.release()


class MemoryRows:
    """Rows as dicts. A dict whose first entry may go is in the order of use."""

    def __init__(self, clock: Callable[[], int], bounds: Bounds) -> None:
        self.change = self.look = self.change_durably = self._step = _Step(clock)
        self._bounds = bounds
        self._sessions: dict[bool, OrderedDict[SessionKey, _Session]] = {True: OrderedDict(), False: OrderedDict()}
        self._of_key: dict[tuple[str, bool], OrderedDict[str, _Session]] = {}
        self._known: dict[SessionKey, _Session] = {}
        """The same sessions, whoever verified their callers."""
        self._own = 0
        self._scoped: dict[tuple[bool, int], OrderedDict[_ScopedKey, _Scoped]] = {}
        self._shares: dict[_ShareKey, _Share] = {}
        self._halts = Halts(bounds)
        self._owners: dict[str, OrderedDict[str, tuple[str, int]]] = {}
        self._charged: dict[str, int] = {}
        forks.watch(self)

    def forked(self) -> None:
        """A child counts on by itself; a thread of the parent may have held the lock."""
        self._step.lock = Lock()

    # -- sessions ---------------------------------------------------------------------------------------------

    def session(self, session: SessionKey) -> Seen | None:
        return self._known.get(session)

    def full(self, session: SessionKey, now_ns: int) -> bool:
        ours = self._of_key.get((session.key, session.shadow))
        while ours and len(ours) >= self._bounds.sessions_a_key:
            name, oldest = next(iter(ours.items()))
            if not idle(oldest.last_ns, now_ns):
                return True
            self.forget(session._replace(session=name), oldest)
        return False

    def room(
        self, session: SessionKey, seen: Seen, counts: Sequence[Count] = (), counters: Sequence[Counter] = ()
    ) -> None:
        known = seen if isinstance(seen, _Session) else self._begin(session, seen)
        session = known.name
        known.shelf.move_to_end(session)
        known.siblings.move_to_end(session.session)
        if not counts:
            return
        if (found := known.found) is not None and found.counters is counters:
            for shelf, key, scoped in found.scoped:
                scoped.used_ns = known.last_ns
                shelf.move_to_end(key)
            return
        fresh = [one for one in zip(counts, counters, strict=True) if not self._touched(known, session, one[0])]
        self._share_out(session.shadow, [count for count, _ in fresh], counts, known.last_ns)
        for count, counter in fresh:  # after the others, which so are not the oldest
            self._insert(known, session, count, counter)
        self._note(known, session, counts, counters)

    def keep(
        self, session: SessionKey, seen: Seen, counts: Sequence[Count] = (), counters: Sequence[Counter] = ()
    ) -> None:
        if not isinstance(seen, _Session):  # begun by `room`
            known = self._known[session._replace(session=OVERFLOW) if seen.shared else session]
            known.denial, known.denied = seen.denial, seen.denied

    def _begin(self, session: SessionKey, seen: Seen) -> _Session:
        self._room_for_session(seen.last_ns)
        if seen.shared:
            session = session._replace(session=OVERFLOW)
        known = _Session(seen.first_ns, seen.last_ns, seen.denial, seen.denied, seen.shared, name=session)
        known.shelf = self._sessions[verified(session.key)]
        known.siblings = self._of_key.setdefault((session.key, session.shadow), OrderedDict())
        known.shelf[session] = known.siblings[session.session] = self._known[session] = known
        return known

    def forget(self, session: SessionKey, seen: Seen) -> None:
        if seen.shared:
            session = session._replace(session=OVERFLOW)
        gone = self._known.pop(session)
        del gone.shelf[session], gone.siblings[session.session]
        self._own -= len(gone.own)
        if not gone.siblings:
            del self._of_key[session.key, session.shadow]

    def _room_for_session(self, now_ns: int) -> None:
        for kept in self._sessions.values():
            for session, seen in list(islice(kept.items(), 2)):
                if idle(seen.last_ns, now_ns):
                    self.forget(session, seen)
        if sum(map(len, self._sessions.values())) >= self._bounds.sessions:
            self._forget_unverified(f"{self._bounds.sessions} sessions of verified callers at once")

    def _forget_unverified(self, otherwise: str) -> None:
        oldest = next(iter(self._sessions[False].items()), None)
        if oldest is None:
            raise StoreError(otherwise, "find who opens so many sessions")
        self.forget(*oldest)

    # -- counters ---------------------------------------------------------------------------------------------

    def _note(self, known: _Session, session: SessionKey, counts: Sequence[Count], counters: Sequence[Counter]) -> None:
        """Keeps the counters of a plan for the next call. Disposable counters may be dropped, so they are looked up
        again."""
        if not isinstance(counts, tuple) or any(count.disposable for count in counts):
            return
        shared = [(self._shelf(one), _scoped_key(session.shadow, one)) for one in counts if one.scope is not None]
        known.found = _Found(counts, list(counters), [(*at, at[0][at[1]]) for at in shared])

    def counters(self, session: SessionKey, seen: Seen, counts: Sequence[Count], now_ns: int) -> list[Counter]:
        if isinstance(seen, _Session) and (known := seen.found) is not None and known.counts is counts:
            for shelf, place, scoped in known.scoped:
                if shelf.get(place) is not scoped:  # it was forgotten since
                    break
            else:
                return known.counters
        fresh: dict[tuple[object, ...], Counter] = {}
        found = []
        for count in counts:
            counter = self._counter(session, seen, count)
            if counter is None:
                key = (count.name, count.scope, count.window_ns, count.member is None)
                counter = fresh.get(key)
                if counter is None:
                    counter = fresh[key] = new_counter(count, now_ns)
            found.append(counter)
        return found

    def _counter(self, session: SessionKey, seen: Seen, count: Count) -> Counter | None:
        if count.scope is None:
            return seen.own.get(_own_key(count)) if isinstance(seen, _Session) else None
        shelf = self._scoped.get((verified(count.scope), kept_ns(count.window_ns)))
        found = None if shelf is None else shelf.get(_scoped_key(session.shadow, count))
        return None if found is None else found.counter

    def _touched(self, known: _Session, session: SessionKey, count: Count) -> bool:
        """Makes a counter the one that was used last. False if there is none."""
        if count.scope is None:
            key = _own_key(count)
            if count.disposable and key in known.own:
                known.disposable[key] = None
                known.disposable.move_to_end(key)
            return key in known.own
        shelf = self._shelf(count)
        scoped = _scoped_key(session.shadow, count)
        found = shelf.get(scoped)
        if found is None:
            return False
        found.used_ns = known.last_ns
        shelf.move_to_end(scoped)
        if count.disposable and scoped in (disposable := self._shares[_share_key(scoped)].disposable):
            disposable.move_to_end(scoped)
        return True

    def _insert(self, known: _Session, session: SessionKey, count: Count, counter: Counter) -> None:
        if count.scope is not None:
            self._room_for_scoped(known.last_ns)
            scoped = _scoped_key(session.shadow, count)
            share = self._shares.setdefault(_share_key(scoped), _Share())
            shelf = self._shelf(count)
            share.counters += scoped not in shelf
            shelf[scoped] = _Scoped(counter, known.last_ns)
            if count.disposable:
                share.disposable[scoped] = None
            return
        key = _own_key(count)
        if key in known.own:  # the same counter twice
            return
        if len(known.own) >= self._bounds.counters_a_session:
            self._forget_own(known)
        if self._own >= self._bounds.counters:
            self._forget_any_own(known)
        known.own[key] = counter
        self._own += 1
        if count.disposable:
            known.disposable[key] = None

    def _shelf(self, count: Count) -> OrderedDict[_ScopedKey, _Scoped]:
        return self._scoped.setdefault((verified(count.scope or ""), kept_ns(count.window_ns)), OrderedDict())

    def _forget_own(self, known: _Session) -> None:
        if not known.disposable:
            raise StoreError(f"{len(known.own)} counters in one session", "write fewer limits for each session")
        key, _ = known.disposable.popitem(last=False)
        del known.own[key]
        self._own -= 1

    def _forget_any_own(self, known: _Session) -> None:
        others = self._sessions[False]
        if known.disposable or not others or next(iter(others.values())) is known:
            self._forget_own(known)
        else:
            self.forget(*next(iter(others.items())))

    def _share_out(self, shadow: bool, fresh: Sequence[Count], counts: Sequence[Count], now_ns: int) -> None:
        """Keeps scopes to their share once the store is half full: forgets their disposable counters, or refuses."""
        scoped = [_scoped_key(shadow, count) for count in fresh if count.scope is not None]
        if not scoped or 2 * sum(map(len, self._scoped.values())) < self._bounds.scoped:
            return
        most = self._bounds.scoped_share
        for name, more in Counted(map(_share_key, scoped)).items():
            share = self._shares.get(name) or _Share()
            over = share.counters + more - most
            if over <= 0:
                continue
            self._sweep_scoped(now_ns, self._bounds.scoped)
            over = share.counters + more - most
            ours = {_scoped_key(shadow, count) for count in counts if count.scope is not None}
            spare = list(islice((key for key in share.disposable if key not in ours), max(0, over)))
            if len(spare) < over:
                raise too_many(most)
            for key in spare:
                self._drop_scoped(key)

    def _drop_scoped(self, key: _ScopedKey) -> None:
        del self._scoped[verified(key[1]), kept_ns(key[2])][key]
        share = self._shares[_share_key(key)]
        share.counters -= 1
        share.disposable.pop(key, None)
        if not share.counters:
            del self._shares[_share_key(key)]

    def _sweep_scoped(self, now_ns: int, most: int = 2) -> None:
        for (_, ttl_ns), shelf in self._scoped.items():
            over: list[_ScopedKey] = []
            for key, one in islice(shelf.items(), most):
                if now_ns - one.used_ns <= ttl_ns:
                    break
                over.append(key)
            for key in over:
                self._drop_scoped(key)

    def _room_for_scoped(self, now_ns: int) -> None:
        self._sweep_scoped(now_ns)
        if sum(map(len, self._scoped.values())) < self._bounds.scoped:
            return
        shelves = [shelf for (lasting, _), shelf in self._scoped.items() if shelf and not lasting]
        if not shelves:
            raise StoreError(f"{self._bounds.scoped} counters of verified callers at once", "shorten the windows")
        oldest = min(shelves, key=lambda shelf: next(iter(shelf.values())).used_ns)
        self._drop_scoped(next(iter(oldest)))

    # -- facts, halts, owners ---------------------------------------------------------------------------------

    def done(self, session: SessionKey, seen: Seen) -> dict[str, Done]:
        return seen.facts if isinstance(seen, _Session) else {}

    def keep_done(self, session: SessionKey, seen: Seen, done: dict[str, Done]) -> None:
        self._known[session].facts = done

    @property
    def any_halts(self) -> bool:
        return self._halts.count > 0

    @property
    def has_no_halts(self) -> bool:
        return self._halts.count == 0

    @property
    def had_no_named_halts(self) -> bool:
        return not self._halts.named

    def halt(self, scope: HaltScope, name: str) -> Halt | None:
        return self._halts.named.get((scope, name))

    def session_halts(self, key: str, shadow: bool) -> Mapping[str, Halt]:
        return self._halts.sessions.get((key, shadow), {})

    def all_halts(self) -> Iterable[Halt]:
        yield from self._halts.named.values()
        for (_, shadow), halts in self._halts.sessions.items():
            if not shadow:
                yield from halts.values()

    def keep_halt(self, halt: Halt, shadow: bool, now_ns: int) -> None:
        self._halts.keep(halt, shadow, now_ns)

    def drop_halt(self, scope: HaltScope, name: str, session: str) -> bool:
        return self._halts.drop(scope, name, session, False)

    def owner(self, rule: str, id_: str) -> tuple[str, int] | None:
        ours = self._owners.get(rule)
        return None if ours is None else ours.get(id_)

    def keep_owners(self, rule: str, tenant: str, ids: Sequence[str], until_ns: int, now_ns: int) -> None:
        ours = self._owners.setdefault(rule, OrderedDict())
        more = sum(id_ not in ours for id_ in ids)
        for owned in self._owners.values():
            for id_, (_, end_ns) in list(islice(owned.items(), more + _AT_ONCE)):
                if end_ns <= now_ns:
                    del owned[id_]
        if sum(map(len, self._owners.values())) + more > self._bounds.owned:
            raise StoreError(f"{self._bounds.owned} ids of tenants at once", "shorten how long the rule keeps an id")
        for id_ in ids:
            ours[id_] = tenant, until_ns
            ours.move_to_end(id_)

    def is_charged(self, id_: str, now_ns: int) -> bool:
        return self._charged.get(id_, 0) > now_ns

    def room_for_mark(self, now_ns: int) -> None:
        for id_, until_ns in list(islice(self._charged.items(), 2)):
            if until_ns <= now_ns:
                del self._charged[id_]
        if len(self._charged) >= self._bounds.charged:
            self._charged = {id_: until_ns for id_, until_ns in self._charged.items() if until_ns > now_ns}
        if len(self._charged) >= self._bounds.charged:
            raise full_of_marks(self._bounds)

    def keep_mark(self, id_: str, until_ns: int, now_ns: int) -> None:
        self._charged.pop(id_, None)
        self._charged[id_] = until_ns

    def sizes(self) -> dict[str, int]:
        return {
            "sessions": sum(map(len, self._sessions.values())),
            "counters": self._own,
            "scoped": sum(map(len, self._scoped.values())),
            "halts": self._halts.count,
            "owned": sum(map(len, self._owners.values())),
            "charged": len(self._charged),
        }

    def close(self) -> None:
        """Nothing to let go of."""


def _own_key(count: Count) -> _OwnKey:
    return count.name, count.window_ns, count.member is None


def _scoped_key(shadow: bool, count: Count) -> _ScopedKey:
    return count.name, count.scope or "", count.window_ns, shadow, count.member is None


def _share_key(key: _ScopedKey) -> _ShareKey:
    return key[1:]
