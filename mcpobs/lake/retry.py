"""Retries the files in the quarantine, each in a separate process. Commits nothing itself."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mcpobs import interpreter
from mcpobs.errors import EXIT_FINDINGS, EXIT_OK
from mcpobs.lake import quarantine
from mcpobs.lake.place import require_lake
from mcpobs.lake.quarantine import SetAside

LIMIT_S = 900

Step = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Retried:
    """The result of a retry. `left` is still set aside."""

    tried: int
    stored_files: int
    rows: int
    duplicates: int
    left: list[SetAside]


def retry(lake: Path, step: Step | None = None) -> Retried:
    """Tries to commit each file set aside. Raises LakeError if there is no lake or it cannot be read."""
    require_lake(lake)
    waiting = quarantine.listed(lake)
    stored = rows = duplicates = 0
    for one in waiting:
        if step is not None:
            step(f"trying {one.path.name} again")
        answer = _tried(lake, one)
        rows += answer[0]
        duplicates += answer[1]
        if answer[2] is None:
            stored += 1
        else:
            quarantine.renote(one, answer[2])
    return Retried(len(waiting), stored, rows, duplicates, quarantine.listed(lake))


def _tried(lake: Path, one: SetAside) -> tuple[int, int, str | None]:
    """Retries one file; returns rows, duplicates, and why it failed."""
    command = interpreter.command("mcpobs.lake.retrying", str(lake), one.path.name)
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        return 0, 0, f"it took longer than {LIMIT_S} s"
    if done.returncode < 0:
        return 0, 0, f"the process that committed it ended by signal {-done.returncode}"
    try:
        answer = json.loads(done.stdout)
        found = int(answer["rows"]), int(answer["duplicates"]), answer["error"]
    except (ValueError, KeyError, TypeError):
        return 0, 0, f"the process that committed it ended with {done.returncode}"
    if done.returncode not in (EXIT_OK, EXIT_FINDINGS):
        return found[0], found[1], str(found[2])
    return found
