"""One wrapped stdio connection: its recorder and gate, and the relay that takes its frames there."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mcpobs import semconv
from mcpobs.gate.gate import Gate
from mcpobs.gate.recorder import LakeRecorder
from mcpobs.gate.row import Origin
from mcpobs.protocol.conversation import Conversation
from mcpobs.protocol.lifecycle import Lifecycle
from mcpobs.protocol.registry import Registry
from mcpobs.protocol.session import configured
from mcpobs.proxy.child import Child, Exit
from mcpobs.proxy.propagation import Propagation, prepared
from mcpobs.proxy.relay import Pipe, Relay
from mcpobs.proxy.tap import Tap
from mcpobs.service import service_name
from mcpobs.sessions.stdio import StdioSessions
from mcpobs.settings import read_config, run_label
from mcpobs.stderr import Faults, Warn

if TYPE_CHECKING:
    from mcpobs.gate.judge import Judge
    from mcpobs.proxy.framed import FramedRelay


class StdioFront:
    """Serves one connection. Without a judge a `Tap` reads along; with one a `FramedRelay` holds each frame."""

    def __init__(self, recorder: LakeRecorder, gate: Gate, conversation: Conversation, faults: Faults) -> None:
        self._recorder = recorder
        self._gate = gate
        self._conversation = conversation
        self._faults = faults
        self._closing: Tap | FramedRelay | None = None

    @classmethod
    def open(
        cls,
        *,
        command: Sequence[str],
        lake: Path | None,
        name: str | None,
        run: str | None = None,
        warn: Warn,
        judge: Judge | None = None,
        env: Mapping[str, str] = os.environ,
    ) -> StdioFront:
        process_id = os.urandom(8).hex()
        origin = Origin(
            service_name=service_name(command, name, env),
            instance_id=process_id,
            transport="stdio",
            network_transport=semconv.TRANSPORT_PIPE,
            front="proxy/stdio",
            run=run_label(run, env),
        )
        config = read_config(env, warn)
        sessions = StdioSessions(process_id, time.time_ns(), configured(config.identity))
        recorder = LakeRecorder.open(origin, sessions.process_session, lake=lake, config=config, warn=warn, env=env)
        gate = Gate(recorder, judge, warn)
        lifecycle = Lifecycle(
            recorder.facts, Registry(), sessions, keeps_content=gate.enforcing, puts_off=gate.enforcing
        )
        faults = Faults("a frame could not be observed", "the server goes on", warn)
        return cls(recorder, gate, Conversation(lifecycle, sessions.caller), faults)

    def relay(self, server: Child, propagate: bool) -> Relay | FramedRelay:
        """The relay between the client and the server."""
        if self._gate.enforcing:
            return self._framed(server, propagate)
        tap = self._closing = Tap(self._conversation, self._gate, self._faults)
        # A chunk for the client is recorded first: a finished call is on disk before the client knows of it.
        down = Pipe(server.stdout, 1, show=tap.seen)
        if not propagate:
            # A chunk for the server is parsed only when it is passed on: the server works meanwhile.
            return Relay(Pipe(0, server.stdin, show=tap.note, after=tap.catch_up), down, tap.waits.ms)
        propagation = Propagation(tap, self._faults)
        up = Pipe(0, server.stdin, show=propagation.rewrite, after=tap.catch_up, rest=propagation.rest)
        return Relay(up, down, tap.waits.ms)

    def _framed(self, server: Child, propagate: bool) -> FramedRelay:
        from mcpobs.gate.frames import FrameGate  # with the strict reader, for those who enforce
        from mcpobs.proxy.framed import FramedRelay, unchanged

        frame_gate = FrameGate(self._gate, self._conversation)
        ends = (0, server.stdin), (server.stdout, 1)
        prepare = prepared if propagate else unchanged
        framed = self._closing = FramedRelay(*ends, self._gate, frame_gate, self._faults, prepare)
        return framed

    def close(self, ended: Exit, sent: Collection[int], client_left: bool) -> None:
        """Records what the server left unfinished, and ends the recording.

        `sent` are the signals that were passed on to the server; `client_left`: the client's end came first."""
        extra: dict[str, str | int] = {}
        if ended.code is not None:
            extra[semconv.SERVER_EXIT_CODE] = ended.code
        if ended.signal_name is not None:
            extra[semconv.SERVER_EXIT_SIGNAL] = ended.signal_name
        as_wished = (ended.code == 0 and client_left) or ended.signal in sent
        if self._closing is not None:
            how, text = ("client_disconnect", None) if as_wished else ("server_exit", _said(ended))
            self._closing.close(how, extra, text)
        self._gate.close()
        self._recorder.close()


def _said(ended: Exit) -> str:
    """Says how a server ended that had still to answer."""
    how = f"exit code {ended.code}" if ended.signal_name is None else ended.signal_name
    return f"the server ended with {how}"
