"""Records the calls of this process: opened at the first call, and anew after a fork."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import orjson

from mcpobs import semconv
from mcpobs.gate.gate import Gate
from mcpobs.gate.judge import Judge
from mcpobs.gate.recorder import LakeRecorder
from mcpobs.gate.row import Extra, Origin, Row, Shared
from mcpobs.instrument import tracing
from mcpobs.protocol.call import Call
from mcpobs.protocol.lifecycle import Lifecycle
from mcpobs.protocol.operation import Operation, TraceContext
from mcpobs.protocol.registry import Registry
from mcpobs.protocol.session import Caller, Session, configured
from mcpobs.service import service_name
from mcpobs.sessions.remote import RemoteSessions
from mcpobs.sessions.stdio import StdioSessions
from mcpobs.settings import read_config, run_label
from mcpobs.stderr import Warn
from mcpobs.telemetry.export import Exporter, exporter_from_environment


class ProcessSessions:
    """The sessions of a process that may serve its own pipe and a network."""

    def __init__(self, stdio: StdioSessions, remote: RemoteSessions) -> None:
        self._stdio = stdio
        self._remote = remote

    def begin(self, operation: Operation, caller: Caller, legacy: bool) -> Session:
        return (self._stdio if caller.transport == "stdio" else self._remote).begin(operation, caller, legacy)

    def settle(self, operation: Operation, session: Session, caller: Caller) -> Session:
        return (self._stdio if caller.transport == "stdio" else self._remote).settle(operation, session, caller)


class ProcessRecorder:
    """Gate, lifecycle and exporter of one process. Thread-safe as far as its spool is; `close` ends it."""

    def __init__(
        self,
        recorder: LakeRecorder,
        gate: Gate,
        lifecycle: Lifecycle,
        stdio_caller: Caller,
        network: str,
        exporter: Exporter | None,
    ) -> None:
        self.gate = gate
        self.lifecycle = lifecycle
        self.stdio_caller = stdio_caller
        self._recorder = recorder
        self._network = network
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
        run: str | None = None,
        transport: semconv.Transport,
        registry: Registry,
        warn: Warn,
        judge: Judge | None = None,
        env: Mapping[str, str] = os.environ,
    ) -> ProcessRecorder:
        """`transport` is that of the first call; usually all have the same."""
        process_id = os.urandom(8).hex()
        config = read_config(env, warn)
        stdio = StdioSessions(process_id, time.time_ns(), configured(config.identity))
        origin = Origin(
            service_name=service_name(_command(), name, env),
            instance_id=process_id,
            transport=transport,
            network_transport=_network(transport),
            front="in_process",
            run=run_label(run, env),
        )
        # Whether a row is exported is settled call by call: not where the process's own provider does it.
        quiet = {variable: value for variable, value in env.items() if not variable.startswith("OTEL_")}
        recorder = LakeRecorder.open(origin, stdio.process_session, lake=lake, config=config, warn=warn, env=quiet)
        gate = Gate(recorder, judge, warn)
        sessions = ProcessSessions(stdio, RemoteSessions(process_id, config.idle_gap_s))
        lifecycle = Lifecycle(recorder.facts, registry, sessions, keeps_content=gate.enforcing)
        exporter = _exporter(origin, env, warn)
        return cls(recorder, gate, lifecycle, stdio.caller, origin.network_transport, exporter)

    def record(self, call: Call, exported: bool, link: TraceContext | None = None) -> tuple[Shared, Row]:
        """Records an ended call, and exports it unless the process's own provider does."""
        extra, columns = self._of_caller(call)
        if link is not None:
            columns = columns or {}
            columns["links"] = orjson.dumps([{"trace_id": link.trace_id, "span_id": link.span_id}]).decode()
        shared, own = self.gate.record(call, extra, columns)
        if self._exporter is not None and not exported:
            self._exporter.export({**shared.columns, **own})
        return shared, own

    def record_pending(self, call: Call) -> None:
        """Records how an open call stands. For any thread."""
        self.gate.record_pending(call, *self._of_caller(call))

    def _of_caller(self, call: Call) -> tuple[Extra | None, Row | None]:
        caller = call.caller
        extra = self._on_a_pipe if caller.transport == "stdio" else self._on_a_network
        return extra, None if caller.user_agent is None else {"user_agent": caller.user_agent}

    def _unlike(self, network: str) -> Extra | None:
        """The attribute of a transport that is not that of the first call."""
        return None if network == self._network else {semconv.NETWORK_TRANSPORT: network}

    def close(self) -> None:
        self.gate.close()
        self._recorder.close()
        if self._exporter is not None:
            self._exporter.session_ended(time.monotonic() - self._started_s)
            self._exporter.close()


def _network(transport: semconv.Transport) -> str:
    return semconv.TRANSPORT_PIPE if transport == "stdio" else "tcp"


def _command() -> list[str]:
    """The process's command as it was given, so that a wrapper of the same command finds the same name."""
    return list(sys.orig_argv) or ["python"]


def _exporter(origin: Origin, env: Mapping[str, str], warn: Warn) -> Exporter | None:
    if tracing.has_provider():
        return None
    interval_s = sys.getswitchinterval()
    try:
        return exporter_from_environment(
            env, service_name=origin.service_name, instance_id=origin.instance_id, warn=warn
        )
    except Exception as error:  # a broken package of somebody else
        warn(f"nothing is exported: {type(error).__name__}: {error}")
        return None
    finally:
        sys.setswitchinterval(interval_s)  # the process is not ours
