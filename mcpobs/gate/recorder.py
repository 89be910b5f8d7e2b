"""Records ended operations: row, spool, export. Puts together what a process records with. Sees no bytes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Protocol

from mcpobs import keys
from mcpobs.errors import McpobsError
from mcpobs.folders import config_folder, lake_folder
from mcpobs.gate.row import Extra, Origin, Row, Rows, Shared
from mcpobs.prices.book import Book
from mcpobs.protocol.facts import Facts
from mcpobs.protocol.operation import Operation
from mcpobs.protocol.session import Session
from mcpobs.segment import LinePrefix
from mcpobs.settings import Config, read_config
from mcpobs.stderr import Warn
from mcpobs.telemetry.export import Exporter, exporter_from_environment
from mcpobs.telemetry.spool import LossRow, Spool

if TYPE_CHECKING:
    from subprocess import Popen

_RESUMES = "recording resumes by itself, and counts what it lost"


class Sink(Protocol):
    """Stores rows durably: the spool."""

    def write(self, row: Row, prefix: LinePrefix) -> bool:
        """Writes the columns of the prefix and those of the row. False if they could not be written."""


class RowExporter(Protocol):
    """Sends rows elsewhere: OTLP. Must only enqueue."""

    def export(self, row: Row) -> None:
        """Queues a row, which nobody changes any more."""


class Recorder:
    """Turns ended operations into rows, and hands them to the spool and to the export. Never sees content."""

    def __init__(self, rows: Rows, sink: Sink | None, exporter: RowExporter | None = None) -> None:
        self._rows = rows
        self._sink = sink
        self._row_exporter = exporter

    def record(
        self, operation: Operation, session: Session, extra: Extra | None = None, columns: Row | None = None
    ) -> tuple[Shared, Row]:
        """Records an ended operation and returns its row, as `Rows.of` does; it is durable then."""
        shared, own = self._rows.of(operation, session, extra, columns)
        if self._sink is not None:
            self._sink.write(own, shared.prefix)
        if self._row_exporter is not None:
            self._row_exporter.export({**shared.columns, **own})
        return shared, own

    def record_pending(
        self, operation: Operation, session: Session, extra: Extra | None = None, columns: Row | None = None
    ) -> None:
        """Writes the row of an open operation, which that of its end supersedes. A span is exported at its end only."""
        if self._sink is not None:
            shared, own = self._rows.of(operation, session, extra, columns)
            self._sink.write(own, shared.prefix)

    def note(self, session: Session, columns: Row) -> None:
        """Records a span that is no operation; `columns` has at least its ids, name, kind and times."""
        shared, own = self._rows.note(session, columns)
        if self._sink is not None:
            self._sink.write(own, shared.prefix)
        if self._row_exporter is not None:
            self._row_exporter.export({**shared.columns, **own})


class LakeRecorder(Recorder):
    """The recorder of one process: `facts` says what is kept of content, `close` ends it.

    It fails open, piece by piece: a lake, a key or an export that cannot be had is one warning, and the calls go on.
    """

    def __init__(
        self,
        lake: Path,
        facts: Facts,
        rows: Rows,
        spool: Spool | None,
        exporter: Exporter | None,
        warn: Warn,
        env: Mapping[str, str],
    ) -> None:
        super().__init__(rows, spool, exporter)
        self.facts = facts
        self._lake = lake
        self._spool = spool
        self._exporter = exporter
        self._warn = warn
        self._env = env
        self._started_s = time.monotonic()
        self._committer: Popen[bytes] | None = None  # kept, for Popen complains of a process that it forgets

    @classmethod
    def open(
        cls,
        origin: Origin,
        nobody: Session,
        *,
        lake: Path | None,
        warn: Warn,
        config: Config | None = None,
        env: Mapping[str, str] = os.environ,
    ) -> LakeRecorder:
        """`nobody` is the session of what belongs to no operation; `config` is read from `env` if it is not given."""
        folder = lake_folder(lake, env)
        settings = config_folder(env)
        config = config or read_config(env, warn)
        book = _book(config, settings, warn, env)
        rows = Rows(origin, book or None)
        key, spool = _open_lake(
            folder,
            settings,
            lambda count, reason: rows.loss(nobody, count, reason),
            lambda: _commit_after_roll(folder, env),
            warn,
        )
        texts = config.record.errors_of(origin.service_name)
        facts = Facts(key, partial(book.of, origin.service_name) if book else None, texts)
        return cls(folder, facts, rows, spool, _exporter(env, origin, warn), warn, env)

    def close(self) -> None:
        """Flushes, and starts the committer if enough waits."""
        if self._spool is not None:
            self._spool.close()
            if self._spool.lost_total:
                self._warn(f"{self._spool.lost_total} operations were not recorded: {self._spool.reason}")
            self._committer = _commit_in_background(self._lake, self._env)
        if self._exporter is not None:
            self._exporter.session_ended(time.monotonic() - self._started_s)
            self._exporter.close()


def _open_lake(
    folder: Path, settings: Path, loss_row: LossRow, rolled: Callable[[], None], warn: Warn
) -> tuple[bytes, Spool | None]:
    """Opens the lake: the key of its digests, and its spool. If the lake cannot be made, the key is one of this process
    alone, so that the call path is the same. A folder that is no lake of ours is left alone."""
    try:
        key = keys.digest_key(keys.open_folder(folder), settings, warn)
    except keys.UnwritableError as error:
        warn(f"nothing is recorded: {error.message}; the server goes on\nhint: {error.hint}; {_RESUMES}")
        return os.urandom(keys.KEY_BYTES), Spool(folder, loss_row, rolled=rolled)
    except McpobsError as error:
        warn(f"nothing is recorded: {error.message}; the server goes on\nhint: {error.hint}")
        return os.urandom(keys.KEY_BYTES), None
    return key, Spool(folder, loss_row, rolled=rolled, failed=lambda error: warn(_unwritable(folder, error)))


def _exporter(env: Mapping[str, str], origin: Origin, warn: Warn) -> Exporter | None:
    try:
        return exporter_from_environment(
            env, service_name=origin.service_name, instance_id=origin.instance_id, warn=warn
        )
    except Exception as error:  # a broken package of somebody else
        warn(f"nothing is exported: {type(error).__name__}: {error}")
        return None


def _book(config: Config, settings: Path, warn: Warn, env: Mapping[str, str]) -> Book:
    """The prices; a warning for models whose prices cannot be found."""
    book = config.prices
    if not book.models:
        return book
    try:
        from mcpobs.prices import models  # 5 ms that others do not pay

        return models.resolved(book, settings, warn, env)
    except McpobsError as error:
        warn(f"no prices: {error.message}" + (f"\nhint: {error.hint}" if error.hint else ""))
        return Book()


def _unwritable(folder: Path, error: OSError) -> str:
    return (
        f"cannot record to {folder}: {error.strerror or error}; the server goes on\n"
        f"hint: free some space or check the permissions; {_RESUMES}"
    )


def _commit_after_roll(lake: Path, env: Mapping[str, str]) -> None:
    """Starts the committer from a thread, because starting a process would delay a call; the thread reaps it."""

    def commit() -> None:
        committer = _commit_in_background(lake, env)
        if committer is not None:
            committer.wait()

    with suppress(RuntimeError):  # no thread to be had
        Thread(target=commit, name="commit", daemon=True).start()


def _commit_in_background(lake: Path, env: Mapping[str, str]) -> Popen[bytes] | None:
    """Starts a process that turns the spool into Parquet if enough of it waits and no such process runs or has just
    ended."""
    from mcpobs.lake.backlog import committer_due

    if not committer_due(lake):
        return None
    import subprocess  # 20 ms that most wrappers never pay

    from mcpobs import interpreter

    with suppress(OSError):  # the next wrapper or report does it
        return subprocess.Popen(
            interpreter.command("mcpobs.lake.commit", str(lake)),
            env=interpreter.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",  # the server's folder is to be free when the server is gone
            start_new_session=True,
        )
    return None
