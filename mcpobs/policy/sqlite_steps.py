"""Transactions on the shared file: one at a time in a process, each at a time that no other is after."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from types import TracebackType

from mcpobs.policy import forks
from mcpobs.policy.clock import Clock, Time
from mcpobs.policy.sqlite_file import StoreFile
from mcpobs.policy.state import StoreError

_BOOTS = 16
"""Boots (and time namespaces) whose clocks the file keeps."""
_TIMES = {"sessions": "last_ns", "counters": "used_ns", "halts": "at_ns", "clock_v1": "seen_ns"}
_NEWEST = (
    f"select max({', '.join(f'coalesce((select max({time}) from {table}), 0)' for table, time in _TIMES.items())})"
)
_BEGUN = (
    "select (select offset_ns from clock_v1 where boot = ?), exists (select 1 from halts), "
    "exists (select 1 from halts where scope < 'session' or scope > 'session')"
)
_VERSION = "pragma data_version"
"""A number that changes with what other connections commit, and begins a step that reads."""
_FRESH_NS = 250_000_000
"""The greatest age of a check of the halts by which a result may pass."""
_LONGEST_PAUSE_S = 0.003
_FRESH = 3
"""How often a file may be replaced within one step."""


class Steps:
    """One connection, and the clock that the file keeps for this boot."""

    def __init__(self, path: Path, wait_s: float, times: Time) -> None:
        self.file = StoreFile(path, wait_s)
        self.any_halts = True
        self._any_named_halts = True
        self._looked_ns = 0
        self.generation = 0
        """Changes with each write of others and after a failed step: data that was read before is then stale."""
        self._version: int | None = None
        self._boot = times.boot()
        self._clock = Clock(times)
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None
        self._left: list[sqlite3.Connection | None] = []
        self._closed = False
        self.execute: Callable[..., sqlite3.Cursor]
        self.executemany: Callable[..., sqlite3.Cursor]
        """Those of the connection; only within a step."""
        self.change = Step(self, "begin immediate")
        self.change_durably = Step(self, "begin immediate", "full")
        self.look = Step(self, "begin")
        forks.watch(self)
        try:
            with self.change:
                pass
        except BaseException:
            self.close()
            raise

    def now_ns(self) -> int:
        """The clock of the store. Does no I/O."""
        return self._clock()

    @property
    def had_no_named_halts(self) -> bool:
        """Whether a step of this process found no halt by name a moment ago. Does no I/O."""
        return not self._any_named_halts and self._clock() - self._looked_ns <= _FRESH_NS

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._hang_up()

    def begin(self, sql: str, synchronous: str | None) -> int:
        if not self._lock.acquire(timeout=self.file.wait_s):
            raise self.file.locked()
        try:
            if self._connection is None:
                self._open()
            if synchronous is not None:
                self.execute(f"pragma synchronous = {synchronous}")
            self._patiently(sql)
            if self.file.replaced():
                self._follow(sql)
            version = self._patiently(_VERSION).fetchone()[0]
            if version != self._version:
                self._catch_up(version)
            now_ns = self._looked_ns = self._clock()
            return now_ns
        except BaseException as error:
            self._undo(error)
            self._lock.release()
            if isinstance(error, sqlite3.Error):
                raise self.file.error(error) from error
            raise

    def end(self, error: BaseException | None, synchronous: str | None) -> None:
        try:
            if error is None:
                self.execute("commit")
            else:
                self._undo(error)
            if synchronous is not None and self._connection is not None:
                self.execute("pragma synchronous = normal")
            if isinstance(error, sqlite3.Error):
                raise self.file.error(error) from error
        except sqlite3.Error as failed:
            self._undo(failed)
            raise self.file.error(failed) from failed
        finally:
            self._lock.release()

    def forked(self) -> None:
        """Leaves the parent's connection alone, and opens another when it needs one."""
        self._lock = Lock()
        self._left.append(self._connection)
        self._connection = None

    # -- within a step ----------------------------------------------------------------------------------------

    def _catch_up(self, version: int) -> None:
        """Reads again the data that others may have changed."""
        self.forget()
        offset_ns, self.any_halts, self._any_named_halts = self.execute(_BEGUN, (self._boot,)).fetchone()
        if offset_ns != self._clock.offset_ns:
            self._set_clock(offset_ns)
        else:
            self._version = version

    def forget(self) -> None:
        """Discards the data that was read before."""
        self._version = None
        self._any_named_halts = True
        self.generation += 1

    def _open(self) -> None:
        self.forget()
        if self._closed:
            raise StoreError("the policy's store is closed")
        self._connection = self.file.open()
        self.execute, self.executemany = self._connection.execute, self._connection.executemany

    def _patiently(self, sql: str, values: tuple[str, ...] = ()) -> sqlite3.Cursor:
        """Executes as soon as no other process is in a step. SQLite itself would wait 100 ms at a time for 0.1 ms."""
        try:
            return self.execute(sql, values)
        except sqlite3.OperationalError as error:
            busy = error
        end, pause_s = time.monotonic() + self.file.wait_s, 0.0
        while busy.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY and time.monotonic() < end:
            time.sleep(pause_s * (0.5 + time.monotonic_ns() % 997 / 997))
            pause_s = min(_LONGEST_PAUSE_S, 0.0001 + pause_s * 1.5)
            try:
                return self.execute(sql, values)
            except sqlite3.OperationalError as again:
                busy = again
        raise busy

    def _follow(self, sql: str) -> None:
        """Begins the step in the file that is at the path now."""
        for _ in range(_FRESH):
            self._hang_up()
            self._open()
            self._patiently(sql)
            if not self.file.replaced():
                return
        raise StoreError(f"the policy's store {self.file.path} is replaced again and again", "stop what does it")

    def _set_clock(self, offset_ns: int | None) -> None:
        """Takes the clock of this boot from the file, or begins one after all that the file has seen."""
        ours = self._clock.offset_ns
        if offset_ns is not None and offset_ns > ours:
            self._clock.offset_ns = offset_ns
            return
        self.any_halts = True  # there may be one between the two transactions
        self.execute("commit")  # it may have been a step that reads
        self.execute("begin immediate")
        if offset_ns is None:
            newest_ns = self.execute(_NEWEST).fetchone()[0]
            times = self._clock.time
            ours = max(ours, max(times.unix_ns(), newest_ns) - times.ticks_ns())
        self.execute(
            "insert into clock_v1 (boot, offset_ns, seen_ns) values (?, ?, 0) on conflict (boot) do update set "
            "offset_ns = max(offset_ns, excluded.offset_ns)",
            (self._boot, ours),
        )
        self.execute("delete from clock_v1 where id <= (select max(id) from clock_v1) - ?", (_BOOTS,))
        self._clock.offset_ns = self.execute("select offset_ns from clock_v1 where boot = ?", (self._boot,)).fetchone()[
            0
        ]

    def seen(self, now_ns: int) -> None:
        """Notes the time with what has no time of its own."""
        self.execute("update clock_v1 set seen_ns = max(seen_ns, ?) where boot = ?", (now_ns, self._boot))

    def _undo(self, error: BaseException) -> None:
        """Rolls back. A connection that saw the disk fail, or a damaged file, is opened anew."""
        self.forget()
        if self._connection is None:
            return
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        try:
            if self._connection.in_transaction:
                self._connection.execute("rollback")
        except sqlite3.Error:
            code = sqlite3.SQLITE_IOERR
        if code == sqlite3.SQLITE_BUSY and self._is_replaced():  # whoever locks the old file locks nobody any more
            code = sqlite3.SQLITE_IOERR
        if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR):
            self._hang_up()

    def _is_replaced(self) -> bool:
        try:
            return self.file.replaced()
        except StoreError:
            return False

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()  # of a file that was moved it leaves the log alone


class Step:
    """A transaction as a context: rolled back if anything is raised in it. `synchronous` for this one only."""

    __slots__ = ("_sql", "_steps", "_synchronous")

    def __init__(self, steps: Steps, sql: str, synchronous: str | None = None) -> None:
        self._steps = steps
        self._sql = sql
        self._synchronous = synchronous

    def __enter__(self) -> int:
        return self._steps.begin(self._sql, self._synchronous)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._steps.end(error, self._synchronous)
