"""The stdio wrapper: starts the server, relays, records, and ends as the server ended.

The server is started first and everything else is loaded while it starts. Whatever is wrong with the recording
(a lake that cannot be written, a broken configuration) is said once on stderr, and the server is served all the
same.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Callable, NamedTuple, NoReturn

from mcpobs.proxy import child as process
from mcpobs.proxy import relay

if TYPE_CHECKING:
    from mcpobs.proxy.recording import Recording

LINGER_S = 1.0  # a process that the server left behind may still hold its stdout


class InstrumentOptions(NamedTuple):
    """The options of `mcpobs instrument`, by the same names."""

    command: tuple[str, ...]
    lake: str | None = None
    name: str | None = None
    propagate: bool = False


def warn(message: str) -> None:
    """One line on stderr, which is shared with the server: written at once, so that lines do not mix."""
    try:
        os.write(2, f"mcpobs: {message}\n".encode(errors="replace"))
    except OSError:
        pass


def instrument(options: InstrumentOptions) -> NoReturn:
    """Runs the server behind the wrapper. Ends this process with the server's exit code or signal."""
    server = process.start(options.command)
    process.forward_signals(server)
    recording = _recording(options)
    threading.Thread(target=_upstream, args=(server, recording), name="upstream", daemon=True).start()
    down = threading.Thread(target=_downstream, args=(server, recording), name="downstream", daemon=True)
    down.start()
    ended = server.wait()
    _drain(down, recording)
    if recording is not None:
        recording.close(ended)
    sys.stderr.flush()
    process.imitate(ended)


def _recording(options: InstrumentOptions) -> Recording | None:
    try:
        from mcpobs.proxy.recording import Recording

        return Recording.open(
            command=options.command,
            lake=Path(options.lake) if options.lake else None,
            name=options.name,
            propagate=options.propagate,
            warn=warn,
        )
    except Exception as error:  # observation fails open
        warn(f"nothing is recorded: {type(error).__name__}: {error}")
        return None


def _upstream(server: process.Child, recording: Recording | None) -> None:
    if recording is None:
        relay.upstream(0, server.stdin, relay.unseen, _nothing)
    elif recording.propagation is not None:
        relay.rewritten(0, server.stdin, recording.propagation.rewrite, recording.propagation.rest, recording.tap.catch_up)
    else:
        relay.upstream(0, server.stdin, recording.tap.note, recording.tap.catch_up)
    if recording is not None:
        recording.client_left = True


def _downstream(server: process.Child, recording: Recording | None) -> None:
    seen: Callable[[bytes], None] = relay.unseen if recording is None else recording.tap.seen
    relay.downstream(server.stdout, 1, seen)


def _drain(down: threading.Thread, recording: Recording | None) -> None:
    """Waits until what the server wrote before it ended has been passed on."""
    down.join(LINGER_S)
    while down.is_alive() and recording is not None and recording.tap.idle_s() < LINGER_S:
        down.join(LINGER_S)


def _nothing() -> None:
    pass
