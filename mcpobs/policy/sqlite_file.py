"""Opens the file that the processes of a host share, and says what is wrong with it. Never reads it by itself: closing
any descriptor of it would drop SQLite's locks of this process."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from mcpobs import safefile
from mcpobs.policy.sqlite_schema import APPLICATION, SCHEMA, VERSION
from mcpobs.policy.state import StoreError

MAX_PAGES = 1 << 18
"""1 GiB: behind the bounds of rows, a bound of the file."""
_WAL_BYTES = 32 << 20
_CHECKPOINT_PAGES = 4_000
"""16 MB; each costs two fsyncs."""
_PAUSE_S = 0.002
Identity = tuple[int, int]

_UNREADABLE = "the disk may be full or failing; check its free space, quota and `ulimit -f`"


class StoreFile:
    """A path, and how long to wait for other processes."""

    def __init__(self, path: Path, wait_s: float) -> None:
        self.path = path
        self._name = os.fspath(path)
        self.wait_s = wait_s
        self.identity: Identity | None = None

    def open(self) -> sqlite3.Connection:
        """Opens the file, or creates it. Raises StoreError."""
        try:
            self._create()
            with self._alone():
                self._drop_foreign_wal()
                connection = self._connect()
                self._note()
                connection.execute("pragma busy_timeout = 0")  # `Steps` waits
        except sqlite3.Error as error:
            raise self.error(error) from error
        except OSError as error:
            raise self._unusable(error) from error
        return connection

    def replaced(self) -> bool:
        """Whether another file is at the path now. Raises StoreError if none is."""
        try:
            status = os.stat(self._name, follow_symlinks=False)
        except FileNotFoundError as error:
            hint = "restore it, or restart what runs with --policy to begin with empty counters"
            raise self._error("was removed while it was in use", hint) from error
        except OSError as error:
            raise self._unusable(error) from error
        return (status.st_dev, status.st_ino) != self.identity

    def error(self, error: sqlite3.Error) -> StoreError:
        """Says what an error of SQLite means for an operator."""
        code = getattr(error, "sqlite_errorcode", 0)
        match code & 0xFF:
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                return self.locked()
            case sqlite3.SQLITE_FULL:
                hint = f"free some space; the file itself may have {MAX_PAGES >> 8} MiB"
                return self._error("cannot be written, because its disk is full", hint)
            case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
                return self.damaged()
            case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
                return self._error("cannot be written", f"give this user write access to it and to {self.path.parent}")
            case sqlite3.SQLITE_IOERR:
                name = getattr(error, "sqlite_errorname", "")
                return self._error(f"cannot be read or written ({name})", _UNREADABLE)
        if "no such" in str(error):  # a newer version renames tables, so that an older one stops
            return self._foreign()
        return self._error(f"failed with {type(error).__name__}: {error}", "report this as a fault of mcpobs")

    def locked(self) -> StoreError:
        """Another process or thread keeps the file for longer than we wait."""
        return self._error(
            f"is locked by another process for more than {self.wait_s:g} s",
            f"find it with `fuser {self.path}`: a backup, an SQL shell in a transaction, or a stopped process",
        )

    def damaged(self) -> StoreError:
        """Its bytes are none that we wrote."""
        hint = (
            "stop what uses it, and restore a backup or move it away with its -wal and -shm; counters then begin anew"
        )
        return self._error("is damaged", hint)

    def _foreign(self) -> StoreError:
        return self._error(
            f"is of another version than {VERSION}, which this mcpobs reads",
            "update mcpobs here too, or give this one a path of its own",
        )

    def _error(self, what: str, hint: str) -> StoreError:
        return StoreError(f"the policy's store {self.path} {what}", hint)

    def _unusable(self, error: OSError) -> StoreError:
        why = error.strerror or type(error).__name__
        return self._error(f"cannot be opened: {why}", f"check {self.path.parent} and who may write there")

    # -- opening ----------------------------------------------------------------------------------------------

    def _create(self) -> None:
        """Creates folder and file if they are missing; refuses ones that others could change or read."""
        folder = self.path.parent
        safefile.make_folder(folder)
        above = os.stat(folder)
        if above.st_mode & stat.S_IWOTH or above.st_uid not in (os.geteuid(), 0):
            raise self._error(
                f"lies in a folder that others can change, {folder}", "choose a folder of your own (0700)"
            )
        with suppress(FileExistsError):
            os.close(safefile.open_own(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL))
        status = os.stat(self.path, follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode):
            raise self._error("is no regular file", "choose another path")
        if status.st_uid != os.geteuid():
            raise self._error("belongs to another user", f"run as that user, or `chown {os.geteuid()} {self.path}`")
        if status.st_mode & 0o077:
            raise self._error("can be read or changed by others", f"`chmod 600 {self.path}`")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Holds the lock of openers, in a file beside. It notes whose -wal there is."""
        with closing(_Descriptor(safefile.open_own(self._beside("-lock"), os.O_RDWR | os.O_CREAT))) as held:
            self._lock = held.number
            end = time.monotonic() + self.wait_s
            while True:
                try:
                    fcntl.flock(held.number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > end:
                        raise self.locked() from None
                    time.sleep(_PAUSE_S)
            yield

    def _drop_foreign_wal(self) -> None:
        """Removes the log of a file that was replaced: SQLite would apply it to the new one."""
        noted = os.pread(self._lock, 200, 0).split()
        ours, log = self._identities()
        if len(noted) == 4 and log is not None:
            numbers = [int(number) for number in noted if number.isdigit()]
            if numbers[:2] != list(ours) and numbers[2:] == list(log):
                for suffix in ("-wal", "-shm"):
                    self._beside(suffix).unlink(missing_ok=True)

    def _connect(self) -> sqlite3.Connection:
        self.identity = self._identities()[0]
        connection = sqlite3.connect(self.path, timeout=self.wait_s, isolation_level=None, check_same_thread=False)
        try:
            connection.execute(f"pragma max_page_count = {MAX_PAGES}")
            connection.execute(f"pragma wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            connection.execute(f"pragma journal_size_limit = {_WAL_BYTES}")
            connection.execute("pragma synchronous = normal")  # a killed process loses nothing, a power cut the last s
            self._check_schema(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_schema(self, connection: sqlite3.Connection) -> None:
        version, application = _value(connection, "user_version"), _value(connection, "application_id")
        if version == application == 0:
            if connection.execute("select 1 from sqlite_master").fetchone():
                raise self._error("holds the tables of another program", "choose another path")
            if _value(connection, "journal_mode = wal") != "wal":
                raise self._error("cannot have a write-ahead log there", "choose a local disk")
            connection.executescript(f"begin immediate; {SCHEMA} commit")
        elif (version, application) != (VERSION, APPLICATION):
            raise (
                self._foreign()
                if application == APPLICATION
                else self._error("belongs to another program", "choose another path")
            )

    def _note(self) -> None:
        ours, log = self._identities()
        text = " ".join(map(str, (*ours, *(log or ("-", "-"))))).encode()
        os.pwrite(self._lock, text.ljust(200), 0)

    def _identities(self) -> tuple[Identity, Identity | None]:
        status = os.stat(self.path, follow_symlinks=False)
        try:
            log = os.stat(self._beside("-wal"), follow_symlinks=False)
        except FileNotFoundError:
            return (status.st_dev, status.st_ino), None
        return (status.st_dev, status.st_ino), (log.st_dev, log.st_ino)

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)


class _Descriptor:
    def __init__(self, number: int) -> None:
        self.number = number

    def close(self) -> None:
        os.close(self.number)


def _value(connection: sqlite3.Connection, pragma: str) -> object:
    return connection.execute(f"pragma {pragma}").fetchone()[0]
