"""Instruments a process that `--in-process` started, and decides which of its children are instrumented too.

Until a process loads an SDK's server, it may be a launcher (uvicorn's supervisor, poetry, a script), so what it starts
gets the options from the environment. The process that loads it is the server: its other programs are not instrumented,
but its worker processes of `multiprocessing` are. Each step is reported to the watcher of the start.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

OPTIONS = "MCPOBS_IN_PROCESS"
"""The variable with the options of the start, as JSON."""
STARTED, SERVES, FAILED, LOST, QUIET = "started", "serves", "failed", "lost", "quiet"
"""Reports: mcpobs is loaded · an SDK's server is loaded · mcpobs cannot be loaded · and its process loads an SDK, so
that its calls are lost · nothing is to be said."""

_SITE = str(Path(__file__).with_name("site"))
_WORKER = """\
try:
    from mcpobs.instrument.launched import start
    start({!r})
except Exception as error:
    import sys
    sys.stderr.write(f"mcpobs: warning: a worker process is not recorded: {{type(error).__name__}}\\n")
"""

_options: str | None = None  # of the start that this process belongs to


def start(options: str) -> None:
    """Instruments this process, with the options of `launcher.environment`."""
    global _options
    from mcpobs.instrument.entry import instrument

    _options = options
    given = json.loads(options)
    report(given.get("reports"), STARTED)
    instrument(lake=given["lake"], name=given["name"], policy=given.get("policy", ()))


def become_server() -> None:
    """Takes the options out of the environment: the programs that a server starts are not instrumented."""
    if _options is None:
        return
    report(json.loads(_options).get("reports"), SERVES)
    if os.environ.pop(OPTIONS, None) is None:
        return
    left = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry and entry != _SITE]
    if left:
        os.environ["PYTHONPATH"] = os.pathsep.join(left)
    else:
        os.environ.pop("PYTHONPATH", None)


def preparing(get_data: Callable[[str], dict[str, Any]]) -> Callable[[str], dict[str, Any]]:
    """Wraps `multiprocessing.spawn.get_preparation_data`, whose answer each worker process unpickles first."""

    def get_preparation_data(name: str) -> dict[str, Any]:
        data = get_data(name)
        if _options is not None and OPTIONS not in os.environ:  # else the worker has them from the environment
            data["mcpobs"] = _Worker(_options)
        return data

    return get_preparation_data


class _Worker:
    """Instruments the process that unpickles it. As text, so that a process without mcpobs unpickles it too."""

    def __init__(self, options: str) -> None:
        self._options = options

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (_WORKER.format(self._options, bool(json.loads(self._options).get("policy"))),)


def report(reports: str | None, what: str, why: str = "") -> None:
    """Reports a step to the watcher, if it is still there."""
    if reports is None:
        return
    with suppress(OSError):
        descriptor = os.open(reports, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(descriptor, f"{what} {why}\n".encode(errors="replace"))
        finally:
            os.close(descriptor)
