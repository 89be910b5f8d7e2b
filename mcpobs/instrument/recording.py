"""What the calls of this process are recorded with: opened at the first one, and anew after a fork."""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import orjson

from mcpobs import semconv
from mcpobs.gate.recorder import Recording
from mcpobs.gate.row import Extra, Recorder, Row, Shared
from mcpobs.instrument import tracing
from mcpobs.protocol.eras import MODERN, is_modern
from mcpobs.protocol.operation import Operation, TraceContext
from mcpobs.protocol.session import Caller
from mcpobs.service import service_name
from mcpobs.sessions.remote import RemoteSessions
from mcpobs.sessions.stdio import StdioSessions
from mcpobs.settings import Config, read_config
from mcpobs.stderr import Warn
from mcpobs.telemetry.export import Exporter, exporter_from_environment


class ProcessRecording:
    """One recording process. Thread-safe as far as its spool is; `close` ends it."""

    def __init__(
        self,
        recording: Recording,
        recorder: Recorder,
        stdio: StdioSessions,
        config: Config,
        exporter: Exporter | None,
    ) -> None:
        self.facts = recording.facts
        self.sequence = itertools.count()
        self._recording = recording
        self._recorder = recorder
        self._stdio = stdio
        self._remote = RemoteSessions(recorder.instance_id, config.idle_gap_s)
        self._observer = recording.observer
        self._on_a_pipe = self._unlike(_network("stdio"))
        self._on_a_network = self._unlike(_network("http"))
        self._exporter = exporter
        self._started_s = time.monotonic()

    @classmethod
    def open(
        cls,
        *,
        lake: Path | None,
        name: str | None,
        transport: semconv.Transport,
        warn: Warn,
        env: Mapping[str, str] = os.environ,
    ) -> ProcessRecording:
        """`transport` is that of the first call; nearly always all have the same."""
        process_id = os.urandom(8).hex()
        stdio = StdioSessions(process_id, time.time_ns())
        recorder = Recorder(
            service_name=service_name(_command(), name, env),
            instance_id=process_id,
            transport=transport,
            network_transport=_network(transport),
            front="in_process",
        )
        # Whether a row is exported is settled call by call: not where the process's own provider does it.
        quiet = {variable: value for variable, value in env.items() if not variable.startswith("OTEL_")}
        config = read_config(env, warn)
        recording = Recording.open(recorder, stdio.process_session, lake=lake, config=config, warn=warn, env=quiet)
        return cls(recording, recorder, stdio, config, _exporter(recorder, env, warn))

    def record(
        self, operation: Operation, caller: Caller | None, exported: bool, link: TraceContext | None = None
    ) -> tuple[Shared, Row]:
        """Records a finished operation, and exports it where the process's own provider does not."""
        columns: Row | None = None
        if caller is None:
            session = self._stdio.of(operation, not is_modern(operation.protocol_version or MODERN))
            extra = self._on_a_pipe
        else:
            session = self._remote.of(operation, caller)
            extra = self._on_a_pipe if caller.transport == "stdio" else self._on_a_network
            if caller.user_agent is not None:
                columns = {"user_agent": caller.user_agent}
        if link is not None:
            columns = columns or {}
            columns["links"] = orjson.dumps([{"trace_id": link.trace_id, "span_id": link.span_id}]).decode()
        shared, own = self._observer.end(operation, session, extra, columns)
        if self._exporter is not None and not exported:
            self._exporter.export({**shared.columns, **own})
        return shared, own

    def _unlike(self, network: str) -> Extra | None:
        """What tells a transport that is not that of the first call."""
        return None if network == self._recorder.network_transport else {semconv.NETWORK_TRANSPORT: network}

    def close(self) -> None:
        self._recording.close()
        if self._exporter is not None:
            self._exporter.session_ended(time.monotonic() - self._started_s)
            self._exporter.close()


def _network(transport: semconv.Transport) -> str:
    return semconv.TRANSPORT_PIPE if transport == "stdio" else "tcp"


def _command() -> list[str]:
    """The process's command as it was given, so that a wrapper of the same command finds the same name."""
    return list(sys.orig_argv) or ["python"]


def _exporter(recorder: Recorder, env: Mapping[str, str], warn: Warn) -> Exporter | None:
    if tracing.has_provider():
        return None
    interval_s = sys.getswitchinterval()
    try:
        return exporter_from_environment(
            env, service_name=recorder.service_name, instance_id=recorder.instance_id, warn=warn
        )
    except Exception as error:  # a broken package of somebody else
        warn(f"nothing is exported: {type(error).__name__}: {error}")
        return None
    finally:
        sys.setswitchinterval(interval_s)  # the process is not ours
