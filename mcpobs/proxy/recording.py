"""What one wrapped stdio connection is recorded with."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from mcpobs import semconv
from mcpobs.gate.gate import Gate
from mcpobs.gate.recorder import LakeRecorder
from mcpobs.gate.row import Origin
from mcpobs.protocol.conversation import Conversation
from mcpobs.protocol.lifecycle import Lifecycle
from mcpobs.protocol.registry import Registry
from mcpobs.proxy.child import Exit
from mcpobs.proxy.propagation import Propagation
from mcpobs.proxy.tap import Tap
from mcpobs.service import service_name
from mcpobs.sessions.stdio import StdioSessions
from mcpobs.settings import read_config
from mcpobs.stderr import Faults, Warn


class StdioRecording:
    """One wrapped connection: `tap` sees the bytes; `close` ends it."""

    def __init__(self, recorder: LakeRecorder, tap: Tap, propagation: Propagation | None) -> None:
        self._recorder = recorder
        self.tap = tap
        self.propagation = propagation

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
    ) -> StdioRecording:
        process_id = os.urandom(8).hex()
        origin = Origin(
            service_name=service_name(command, name, env),
            instance_id=process_id,
            transport="stdio",
            network_transport=semconv.TRANSPORT_PIPE,
            front="proxy/stdio",
        )
        sessions = StdioSessions(process_id, time.time_ns())
        recorder = LakeRecorder.open(
            origin, sessions.process_session, lake=lake, config=read_config(env, warn), warn=warn, env=env
        )
        gate = Gate(recorder, warn=warn)
        lifecycle = Lifecycle(recorder.facts, Registry(), sessions, keeps_params=gate.enforcing)
        faults = Faults("a frame could not be observed", "the server goes on", warn)
        tap = Tap(Conversation(lifecycle, sessions.caller), gate, faults)
        return cls(recorder, tap, Propagation(tap, faults) if propagate else None)

    def close(self, ended: Exit, sent: Collection[int], client_left: bool) -> None:
        """Records what the server left unfinished, and ends the recording.

        `sent` are the signals that were passed on to the server; `client_left` where the client's end came first."""
        extra: dict[str, str | int] = {}
        if ended.code is not None:
            extra[semconv.SERVER_EXIT_CODE] = ended.code
        if ended.signal_name is not None:
            extra[semconv.SERVER_EXIT_SIGNAL] = ended.signal_name
        as_wished = (ended.code == 0 and client_left) or ended.signal in sent
        self.tap.close("client_disconnect" if as_wished else "server_exit", extra)
        self._recorder.close()
