"""Instruments this process, and undoes it: `mcpobs.instrument()`, `--in-process`, and `opentelemetry-instrument`.

Imports no SDK: a module of one is patched when the process imports it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Sequence
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from mcpobs.instrument import caller, fastmcp, launched, mcp_v1, mcp_v2, twice
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
    policy: Sequence[str | os.PathLike[str]] = (),
    judge: Judge | None = None,
) -> None:
    """Records every MCP call that this process serves, from now on. Calling it again changes nothing.

    `lake` is the folder to record to (MCPOBS_LAKE, else mcpobs in the user's data folder), `name` what to call the
    server (OTEL_SERVICE_NAME, else from the command). `policy` are the files to enforce ([policy] of config.toml), and
    a `judge` takes their place: each call then waits for its decision. Raises UsageError for a policy that is missing
    or wrong."""
    global _active
    with _lock:
        if _active is not None:
            return
        judge = judge or _judge(policy, name, lake)
        front = Instrumentation(lake=None if lake is None else Path(lake), name=name, warn=warn, judge=judge)
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


def _judge(
    policy: Sequence[str | os.PathLike[str]], name: str | None, lake: str | os.PathLike[str] | None
) -> Judge | None:
    from mcpobs.gate.policing import judge_of
    from mcpobs.service import service_name

    command = list(sys.orig_argv) or ["python"]
    return judge_of([os.fspath(file) for file in policy], service_name(command, name, os.environ), lake)


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
        launched.become_server()
        above = twice.front_above()
        if above is not None:
            warn(twice.WARNING.format(above))
        import_module("mcpobs.instrument.process")  # now, and not while the first call waits

    def workers(module: ModuleType) -> None:
        front.patches.replace(module, "get_preparation_data", launched.preparing)

    return {
        "multiprocessing.spawn": workers,
        "mcp.server.lowlevel.server": server,
        "mcp.server.session": lambda module: mcp_v1.patch_session(front, module),
        "mcp.server._streamable_http_modern": lambda module: mcp_v2.patch_modern_http(front, module),
        "mcp.server.streamable_http": lambda module: caller.patch_streamable_http(front, module),
        "mcp.server.sse": lambda module: caller.patch_sse(front, module),
        "fastmcp.server.telemetry": lambda module: fastmcp.patch_telemetry(front, module),
    }
