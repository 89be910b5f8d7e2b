"""Keeps the shared file bounded: deletes what is over in passing, and what may go first if there is no room."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Sequence

from mcpobs.policy.rows import Bounds, Seen, full_of_marks, idle, kept_ns, too_many
from mcpobs.policy.sqlite_steps import Steps
from mcpobs.policy.state import IDLE_NS, StoreError

_PREFIX = struct.Struct(">BQ")
SCOPED = struct.Struct(">BBBQL")
"""Before the scope and the name of a shared counter: whether its scope may go first, shadow, kind, window, and the
length of the scope."""
_STRIDE = 32
"""Rows that come before some are looked at; twice as many are."""
_SECOND_NS = 1_000_000_000


class Room:
    def __init__(self, steps: Steps, bounds: Bounds) -> None:
        self._steps = steps
        self._bounds = bounds
        self._new = dict.fromkeys(("sessions", "scoped", "owned", "charged"), _STRIDE)
        """New rows since some were looked at. At first as many as that: a short process looks once, too."""
        self._cleared_ns: dict[str, int] = {}

    def key_is_full(self, key: bytes, shadow: bool, now_ns: int) -> bool:
        execute, most = self._steps.execute, self._bounds.sessions_a_key
        sql = "select count(*) from (select 1 from sessions where key = ? and shadow = ? limit ?)"
        if execute(sql, (key, shadow, most)).fetchone()[0] < most:
            return False
        ours = execute("select id, last_ns from sessions where key = ? and shadow = ?", (key, shadow))
        gone = [id_ for id_, last_ns in ours if idle(last_ns, now_ns)]
        self.forget(gone)
        return bool(execute(sql, (key, shadow, most)).fetchone()[0] >= most)

    def forget(self, rows: Sequence[int]) -> None:
        """Forgets sessions and all that belongs to them."""
        for row in rows:
            self._steps.execute("delete from counters where key >= ? and key < ?", (_own(row), _own(row + 1)))
            self._steps.execute("delete from facts where id = ?", (row,))
            self._steps.execute("delete from sessions where id = ?", (row,))

    def for_session(self, now_ns: int) -> None:
        if self._due("sessions", 1):
            self._sweep_sessions(now_ns)
        if self._left("sessions", self._bounds.sessions, 1) < 0 and not self._clear("sessions", now_ns):
            self._forget_unverified(0, f"{self._bounds.sessions} sessions of verified callers at once")

    def for_own(self, seen: Seen, more: int, keys: Sequence[bytes]) -> int:
        """Makes room for counters of one session. Returns how many it has then."""
        most = self._bounds.counters_a_session
        if seen.counters + more > most:
            seen.counters -= self._forget_disposable(seen, max(more, most // 16), keys)
        if seen.counters + more > most:
            raise StoreError(f"{most} counters in one session", "write fewer limits for each session")
        while self._left("counters", self._bounds.counters, more) < 0:
            gone = self._forget_disposable(seen, more, keys)
            seen.counters -= gone
            if not gone:
                self._forget_unverified(seen.row, f"{self._bounds.counters} counters of verified callers at once")
        return seen.counters + more

    def for_shares(self, now_ns: int, fresh: Sequence[bytes], keys: Sequence[bytes]) -> None:
        """Keeps scopes to their share once the store is half full: forgets what is over of theirs and their own
        disposable counters, or refuses. Forgets none of `keys`."""
        if self._left("scoped", self._bounds.scoped // 2, 0) > 0:
            return
        most = self._bounds.scoped_share
        for begin, more in Counter(map(_shared, fresh)).items():
            between = begin, begin + b"\xff"  # no name has this byte
            sql = "select count(*) from (select 1 from counters where key >= ? and key < ? limit ?)"
            over = self._steps.execute(sql, (*between, most + 1)).fetchone()[0] + more - most
            if over <= 0:
                continue
            before_ns = now_ns - kept_ns(SCOPED.unpack_from(begin)[3])
            sql = "delete from counters where key >= ? and key < ? and used_ns < ?"
            over -= self._steps.execute(sql, (*between, before_ns)).rowcount
            if over > 0 and self._forget_disposable_of(between, over, keys) < over:
                raise too_many(most)

    def for_scoped(self, now_ns: int, more: int, keys: Sequence[bytes]) -> None:
        """Makes room for shared counters. Forgets none of `keys`."""
        if self._due("scoped", more):
            self._sweep_scoped(now_ns)
        over = -self._left("scoped", self._bounds.scoped, more)
        if over <= 0:
            return
        over -= self._clear("scoped", now_ns)
        if over <= 0:
            return
        number = max(over, self._bounds.scoped // 64)
        sql = "select key from counters where key >= x'02' and key < x'03' order by used_ns limit ?"
        found = self._steps.execute(sql, (number + len(keys),)).fetchall()
        gone = [row for row in found if row[0] not in keys][:number]
        self._steps.executemany("delete from counters where key = ?", gone)
        if len(gone) < over:
            raise StoreError(f"{self._bounds.scoped} counters of verified callers at once", "shorten the windows")

    def for_halt(self, where: tuple[str, bytes, bool, bytes], now_ns: int) -> None:
        execute = self._steps.execute
        execute("delete from halts where scope != 'session' and until_ns <= ?", (now_ns,))
        sql = "select 1 from halts where scope = ? and name = ? and shadow = ? and session = ?"
        if self._left("halts", self._bounds.halts, 1) >= 0 or execute(sql, where).fetchone():
            return
        oldest = (
            "delete from halts where (scope, name, shadow, session) in "
            "(select scope, name, shadow, session from halts where verified = 0 order by at_ns limit ?)"
        )
        if not execute(oldest, (max(1, self._bounds.halts // 64),)).rowcount:
            raise StoreError(f"{self._bounds.halts} halts of verified callers at once", "resume some: `mcpobs resume`")

    def for_owned(self, now_ns: int, more: int) -> None:
        if self._due("owned", more):
            self._sweep_owned(now_ns, more)
        over = -self._left("owned", self._bounds.owned, more)
        if over > 0 and self._clear("owned", now_ns) < over:
            raise StoreError(f"{self._bounds.owned} ids of tenants at once", "shorten how long the rule keeps an id")

    def for_charged(self, now_ns: int) -> None:
        if self._due("charged", 1):
            self._sweep_charged(now_ns)
        if self._left("charged", self._bounds.charged, 1) < 0 and not self._clear("charged", now_ns):
            raise full_of_marks(self._bounds)

    # -- what goes first --------------------------------------------------------------------------------------

    def _forget_disposable(self, seen: Seen, number: int, keys: Sequence[bytes]) -> int:
        """Forgets the oldest counters of a session that may be forgotten, other than `keys`."""
        return self._forget_disposable_of((_own(seen.row), _own(seen.row + 1)), number, keys)

    def _forget_disposable_of(self, between: tuple[bytes, bytes], number: int, keys: Sequence[bytes]) -> int:
        sql = "select key from counters where key >= ? and key < ? and disposable order by used_ns limit ?"
        rows = self._steps.execute(sql, (*between, number + len(keys)))
        found = [row[0] for row in rows if row[0] not in keys][:number]
        self._steps.executemany("delete from counters where key = ?", [(key,) for key in found])
        return len(found)

    def _forget_unverified(self, but: int, otherwise: str) -> None:
        sql = "select id from sessions where not verified and id != ? order by last_ns limit ?"
        gone = [row[0] for row in self._steps.execute(sql, (but, max(1, self._bounds.sessions // 64)))]
        if not gone:
            raise StoreError(otherwise, "find who opens so many sessions")
        self.forget(gone)

    def _left(self, kind: str, most: int, more: int) -> int:
        return int(most - more - self._steps.execute("select n from totals where kind = ?", (kind,)).fetchone()[0])

    def _clear(self, kind: str, now_ns: int) -> int:
        """Forgets all that is over, at most once a second. Returns how many rows that were."""
        if now_ns - self._cleared_ns.get(kind, 0) < _SECOND_NS:
            return 0
        self._cleared_ns[kind] = now_ns
        if kind == "sessions":
            before = self._steps.execute("select id, last_ns from sessions where last_ns < ?", (now_ns - IDLE_NS,))
            gone = [id_ for id_, last_ns in before if idle(last_ns, now_ns)]
            self.forget(gone)
            return len(gone)
        if kind == "owned":
            return self._steps.execute("delete from owners where until_ns <= ?", (now_ns,)).rowcount
        if kind == "charged":
            return self._steps.execute("delete from charged where until_ns <= ?", (now_ns,)).rowcount
        rows = self._steps.execute("select key, window_ns, used_ns from counters where key >= x'02'")
        over = [(key,) for key, window_ns, used_ns in rows if now_ns - used_ns > kept_ns(window_ns)]
        self._steps.executemany("delete from counters where key = ?", over)
        return len(over)

    # -- in passing -------------------------------------------------------------------------------------------

    def _due(self, kind: str, more: int) -> bool:
        self._new[kind] += more
        if self._new[kind] < _STRIDE:
            return False
        self._new[kind] = 0
        return True

    def _sweep_sessions(self, now_ns: int) -> None:
        sql = "select id, last_ns from sessions where id > ? order by id limit ?"
        rows = self._steps.execute(sql, (self._from("sessions") or 0, 2 * _STRIDE)).fetchall()
        self.forget([id_ for id_, last_ns in rows if idle(last_ns, now_ns)])
        self._until("sessions", rows[-1][0] if len(rows) == 2 * _STRIDE else None)

    def _sweep_scoped(self, now_ns: int) -> None:
        sql = "select key, window_ns, used_ns from counters where key > ? order by key limit ?"
        rows = self._steps.execute(sql, (self._from("scoped") or b"\2", 2 * _STRIDE)).fetchall()
        over = [(key,) for key, window_ns, used_ns in rows if now_ns - used_ns > kept_ns(window_ns)]
        self._steps.executemany("delete from counters where key = ?", over)
        self._until("scoped", rows[-1][0] if len(rows) == 2 * _STRIDE else None)

    def _sweep_owned(self, now_ns: int, more: int) -> None:
        rule, _, id_ = bytes(self._from("owned") or b"\0").partition(b"\0")
        most = 2 * (_STRIDE + more)
        sql = "select rule, id, until_ns from owners where (rule, id) > (?, ?) order by rule, id limit ?"
        rows = self._steps.execute(sql, (rule, id_, most)).fetchall()
        over = [(rule, id_) for rule, id_, until_ns in rows if until_ns <= now_ns]
        self._steps.executemany("delete from owners where rule = ? and id = ?", over)
        self._until("owned", rows[-1][0] + b"\0" + rows[-1][1] if len(rows) == most else None)

    def _sweep_charged(self, now_ns: int) -> None:
        sql = "select id, until_ns from charged where id > ? order by id limit ?"
        rows = self._steps.execute(sql, (self._from("charged") or b"", 2 * _STRIDE)).fetchall()
        over = [(id_,) for id_, until_ns in rows if until_ns <= now_ns]
        self._steps.executemany("delete from charged where id = ?", over)
        self._until("charged", rows[-1][0] if len(rows) == 2 * _STRIDE else None)

    def _from(self, kind: str) -> int | bytes | None:
        found: int | bytes | None
        found = self._steps.execute("select swept from totals where kind = ?", (kind,)).fetchone()[0]
        return found

    def _until(self, kind: str, place: int | bytes | None) -> None:
        self._steps.execute("update totals set swept = ? where kind = ?", (place, kind))


def _shared(key: bytes) -> bytes:
    """Prefix of the keys of counters of one scope, window and kind."""
    return key[: SCOPED.size + SCOPED.unpack_from(key)[4]]


def _own(row: int) -> bytes:
    return _PREFIX.pack(1, row)
