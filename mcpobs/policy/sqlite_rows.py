"""Rows of the shared file. What nobody needs any more is deleted in passing."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import orjson

from mcpobs.policy.clock import Time
from mcpobs.policy.counter import Counter, new_counter, unpacked
from mcpobs.policy.rows import MINUTE_NS, OVERFLOW, Bounds, Seen, verified
from mcpobs.policy.sqlite_room import SCOPED, Room
from mcpobs.policy.sqlite_steps import Steps
from mcpobs.policy.state import Count, Done, Halt, HaltScope, SessionKey

_OWN = struct.Struct(">BQBQ")
_FIND = (
    "select first_ns, last_ns, denial, denied, shared, id, counters from sessions "
    "where key = ? and shadow = ? and session = ?"
)
_INSERT = (
    "insert into sessions (key, shadow, session, verified, first_ns, last_ns, denial, denied, shared, counters) "
    "values (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)"
)
_UPDATE = "update sessions set last_ns = ?, denial = ?, denied = ?, counters = ? where id = ?"
_RECOUNT = "update counters set used_ns = ?, packed = ? where key = ?"
_COUNT = (
    "insert into counters values (?, ?, ?, ?, ?) on conflict (key) do update set used_ns = excluded.used_ns, "
    "packed = excluded.packed"
)
_HALT = "select scope, name, session, at_ns, until_ns, reason, by from halts"
_IN = ["select key, packed from counters where key in (" + ", ".join("?" * number) + ")" for number in range(65)]


_MOST_KNOWN = 4_096
"""Counters that are known from earlier steps."""


class SqliteRows:
    """The rows of `rows.Rows` as tables."""

    def __init__(self, path: Path, wait_s: float, bounds: Bounds, time: Time) -> None:
        self.steps = Steps(path, wait_s, time)
        self.change: AbstractContextManager[int] = self.steps.change
        self.change_durably: AbstractContextManager[int] = self.steps.change_durably
        self.look: AbstractContextManager[int] = self.steps.look
        self._room = Room(self.steps, bounds)
        self._bounds = bounds
        self._keys: list[bytes] = []
        self._fresh: set[bytes] = set()
        self._stored: tuple[int, str, int, int] | None = None
        """Of the step: keys of its counters, those that are new, and the session as it is in the file."""
        self._made: tuple[Sequence[Count], tuple[int, bool], list[bytes]] | None = None
        self._generation = 0
        self._sessions: dict[SessionKey, tuple[Seen, tuple[int, str, int, int]]] = {}
        self._counters: dict[bytes, Counter] = {}
        """Of the generation: rows as they are in the file, because nobody else has written since."""

    @property
    def any_halts(self) -> bool:
        return self.steps.any_halts

    @property
    def has_no_halts(self) -> bool:
        return False  # another process may have halted somebody since

    @property
    def had_no_named_halts(self) -> bool:
        return self.steps.had_no_named_halts

    # -- sessions ---------------------------------------------------------------------------------------------

    def session(self, session: SessionKey) -> Seen | None:
        if self._generation != self.steps.generation or len(self._counters) > _MOST_KNOWN:
            self._forget_rows()
        known = self._sessions.get(session)
        if known is not None:
            seen, self._stored = known
            return seen
        key, name, shadow = session.key, session.session, session.shadow
        row = self.steps.execute(_FIND, (_bytes(key), shadow, _bytes(name))).fetchone()
        if row is None:
            self._stored = None
            return None
        first_ns, last_ns, denial, denied, shared, id_, counters = row
        text = _text(denial) if denial else ""
        self._stored = last_ns // MINUTE_NS, text, denied, counters
        seen = Seen(first_ns, last_ns, text, denied, bool(shared), id_, counters)
        self._sessions[session] = seen, self._stored
        return seen

    def _forget_rows(self) -> None:
        self._generation = self.steps.generation
        self._sessions.clear()
        self._counters.clear()

    def full(self, session: SessionKey, now_ns: int) -> bool:
        return self._room.key_is_full(_bytes(session.key), session.shadow, now_ns)

    def forget(self, session: SessionKey, seen: Seen) -> None:
        self._forget_rows()
        self._room.forget([seen.row])

    def room(
        self, session: SessionKey, seen: Seen, counts: Sequence[Count] = (), counters: Sequence[Counter] = ()
    ) -> None:
        if seen.row and not (counts and self._fresh):
            return
        self._forget_rows()  # making room deletes some
        if seen.row == 0:
            self._room.for_session(seen.last_ns)
            name = OVERFLOW if seen.shared else session.session
            times = seen.first_ns, seen.last_ns
            seen.row = self.steps.execute(
                _INSERT,
                (_bytes(session.key), session.shadow, _bytes(name), verified(session.key), *times, b"", 0, seen.shared),
            ).lastrowid or 0  # fmt: skip
            self._stored = None
            self._keys = [_key(session, seen, count) for count in counts]
            own_keys = {key for key in self._keys if key[0] == 1}
            self._fresh = {key for key in self._fresh if key[0] != 1} | own_keys
        if counts and self._fresh:
            own = sum(key[0] == 1 for key in self._fresh)
            if own:
                seen.counters = self._room.for_own(seen, own, self._keys)
            if len(self._fresh) > own:
                self._room.for_shares(seen.last_ns, [key for key in self._fresh if key[0] != 1], self._keys)
                self._room.for_scoped(seen.last_ns, len(self._fresh) - own, self._keys)

    def keep(
        self, session: SessionKey, seen: Seen, counts: Sequence[Count] = (), counters: Sequence[Counter] = ()
    ) -> None:
        last_ns = seen.last_ns
        if counts:
            self._keep_counters(last_ns, counts, counters)
        stored = last_ns // MINUTE_NS, seen.denial, seen.denied, seen.counters
        if self._stored != stored:
            self.steps.execute(_UPDATE, (last_ns, _bytes(seen.denial), seen.denied, seen.counters, seen.row))
            self._sessions[session._replace(session=OVERFLOW) if seen.shared else session] = seen, stored

    def _keep_counters(self, last_ns: int, counts: Sequence[Count], counters: Sequence[Counter]) -> None:
        if not self._fresh:
            rows = [(last_ns, one.packed(), key) for key, one in zip(self._keys, counters, strict=True)]
            if self.steps.executemany(_RECOUNT, rows).rowcount == len(rows):
                return
        for key, count, counter in zip(self._keys, counts, counters, strict=True):  # new, or swept in this step
            self.steps.execute(_COUNT, (key, count.window_ns, last_ns, count.disposable, counter.packed()))
            self._counters[key] = counter

    def counters(self, session: SessionKey, seen: Seen, counts: Sequence[Count], now_ns: int) -> list[Counter]:
        keys = self._keys = self._keys_of(session, seen, counts)
        self._fresh = set()
        known = self._counters
        try:
            return [known[key] for key in keys]
        except KeyError:
            found = self._read(keys, counts, now_ns)
            return [found[key] for key in keys]

    def _keys_of(self, session: SessionKey, seen: Seen, counts: Sequence[Count]) -> list[bytes]:
        """The keys of counters. Those of a plan, which does not change, are kept for the next call."""
        made = self._made
        if made is not None and made[0] is counts and made[1] == (seen.row, session.shadow):
            return made[2]
        keys = [_key(session, seen, count) for count in counts]
        if isinstance(counts, tuple):
            self._made = counts, (seen.row, session.shadow), keys
        return keys

    def _read(self, keys: list[bytes], counts: Sequence[Count], now_ns: int) -> dict[bytes, Counter]:
        """Counters as they are in the file, and new ones."""
        packed = self._packed(keys)
        found: dict[bytes, Counter] = {}
        for key, count in zip(keys, counts, strict=True):
            if key in found:
                continue
            if (known := packed.get(key)) is not None:
                found[key] = self._counters[key] = self._unpacked(count, known)
            else:
                found[key] = new_counter(count, now_ns)
                self._fresh.add(key)
        return found

    def _packed(self, keys: list[bytes]) -> dict[bytes, bytes]:
        if len(keys) < len(_IN):
            return dict(self.steps.execute(_IN[len(keys)], tuple(keys)).fetchall())
        found: dict[bytes, bytes] = {}
        for begin in range(0, len(keys), len(_IN) - 1):
            some = tuple(keys[begin : begin + len(_IN) - 1])
            found.update(self.steps.execute(_IN[len(some)], some).fetchall())
        return found

    def _unpacked(self, count: Count, packed: bytes) -> Counter:
        try:
            return unpacked(count, packed)
        except (struct.error, ValueError, TypeError, AttributeError) as error:
            raise self.steps.file.damaged() from error

    # -- facts ------------------------------------------------------------------------------------------------

    def done(self, session: SessionKey, seen: Seen) -> dict[str, Done]:
        row = self.steps.execute("select done from facts where id = ?", (seen.row,)).fetchone()
        if row is None or seen.shared:
            return {}
        try:
            return {
                _text(bytes.fromhex(tool)): Done(ok, arguments, at) for tool, ok, arguments, at in orjson.loads(row[0])
            }
        except (ValueError, TypeError) as error:
            raise self.steps.file.damaged() from error

    def keep_done(self, session: SessionKey, seen: Seen, done: dict[str, Done]) -> None:
        rows = [(_bytes(tool).hex(), one.ok, one.arguments, one.at_ns) for tool, one in done.items()]
        self.steps.execute("replace into facts values (?, ?)", (seen.row, orjson.dumps(rows)))

    # -- halts and owners -------------------------------------------------------------------------------------

    def halt(self, scope: HaltScope, name: str) -> Halt | None:
        where = " where scope = ? and name = ? and shadow = 0 and session = x''"
        row = self.steps.execute(_HALT + where, (scope, _bytes(name))).fetchone()
        return None if row is None else _halt(row)

    def session_halts(self, key: str, shadow: bool) -> Mapping[str, Halt]:
        where = " where scope = 'session' and name = ? and shadow = ?"
        return {halt.session: halt for halt in map(_halt, self.steps.execute(_HALT + where, (_bytes(key), shadow)))}

    def all_halts(self) -> Iterable[Halt]:
        return map(_halt, self.steps.execute(_HALT + " where shadow = 0").fetchall())

    def keep_halt(self, halt: Halt, shadow: bool, now_ns: int) -> None:
        where = halt.scope, _bytes(halt.name), shadow, _bytes(halt.session)
        self._room.for_halt(where, now_ns)
        values = (halt.at_ns, halt.until_ns, _bytes(halt.reason), _bytes(halt.by))
        sql = (
            "insert into halts values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (scope, name, shadow, session) "
            "do update set at_ns = excluded.at_ns, "
            "until_ns = excluded.until_ns, reason = excluded.reason, by = excluded.by"
        )  # no `replace`: it counts no row as deleted
        lasting = halt.scope != "session" or verified(halt.name)
        self.steps.execute(sql, (*where, lasting, *values))
        self.steps.forget()
        self.steps.any_halts = True

    def drop_halt(self, scope: HaltScope, name: str, session: str) -> bool:
        sql = "delete from halts where scope = ? and name = ? and shadow = 0 and session = ?"
        self.steps.forget()  # there may be no halt any more
        return self.steps.execute(sql, (scope, _bytes(name), _bytes(session))).rowcount > 0

    def owner(self, rule: str, id_: str) -> tuple[str, int] | None:
        sql = "select tenant, until_ns from owners where rule = ? and id = ?"
        row = self.steps.execute(sql, (_bytes(rule), _bytes(id_))).fetchone()
        return None if row is None else (_text(row[0]), row[1])

    def keep_owners(self, rule: str, tenant: str, ids: Sequence[str], until_ns: int, now_ns: int) -> None:
        if not ids:
            return
        self._room.for_owned(now_ns, len(ids))
        self.steps.executemany(
            "insert into owners values (?, ?, ?, ?) on conflict (rule, id) do update set tenant = excluded.tenant, "
            "until_ns = excluded.until_ns",
            [(_bytes(rule), _bytes(id_), _bytes(tenant), until_ns) for id_ in ids],
        )
        self.steps.seen(now_ns)

    def is_charged(self, id_: str, now_ns: int) -> bool:
        sql = "select 1 from charged where id = ? and until_ns > ?"
        return self.steps.execute(sql, (_bytes(id_), now_ns)).fetchone() is not None

    def room_for_mark(self, now_ns: int) -> None:
        self._room.for_charged(now_ns)

    def keep_mark(self, id_: str, until_ns: int, now_ns: int) -> None:
        sql = "insert into charged values (?, ?) on conflict (id) do update set until_ns = excluded.until_ns"
        self.steps.execute(sql, (_bytes(id_), until_ns))

    def sizes(self) -> dict[str, int]:
        return dict(self.steps.execute("select kind, n from totals").fetchall())

    def close(self) -> None:
        self.steps.close()


def _key(session: SessionKey, seen: Seen, count: Count) -> bytes:
    """The key of a counter: those of one session, and those that may go first, lie together."""
    sums = count.member is None
    if count.scope is None:
        return _OWN.pack(1, seen.row, sums, count.window_ns) + _bytes(count.name)
    scope = _bytes(count.scope)
    first = 3 if verified(count.scope) else 2
    return SCOPED.pack(first, session.shadow, sums, count.window_ns, len(scope)) + scope + _bytes(count.name)


def _halt(row: tuple[HaltScope, bytes, bytes, int, int | None, bytes, bytes]) -> Halt:
    scope, name, session, at_ns, until_ns, reason, by = row
    return Halt(scope, _text(name), _text(session), at_ns, until_ns, _text(reason), _text(by))


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogatepass")
