"""The stdio wrapper: starts the server, relays, records, and ends as the server ended.

The server is started first and everything else is loaded while it starts. A recording that fails (a lake that
cannot be written, a broken configuration) is one warning, and the server is served all the same. With a judge it is an
error: no call passes unjudged.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from mcpobs.errors import UsageError
from mcpobs.folders import names_policy, use_config_folder
from mcpobs.proxy import child as process
from mcpobs.proxy.relay import Pipe, Relay
from mcpobs.stderr import warn

if TYPE_CHECKING:
    from mcpobs.gate.judge import Judge
    from mcpobs.proxy.front import StdioFront
    from mcpobs.proxy.relay import Direction

LINGER_S = 1.0  # a process that the server left behind may still hold its stdout


class InstrumentOptions(NamedTuple):
    """The options of `mcpobs instrument`, by the same names."""

    command: tuple[str, ...]
    lake: str | None = None
    name: str | None = None
    propagate: bool = False
    config: str | None = None
    policy: tuple[str, ...] = ()
    run: str | None = None


def instrument(options: InstrumentOptions, judge: Judge | None = None) -> NoReturn:
    """Runs the server behind the wrapper. Ends this process with the server's exit code or signal."""
    if options.config is not None:
        use_config_folder(options.config)
    if judge is None:
        judge = _judge(options)  # before the server: with a wrong policy it is not started
    server = process.start(options.command)
    process.forward_signals(server)
    try:
        front = _open(options, judge)
    except UsageError:
        server.send_signal(signal.SIGTERM)
        raise
    gc.freeze()  # what is loaded by now stays: the collector need not look through it during a call
    relay = _relay(server) if front is None else front.relay(server, options.propagate)
    threading.Thread(target=relay.run, name="relay", daemon=True).start()
    ended = server.wait()
    down: Direction = relay.down
    down.ended.wait(LINGER_S)  # what the server wrote before it ended has to reach the client
    while not down.ended.is_set() and not server.called_in_vain:
        if down.silent_s() >= LINGER_S and not (ended.code == 0 and relay.up.has_reader):
            break
        down.ended.wait(LINGER_S)
    if front is not None:
        _close(front, ended, server.sent, client_left=relay.up.at_end)
    process.imitate(ended)


def _judge(options: InstrumentOptions) -> Judge | None:
    """Returns the judge of the policy. Without a policy it loads nothing: the server must not wait for imports."""
    if not options.policy and not names_policy():
        return None
    from mcpobs.gate.policing import judge_of
    from mcpobs.service import service_name

    return judge_of(options.policy, service_name(options.command, options.name, os.environ), options.lake)


def _open(options: InstrumentOptions, judge: Judge | None) -> StdioFront | None:
    try:
        from mcpobs.proxy.front import StdioFront

        return StdioFront.open(
            command=options.command,
            lake=Path(options.lake) if options.lake else None,
            name=options.name,
            run=options.run,
            warn=warn,
            judge=judge,
        )
    except Exception as error:
        if judge is not None:  # enforcement fails closed: no call passes unjudged
            raise UsageError(f"cannot enforce: {type(error).__name__}: {error}", "correct the judge") from error
        warn(f"nothing is recorded: {type(error).__name__}: {error}")  # observation fails open
        return None


def _close(front: StdioFront, ended: process.Exit, sent: set[int], client_left: bool) -> None:
    try:
        front.close(ended, sent, client_left)
    except Exception as error:  # the server's exit code counts more
        warn(f"the end of the recording failed: {type(error).__name__}: {error}")


def _relay(server: process.Child) -> Relay:
    """Passes bytes on, for a front that could not be opened."""
    return Relay(Pipe(0, server.stdin), Pipe(server.stdout, 1))
