"""The process that runs a user's SQL: one question from stdin, its answer to stdout. Started by `process.py`.

It is expected to be killed at any moment, and to be broken by a statement. It holds nothing that must be put in order:
its temporary files lie in a folder that the process which started it removes.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Final

from mcpobs.errors import LakeError, McpobsError, UsageError
from mcpobs.lake.engine import Connection, EngineError
from mcpobs.lake.reader import Reading, open_reading
from mcpobs.queries import fence, own
from mcpobs.queries.frames import MAX_FRAME, Frame, FrameError, encoded, is_plain, packed, packed_rows, take
from mcpobs.queries.header import Column
from mcpobs.queries.limits import NARROW, Limits
from mcpobs.queries.process import OUT_OF_MEMORY, Question, Row

_ENGINE_SHARE: Final = 0.75
"""Of the memory, for what the engine itself counts. The rest is for what it does not count: long texts, and Python."""

_OWN_BYTES: Final = 256 << 20  # of a process that does nothing yet, as the kernel counts: stacks, arenas, modules
_THREAD_BYTES: Final = 16 << 20
_CPU_GRACE_S: Final = 5
_FILES: Final = 1024
_MOST_INHERITED: Final = 1 << 16
_WATCH_MS: Final = 100
_PROGRESS_TICKS: Final = 3
_PR_SET_PDEATHSIG: Final = 1
_MAX_MESSAGE: Final = 2_000


def main() -> None:
    """Answers one question and ends. Prints nothing, and leaves no dump."""
    os.closerange(3, min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], _MOST_INHERITED))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()
    questions, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):  # what anything prints is no answer
        os.dup2(nothing, descriptor)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _die_with_parent(parent)
    frame = _question(questions)
    if frame is None:
        return
    names = Limits.__dataclass_fields__
    limits = Limits(**{name: frame[name] for name in names})
    question = Question(**{name: frame[name] for name in Question.__dataclass_fields__})
    most_bytes = _limit_process(limits)
    if (folder := os.environ.get("TMPDIR")) and os.path.isabs(folder):
        with suppress(OSError):
            os.chdir(folder)
    sender = _Sender(answers, question)
    Thread(target=_watch, args=(questions, sender, most_bytes), name="mcpobs-watch", daemon=True).start()
    try:
        _answer(question, limits, sender)
    except McpobsError as error:
        memory = "memory" if error.hint == NARROW else "usage"
        sender.fail("lake" if isinstance(error, LakeError) else memory, error.message, error.hint)
    except MemoryError:
        sender.fail("memory", "the query needs too much memory", NARROW)
    except BrokenPipeError:
        pass  # nobody waits for the answer
    except Exception as error:  # its text may quote the lake
        where = traceback.extract_tb(error.__traceback__)[-1]
        kind, place = type(error).__name__, f"{os.path.basename(where.filename)}:{where.lineno}"
        sender.fail("usage", f"the SQL does not work: {kind} at {place}", "simplify the statement")
    os._exit(0)  # without the engine's own end, which has nothing to save


class _Sender:
    """Writes frames, from two threads. Owns what was sent of the answer."""

    def __init__(self, descriptor: int, question: Question) -> None:
        self.connection: Connection | None = None
        """Of a query that is followed."""
        self._descriptor = descriptor
        self._lock = Lock()
        self._answer_bytes = question.answer_bytes
        self._frame_bytes = min(MAX_FRAME // 2, question.answer_bytes or MAX_FRAME)
        self._max_columns = question.columns
        self._texts = question.characters is not None
        self._plain: list[bool] = []
        self._left_bytes = 0

    def send(self, frame: Frame) -> None:
        self._write(packed(frame))

    def _write(self, frame: bytes) -> None:
        content = memoryview(frame)
        with self._lock:
            while content:
                content = content[os.write(self._descriptor, content) :]

    def opened(self, reading: Reading) -> None:
        counts = {"damaged_lines": reading.damaged_lines, "implausible_times": reading.implausible_times}
        self.send({"kind": "opened", **counts, **_damage(reading)})

    def done(self, reading: Reading, total: int) -> None:
        self.send({"kind": "done", "total": total, **_damage(reading)})

    def fail(self, kind: str, message: str, hint: str | None) -> None:
        """Sends an error, whose text may quote a long statement or value."""
        self.connection = None
        with suppress(OSError):
            self.send({"kind": "error", "error": kind, "message": _short(message), "hint": hint and _short(hint)})

    def begin(self, columns: Sequence[Column]) -> None:
        if self._max_columns is not None and len(columns) > self._max_columns:
            raise UsageError(
                f"the answer has {len(columns):,} columns, and {self._max_columns:,} are the most",
                "select fewer columns",
            )
        self._plain = [
            is_plain(column.type) or (self._texts and not column.type.startswith("decimal(")) for column in columns
        ]
        self._left_bytes = self._answer_bytes or 0
        shown = [[column.name, column.type] for column in columns]
        try:
            self.send({"kind": "began", "columns": shown, "plain": self._plain})
        except FrameError:
            raise UsageError("the names of the columns are too long", "select fewer columns") from None

    def add(self, rows: Sequence[Row]) -> int:
        """Sends rows; returns how many bytes they have. Raises own.Enough when no more are wanted."""
        size = self._add(rows)
        if self._answer_bytes is not None:
            self._left_bytes -= size
            if self._left_bytes < 0:
                raise own.Enough
        return size

    def _add(self, rows: Sequence[Row]) -> int:
        if all(self._plain):
            values: list[Any] = list(rows)
        else:
            values = [
                [value if plain else encoded(value) for value, plain in zip(row, self._plain, strict=True)]
                for row in rows
            ]
        try:
            content = packed_rows(values)
        except FrameError:
            content = b""
        if not 0 < len(content) <= self._frame_bytes:
            if len(rows) == 1:
                raise UsageError(
                    f"a row of the answer has more than {self._frame_bytes >> 10:,} KiB",
                    "select fewer columns, or the beginning of a long text: left(x, 1000)",
                )
            half = len(rows) // 2
            return self._add(rows[:half]) + self._add(rows[half:])
        self._write(content)
        return len(content)


def _answer(question: Question, limits: Limits, sender: _Sender) -> None:
    with open_reading(Path(question.lake)) as reading:
        connection = reading.connection
        if limits.threads is not None:
            connection.execute(f"set threads = {limits.threads:d}")
        sender.opened(reading)
        if question.progress:
            with suppress(EngineError):
                connection.execute("set enable_progress_bar_print = false")  # or it draws one on stdout
                connection.execute("set enable_progress_bar = true")
                sender.connection = connection
        room = fence.Room(int(limits.memory_bytes * _ENGINE_SHARE), limits.spill_bytes)
        total = own.run_own(
            reading, question.sql, sender, limit=question.limit, characters=question.characters, room=room
        )
        sender.connection = None
        sender.done(reading, total)


def _question(descriptor: int) -> Frame | None:
    """The question; None if the process that would have asked is gone."""
    read = bytearray()
    while (frame := take(read)) is None:
        chunk = os.read(descriptor, 1 << 18)
        if not chunk:
            return None
        read += chunk
    return frame


def _limit_process(limits: Limits) -> int:
    """Sets the limits of the kernel; returns how many bytes of memory the process may have in use."""
    threads = limits.threads or os.cpu_count() or 1
    most_bytes = limits.memory_bytes + _OWN_BYTES + _THREAD_BYTES * threads
    bounds = {resource.RLIMIT_DATA: most_bytes, resource.RLIMIT_FSIZE: limits.spill_bytes}
    bounds[resource.RLIMIT_NOFILE] = _FILES
    if limits.timeout_s is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        bounds[resource.RLIMIT_CPU] = int(used.ru_utime + used.ru_stime + limits.timeout_s * threads) + _CPU_GRACE_S
    for what, bound in bounds.items():
        _, hard = resource.getrlimit(what)
        bound = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(what, (bound, bound))
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # of all processes this one is the first to go
    with suppress(OSError):
        os.nice(limits.nice)
    return most_bytes


def _die_with_parent(parent: int) -> None:
    """Lets Linux end this process with the one that started it. Elsewhere the end of its questions does it."""
    if sys.platform != "linux":
        return
    try:
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        return
    if os.getppid() != parent:
        os._exit(1)


def _watch(questions: int, sender: _Sender, most_bytes: int) -> None:
    """Ends the process when nobody waits for it any more, or when it takes too much memory and the kernel does not
    enforce the limit. Reports how far the query is."""
    poll = select.poll()
    poll.register(questions, select.POLLIN)
    tick = 0
    while not poll.poll(_WATCH_MS):
        if _used_bytes() > most_bytes + _OWN_BYTES:
            os._exit(OUT_OF_MEMORY)
        tick += 1
        connection = sender.connection
        if connection is not None and tick % _PROGRESS_TICKS == 0:
            with suppress(EngineError, OSError):
                sender.send({"kind": "progress", "percent": connection.query_progress()})
    os.kill(os.getpid(), signal.SIGKILL)


def _used_bytes() -> int:
    """The memory of this process. Not ru_maxrss on Linux: a process that was spawned begins with that of its parent."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _damage(reading: Reading) -> Frame:
    return {"damaged_files": [[str(path), why] for path, why in reading.damaged_files[:1_000]]}


def _short(text: str) -> str:
    return text if len(text) <= _MAX_MESSAGE else text[:_MAX_MESSAGE] + "…"
