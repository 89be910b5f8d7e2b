"""Instruments this process, and undoes it. Imports no SDK: what the process imports is patched when it does."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from mcpobs.instrument import fastmcp, http, mcp_v1, mcp_v2
from mcpobs.instrument.ending import Ending
from mcpobs.instrument.front import Front
from mcpobs.instrument.imports import Imports
from mcpobs.stderr import warn

if TYPE_CHECKING:
    from types import ModuleType

    from mcpobs.gate.judge import Judge

_lock = Lock()
_active: tuple[Front, Imports, Ending] | None = None


def instrument(
    *, lake: str | os.PathLike[str] | None = None, name: str | None = None, judge: Judge | None = None
) -> None:
    """Records every MCP call that this process serves, from now on. Calling it again changes nothing.

    `lake` is the folder to record to (MCPOBS_LAKE, else mcpobs in the user's data folder), `name` what to call the
    server (OTEL_SERVICE_NAME, else from the command). With a `judge` each call waits for its decision."""
    global _active
    with _lock:
        if _active is not None:
            return
        front = Front(lake=None if lake is None else Path(lake), name=name, warn=warn, judge=judge)
        imports = Imports(_actions(front), front.report)
        ending = Ending(front.exit)
        _active = (front, imports, ending)
        imports.open()
        ending.open()


def uninstrument() -> None:
    """Undoes `instrument`: classes, modules and servers are as they were; what was recorded stays."""
    global _active
    with _lock:
        if _active is None:
            return
        front, imports, ending = _active
        _active = None
        imports.close()
        front.on = False
        front.patches.undo()
        for server in list(front.watched_servers):
            mcp_v2.unwatch(server)
        ending.close()
        front.close()


def _actions(front: Front) -> dict[str, Callable[[ModuleType], None]]:
    """What is patched, by the module that has it."""

    def server(module: ModuleType) -> None:
        # By what is there, not by a version: 1.x has one method through which every request goes.
        patch = mcp_v1.patch_server if hasattr(module.Server, "_handle_request") else mcp_v2.patch_server
        patch(front, module)
        import_module("mcpobs.instrument.recording")  # now, and not while the first call waits

    return {
        "mcp.server.lowlevel.server": server,
        "mcp.server.session": lambda module: mcp_v1.patch_session(front, module),
        "mcp.server._streamable_http_modern": lambda module: mcp_v2.patch_modern_http(front, module),
        "mcp.server.streamable_http": lambda module: http.patch_streamable_http(front, module),
        "mcp.server.sse": lambda module: http.patch_sse(front, module),
        "fastmcp.server.telemetry": lambda module: fastmcp.patch_telemetry(front, module),
    }
