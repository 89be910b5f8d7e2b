"""Everything that one wrapped connection is recorded with, put together: lake, key, session, spool, export."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Callable, Mapping, Sequence

from mcpobs import keys, semconv
from mcpobs.errors import McpobsError
from mcpobs.observer import Observer, Recorder, loss_row
from mcpobs.protocol.conversation import Conversation
from mcpobs.protocol.facts import Facts
from mcpobs.protocol.session import Session, StdioSessions
from mcpobs.proxy.child import Exit
from mcpobs.proxy.propagation import Propagation
from mcpobs.proxy.service import service_name
from mcpobs.proxy.tap import Tap
from mcpobs.settings import Config, lake_folder, load_config
from mcpobs.telemetry.export import Exporter, exporter_from_environment
from mcpobs.telemetry.spool import Spool

Warn = Callable[[str], None]


class Recording:
    """One wrapped connection: `tap` sees the bytes; `close` ends it. Recording fails open, piece by piece."""

    def __init__(self, lake: Path, spool: Spool, exporter: Exporter | None, tap: Tap, warn: Warn) -> None:
        self._lake = lake
        self._spool = spool
        self._exporter = exporter
        self._warn = warn
        self._started_s = time.monotonic()
        self.tap = tap
        self.propagation: Propagation | None = None
        self.client_left = False

    @classmethod
    def open(
        cls,
        *,
        command: Sequence[str],
        lake: Path | None,
        name: str | None,
        propagate: bool,
        warn: Warn,
        env: Mapping[str, str] = os.environ,
    ) -> Recording:
        folder = lake_folder(lake, env)
        process_id = os.urandom(8).hex()
        recorder = Recorder(
            service_name=service_name(command, name, env),
            instance_id=process_id,
            transport="stdio",
            network_transport=semconv.TRANSPORT_PIPE,
        )
        sessions = StdioSessions(process_id, time.time_ns())
        session = sessions.process_session
        spool = Spool(
            folder,
            lambda count, reason: loss_row(recorder, session, count, reason),
            rolled=lambda: _commit_in_background(folder),
            failed=lambda error: warn(_unwritable(folder, error)),
        )
        exporter = exporter_from_environment(
            env, service_name=recorder.service_name, instance_id=process_id, warn=warn
        )
        observer = Observer(recorder, spool, exporter, _config(warn))
        tap = Tap(Conversation(Facts(_digest_key(folder, warn))), sessions, observer, warn)
        recording = cls(folder, spool, exporter, tap, warn)
        if propagate:
            recording.propagation = Propagation(tap)
        return recording

    def close(self, ended: Exit) -> None:
        """Records what the server left unfinished, flushes, and lets the committer run if there is work for it."""
        extra: dict[str, str | int] = {}
        if ended.code is not None:
            extra[semconv.SERVER_EXIT_CODE] = ended.code
        if ended.signal_name is not None:
            extra[semconv.SERVER_EXIT_SIGNAL] = ended.signal_name
        went_well = ended.code == 0
        self.tap.close("client_disconnect" if self.client_left and went_well else "server_exit", extra)
        self._spool.close()
        if self._spool.lost_total:
            self._warn(f"{self._spool.lost_total} operations were not recorded: {self._spool.last_error}")
        if self._exporter is not None:
            self._exporter.session_ended(time.monotonic() - self._started_s)
            self._exporter.close()
        _commit_in_background(self._lake)


def _digest_key(folder: Path, warn: Warn) -> bytes:
    """The key of the lake; where the lake cannot be made one of this process, so that the call path is the same."""
    try:
        return keys.digest_key(keys.open_folder(folder))
    except McpobsError as error:
        warn(f"nothing is recorded: {error.message}" + (f"\nhint: {error.hint}" if error.hint else ""))
        return os.urandom(keys.KEY_BYTES)


def _config(warn: Warn) -> Config:
    try:
        return load_config()
    except McpobsError as error:
        warn(f"no prices: {error.message}")
        return Config()


def _unwritable(folder: Path, error: OSError) -> str:
    return (
        f"cannot record to {folder}: {error.strerror or error}; the server goes on\n"
        "hint: free some space or check the permissions; recording resumes by itself, and counts what it lost"
    )


def _commit_in_background(lake: Path) -> None:
    """Lets a committer of its own turn the spool into Parquet, once there is enough to make it worth while."""
    from mcpobs.lake.backlog import worth_committing

    try:
        if not worth_committing(lake):
            return
        import subprocess  # 20 ms that most wrappers never pay
        import sys

        subprocess.Popen(
            [sys.executable, "-P", "-m", "mcpobs.lake.commit", str(lake)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        pass  # the next wrapper or report does it
