"""Finds another lake with records, for the hint of a command that finds none in its own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mcpobs import keys
from mcpobs.errors import LakeError, McpobsError
from mcpobs.folders import lake_folder
from mcpobs.lake import backlog
from mcpobs.lake.place import SPANS_FOLDER
from mcpobs.settings import passed_on


@contextmanager
def naming_another(lake: Path) -> Iterator[None]:
    """Names another lake of this user in the hint of the error that there is no lake, if one has records."""
    try:
        yield
    except LakeError as error:
        other = other_lake(lake) if not lake.exists() or not any(lake.iterdir()) else None
        if other is None:
            raise
        raise LakeError(error.message, hint_of(other)) from None


def hint_of(other: Path) -> str:
    return f"records lie in {other}: name it with --lake; mcpobs doctor says more"


def other_lake(lake: Path, env: Mapping[str, str] = os.environ) -> Path | None:
    """Returns a lake with records that a client's server may have: the one without this shell's variables, or one that
    a client's configuration names."""
    return next((other for other in _candidates(env) if other != lake and _has_records(other)), None)


def _candidates(env: Mapping[str, str]) -> Iterator[Path]:
    yield lake_folder(env=passed_on(env))
    yield lake_folder(env=env)
    from mcpobs.setup import clients, files, plan, wrapping  # only if the first has no records

    for place in clients.found(Path.cwd(), env):
        try:
            entries = plan.open_document(files.read(place.path), place.client).entries(place.client.layouts)
        except McpobsError:
            continue
        for entry in entries:
            if wrapping.runs_through_mcpobs(entry):
                yield lake_folder(wrapping.options(entry).get("--lake"), passed_on(env) | dict(entry.env))


def _has_records(lake: Path) -> bool:
    try:
        if keys.read_identity(lake) is None:
            return False
        return any(found.size_bytes for found in backlog.segments(lake)) or any((lake / SPANS_FOLDER).iterdir())
    except (McpobsError, OSError):
        return False
