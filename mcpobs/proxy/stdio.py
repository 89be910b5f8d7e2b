"""The stdio wrapper: starts the server, relays, records, and ends as the server ended.

The server is started first and everything else is loaded while it starts. Whatever is wrong with the recording
(a lake that cannot be written, a broken configuration) is said once on stderr, and the server is served all the
same.
"""

from __future__ import annotations

import gc
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from mcpobs.proxy import child as process
from mcpobs.proxy import relay
from mcpobs.stderr import warn

if TYPE_CHECKING:
    from mcpobs.proxy.recording import StdioRecording

LINGER_S = 1.0  # a process that the server left behind may still hold its stdout


class InstrumentOptions(NamedTuple):
    """The options of `mcpobs instrument`, by the same names."""

    command: tuple[str, ...]
    lake: str | None = None
    name: str | None = None
    propagate: bool = False


def instrument(options: InstrumentOptions) -> NoReturn:
    """Runs the server behind the wrapper. Ends this process with the server's exit code or signal."""
    server = process.start(options.command)
    process.forward_signals(server)
    recording = _recording(options)
    gc.freeze()  # what is loaded by now stays: the collector need not look through it during a call
    up, down = _ways(server, recording)
    threading.Thread(target=relay.run, args=(up, down), name="relay", daemon=True).start()
    ended = server.wait()
    down.ended.wait(LINGER_S)  # what the server wrote before it ended has to reach the client
    while not down.ended.is_set() and down.silent_s() < LINGER_S and not server.called_in_vain:
        down.ended.wait(LINGER_S)
    if recording is not None:
        _close(recording, ended, server.sent, client_left=up.at_end)
    process.imitate(ended)


def _recording(options: InstrumentOptions) -> StdioRecording | None:
    try:
        from mcpobs.proxy.recording import StdioRecording

        return StdioRecording.open(
            command=options.command,
            lake=Path(options.lake) if options.lake else None,
            name=options.name,
            propagate=options.propagate,
            warn=warn,
        )
    except Exception as error:  # observation fails open
        warn(f"nothing is recorded: {type(error).__name__}: {error}")
        return None


def _close(recording: StdioRecording, ended: process.Exit, sent: set[int], client_left: bool) -> None:
    try:
        recording.close(ended, sent, client_left)
    except Exception as error:  # the server's exit code counts more
        warn(f"the end of the recording failed: {type(error).__name__}: {error}")


def _ways(server: process.Child, recording: StdioRecording | None) -> tuple[relay.Way, relay.Way]:
    """Up, from client to server, and down. A chunk for the server is parsed only when it is passed on: the server
    works meanwhile. One for the client is recorded first: a finished call is on disk before the client knows of it."""
    if recording is None:
        return relay.Way(0, server.stdin), relay.Way(server.stdout, 1)
    tap = recording.tap
    down = relay.Way(server.stdout, 1, show=tap.seen)
    if recording.propagation is None:
        return relay.Way(0, server.stdin, show=tap.note, after=tap.catch_up), down
    propagation = recording.propagation
    up = relay.Way(0, server.stdin, show=propagation.rewrite, after=tap.catch_up, rest=propagation.rest)
    return up, down
