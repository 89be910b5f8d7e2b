"""`mcpobs session`: one session as a timeline."""

from __future__ import annotations

from mcpobs.cli.streams import commit_first, emit, paper, warn
from mcpobs.errors import EXIT_OK
from mcpobs.folders import lake_folder
from mcpobs.lake.reader import open_reading
from mcpobs.output import json_text
from mcpobs.output.session import data, text
from mcpobs.queries.run import on_sound_files
from mcpobs.reports.session import timeline
from mcpobs.reports.warnings import warnings_of


def run_session(name: str, *, whole: bool = False, json: bool = False, lake: str | None = None) -> int:
    """Prints the timeline of the session that `name` begins; returns the exit code."""
    folder = lake_folder(lake)
    commit_first(folder)
    with open_reading(folder) as reading:
        found = on_sound_files(reading, lambda plan: timeline(plan, name))
        warn(warnings_of(reading))
    emit(json_text.render(data(found)) if json else text(found, paper().cells_wide, whole=whole))
    return EXIT_OK
