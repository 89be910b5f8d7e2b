"""Chooses the sealed segments of the next commit, and removes those that are in the table."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from mcpobs.lake import backlog, delta
from mcpobs.lake.backlog import SPOOL, WAL, Found, Store
from mcpobs.lake.delta import Progress
from mcpobs.lake.snapshot import Snapshot

UNLINK_GRACE_S = 5.0  # of the spool; only the committer reads the log
BATCH_BYTES = {SPOOL: 128 << 20, WAL: 16 << 20}
"""Bytes per batch: bounds memory to about 500 MB for the spool and below 300 MB for the collector."""
BATCH_SEGMENTS = 1024
"""Segments per batch: bounds the transactions of a commit. A commit of 1,000 lines is 100 KB."""
RENEW_S = 18 * 3600
RECEIPT_SPAN_NS = 60 * 10**9
"""Log segments of one batch share a time of receipt, accurate to this."""


def sealed_batch(
    lake: Path, state: Snapshot, moved: Collection[Store], waiting: Collection[str], expanding: bool
) -> tuple[Store, list[Found], bool]:
    """Returns sealed segments of one store that the table does not have, each writer's without a gap, up to BATCH_BYTES
    and BATCH_SEGMENTS, and whether there are more.

    Expanding writers and the others take turns; `expanding` says which came last. Leaves out stores in `moved` and
    writers in `waiting`: a transaction has one time, so a writer that is committed more often than its grace lasts
    would keep all its segments.
    """
    for store, most in BATCH_BYTES.items():
        batch: list[Found] = []
        size = 0
        if store in moved:
            continue
        # a writer's unsealed segment is its last
        sealed: Iterable[Found] = (
            found
            for found in backlog.segments(lake, store)
            if found.segment.seq > state.covered(found.segment.writer)
            and found.segment.writer not in waiting
            and backlog.sealed(found)
        )
        others: list[Found] = []
        if store is WAL:
            turns: tuple[list[Found], list[Found]] = [], []
            for found in sealed:
                turns[backlog.is_expanding(found.segment)].append(found)
            sealed, others = turns[not expanding], turns[expanding]
            if not sealed:
                sealed, others = others, []
        for found in sealed:
            full = size + found.size_bytes > most or len(batch) == BATCH_SEGMENTS
            if batch and (full or (store is WAL and not _alike(batch[0], found))):
                return store, batch, True
            batch.append(found)
            size += found.size_bytes
        if batch:
            return store, batch, bool(others)
    return SPOOL, [], False


def _alike(one: Found, other: Found) -> bool:
    """Returns whether two log segments were written at nearly the same time and are stored with the same content."""
    apart_ns = abs(one.path.stat().st_mtime_ns - other.path.stat().st_mtime_ns)
    if is_redacted(one) != is_redacted(other) or is_scrubbed(one) != is_scrubbed(other):
        return False
    return apart_ns <= RECEIPT_SPAN_NS


def is_redacted(found: Found) -> bool:
    return backlog.is_redacted(found.segment)


def is_scrubbed(found: Found) -> bool:
    return backlog.is_scrubbed(found.segment)


@dataclass(frozen=True, slots=True)
class Covered:
    """Segments that are in the table: the number unlinked, the spool writers that have some in their grace, and the
    transactions to write again."""

    unlinked: int
    waiting: frozenset[str]
    renewed: list[Progress]


def remove_covered(lake: Path, table: Path, state: Snapshot) -> Covered:
    """Removes segments that have been in the table for a grace.

    A transaction from the future (the clock was set back) says nothing about its segment's age. It is written again,
    and the segment is unlinked a grace after that.
    """
    now_ms = time.time_ns() // 1_000_000
    covered = [
        (f, UNLINK_GRACE_S if store is SPOOL else 0.0)
        for store in BATCH_BYTES
        for f in backlog.segments(lake, store)
        if f.segment.seq <= state.covered(f.segment.writer)
    ]
    if covered:
        delta.sync_log(table)  # the process that made that commit may have died before it was durable
    unlinked = 0
    waiting: set[str] = set()
    renewed: dict[str, Progress] = {}
    for found, grace_s in covered:
        writer = found.segment.writer
        transaction = state.transactions[writer]
        age_ms = now_ms - transaction.updated_ms
        if grace_s and age_ms < grace_s * 1000:
            waiting.add(writer)
        else:
            try:
                found.path.unlink(missing_ok=True)
                unlinked += 1
                continue
            except OSError:
                pass  # kept, and so is its transaction
        if not 0 <= age_ms < RENEW_S * 1000:
            renewed[writer] = Progress(writer, transaction.version)
    return Covered(unlinked, frozenset(waiting), list(renewed.values()))
