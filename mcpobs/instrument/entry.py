"""Instruments this process, and undoes it: `mcpobs.instrument()`, `--in-process`, and `opentelemetry-instrument`.

Imports no SDK: a module of one is patched when the process imports it."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from mcpobs.instrument import caller, fastmcp, mcp_v1, mcp_v2
from mcpobs.instrument.imports import Imports
from mcpobs.instrument.instrumentation import Instrumentation
from mcpobs.instrument.shutdown import Shutdown
from mcpobs.stderr import warn

if TYPE_CHECKING:
    from types import ModuleType

    from mcpobs.gate.judge import Judge

_lock = Lock()
_active: tuple[Instrumentation, Imports, Shutdown] | None = None


def instrument(
    *,
    lake: str | os.PathLike[str] | None = None,
    name: str | None = None,
    run: str | None = None,
    judge: Judge | None = None,
) -> None:
    """Records every MCP call that this process serves, from now on. Calling it again changes nothing.

    `lake` is the folder to record to (MCPOBS_LAKE, else mcpobs in the user's data folder), `name` what to call the
    server (OTEL_SERVICE_NAME, else from the command), `run` a label of this traffic (MCPOBS_RUN). With a `judge` each
    call waits for its decision."""
    global _active
    with _lock:
        if _active is not None:
            return
        front = Instrumentation(lake=None if lake is None else Path(lake), name=name, run=run, warn=warn, judge=judge)
        imports = Imports(_actions(front), front.report)
        shutdown = Shutdown(front.exit)
        _active = (front, imports, shutdown)
        imports.open()
        shutdown.open()


def uninstrument() -> None:
    """Undoes `instrument`: restores classes, modules and servers. The recorded calls stay."""
    global _active
    with _lock:
        if _active is None:
            return
        front, imports, shutdown = _active
        _active = None
        imports.close()
        front.on = False
        front.patches.undo()
        for server in list(front.watched_servers):
            mcp_v2.unwatch(server)
        shutdown.close()
        front.close()


class McpobsInstrumentor:
    """What `opentelemetry-instrument` finds under the name `mcpobs`. It has an instrumentor's methods and not its base
    class, because opentelemetry-instrumentation is no dependency of ours. Ignores the loader's keywords: lake and name
    come from the environment."""

    def instrumentation_dependencies(self) -> Collection[str]:
        """None: an SDK is patched when it is imported."""
        return ()

    def instrument(self, **_: object) -> None:
        instrument()

    def uninstrument(self, **_: object) -> None:
        uninstrument()


def _actions(front: Instrumentation) -> dict[str, Callable[[ModuleType], None]]:
    """The patches, by the module that each belongs to."""

    def server(module: ModuleType) -> None:
        # Chosen by the methods present, not by the version: 1.x has one method through which every request goes.
        patch = mcp_v1.patch_server if hasattr(module.Server, "_handle_request") else mcp_v2.patch_server
        patch(front, module)
        import_module("mcpobs.instrument.process")  # now, and not while the first call waits

    return {
        "mcp.server.lowlevel.server": server,
        "mcp.server.session": lambda module: mcp_v1.patch_session(front, module),
        "mcp.server._streamable_http_modern": lambda module: mcp_v2.patch_modern_http(front, module),
        "mcp.server.streamable_http": lambda module: caller.patch_streamable_http(front, module),
        "mcp.server.sse": lambda module: caller.patch_sse(front, module),
        "fastmcp.server.telemetry": lambda module: fastmcp.patch_telemetry(front, module),
    }
