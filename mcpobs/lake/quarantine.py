"""Keeps segments that cannot be committed in `<lake>/quarantine/`, so that they never block others. Deletes nothing
below MAX_BYTES; `mcpobs lake retry` tries them again. Cheap: imports neither DuckDB nor deltalake.

A file there keeps the name of its segment. A small JSON file beside it, the note, records when and why. A file may be
part of a segment of the collector's log: the requests that fail, after the others were committed.

`Attempts` finds a segment that kills the committer. Nothing is set aside because of the environment: a full disk, a
missing permission and a lack of memory on the whole machine are not the segment's fault. A note names the class of an
error and never quotes data.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from mcpobs import safefile
from mcpobs.errors import LakeError, McpobsError
from mcpobs.lake import memory
from mcpobs.lake.backlog import SPOOL, WAL, Found, Store
from mcpobs.lake.delta import sync
from mcpobs.segment import Segment, parse_name

FOLDER: Final = "quarantine"
ATTEMPT_FILE: Final = "commit.attempt"
ALONE_FROM: Final = 2
"""Strikes after which a segment is committed alone. A process that dies gives a strike to each segment of its batch."""
MOST_STRIKES: Final = 4
"""Strikes after which a segment is set aside. More than two, because committers are sometimes killed for other
reasons."""

MAX_BYTES: Final = 1 << 30
"""Maximum size of the folder. Beyond it the oldest files are deleted and counted: a sender must not fill the disk with
a request that cannot be committed."""

_NOTE_SUFFIX: Final = ".json"
_DELETED_FILE: Final = "deleted.json"
_FREE_BYTES: Final = 64 << 20
"""A failure with less disk space or memory left is attributed to the machine."""
_ENOUGH_BYTES: Final = 1 << 30
"""A lack of memory is attributed to the process's limit if the limit is below this; a commit takes up to 500 MB."""
_TELLING: Final = ("IOException", "PermissionException", "MalformedError", "TooManyValuesError")
"""Exception classes whose text names files and code, never data."""
_WHY_CHARACTERS: Final = 500
_NOTE_BYTES: Final = 4 << 20  # maximum size of a note or of the list of attempts


@dataclass(frozen=True, slots=True)
class SetAside:
    """A file of the quarantine. `since_unix_nano` and `attempts` are 0 if its note is missing."""

    path: Path
    store: Store
    segment: Segment
    size_bytes: int
    why: str
    since_unix_nano: int
    attempts: int


class Deleted(NamedTuple):
    """Totals of files deleted because the folder held more than MAX_BYTES, since the lake began."""

    segments: int = 0
    size_bytes: int = 0


NONE_DELETED: Final = Deleted()


def listed(lake: Path) -> list[SetAside]:
    """Returns the files set aside, oldest first. Raises LakeError if the folder cannot be read."""
    found: list[SetAside] = []
    try:
        with os.scandir(lake / FOLDER) as entries:
            for entry in entries:
                for store in (SPOOL, WAL):
                    segment = parse_name(entry.name, store.suffix)
                    if segment is not None:
                        found.append(_described(Path(entry.path), store, segment))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise LakeError(
            f"cannot read {lake / FOLDER}: {error.strerror}", "check the permissions of the lake's folders"
        ) from None
    return sorted(found, key=lambda one: (one.since_unix_nano, one.path))


def deleted(lake: Path) -> Deleted:
    note = _noted(lake / FOLDER / _DELETED_FILE)
    return Deleted(_count(note, "segments"), _count(note, "size_bytes"))


def is_file(path: Path) -> bool:
    """Returns False for a folder, a link or a pipe, which cannot be a segment. True for a file that is gone."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return True


def set_aside(lake: Path, store: Store, found: Found, why: str, attempts: int) -> None:
    """Moves a segment to the quarantine. The caller holds the lake's lock."""
    path = _folder(lake) / found.path.name
    _note(path, why, attempts)
    with suppress(FileNotFoundError):
        os.rename(found.path, path)
    sync(path.parent)
    sync(lake / store.folder)
    _delete_oldest(lake, path)


def set_aside_content(lake: Path, found: Found, content: bytes, why: str, attempts: int) -> Path:
    """Writes a part of a segment to the quarantine; durable when it returns. The caller holds the lake's lock."""
    path = _folder(lake) / found.path.name
    _note(path, why, attempts)
    received_unix_nano = None
    with suppress(FileNotFoundError):
        received_unix_nano = found.path.stat().st_mtime_ns
    _write(path, content, received_unix_nano)
    _delete_oldest(lake, path)
    return path


def renote(one: SetAside, why: str) -> None:
    """Adds a failed attempt to the note, if the note can be written."""
    with suppress(OSError):
        _note(one.path, why, one.attempts + 1, one.since_unix_nano)


def remove(one: SetAside) -> None:
    """Deletes a file of the quarantine whose content is committed."""
    one.path.unlink(missing_ok=True)
    _note_of(one.path).unlink(missing_ok=True)
    with suppress(OSError):
        one.path.parent.rmdir()  # only if it is empty


def described(error: BaseException) -> str:
    """Describes an error in one line for a note or a message: its class and origin, no text that may hold data.

    A DuckDB message quotes the value that it could not convert: content that a redacting collector must not show.
    """
    if memory.is_lacking(error):
        return "out of memory"
    name = type(error).__name__
    if isinstance(error, McpobsError):
        return error.message[:_WHY_CHARACTERS]
    if isinstance(error, OSError) and error.errno is not None:
        return f"{name}: {os.strerror(error.errno)}"
    if name in _TELLING:
        return f"{name}: {next(iter(str(error).strip().splitlines()), '')}"[:_WHY_CHARACTERS]
    return f"{name} in {_place(error)}"


def _place(error: BaseException) -> str:
    """Returns the innermost mcpobs function in the error's traceback."""
    place = "another module"
    for frame, _ in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith("mcpobs."):
            place = f"{module}.{frame.f_code.co_name}"
    return place


def is_environmental(error: BaseException, lake: Path) -> bool:
    """Returns True if the environment caused a failure, not the segments: the machine lacks disk space, memory or a
    permission. A segment that needs more memory than the process may have fails by its own fault."""
    if memory.is_lacking(error):
        if "max_temp_directory_size" in str(error):  # the disk had no room to spill to
            return True
        return memory.is_limited_below(_ENOUGH_BYTES) or not _has_memory()
    if isinstance(error, OSError | LakeError):
        return True
    # DuckDB's exceptions by name, because this module does not import it
    if type(error).__name__ in ("IOException", "PermissionException", "InterruptException"):
        return True
    return not (_has_space(lake) and _has_memory())


def _has_space(lake: Path) -> bool:
    probe = lake / f".probe-{os.getpid()}"
    try:
        if hasattr(os, "statvfs"):
            disk = os.statvfs(lake)
            if disk.f_bavail * disk.f_frsize < _FREE_BYTES:
                return False
        try:
            _write(probe, bytes(1 << 16))
        finally:
            probe.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _has_memory() -> bool:
    left_bytes = memory.of_machine_bytes()
    return left_bytes is None or left_bytes >= _FREE_BYTES


class Attempts:
    """Records on disk which segments a committer works on, so that its successor knows which may have killed it.

    For the holder of the lake's lock. A commit clears a segment's strikes. With `limit_s` a batch that takes longer
    ends the process, which counts like any other death.
    """

    def __init__(self, lake: Path, limit_s: int = 0) -> None:
        self._path = lake / ATTEMPT_FILE
        safefile.remove_drafts(self._path)
        self._limit_s = limit_s
        self._strikes: dict[str, int] = {}
        self._why: dict[str, str] = {}
        self._trying: list[str] = []
        self._read()

    def strikes(self, found: Found) -> int:
        return self._strikes.get(_name(found), 0)

    def must_go_alone(self, found: Found) -> bool:
        return self.strikes(found) >= ALONE_FROM

    @contextmanager
    def on(self, batch: Sequence[Found]) -> Iterator[None]:
        """Records the batch while the block runs. An exception leaves the record: `failed` or `forget` follows, or the
        process ends."""
        self._trying = [_name(found) for found in batch]
        self._write()
        if self._limit_s:
            signal.alarm(self._limit_s)
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            self.forget()
            raise
        finally:
            if self._limit_s:
                signal.alarm(0)
        for name in self._trying:
            self._strikes.pop(name, None)
        self.forget()

    def failed(self, why: str) -> None:
        """Records that the batch failed by its own fault in a process that goes on: each of its segments goes alone
        next."""
        for name in self._trying:
            self._strikes[name] = max(ALONE_FROM, self._strikes.get(name, 0) + 1)
            self._why[name] = why
        self.forget()

    def why(self, found: Found) -> str:
        """Returns why a segment got its last strike."""
        return self._why.get(_name(found), "the committing process died while it worked on it")

    def forget(self) -> None:
        """Records that the batch is no longer worked on and gets no strike."""
        self._trying = []
        self._write()

    def acquit(self, found: Found) -> None:
        """Clears the strikes of a segment that no longer exists."""
        self._strikes.pop(_name(found), None)
        self._write()

    def _read(self) -> None:
        noted = _noted(self._path)
        try:
            self._strikes = {str(name): int(count) for name, count in noted["strikes"].items()}
            died_on = [str(name) for name in noted["trying"]]
            same_boot = noted["boot"] == _boot()
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError):
            self._strikes = {}
            with suppress(OSError):
                safefile.remove(self._path)  # damaged, or not a file: it would block the next record
            return
        if died_on and same_boot:  # else the machine went down, which is no segment's fault
            for name in died_on:
                self._strikes[name] = self._strikes.get(name, 0) + 1
        if died_on:
            self._write()

    def _write(self) -> None:
        """Writes the record, without sync: it survives the death of the process, and after a loss of power it is not
        used."""
        with suppress(OSError):
            if not self._trying and not self._strikes:
                self._path.unlink(missing_ok=True)
                return
            note = {"trying": self._trying, "strikes": self._strikes, "boot": _boot()}
            draft = safefile.draft_of(self._path)
            with os.fdopen(safefile.open_own(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "w") as file:
                file.write(json.dumps(note))
            os.replace(draft, self._path)


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _name(found: Found) -> str:
    return f"{found.path.parent.name}/{found.path.name}"


def _folder(lake: Path) -> Path:
    folder = lake / FOLDER
    safefile.make_own_folder(folder)
    sync(lake)
    return folder


def _delete_oldest(lake: Path, newest: Path) -> None:
    """Deletes the oldest files until the folder holds at most MAX_BYTES or only the newest."""
    found = listed(lake)
    held = sum(one.size_bytes for one in found)
    count = deleted(lake)
    for one in found:
        if held <= MAX_BYTES or one.path == newest:
            break
        one.path.unlink(missing_ok=True)
        _note_of(one.path).unlink(missing_ok=True)
        held -= one.size_bytes
        count = Deleted(count.segments + 1, count.size_bytes + one.size_bytes)
    if count != deleted(lake):
        _write(lake / FOLDER / _DELETED_FILE, json.dumps(count._asdict()).encode() + b"\n")


def _described(path: Path, store: Store, segment: Segment) -> SetAside:
    note = _noted(_note_of(path))
    why = str(note.get("why", "the reason was not noted"))[:_WHY_CHARACTERS]
    since, attempts = _count(note, "since_unix_nano"), _count(note, "attempts")
    try:
        size = path.lstat().st_size
    except OSError:
        size = 0
    return SetAside(path, store, segment, size, why, since, attempts)


def _noted(path: Path) -> dict[str, Any]:
    """Returns the JSON object in a small file; an empty one if the file is missing or damaged."""
    try:
        note = json.loads(safefile.read_own(path, _NOTE_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return note if isinstance(note, dict) else {}


def _count(note: dict[str, Any], name: str) -> int:
    value = note.get(name)
    return value if isinstance(value, int) and 0 <= value < 1 << 63 else 0


def _note_of(path: Path) -> Path:
    return path.with_name(path.name + _NOTE_SUFFIX)


def _note(path: Path, why: str, attempts: int, since_unix_nano: int = 0) -> None:
    note = {"why": why, "attempts": attempts, "since_unix_nano": since_unix_nano or time.time_ns()}
    _write(_note_of(path), json.dumps(note, indent=2).encode() + b"\n")


def _write(path: Path, content: bytes, time_unix_nano: int | None = None) -> None:
    """Writes a file (0600), whole or not at all, and durable. Sets its modification time if one is given."""
    draft = safefile.draft_of(path)
    descriptor = safefile.open_own(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if time_unix_nano is not None:
                os.utime(descriptor, ns=(time_unix_nano, time_unix_nano))
            os.fsync(descriptor)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    sync(path.parent)
