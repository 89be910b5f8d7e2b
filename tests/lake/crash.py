"""Kills writers and committers at random moments while readers read; used by test_crash.py and as a script.

    python -m tests.lake.crash --rounds 200

Every span whose write returned True must be in the lake exactly once at the end, and at every reading in
between: each span that was acknowledged before the reading began, none twice.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from mcpobs.keys import open_folder
from mcpobs.lake import maintain, quarantine, writer
from mcpobs.lake.reader import open_reading
from mcpobs.telemetry.spool import Spool
from tests.lake.rows import loss_row, row

_COMMITTER = """
import sys
from pathlib import Path
from mcpobs.lake import joining, maintain, quarantine, sealed, writer
sealed.UNLINK_GRACE_S = 0.3
joining.MANY_FILES = 4
quarantine.MOST_STRIKES = 1_000_000  # each kill is ours: four that hit one segment would set it aside
lake = Path(sys.argv[1])
while True:
    writer.commit(lake, wait=True)
    if sys.argv[2] == "compact":
        maintain.compact(lake, grace_s=2.0)
"""


@dataclass(slots=True)
class Figures:
    rounds: int = 0
    writer_kills: int = 0
    committer_kills: int = 0
    readings: int = 0
    acknowledged: int = 0
    in_lake: int = 0
    missing: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)


def write(lake: Path, acknowledged: Path, worker: int) -> None:
    """Appends rows as fast as it can and notes each one only after the spool has it."""
    spool = Spool(lake, loss_row, segment_bytes=4_000)
    notes = os.open(acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    number = 0
    while True:
        number += 1
        span = f"{worker:08x}{number:08x}"
        start = time.time_ns()
        # Sessions begin on one of three days, so that a commit has several partitions.
        began = start - (worker % 3) * 86_400 * 10**9
        written = spool.write(
            row(number, trace_id=span * 2, span_id=span, start_unix_nano=start, session_start_unix_nano=began)
        )
        if not written:
            raise AssertionError(spool.reason)
        os.write(notes, f"{span}\n".encode())
        if number % 10 == 0:
            time.sleep(0.1)  # else the readers, who load all of it each time, have no processor left


def run(lake: Path, *, rounds: int, writers: int, seed: int) -> Figures:
    """A round kills one writer (and starts another), and every fifth on average the committer at a random moment."""
    rng = random.Random(seed)
    figures = Figures(rounds=rounds)
    open_folder(lake)
    notes = lake.parent / "acknowledged"
    notes.mkdir()
    count = 0

    def start_writer() -> subprocess.Popen[bytes]:
        nonlocal count
        count += 1
        return subprocess.Popen([sys.executable, "-m", "tests.lake.crash", "--write", str(lake), str(count)])

    def start_committer() -> subprocess.Popen[bytes]:
        how = rng.choice(["commit", "compact"])
        return subprocess.Popen([sys.executable, "-c", _COMMITTER, str(lake), how])

    def wait_for_a_note() -> None:
        """Kills that come before any writer has written show nothing: a slow machine needs seconds to start one."""
        until = time.monotonic() + 60
        while not _acknowledged(notes) and time.monotonic() < until:
            time.sleep(0.02)

    running = [start_writer() for _ in range(writers)]
    wait_for_a_note()
    committer = start_committer()
    try:
        for _ in range(rounds):
            time.sleep(rng.uniform(0.02, 0.25))
            _read(lake, notes, figures)
            victim = running.pop(rng.randrange(len(running)))
            figures.writer_kills += _kill(victim)
            running.append(start_writer())
            if rng.random() < 0.2:
                figures.committer_kills += _kill(committer)
                committer = start_committer()
    finally:
        for process in [*running, committer]:
            _kill(process)
    writer.commit(lake, wait=True)
    _read(lake, notes, figures)
    maintain.compact(lake, grace_s=0.0)
    figures.in_lake = _read(lake, notes, figures)
    figures.acknowledged = len(_acknowledged(notes))
    return figures


def _kill(process: subprocess.Popen[bytes]) -> int:
    died = process.poll()
    if died is not None:
        raise AssertionError(f"{process.args} ended by itself with {died}")
    process.send_signal(signal.SIGKILL)
    process.wait()
    return 1


def _acknowledged(notes: Path) -> set[str]:
    """Notes are one short append each, so a killed writer leaves at most a torn last line."""
    return {line for path in notes.iterdir() for line in path.read_text().split("\n") if len(line) == 16}


def _read(lake: Path, notes: Path, figures: Figures) -> int:
    before = _acknowledged(notes)
    with open_reading(lake) as reading:
        found = Counter(span for (span,) in reading.connection.execute("select span_id from spans").fetchall())
        figures.missing += sorted(before - set(found))
        figures.twice += sorted(span for span, times in found.items() if times > 1)
        if reading.damaged_files or quarantine.listed(lake):
            raise AssertionError((reading.damaged_files, quarantine.listed(lake)))
    figures.readings += 1
    return len(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", nargs=2, metavar=("LAKE", "WORKER"))
    given = parser.parse_args()
    if given.write:
        lake = Path(given.write[0])
        write(lake, lake.parent / "acknowledged" / given.write[1], int(given.write[1]))
    with tempfile.TemporaryDirectory() as folder:
        figures = run(Path(folder) / "lake", rounds=given.rounds, writers=given.writers, seed=given.seed)
    print(figures)
    return 1 if figures.missing or figures.twice else 0


if __name__ == "__main__":
    sys.exit(main())
