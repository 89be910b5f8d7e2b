"""A small file system of its own, which fills up and is freed while a wrapped server is called and a process forks."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mcpobs import semconv
from mcpobs.lake.reader import open_reading
from mcpobs.lake.writer import commit
from mcpobs.telemetry.spool import Spool
from tests.proxy.wrapped import Wrapped, call
from tests.telemetry.faults import in_a_fork, result


@dataclass(slots=True)
class Figures:
    """Of calls that were answered (and rows that were written by forking processes): where they are."""

    cycles: int = 0
    answered: int = 0
    recorded: int = 0
    lost: int = 0
    recorded_losses: int = 0
    forks: int = 0
    committers: int = 0

    def __str__(self) -> str:
        return (
            f"{self.cycles} times full and freed: {self.answered} calls answered, {self.recorded} recorded, "
            f"{self.lost} lost of which {self.recorded_losses} counted in the lake; {self.forks} forks, "
            f"{self.committers} committers"
        )


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(path: Path) -> None:
    with path.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 1024)


def _span(number: str) -> dict[str, str | int]:
    id_ = os.urandom(8).hex()
    return {
        "trace_id": id_ * 2,
        "span_id": id_,
        "name": "forked",
        "kind": "internal",
        "service_name": "forking",
        "start_unix_nano": 1_760_000_000_000_000_000,
        "duration_ns": 1,
        "outcome": "ok",
        "request_id": number,
    }


def _loss(count: int, reason: str) -> dict[str, str | int]:
    attributes = json.dumps({semconv.LOST_OPERATIONS: count})
    return {**_span("loss"), "name": semconv.LOSS_SPAN, "error_type": reason, "attributes": attributes}


def run(disk: Path, *, cycles: int, seed: int) -> tuple[Figures, set[str], set[str]]:
    """Returns the figures, the calls that must be in the lake, and those that are."""
    rng = random.Random(seed)
    figures = Figures(cycles=cycles)
    lake, filler = disk / "lake", disk / "filler"
    answered: set[str] = set()
    must: set[str] = set()  # answered while there was room: before the first filling and after each freeing
    spool = Spool(lake, _loss, retry_ns=0)
    with Wrapped(lake, deadline_s=1800) as wrapped:

        def calls(count: int, expected: bool) -> None:
            for _ in range(count):
                id_ = f"call-{len(answered)}"
                wrapped.send(call(id_, "echo", text="t" * rng.randrange(200)))
                assert wrapped.receive()["id"] == id_
                answered.add(id_)
                if expected:
                    must.add(id_)

        def forked(number: str) -> bool:
            """A child writes a row, then its parent does."""
            figures.forks += 1
            kept = json.loads(result(in_a_fork(lambda: _write_and_close(spool, f"child-{number}"))))
            figures.lost += kept["unrecorded"]
            parent = spool.write(_span(f"parent-{number}"))
            for name, written in ((f"child-{number}", kept["written"]), (f"parent-{number}", parent)):
                answered.add(name)
                if written:
                    must.add(name)
            return bool(kept["written"]) and parent

        calls(20, expected=True)
        for cycle in range(cycles):
            fill(filler)
            calls(rng.randrange(20, 60), expected=False)
            forked(f"{cycle}-full")
            _commit_on(lake, figures)
            filler.unlink()
            if cycle == 0 and not any((lake / "spool").iterdir()):
                raise AssertionError("the lake was not there before the disk was full")
            calls(rng.randrange(20, 60), expected=True)
            assert forked(f"{cycle}-free")
            _commit_on(lake, figures)
        assert wrapped.leave()[:2] == (0, b"")
    spool.close()
    commit(lake, wait=True)
    with open_reading(lake) as reading:
        found = reading.connection.execute(
            "select request_id, count(*) from spans where name <> ? group by request_id", [semconv.LOSS_SPAN]
        ).fetchall()
        losses = reading.connection.execute(
            "select attributes from spans where name = ?", [semconv.LOSS_SPAN]
        ).fetchall()
        assert reading.damaged_files == []
    assert all(count == 1 for _, count in found)
    figures.answered = len(answered)
    figures.recorded = len(found)
    figures.recorded_losses = sum(json.loads(text)[semconv.LOST_OPERATIONS] for (text,) in losses)
    figures.lost += figures.recorded_losses
    return figures, must, {id_ for id_, _ in found}


def _write_and_close(spool: Spool, number: str) -> str:
    written = spool.write(_span(number))
    spool.close()
    return json.dumps({"written": written, "unrecorded": spool.lost})


def _commit_on(lake: Path, figures: Figures) -> None:
    """On a full disk it may fail, and must not break anything."""
    figures.committers += 1
    process = subprocess.Popen([sys.executable, "-m", "mcpobs.lake.commit", str(lake)], stderr=subprocess.PIPE)
    try:
        assert process.communicate(timeout=2)[1] == b""
    except subprocess.TimeoutExpired:  # it waits until readers have let go of what it moved
        process.kill()
        process.communicate()
    assert process.returncode in (0, 3, -9)
