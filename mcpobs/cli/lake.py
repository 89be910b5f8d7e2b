"""`mcpobs lake`: prints lines of a name and a value for people, one object for programs."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from mcpobs.cli.lake_errors import explained
from mcpobs.cli.streams import emit, say
from mcpobs.folders import lake_folder
from mcpobs.lake import maintain
from mcpobs.lake import retry as retrying
from mcpobs.lake.backlog import is_redacted
from mcpobs.lake.inspection import Inspection, inspect
from mcpobs.lake.quarantine import NONE_DELETED, Deleted, SetAside
from mcpobs.lake.vacuum import GRACE_S
from mcpobs.output import json_text
from mcpobs.output.text import printable
from mcpobs.queries import rollups
from mcpobs.reports.window import parse_time
from mcpobs.reports.wording import zoned

MOST_WARNINGS = 10
"""Segments of the quarantine that are named one by one: a sender may fill it with thousands."""

Fact = str | int | float | None | Sequence[Mapping[str, object]]


@explained
def info(lake: str | None, as_json: bool) -> None:
    found = inspect(lake_folder(lake))
    if as_json:
        _object(_facts(found))
        return
    spool = (
        f"{_n(found.spool_bytes)} bytes, {_of(found.live_segments, 'live segment')}, {found.sealed_segments:,} sealed"
    )
    if found.committed_segments:
        spool += f", {found.committed_segments:,} in Parquet and soon removed"
    parquet = f"{_n(found.file_bytes)} bytes in {_of(found.files, 'file')}, {_of(found.partitions, 'day')}"
    if found.bytes_a_span is not None:
        parquet += f", {found.bytes_a_span:.1f} bytes a span"
    _lines(
        [
            ("lake", f"{found.lake} (id {found.lake_id or 'unknown'})"),
            ("spans", f"{found.rows:,} in {_of(found.sessions, 'session')}"),
            ("first", "-" if found.first_unix_nano is None else zoned(found.first_unix_nano)),
            ("last", "-" if found.last_unix_nano is None else zoned(found.last_unix_nano)),
            ("parquet", parquet),
            ("spool", spool),
            ("received", f"{_n(found.wal_bytes)} bytes acknowledged by the collector and not yet committed"),
            ("replaced", f"{_of(found.replaced_files, 'file')} of {_n(found.replaced_bytes)} bytes to be deleted"),
            ("on disk", f"{_n(found.disk_bytes)} bytes"),
            ("duplicates", f"{found.duplicates:,} repeated deliveries left out"),
            ("times", f"{_of(found.implausible_times, 'received span')} with an implausible time, placed by receipt"),
            ("lost", f"{found.lost_operations:,} operations that could not be recorded"),
            (
                "damaged",
                f"{_of(found.damaged_lines, 'line')} of spool and log, {_of(len(found.damaged_files), 'file')}",
            ),
            ("quarantined", _quarantine(found.set_aside, found.deleted)),
        ]
    )
    _warn(found.damaged_files)
    _warn_of_quarantine(found.set_aside)


@explained
def retry(lake: str | None, as_json: bool) -> bool:
    """True if something is still in quarantine."""
    done = retrying.retry(lake_folder(lake), step=_step)
    if as_json:
        _object(
            {
                "tried": done.tried,
                "stored": done.stored_files,
                "rows": done.rows,
                "duplicates": done.duplicates,
                "quarantined_segments": len(done.left),
                "quarantined_bytes": sum(one.size_bytes for one in done.left),
                "quarantined": _set_aside(done.left),
            }
        )
    else:
        stored = f"{_of(done.stored_files, 'segment')} of {done.tried:,}, {done.rows:,} operations"
        if done.duplicates:
            stored += f", {done.duplicates:,} repeated left out"
        _lines([("stored", stored), ("quarantined", _quarantine(done.left))])
        for one in done.left:
            say(f"warning: {one.path} cannot be committed: {one.why}")
    return bool(done.left)


@explained
def compact(lake: str | None, as_json: bool) -> None:
    done = maintain.compact(lake_folder(lake), step=_step, roll_up=rollups.take)
    if as_json:
        _object(
            {
                "committed_rows": done.committed.rows,
                "committed_segments": done.committed.segments,
                "damaged_lines": done.committed.damaged_lines,
                "duplicates": done.committed.duplicates,
                "merged_files": done.merged_files,
                "merged_bytes": done.merged_bytes,
                "written_files": done.written_files,
                "written_bytes": done.written_bytes,
                "rolled_up_files": done.rolled_up,
                "deleted_files": done.vacuumed.files,
                "deleted_bytes": done.vacuumed.size_bytes,
                "waiting_files": done.vacuumed.waiting_files,
                "waiting_bytes": done.vacuumed.waiting_bytes,
                "damaged_files": _damaged(done.damaged_files),
                "set_aside_segments": done.committed.set_aside,
                "unmerged": [{"date": date, "files": files, "why": why} for date, files, why in done.unmerged],
            }
        )
        return
    moved = f"{done.committed.rows:,} operations of {_of(done.committed.segments, 'segment')}"
    if done.committed.damaged_lines:
        moved += f", {_of(done.committed.damaged_lines, 'damaged line')} left out"
    if done.committed.duplicates:
        moved += f", {done.committed.duplicates:,} repeated left out"
    merged = f"{_of(done.merged_files, 'file')} ({_n(done.merged_bytes)} bytes)"
    _lines(
        [
            ("moved", moved),
            ("merged", f"{merged} to {_of(done.written_files, 'file')} ({_n(done.written_bytes)} bytes)"),
            ("rolled up", _of(done.rolled_up, "file")),
            ("deleted", f"{_of(done.vacuumed.files, 'file')} ({_n(done.vacuumed.size_bytes)} bytes)"),
            ("waiting", f"{_of(done.vacuumed.waiting_files, 'file')} ({_n(done.vacuumed.waiting_bytes)} bytes)"),
        ]
    )
    _waiting(done.vacuumed.waiting_files)
    _warn(done.damaged_files)
    for date, files, why in done.unmerged:
        say(f"warning: {_of(files, 'file')} of {date} cannot be merged and stay as they are: {why}")
    if done.committed.set_aside:
        say(
            f"warning: {_of(done.committed.set_aside, 'segment')} could not be committed and was quarantined",
            "`mcpobs lake info` says why; `mcpobs lake retry` tries again",
        )


@explained
def prune(lake: str | None, as_json: bool, *, older_than: str, dry_run: bool, now: bool) -> None:
    cutoff = parse_time(older_than, time.time_ns(), "--older-than")
    done = maintain.prune(lake_folder(lake), cutoff, dry_run=dry_run, grace_s=0.0 if now else GRACE_S, step=_step)
    if as_json:
        _object(
            {
                "dry_run": done.dry_run,
                "cutoff_unix_nano": done.cutoff_unix_nano,
                "rows": done.rows,
                "dropped_files": done.dropped_files,
                "rewritten_files": done.rewritten_files,
                "left_rows": done.left_rows,
                "deleted_files": done.vacuumed.files,
                "deleted_bytes": done.vacuumed.size_bytes,
                "waiting_files": done.vacuumed.waiting_files,
                "waiting_bytes": done.vacuumed.waiting_bytes,
                "damaged_files": _damaged(done.damaged_files),
            }
        )
        return
    would = "would drop" if dry_run else "dropped"
    files = f"{_of(done.dropped_files, 'whole file')}, {_of(done.rewritten_files, 'file')} in part"
    facts = [(would, f"{done.rows:,} operations before {zoned(cutoff)}"), ("files", files)]
    if not dry_run:
        facts.append(("deleted", f"{_of(done.vacuumed.files, 'file')} ({_n(done.vacuumed.size_bytes)} bytes)"))
    _lines(facts)
    if done.left_rows:
        say(
            f"{done.left_rows:,} old operations stay: their process still writes to the segment that holds them",
            "prune again when it has ended",
        )
    _waiting(done.vacuumed.waiting_files)
    _warn(done.damaged_files)


def _facts(found: Inspection) -> dict[str, Fact]:
    return {
        "lake": str(found.lake),
        "lake_id": found.lake_id,
        "rows": found.rows,
        "sessions": found.sessions,
        "first_unix_nano": found.first_unix_nano,
        "last_unix_nano": found.last_unix_nano,
        "table_version": found.table_version,
        "partitions": found.partitions,
        "files": found.files,
        "file_bytes": found.file_bytes,
        "file_rows": found.file_rows,
        "bytes_a_span": found.bytes_a_span,
        "replaced_files": found.replaced_files,
        "replaced_bytes": found.replaced_bytes,
        "live_segments": found.live_segments,
        "sealed_segments": found.sealed_segments,
        "committed_segments": found.committed_segments,
        "spool_bytes": found.spool_bytes,
        "wal_bytes": found.wal_bytes,
        "damaged_lines": found.damaged_lines,
        "duplicates": found.duplicates,
        "implausible_times": found.implausible_times,
        "lost_operations": found.lost_operations,
        "damaged_files": _damaged(found.damaged_files),
        "disk_bytes": found.disk_bytes,
        "quarantined_segments": len(found.set_aside),
        "quarantined_bytes": sum(one.size_bytes for one in found.set_aside),
        "quarantined": _set_aside(found.set_aside),
        "quarantine_deleted_segments": found.deleted.segments,
        "quarantine_deleted_bytes": found.deleted.size_bytes,
    }


def _damaged(files: Sequence[tuple[Path, str]]) -> list[dict[str, str]]:
    return [{"path": str(path), "why": why} for path, why in files]


def _set_aside(found: Sequence[SetAside]) -> list[dict[str, str | int]]:
    return [
        {
            "path": str(one.path),
            "bytes": one.size_bytes,
            "why": one.why,
            "since_unix_nano": one.since_unix_nano,
            "attempts": one.attempts,
        }
        for one in found
    ]


def _quarantine(found: Sequence[SetAside], deleted: Deleted = NONE_DELETED) -> str:
    held = f"{_of(len(found), 'segment')} of {_n(sum(one.size_bytes for one in found))} bytes that cannot be committed"
    if not deleted.segments:
        return held
    return f"{held}, and {_of(deleted.segments, 'older segment')} deleted ({_n(deleted.size_bytes)} bytes)"


def _warn_of_quarantine(found: Sequence[SetAside]) -> None:
    for one in found[:MOST_WARNINGS]:
        hint = "`mcpobs lake retry` tries again to commit it"
        if is_redacted(one.segment):
            hint += "; until then its content is not redacted"
        say(f"warning: {one.path} was quarantined: {one.why}", hint)
    if len(found) > MOST_WARNINGS:
        say(f"warning: {len(found) - MOST_WARNINGS:,} more segments were quarantined", "--json lists all of them")


def _object(facts: dict[str, Fact]) -> None:
    emit(json_text.render(facts))


def _lines(facts: Sequence[tuple[str, str]]) -> None:
    width = max(len(name) for name, _ in facts)
    emit("".join(f"{name:<{width}}  {printable(value)}\n" for name, value in facts))


def _waiting(files: int) -> None:
    if files:
        say(
            f"{_of(files, 'replaced file')} kept for {GRACE_S / 60:.0f} minutes, for reports that are reading",
            "the next commit, compact or prune after that deletes what is there",
        )


def _warn(files: Sequence[tuple[Path, str]]) -> None:
    for path, why in files:
        say(f"warning: {path} cannot be read and is left out: {why}", "restore the file from a backup")


def _step(what: str) -> None:
    if sys.stderr.isatty():
        say(what)


def _of(count: int, thing: str) -> str:
    return f"{count:,} {thing}" + ("" if count == 1 else "s")


def _n(number: int) -> str:
    return f"{number:,}"
