"""`mcpobs serve`, behind its options: takes stdin and stdout for the protocol, and answers until the client leaves."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from threading import Lock

from mcpobs import __version__
from mcpobs.cli.streams import commit_first, say
from mcpobs.errors import EXIT_OK, LakeError, UsageError
from mcpobs.folders import lake_folder
from mcpobs.lake.place import require_lake
from mcpobs.serve import stdio
from mcpobs.serve.pool import Pool
from mcpobs.serve.protocol import Conversation
from mcpobs.serve.tools import INSTRUCTIONS, Sources, all_tools

_CONFIGURE = 'put {"command": "mcpobs", "args": ["serve"]} into the configuration of an MCP client'


def run_serve(lake: str | None = None) -> int:
    """Serves until stdin ends; returns the exit code."""
    folder = lake_folder(lake)
    try:
        require_lake(folder)
    except LakeError as error:  # there may be one before the first question
        say(f"{error.message} yet", error.hint)
    if os.isatty(0):
        say("this is an MCP server and waits for a client on stdin; Ctrl-C ends it", _CONFIGURE)
    reader, writer = _taken()
    tools, wake, lock = all_tools(), stdio.Wake(), Lock()

    def prepare(path: Path) -> None:
        if lock.acquire(blocking=False):  # one commits, and the others need not wait: a reader needs no commit
            try:
                commit_first(path)
            finally:
                lock.release()

    pool = Pool(tools, Sources(folder, prepare), wake, say)
    server = {"name": "mcpobs", "title": "mcpobs", "version": __version__}
    conversation = Conversation([tool.shown() for tool in tools], server, INSTRUCTIONS)
    connection = stdio.Connection(conversation, pool, wake, reader, writer)
    signal.signal(signal.SIGTERM, lambda *_: connection.end())
    try:
        connection.serve()
    finally:
        if not pool.close():
            # A thread is in the middle of the engine, where no interrupt reaches it, and Python would wait for it.
            os._exit(EXIT_OK)
    return EXIT_OK


def _taken() -> tuple[int, int]:
    """stdin and stdout for the protocol alone: what anything else prints goes to stderr, and nobody else reads."""
    try:
        reader, writer = os.dup(0), os.dup(1)
    except OSError:
        raise UsageError("serve needs stdin and stdout, and one of them is closed", _CONFIGURE) from None
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2 if _is_open(2) else nothing, 1)
    os.close(nothing)
    return reader, writer


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
