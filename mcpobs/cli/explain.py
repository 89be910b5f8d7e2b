"""`mcpobs explain`: why a call was refused, or would have been."""

from __future__ import annotations

from collections.abc import Sequence

from mcpobs.cli.streams import commit_first, emit, paper, say, warn
from mcpobs.errors import EXIT_OK, UsageError
from mcpobs.folders import lake_folder
from mcpobs.lake.reader import open_reading
from mcpobs.output import json_text
from mcpobs.output.explanation import data, text
from mcpobs.queries.run import on_sound_files
from mcpobs.reports.explained import AtHand, explain, policy_at_hand
from mcpobs.reports.warnings import of_damage


def run_explain(name: str, policy: Sequence[str] = (), *, json: bool = False, lake: str | None = None) -> int:
    """Prints the explanation of a decision or of a session; returns the exit code."""
    at_hand = _at_hand(policy)
    folder = lake_folder(lake)
    commit_first(folder)
    with open_reading(folder) as reading:
        found = on_sound_files(reading, lambda plan: explain(plan, name, at_hand))
        warn(of_damage(reading))
    emit(json_text.render(data(found)) if json else text(found, paper().cells_wide))
    return EXIT_OK


def _at_hand(files: Sequence[str]) -> AtHand | None:
    """The policy to quote: one of config.toml that is wrong is only reported."""
    try:
        return policy_at_hand(files)
    except UsageError as error:
        if files:
            raise
        say(f"the policy of config.toml is not shown: {error.message}")
        return None
