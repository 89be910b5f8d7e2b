"""`mcpobs doctor`: runs every check, shows its finding and what to do."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from mcpobs.cli.streams import emit
from mcpobs.errors import EXIT_FINDINGS, EXIT_OK
from mcpobs.folders import config_folder, lake_folder
from mcpobs.output import json_text
from mcpobs.output.text import printable
from mcpobs.setup import clients, export, fronted, installation, recording, started, storage
from mcpobs.setup.check import Check


def run_doctor(lake: str | None, as_json: bool, servers: bool = True) -> int:
    """Returns the exit code. Each check is shown as soon as it is known, because some take seconds. `servers`: whether
    the clients' servers are started."""
    found: list[Check] = []
    for check in _checks(lake_folder(lake), servers):
        if not as_json:
            _show(check, new=not found or found[-1].about != check.about)
        found.append(check)
    counts = Counter(check.state for check in found)
    if as_json:
        rows = [{"about": c.about, "state": c.state, "line": c.line, "hint": c.hint} for c in found]
        emit(json_text.render({"checks": rows, **{state: counts[state] for state in ("ok", "warn", "fail")}}))
    else:
        emit(f"\n{counts['ok']} ok, {_of(counts['warn'], 'warning')}, {counts['fail']} failed\n")
    return EXIT_FINDINGS if counts["fail"] else EXIT_OK


def _checks(lake: Path, servers: bool) -> Iterator[Check]:
    config = config_folder()
    places = clients.found(Path.cwd(), os.environ)
    yield from installation.check(os.environ, sys.argv[0])
    yield from storage.check_configuration(config)
    yield from storage.check_lake(lake, config, time.time())
    yield from fronted.check(places, os.environ)
    if servers:
        yield from started.check(places, os.environ)
    yield from export.check(os.environ)
    yield recording.check(os.environ, recording.server())


def _show(check: Check, new: bool) -> None:
    heading = f"{check.about}\n" if new else ""
    hint = f"        {printable(check.hint)}\n" if check.hint else ""
    emit(f"{heading}  {check.state:<4}  {printable(check.line)}\n{hint}")


def _of(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count} {what}s"
