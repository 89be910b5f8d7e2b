"""Starts a Python server so that it instruments itself: `mcpobs instrument --in-process -- python server.py`.

Its own way in, not the loader of opentelemetry-instrumentation, which another package's failing instrumentor stops
for all that come after it. This process becomes the server: its pid, its streams, its signals, its exit code.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from mcpobs import inherited
from mcpobs.errors import UsageError
from mcpobs.folders import CONFIG_VARIABLE
from mcpobs.instrument import watcher
from mcpobs.instrument.launched import OPTIONS, QUIET, report
from mcpobs.stderr import warn

SITE = Path(__file__).with_name("site")


def launch(
    command: Sequence[str],
    lake: str | None,
    name: str | None,
    config: str | None = None,
    policy: Sequence[str] = (),
    run: str | None = None,
) -> NoReturn:
    """Becomes the server. Raises UsageError if its command cannot be started, or if its policy is wrong."""
    from mcpobs.gate.policing import files_of

    files = files_of(policy)
    option = _isolating(command)
    if option is not None and files:
        raise UsageError(
            f"cannot enforce: {option} keeps mcpobs out of the server", f"leave out {option}, or --in-process"
        )
    if option is not None:
        warn(f"nothing is recorded: {option} keeps mcpobs out of the server\nhint: leave out {option} or --in-process")
    reports = watcher.start() if option is None else None
    env = environment(inherited.variables(), lake, name, reports, files, run)
    if config is not None:
        env[CONFIG_VARIABLE] = os.path.abspath(os.path.expanduser(config))
    try:
        os.execvpe(command[0], list(command), env)
    except OSError as error:
        report(reports, QUIET)
        failure = UsageError(f"cannot start {command[0]}: {error.strerror or error}", "check the command after `--`")
        failure.exit_code = 127 if isinstance(error, FileNotFoundError) else 126  # as for env(1)
        raise failure from None


def _isolating(command: Sequence[str]) -> str | None:
    """Returns the option of a Python command that ignores PYTHONPATH or `sitecustomize`; None if there is none."""
    if not os.path.basename(command[0]).startswith(("python", "pypy")):
        return None
    words = iter(command[1:])
    for word in words:
        if not word.startswith("-") or word.startswith("--") or word == "-":
            return None
        for at, letter in enumerate(word[1:], start=1):
            if letter in "IES":
                return f"-{letter}"
            if letter in "cm":
                return None
            if letter in "WX":  # the value is the rest of the word, or the next word
                if at == len(word) - 1:
                    next(words, None)
                break
    return None


def environment(
    env: Mapping[str, str],
    lake: str | None,
    name: str | None,
    reports: str | None = None,
    policy: Sequence[str] = (),
    run: str | None = None,
) -> dict[str, str]:
    """Returns the server's environment: our `sitecustomize` comes first, and reads its options there."""
    options: dict[str, object] = {
        "lake": None if lake is None else os.path.abspath(os.path.expanduser(lake)),
        "name": name,
        "reports": reports,
    }
    if policy:
        options["policy"] = list(policy)
    if run is not None:
        options["run"] = run
    path = env.get("PYTHONPATH")
    return {
        **env,
        OPTIONS: json.dumps(options),
        "PYTHONPATH": os.pathsep.join([str(SITE), path]) if path else str(SITE),
    }
