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
from mcpobs.settings import CONFIG_VARIABLE

OPTIONS = "MCPOBS_IN_PROCESS"
SITE = Path(__file__).with_name("site")


def launch(command: Sequence[str], lake: str | None, name: str | None, config: str | None = None) -> NoReturn:
    """Becomes the server. Raises UsageError if its command cannot be started."""
    env = environment(inherited.variables(), lake, name)
    if config is not None:
        env[CONFIG_VARIABLE] = os.path.abspath(os.path.expanduser(config))
    try:
        os.execvpe(command[0], list(command), env)
    except OSError as error:
        raise UsageError(
            f"cannot start {command[0]}: {error.strerror or error}", "check the command after `--`"
        ) from None


def environment(env: Mapping[str, str], lake: str | None, name: str | None) -> dict[str, str]:
    """The server's environment: a `sitecustomize` of ours comes first, and knows what to do."""
    options = {"lake": None if lake is None else os.path.abspath(os.path.expanduser(lake)), "name": name}
    path = env.get("PYTHONPATH")
    return {
        **env,
        OPTIONS: json.dumps(options),
        "PYTHONPATH": os.pathsep.join([str(SITE), path]) if path else str(SITE),
    }
