"""The stdio wrapper: starts the server, relays, records, and ends as the server ended.

The server is started first and everything else is loaded while it starts. Whatever is wrong with the recording
(a lake that cannot be written, a broken configuration) is said once on stderr, and the server is served all the
same.
"""

from __future__ import annotations

import os
import select
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from mcpobs.proxy import child as process
from mcpobs.proxy import relay

if TYPE_CHECKING:
    from mcpobs.proxy.recording import Recording

LINGER_S = 1.0  # a process that the server left behind may still hold its stdout
WARN_MS = 100


class InstrumentOptions(NamedTuple):
    """The options of `mcpobs instrument`, by the same names."""

    command: tuple[str, ...]
    lake: str | None = None
    name: str | None = None
    propagate: bool = False


def warn(message: str) -> None:
    """One line on stderr, which is shared with the server: written at once, so that lines do not mix. Dropped where
    nobody reads stderr: the calls must not wait for that."""
    poll = select.poll()
    try:
        poll.register(2, select.POLLOUT)
        if poll.poll(WARN_MS):
            os.write(2, f"mcpobs: {message}\n".encode(errors="replace"))
    except OSError:
        pass


def instrument(options: InstrumentOptions) -> NoReturn:
    """Runs the server behind the wrapper. Ends this process with the server's exit code or signal."""
    server = process.start(options.command)
    process.forward_signals(server)
    recording = _recording(options)
    down = relay.Downstream(server.stdout, 1, relay.unseen if recording is None else recording.tap.seen)
    threading.Thread(target=_upstream, args=(server, recording), name="upstream", daemon=True).start()
    downstream = threading.Thread(target=down.run, name="downstream", daemon=True)
    downstream.start()
    ended = server.wait()
    downstream.join(LINGER_S)  # what the server wrote before it ended has to reach the client
    while downstream.is_alive() and down.silent_s() < LINGER_S and not server.called_in_vain:
        downstream.join(LINGER_S)
    if recording is not None:
        _close(recording, ended, server.sent)
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


def _close(recording: Recording, ended: process.Exit, sent: set[int]) -> None:
    try:
        recording.close(ended, sent)
    except Exception as error:  # the server's exit code counts more
        warn(f"the end of the recording failed: {type(error).__name__}: {error}")


def _upstream(server: process.Child, recording: Recording | None) -> None:
    if recording is None:
        relay.upstream(0, server.stdin, relay.unseen, _nothing)
    elif recording.propagation is not None:
        rewrite, rest = recording.propagation.rewrite, recording.propagation.rest
        recording.client_left = relay.rewritten(0, server.stdin, rewrite, rest, recording.tap.catch_up)
    else:
        recording.client_left = relay.upstream(0, server.stdin, recording.tap.note, recording.tap.catch_up)
    relay.close(server.stdin)
    relay.close(0)  # where the server does not read any more, the client must see a broken pipe as well


def _nothing() -> None:
    pass
