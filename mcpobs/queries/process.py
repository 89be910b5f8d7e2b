"""Runs a user's SQL in a process of its own, and reads its answer within bounds. Never loads the engine.

Some functions of DuckDB hold for half a minute and take gigabytes without a look at an interrupt or a memory limit. A
process can be killed in the middle of them: at its time limit, by Ctrl-C, when a client cancels. It is also ended
by the kernel when this process ends. What it left in its temporary folder is removed here.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final

from mcpobs import interpreter
from mcpobs.errors import LakeError, McpobsError, UsageError
from mcpobs.queries.frames import MAX_FRAME, Frame, FrameError, decoded, packed, take
from mcpobs.queries.header import Column
from mcpobs.queries.limits import MAX_SQL, NARROW, Limits, size_of

Row = tuple[Any, ...]
"""Any: a user's SQL can answer with every type that the engine has."""

_START: Final = "import sys; sys.path.append(sys.argv[1]); from mcpobs.queries import worker; worker.main()"
_ROOT: Final = str(Path(__file__).absolute().parents[2])
_PREFIX: Final = "mcpobs-sql-"
_NEEDED: Final = re.compile(
    r"(PYTHON[A-Z_]*|(LD|DYLD|LC|NIX|CONDA)_[A-Z_]*|HOME|LANG|PATH|TZ|VIRTUAL_ENV|__PYVENV_LAUNCHER__)$"
)
"""Variables that the process gets: what Python and its libraries start with, and no token of anybody's."""

_STALE_S: Final = 60.0
_READ: Final = 1 << 18
_WRITE: Final = 1 << 16


class OverTime(UsageError):
    """The query was ended at its time limit."""


class OverMemory(UsageError):
    """The query needs more memory than it may have."""


class Ended(UsageError):
    """The process ended before the answer did: it was killed, or the statement broke the engine."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question to the process. `limit` is the most rows that it sends; with `characters` it also cuts long texts,
    and stops to read when it has sent `limit` rows or `answer_bytes`."""

    lake: Path
    sql: str
    limit: int | None = None
    characters: int | None = None
    answer_bytes: int | None = None
    columns: int | None = None
    progress: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """The lake is open; some of it cannot be read."""

    damaged_files: list[tuple[Path, str]]
    damaged_lines: int
    implausible_times: int = 0


@dataclass(frozen=True, slots=True)
class Began:
    """The answer begins. Rows that came before are void: they were read from a file that turned out to be damaged."""

    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of the answer. `cost_bytes` is about what they take up in memory."""

    rows: list[Row]
    cost_bytes: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the query is, in percent."""

    percent: float


@dataclass(frozen=True, slots=True)
class Done:
    """The answer is whole; it has `total` rows. In a bounded answer `total` counts one more than was sent if there are
    more."""

    total: int
    damaged_files: list[tuple[Path, str]]


Event = Opened | Began | Rows | Progress | Done


class Process:
    """A process that waits for its one question. Start it early: it loads the engine meanwhile. Close it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._status: int | None = None
        self._folder: Path | None = None
        self._hold: int | None = None
        self._pid = self._answers = self._questions = -1
        try:
            with _uninterrupted():
                self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        self._folder, self._hold = _temporary_folder()
        answers, child_out = map(_above_standard, os.pipe())
        child_in, questions = map(_above_standard, os.pipe())
        nothing = _above_standard(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC))
        environment = {name: value for name, value in os.environ.items() if _NEEDED.match(name)}
        if self._folder is not None:
            environment["TMPDIR"] = str(self._folder)
        try:
            # No fork: deltalake, which this process may have loaded, does not survive one.
            self._pid = os.posix_spawn(
                sys.executable,
                [*interpreter.python(), "-c", _START, _ROOT],
                environment,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, child_in, 0),
                    (os.POSIX_SPAWN_DUP2, child_out, 1),
                    (os.POSIX_SPAWN_DUP2, nothing, 2),
                ],
                setsigmask=[signal.SIGINT],  # of a terminal, for its whole group: this process ends the query
            )
        except OSError as error:
            os.close(answers)
            os.close(questions)
            raise UsageError(
                f"the process for SQL cannot be started: {error.strerror}", "free some memory or processes"
            ) from None
        finally:
            for descriptor in (child_in, child_out, nothing):
                os.close(descriptor)
        self._answers, self._questions = answers, questions
        os.set_blocking(answers, False)
        os.set_blocking(questions, False)

    def kill(self) -> None:
        """Ends the process at once; from any thread, and more than once."""
        with self._lock:
            if self._status is None and self._pid > 0:
                with suppress(ProcessLookupError):
                    os.kill(self._pid, signal.SIGKILL)

    @property
    def alive(self) -> bool:
        """False if it has ended already."""
        with self._lock:
            if self._status is None:
                with suppress(ChildProcessError):
                    pid, status = os.waitpid(self._pid, os.WNOHANG)
                    self._status = status if pid else None
            return self._status is None

    def close(self) -> None:
        """Ends the process, waits for it, and removes its temporary files."""
        with _uninterrupted():
            self.kill()
            self._reap()
            for name in ("_answers", "_questions"):
                descriptor = getattr(self, name)
                if descriptor >= 0:
                    setattr(self, name, -1)
                    os.close(descriptor)
            self._remove()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, question: Question, limits: Limits) -> Iterator[Event]:
        """Asks, and gives what comes. The time counts from here, without the time that the caller takes between two
        events (it may write to a pager); a process that is over it is killed.

        Raises UsageError if the SQL is not allowed, does not work or is over a limit; LakeError if the lake cannot be
        read.
        """
        if len(question.sql) > MAX_SQL:
            raise UsageError(f"the SQL has {len(question.sql):,} characters", f"a statement has at most {MAX_SQL:,}")
        asked = {**asdict(question), "lake": str(question.lake), **asdict(limits)}
        ends_s = None if limits.timeout_s is None else time.monotonic() + limits.timeout_s
        plain: list[bool] = []
        most_bytes = None if question.answer_bytes is None else 4 * question.answer_bytes + MAX_FRAME
        for frame in self._frames(packed({"kind": "question", **asked}), ends_s, limits, most_bytes):
            try:
                event = _event(frame, plain)
            except (KeyError, TypeError, ValueError, RecursionError):
                raise Ended("the process for SQL sent what is no answer", NARROW) from None
            yield event
            if isinstance(event, Done):
                return

    def _frames(self, question: bytes, ends_s: float | None, limits: Limits, most_bytes: int | None) -> Iterator[Frame]:
        unsent = memoryview(question)
        read = bytearray()
        received = 0
        poll = select.poll()
        poll.register(self._answers, select.POLLIN)
        poll.register(self._questions, select.POLLOUT)
        while True:
            left_s = None if ends_s is None else ends_s - time.monotonic()
            if left_s is not None and left_s <= 0:
                self.kill()
                raise OverTime(
                    f"the query took longer than {limits.timeout_s:g} seconds and was ended",
                    "narrow it: a shorter window, one session or tool, fewer columns, an aggregate",
                )
            events = dict(poll.poll(None if left_s is None else left_s * 1000 + 1))
            if self._questions in events:
                unsent = self._write(unsent)
                if not unsent:
                    poll.unregister(self._questions)
            if self._answers not in events:
                continue
            try:
                chunk = os.read(self._answers, _READ)
            except BlockingIOError:
                continue
            if not chunk:
                raise self._ended(limits)
            read += chunk
            received += len(chunk)
            if most_bytes is not None and received > most_bytes:
                raise Ended("the process for SQL sent more than it was asked for", NARROW)
            try:
                while (frame := take(read)) is not None:
                    given_s = time.monotonic()
                    yield frame
                    if ends_s is not None:
                        ends_s += time.monotonic() - given_s
            except FrameError:
                raise Ended("the process for SQL sent what is no answer", NARROW) from None

    def _write(self, unsent: memoryview) -> memoryview:
        try:
            return unsent[os.write(self._questions, unsent[:_WRITE]) :]
        except BlockingIOError:
            return unsent
        except OSError:
            return unsent[:0]  # it has ended, and the end of its answers says so

    def _ended(self, limits: Limits) -> UsageError:
        self.kill()  # of one that ends already it changes nothing
        self._reap()
        status = self._status or 0
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        if number in (signal.SIGABRT, signal.SIGKILL) or os.WEXITSTATUS(status) == OUT_OF_MEMORY:
            return OverMemory(
                f"the query needs more than {size_of(limits.memory_bytes)} of memory, or was killed", NARROW
            )
        if number == getattr(signal, "SIGXCPU", None):
            return Ended("the query took too much of the processor and was ended", NARROW)
        if number is None:
            code = os.WEXITSTATUS(status)
            return Ended(f"the process for SQL ended early (exit code {code})", "`mcpobs doctor` checks the set-up")
        return Ended(f"the query broke the engine (signal {number})", "simplify the statement: it may nest too deep")

    def _reap(self) -> None:
        with self._lock:
            if self._status is None and self._pid > 0:
                self._status = 0
                with suppress(ChildProcessError):
                    _, self._status = os.waitpid(self._pid, 0)

    def _remove(self) -> None:
        if self._folder is not None:
            _remove_tree(self._folder)
            _remove_stale(self._folder.parent)
            self._folder = None
        if self._hold is not None:
            os.close(self._hold)
            self._hold = None


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C comes after the block, so that nothing is left behind."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _above_standard(descriptor: int) -> int:
    """A descriptor that is none of stdin, stdout and stderr, though one of them may be closed."""
    if descriptor > 2:
        return descriptor
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(descriptor)
    return moved


OUT_OF_MEMORY: Final = 41
"""Exit code of a process that ended itself because it took more memory than it may."""


def _event(frame: Frame, plain: list[bool]) -> Event:
    match frame["kind"]:
        case "opened":
            return Opened(_damage(frame), int(frame["damaged_lines"]), int(frame["implausible_times"]))
        case "began":
            columns = tuple(Column(str(name), str(type_)) for name, type_ in frame["columns"])
            plain[:] = map(bool, frame["plain"])
            return Began(columns)
        case "rows":
            return _rows(frame, plain)
        case "progress":
            return Progress(float(frame["percent"]))
        case "done":
            return Done(int(frame["total"]), _damage(frame))
        case "error":
            raise _error(frame)
    raise FrameError(f"a frame of kind {frame['kind']!r}")


def _rows(frame: Frame, plain: list[bool]) -> Rows:
    rows: list[Row] = [tuple(given) for given in frame["rows"]]
    if any(len(row) != len(plain) for row in rows):
        raise FrameError("a row has not the columns of its answer")
    if not all(plain):
        rows = [tuple(v if as_is else decoded(v) for v, as_is in zip(row, plain, strict=True)) for row in rows]
    return Rows(rows, int(frame["bytes"]) + _CELL_BYTES * len(rows) * len(plain))


_CELL_BYTES: Final = 48
"""Size of a small value in a tuple."""


def _damage(frame: Frame) -> list[tuple[Path, str]]:
    return [(Path(str(path)), str(why)) for path, why in frame["damaged_files"]]


def _error(frame: Frame) -> McpobsError:
    kinds: dict[str, type[McpobsError]] = {"usage": UsageError, "memory": OverMemory, "lake": LakeError}
    hint = frame["hint"]
    return kinds[frame["error"]](str(frame["message"]), None if hint is None else str(hint))


def _temporary_folder() -> tuple[Path | None, int | None]:
    """A new folder (0700) for the process, and a lock on it that is held for as long as it is used; none if none can
    be written."""
    for root in (os.environ.get("TMPDIR"), "/tmp", "/var/tmp"):
        if not root:
            continue
        folder = Path(root).absolute() / f"{_PREFIX}{os.getpid()}-{os.urandom(6).hex()}"
        try:
            folder.mkdir(mode=0o700)
            hold = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            fcntl.flock(hold, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        return folder, hold
    return None, None


def _remove_stale(root: Path) -> None:
    """Removes what processes that were killed outright left behind: folders of this user that nobody holds."""
    with suppress(OSError), os.scandir(root) as entries:
        for entry in entries:
            if not entry.name.startswith(_PREFIX):
                continue
            with suppress(OSError):
                found = entry.stat(follow_symlinks=False)
                if found.st_uid != os.getuid() or time.time() - found.st_mtime < _STALE_S:
                    continue
                hold = os.open(entry.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
                try:
                    fcntl.flock(hold, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _remove_tree(Path(entry.path))
                finally:
                    os.close(hold)


def _remove_tree(folder: Path) -> None:
    """Removes a folder of ours with all that is in it. Follows no link."""
    for path, folders, files in os.walk(folder, topdown=False):
        for name in files:
            with suppress(OSError):
                os.unlink(os.path.join(path, name))
        for name in folders:
            inner = os.path.join(path, name)
            with suppress(OSError):
                os.unlink(inner) if os.path.islink(inner) else os.rmdir(inner)
    with suppress(OSError):
        os.rmdir(folder)
