"""The steps of a store over its rows, the same for every store: reserve, settle, deny, halt. Does no I/O of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import orjson

from mcpobs.policy.counter import Counter
from mcpobs.policy.rows import OVERFLOW, Bounds, Rows, Seen, idle
from mcpobs.policy.state import (
    IDLE_NS,
    Correction,
    Count,
    Done,
    Halt,
    HaltScope,
    Mark,
    Reserved,
    SessionFacts,
    SessionKey,
    StoreError,
    Taken,
    Under,
)


class Ledger:
    """The methods of `state.Store`. A store gives it rows, and says whether it blocks."""

    def __init__(self, rows: Rows, bounds: Bounds) -> None:
        self._rows = rows
        self._bounds = bounds

    def reserve(
        self, session: SessionKey, counts: Sequence[Count], under: Under = (), halt_for_ns: int | None = None
    ) -> Reserved:
        rows = self._rows
        with rows.change as now_ns:
            seen = rows.session(session)
            if seen is None or now_ns - seen.last_ns >= IDLE_NS:  # it may be idle
                seen = self._seen(session, now_ns)
            if rows.any_halts and (halt := self._stop(session, seen, under, now_ns)) is not None:
                return Reserved(False, now_ns, halt=halt)
            counters = rows.counters(session, seen, counts, now_ns)
            taken, refusing = _look(counts, counters, now_ns)
            seen.last_ns = now_ns
            if refusing:
                rows.room(session, seen)
                rows.keep(session, seen)
                halting = next((count for count in refusing if count.on_exceed == "halt"), None)
                stopped = None if halting is None else self._halt(session, now_ns, halt_for_ns, halting.name)
                return Reserved(False, now_ns, taken, stopped)
            rows.room(session, seen, counts, counters)
            for count, counter in zip(counts, counters, strict=True):
                counter.add(count, now_ns)
            seen.denial, seen.denied = "", 0
            rows.keep(session, seen, counts, counters)
            return Reserved(True, now_ns, taken)

    def settle(
        self,
        session: SessionKey,
        reserved: Reserved,
        corrections: Sequence[Correction],
        done: Mapping[str, Mapping[str, object]] | None = None,
    ) -> None:
        if not corrections and not done:
            return
        rows = self._rows
        with rows.change as now_ns:
            seen = self._seen(session, now_ns)
            seen.last_ns = now_ns
            counts = [one.counter for one in corrections]
            counters = rows.counters(session, seen, counts, reserved.at_ns)
            rows.room(session, seen, counts, counters)
            for (count, amount), counter in zip(corrections, counters, strict=True):
                counter.correct(count, amount, reserved.at_ns, now_ns)
            rows.keep(session, seen, counts, counters)
            if done and not seen.shared:
                rows.keep_done(session, seen, self._with(rows.done(session, seen), done, now_ns))

    def charge(self, session: SessionKey, mark: Mark, counts: Sequence[Count]) -> bool:
        if any(count.amount < 0 or count.member is not None for count in counts):
            raise StoreError("only amounts that are not negative can be charged")
        rows = self._rows
        with rows.change as now_ns:
            marks = (mark.id, *mark.within)
            if mark.until_ns <= now_ns or any(rows.is_charged(id_, now_ns) for id_ in marks):
                return False
            rows.room_for_mark(now_ns)
            seen = self._seen(session, now_ns)
            seen.last_ns = now_ns
            counters = rows.counters(session, seen, counts, now_ns)
            rows.room(session, seen, counts, counters)
            for count, counter in zip(counts, counters, strict=True):
                counter.add(count, now_ns)
            rows.keep(session, seen, counts, counters)
            rows.keep_mark(mark.id, mark.until_ns, now_ns)
            return True

    def facts(self, session: SessionKey) -> SessionFacts:
        with self._rows.look as now_ns:
            seen = self._rows.session(session)
            if seen is None or idle(seen.last_ns, now_ns):
                return SessionFacts(now_ns)
            return SessionFacts(seen.first_ns, self._rows.done(session, seen))

    def denied(self, session: SessionKey, denial: str, most: int, halt_for_ns: int | None, reason: str) -> Halt | None:
        rows = self._rows
        with rows.change as now_ns:
            if rows.any_halts:
                known = rows.session_halts(session.key, session.shadow).get(session.session)
                if known is not None:
                    return known
            seen = self._seen(session, now_ns)
            seen.last_ns = now_ns
            seen.denied = seen.denied + 1 if seen.denial == denial else 1
            seen.denial = denial
            rows.room(session, seen)
            halt = self._halt(session, now_ns, halt_for_ns, reason) if seen.denied >= most else None
            if halt is not None:
                seen.denial, seen.denied = "", 0
            rows.keep(session, seen)
            return halt

    def halted(self, session: SessionKey, under: Under = ()) -> Halt | None:
        rows = self._rows
        if rows.has_no_halts:
            return None
        with rows.look as now_ns:
            if not rows.any_halts:
                return None
            seen = rows.session(session)
            if seen is None or idle(seen.last_ns, now_ns):
                seen = Seen(now_ns, now_ns)
            return self._stop(session, seen, under, now_ns)

    @property
    def had_no_named_halts(self) -> bool:
        return self._rows.had_no_named_halts

    def halt(self, halt: Halt) -> None:
        with self._rows.change_durably as now_ns:
            self._keep_halt(replace(halt, at_ns=halt.at_ns or now_ns), False, now_ns)

    def resume(self, scope: HaltScope, name: str, session: str = "") -> bool:
        rows = self._rows
        with rows.change_durably as now_ns:
            halt = rows.session_halts(name, False).get(session) if scope == "session" else None
            if halt is not None and not halt.by:
                self._count_anew(SessionKey(name, session), now_ns)
            return rows.drop_halt(scope, name, session)

    def _count_anew(self, session: SessionKey, now_ns: int) -> None:
        """Gives a session that its own counts had halted new ones; they would halt it again at its next call."""
        rows = self._rows
        seen = rows.session(session)
        if seen is None or seen.shared:
            return
        rows.forget(session, seen)
        anew = Seen(seen.first_ns, now_ns)
        rows.room(session, anew)
        rows.keep(session, anew)

    def halts(self) -> list[Halt]:
        with self._rows.look as now_ns:
            found = [halt for halt in self._rows.all_halts() if halt.scope == "session" or _lasts(halt, now_ns)]
        return sorted(found, key=lambda halt: halt.at_ns)

    def own(self, rule: str, tenant: str, ids: Sequence[str], ttl_ns: int) -> None:
        rows = self._rows
        with rows.change as now_ns:
            ours = []
            for id_ in dict.fromkeys(ids):
                known = rows.owner(rule, id_)
                if known is None or known[0] == tenant or known[1] <= now_ns:
                    ours.append(id_)
            rows.keep_owners(rule, tenant, ours, now_ns + ttl_ns, now_ns)

    def owner(self, rule: str, id_: str) -> str | None:
        with self._rows.look as now_ns:
            known = self._rows.owner(rule, id_)
            return known[0] if known is not None and known[1] > now_ns else None

    def sizes(self) -> dict[str, int]:
        """How many rows there are of each kind."""
        with self._rows.look:
            return self._rows.sizes()

    def close(self) -> None:
        self._rows.close()

    # -- sessions and halts -----------------------------------------------------------------------------------

    def _seen(self, session: SessionKey, now_ns: int) -> Seen:
        """The session as it was seen, or a new one, which `Rows.keep` keeps."""
        rows = self._rows
        seen = rows.session(session)
        if seen is not None and not idle(seen.last_ns, now_ns):
            return seen
        if seen is not None:
            rows.forget(session, seen)
        elif rows.full(session, now_ns):
            shared = rows.session(session._replace(session=OVERFLOW))
            return shared or Seen(now_ns, now_ns, shared=True)
        return Seen(now_ns, now_ns)

    def _stop(self, session: SessionKey, seen: Seen, under: Under, now_ns: int) -> Halt | None:
        halts = self._rows.session_halts(session.key, session.shadow)
        if (own := halts.get(session.session)) is not None:
            return own
        for scope, name in under:
            found = self._rows.halt(scope, name)
            if found is not None and _lasts(found, now_ns):
                return found
        return next((halt for halt in halts.values() if _covers(halt, seen, now_ns)), None)

    def _halt(self, session: SessionKey, now_ns: int, halt_for_ns: int | None, reason: str) -> Halt:
        until_ns = None if halt_for_ns is None else now_ns + halt_for_ns
        halt = Halt("session", session.key, session.session, now_ns, until_ns, reason)
        return self._keep_halt(halt, session.shadow, now_ns)

    def _keep_halt(self, halt: Halt, shadow: bool, now_ns: int) -> Halt:
        if halt.scope == "session" and halt.until_ns is not None:
            others = self._rows.session_halts(halt.name, shadow)
            if len(others) >= self._bounds.halts_a_key and halt.session not in others:
                halt = replace(halt, until_ns=None)  # else a caller could open and lose sessions without end
        self._rows.keep_halt(halt, shadow, now_ns)
        return halt

    # -- facts ------------------------------------------------------------------------------------------------

    def _with(self, before: dict[str, Done], more: Mapping[str, Mapping[str, object]], now_ns: int) -> dict[str, Done]:
        """What was done with what was done now, the oldest first, as far as it may be remembered."""
        done = before.copy()
        for tool, arguments in more.items():
            last = done.pop(tool, None)
            done[tool] = Done((last.ok if last else 0) + 1, _remembered(arguments, self._bounds.fact_bytes), now_ns)
        while len(done) > self._bounds.tools_a_session:
            del done[next(iter(done))]
        left = self._bounds.fact_bytes
        for tool in reversed(list(done)):
            left -= _size(done[tool].arguments)
            if left < 0:
                done[tool] = done[tool]._replace(arguments={})
        return done


def _lasts(halt: Halt, now_ns: int) -> bool:
    return halt.until_ns is None or now_ns < halt.until_ns


def _covers(halt: Halt, seen: Seen, now_ns: int) -> bool:
    """Whether the halt of one session stops another of its key: one that began after it, for a while. A session that
    shares its place may have begun at any time."""
    return (seen.shared or seen.first_ns >= halt.at_ns) and _lasts(halt, now_ns)


def _look(counts: Sequence[Count], counters: Sequence[Counter], now_ns: int) -> tuple[list[Taken], list[Count]]:
    """Returns what adding would do to each counter, and the counts that refuse it."""
    taken: list[Taken] = []  # `list[Taken]()` takes 20 times as long
    refusing: list[Count] = []
    pending: dict[int, int] = {}
    for count, counter in zip(counts, counters, strict=True):
        if count.amount < 0:
            raise StoreError("a negative amount cannot be reserved")
        before = pending.get(id(counter), 0)
        one = counter.look(count, now_ns, before)
        if one.exceeded and count.on_exceed != "warn":
            refusing.append(count)
        pending[id(counter)] = before + count.amount
        taken.append(one)
    return taken, refusing


def _remembered(arguments: Mapping[str, object], most_bytes: int) -> dict[str, object]:
    """The arguments to remember: none if they are too large or no JSON, so that a rule that reads them finds them
    missing."""
    try:
        encoded = orjson.dumps(dict(arguments))
        found: dict[str, object] = orjson.loads(encoded)
    except (TypeError, ValueError, RecursionError):
        return {}
    return found if len(encoded) <= most_bytes else {}


def _size(arguments: Mapping[str, object]) -> int:
    return len(orjson.dumps(arguments)) if arguments else 0
