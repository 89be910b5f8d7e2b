"""What lies at the place of a file or folder of the lake: no hang, no traceback, nothing written elsewhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mcpobs.keys import open_folder
from mcpobs.lake import maintain, writer
from mcpobs.lake.backlog import WAL, segments
from tests.lake.rows import row, spooled
from tests.sending import logged, request

LIMIT_S = 400  # a machine with other work; a FIFO would be waited for until the end of it

FOLDERS = ("spool", "wal", "spans", "spans/_delta_log", "quarantine", "rollup", ".work", "spans/DATE", "rollup/ANY")
FILES = (
    "commit.attempt",
    "commit.lock",
    "background.lock",
    "lake.json",
    "spool/SEGMENT",
    "spool/00000000000001-00000000.1.jsonl",
    "wal/SEGMENT",
    "wal/00000000000001-00000000.1.otlp",
    "quarantine/00000000000001-00000000.1.otlp",
    "quarantine/00000000000001-00000000.1.otlp.json",
    "quarantine/deleted.json",
    ".work/received.draft",
    ".work/lines.jsonl",
    "spans/_delta_log/00000000000000000000.json",
    "spans/_delta_log/00000000000000000099.json",
    "spans/_delta_log/_last_checkpoint",
    "spans/_delta_log/00000000000000000001.checkpoint.parquet",
    "spans/DATE/PART",
    "rollup/ANY/PART",
)


def _link(path: Path, to: Path) -> None:
    path.symlink_to(to)


KINDS: dict[str, Callable[[Path, Path], object]] = {
    "a FIFO": lambda path, outside: os.mkfifo(path),
    "a link to /dev/zero": lambda path, outside: _link(path, Path("/dev/zero")),
    "a link to a folder": lambda path, outside: _link(path, outside),
    "a link to a file": lambda path, outside: _link(path, outside / "file"),
    "a link to itself": lambda path, outside: _link(path, path),
    "a link to nothing": lambda path, outside: _link(path, outside / "new"),
    "a folder": lambda path, outside: (path / "sub").mkdir(parents=True),
    "3 MB of brackets": lambda path, outside: path.write_bytes(b"[" * 3_000_000),
    "a file without rights": lambda path, outside: (path.write_bytes(b"{}"), path.chmod(0)),
}

USUAL = ("a FIFO",)
"""Kinds of the usual run; each takes 15 s of a processor."""

WORK = """
import sys
from pathlib import Path
from mcpobs.errors import McpobsError
from mcpobs.lake import inspection, maintain, retry, writer
from mcpobs.lake.backlog import committer_due
from mcpobs.lake.reader import open_reading
from mcpobs.lake.wal import Wal

def append(lake):
    log = Wal(lake)
    log.append([bytes.fromhex(sys.argv[2])])
    log.close()

def read(lake):
    with open_reading(lake) as reading:
        reading.connection.execute("select count(*), max(name), max(resource) from spans").fetchall()

for lake in map(Path, sys.argv[1].split(":")):
    for step in (read, inspection.inspect, append, writer.commit, committer_due, maintain.compact, retry.retry):
        print(lake.name, step, flush=True)
        try:
            step(lake)
        except McpobsError as error:
            print("refused:", error.message, flush=True)
        except OSError as error:
            assert step is append, error
"""


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with something in each of its folders."""
    lake = tmp_path_factory.mktemp("origin")
    open_folder(lake)
    for number in range(2):
        spooled(lake, [row(number)])
        logged(lake, request(3)[0])
        writer.commit(lake)
    maintain.compact(lake)
    spooled(lake, [row(3)])
    logged(lake, request(2)[0])
    return lake


def _place(lake: Path, name: str) -> Path | None:
    """The path for a name of the table, e.g. of the first partition for DATE; None if the lake has none."""
    path = lake
    for part in Path(name).parts:
        there = sorted(path.iterdir()) if path.is_dir() else []
        wanted = {
            "DATE": lambda found: found.name.startswith("date="),
            "ANY": lambda found: found.is_dir(),
            "PART": lambda found: found.suffix == ".parquet",
            "SEGMENT": lambda found: found.suffix in (".jsonl", ".otlp"),
        }.get(part)
        if wanted is None:
            path /= part
            continue
        match = [found for found in there if wanted(found)]
        if not match:
            return None
        path = match[0]
    return path


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "kind", [kind if kind in USUAL else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS]
)
def test_no_file_of_the_lake_can_hang_or_break_a_command_or_lead_elsewhere(
    origin: Path, tmp_path: Path, kind: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"theirs")
    lakes = []
    for number, name in enumerate((*FOLDERS, *FILES)):
        lake = tmp_path / f"{number}-{name.replace('/', '-')}"
        shutil.copytree(origin, lake)
        path = _place(lake, name)
        if path is None:
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        KINDS[kind](path, outside)
        lakes.append(lake)
    assert len(lakes) >= len(FOLDERS) + len(FILES) - 3
    command = [sys.executable, "-c", WORK, ":".join(map(str, lakes)), request(1)[0].hex()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout[-500:]
    assert _content(outside) == {"file": b"theirs"}


@pytest.mark.parametrize("folder", ["spans/DATE", "spans", "wal", "spool", "rollup", "quarantine", ".work"])
def test_a_commit_refuses_a_link_in_the_lake_and_works_when_it_is_gone(
    tmp_path: Path, origin: Path, folder: str
) -> None:
    lake, outside = tmp_path / "lake", tmp_path / "outside"
    shutil.copytree(origin, lake)
    outside.mkdir()
    path = _place(lake, folder)
    if path is None:
        pytest.skip("this lake has no such folder")
    path.rename(tmp_path / "kept") if path.exists() else None
    path.symlink_to(outside)
    with pytest.raises(Exception, match="symbolic link"):
        writer.commit(lake)
    assert list(outside.iterdir()) == []
    path.unlink()
    if (tmp_path / "kept").exists():
        (tmp_path / "kept").rename(path)
    writer.commit(lake)
    assert segments(lake, WAL) == []


def test_the_lake_itself_may_be_a_link(tmp_path: Path, origin: Path) -> None:
    shutil.copytree(origin, tmp_path / "lake")
    (tmp_path / "link").symlink_to(tmp_path / "lake")
    assert writer.commit(tmp_path / "link").rows == 3
