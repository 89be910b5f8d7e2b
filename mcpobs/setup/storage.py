"""Checks the files on disk: the configuration, the digest key and the lake. Writes nothing there."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mcpobs import keys, safefile
from mcpobs.detect.personal import engine
from mcpobs.errors import McpobsError
from mcpobs.lake import backlog
from mcpobs.lake.place import require_lake
from mcpobs.lake.reader import open_reading
from mcpobs.prices import models
from mcpobs.segment import scan
from mcpobs.settings import RecordConfig, load_config
from mcpobs.setup.check import Check

CONFIGURATION: Final = "configuration"
LAKE: Final = "lake"
FULL_BYTES: Final = 100 << 20
LOW_BYTES: Final = 1 << 30
STUCK_S: Final = 86_400  # a wrapper commits at its end if worthwhile; older segments are stuck
READ_BYTES: Final = 256 << 20  # of the spool, to look for damage
_OPEN: Final = stat.S_IRWXG | stat.S_IRWXO


def check_configuration(config: Path) -> Iterator[Check]:
    path = config / "config.toml"
    try:
        loaded = load_config(config)
    except McpobsError as error:
        yield Check(CONFIGURATION, "fail", error.message, error.hint)
    else:
        prices = "1 price" if len(loaded.prices) == 1 else f"{len(loaded.prices)} prices"
        line = f"{path}: {prices}" if path.exists() else f"no {path}: calls have no cost; everything else works"
        yield Check(CONFIGURATION, "ok", line)
        yield from _error_texts(loaded.record)
        said: list[str] = []
        models.resolved(loaded.prices, config, said.append)
        for message in said:
            problem, _, hint = message.partition("\nhint: ")
            yield Check(CONFIGURATION, "warn", problem, hint)
    loose = _loose([config / "keys", *sorted((config / "keys").glob("*.key"))])
    if loose:
        yield Check(CONFIGURATION, "fail", f"others may read the digest keys: {loose[0]}", f"chmod go= {loose[0]}")
    loose = _loose([config / "clients", *sorted((config / "clients").glob("*"))])
    if loose:
        line = f"others may read the clients' configurations that init keeps: {loose[0]}"
        yield Check(CONFIGURATION, "fail", line, f"chmod go= {loose[0]}")


def _error_texts(record: RecordConfig) -> Iterator[Check]:
    """Says which servers' failures are recorded with a text, if any are."""
    modes = {"of all servers": record.errors, **{f"of {server}": mode for server, mode in record.servers.items()}}
    on = ", ".join(f"{whose}: {mode}" for whose, mode in modes.items() if mode != "off")
    if on:
        finder = "google-re2" if engine.LINEAR else "Python's re, because google-re2 is not installed"
        yield Check(CONFIGURATION, "ok", f"texts of failures are recorded, {on}; masked with {finder}")


def check_lake(lake: Path, config: Path, now_s: float) -> Iterator[Check]:
    try:
        require_lake(lake)
        lake_id = keys.read_identity(lake)
    except McpobsError as error:
        if lake.exists() and any(lake.iterdir()):
            yield Check(LAKE, "fail", error.message, error.hint)
        else:
            yield _not_yet(lake)
        return
    yield _key(lake_id, lake, config)
    yield from _access(lake)
    yield _space(lake)
    yield from _spool(lake, now_s)
    yield _readable(lake, now_s)


def _not_yet(lake: Path) -> Check:
    above = next(parent for parent in (lake, *lake.parents) if parent.exists())
    if not os.access(above, os.W_OK | os.X_OK):
        hint = f"check the permissions of {above}, or name another with --lake or MCPOBS_LAKE"
        return Check(LAKE, "fail", f"no lake at {lake}, and none can be made there", hint)
    hint = "`mcpobs init` has your clients' servers recorded; or: mcpobs instrument -- <server command>"
    return Check(LAKE, "warn", f"no lake at {lake} yet: nothing was recorded", hint)


def _key(lake_id: str | None, lake: Path, config: Path) -> Check:
    if lake_id is None:
        return Check(LAKE, "warn", f"{lake} has no lake.json", "it is made by the next recording")
    path = config / "keys" / f"{lake_id}.key"
    try:
        keys.read_key(path)
    except safefile.ExposedError as error:
        return Check(LAKE, "fail", f"the digest key {path} is not used: {error.strerror}", error.remedy)
    except FileNotFoundError:
        if _is_collected(lake):
            return Check(LAKE, "ok", f"{lake}, of received spans; a server recorded here makes its digest key")
        hint = "a lake that was copied here needs none to be read; recording makes a new key"
        return Check(LAKE, "warn", f"{lake}: its digest key is not on this machine", hint)
    except (OSError, ValueError):
        hint = "restore it, or remove it: new digests are then not comparable with those of before"
        return Check(LAKE, "fail", f"the digest key {path} cannot be read", hint)
    return Check(LAKE, "ok", f"{lake}, with its digest key in {path.parent}")


def _is_collected(lake: Path) -> bool:
    """Returns whether `mcpobs collect` writes to the lake: digests in its spans are the senders'."""
    return (lake / backlog.WAL.folder).is_dir()


def _access(lake: Path) -> Iterator[Check]:
    if not os.access(lake, os.R_OK | os.W_OK | os.X_OK):
        yield Check(LAKE, "fail", f"{lake} cannot be written", "check its owner and permissions")
        return
    loose = _loose([lake, *sorted(lake.iterdir()), *sorted((lake / backlog.SPOOL.folder).glob("*"))])
    if loose:
        hint = f"chmod -R go= {lake}"
        yield Check(LAKE, "warn", f"others on this machine may read it: {loose[0]}", hint)
    else:
        yield Check(LAKE, "ok", "its folders and files are yours alone")


def _loose(paths: list[Path]) -> list[Path]:
    """Returns the paths that group or others can access."""
    found = []
    for path in paths:
        try:
            if path.stat().st_mode & _OPEN:
                found.append(path)
        except OSError:
            continue  # missing, or removed by a committer
    return found


def _space(lake: Path) -> Check:
    free = shutil.disk_usage(lake).free
    line = f"{free / (1 << 30):,.1f} GiB free"
    hint = "free some, or: mcpobs lake prune --older-than 30d"
    if free < FULL_BYTES:
        return Check(LAKE, "fail", line, hint)
    return Check(LAKE, "warn", line, hint) if free < LOW_BYTES else Check(LAKE, "ok", line)


def _spool(lake: Path, now_s: float) -> Iterator[Check]:
    waiting = [f for f in backlog.segments(lake) if backlog.sealed(f)]
    acknowledged = [f for f in backlog.segments(lake, backlog.WAL) if backlog.sealed(f)]
    damaged, read = 0, 0
    for found in waiting:
        read += found.size_bytes
        if read > READ_BYTES:
            break
        try:
            damaged += scan(safefile.read(found.path, READ_BYTES)).damaged
        except OSError:
            continue  # committed meanwhile
    if damaged:
        lines = "line is" if damaged == 1 else "lines are"
        hint = "calls that were being written during a crash or on a full disk; reports leave them out and say so"
        yield Check(LAKE, "warn", f"{damaged:,} damaged {lines} in the spool", hint)
    stuck = backlog.worth_committing(lake) and any(_older(f.path, now_s - STUCK_S) for f in waiting)
    if stuck:
        size = sum(f.size_bytes for f in waiting)
        line = f"{size / (1 << 20):,.0f} MiB wait in the spool for more than a day"
        yield Check(LAKE, "warn", line, "mcpobs lake compact")
    if any(_older(f.path, now_s - STUCK_S) for f in acknowledged):
        line = "requests that the collector acknowledged are not in the table yet"
        yield Check(LAKE, "warn", line, "mcpobs lake compact")


def _older(path: Path, than_s: float) -> bool:
    try:
        return path.stat().st_mtime < than_s
    except OSError:
        return False


def _readable(lake: Path, now_s: float) -> Check:
    try:
        with open_reading(lake) as reading:
            rows, last = reading.connection.execute("select count(*), max(start_unix_nano) from spans").fetchall()[0]
    except McpobsError as error:
        return Check(LAKE, "fail", error.message, error.hint)
    if not rows:
        hint = "restart the client after `mcpobs init`, and let it call a tool"
        if _is_collected(lake):
            hint = "send spans to `mcpobs collect`, or record a server here: mcpobs init"
        return Check(LAKE, "warn", "nothing is recorded in it yet", hint)
    operations = "1 operation" if rows == 1 else f"{rows:,} operations"
    return Check(LAKE, "ok", f"{operations}, the last one {_ago(now_s - last / 1e9)}")


def _ago(seconds: float) -> str:
    for name, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count:,} {name}{'' if count == 1 else 's'} ago"
    return "just now"
