"""`mcpobs lake info | compact | prune` as a user runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.lake.rows import DAY, numbers, row, segments, spooled


def mcpobs(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mcpobs", "lake", *arguments], capture_output=True, text=True, check=False, timeout=120
    )


def days_old(number: int, days: int) -> dict[str, object]:
    start = time.time_ns() - days * DAY
    return row(number, start_unix_nano=start, session_start_unix_nano=start)


def test_info_prints_lines_for_people_and_one_object_for_programs(tmp_path: Path) -> None:
    spooled(tmp_path, [row(1), row(2)])
    with segments(tmp_path)[0].open("ab") as file:
        file.write(b"torn\n")
    shown = mcpobs("info", "--lake", str(tmp_path))
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = dict(line.split("  ", 1) for line in shown.stdout.splitlines())
    assert lines["spans"].strip() == "2 in 1 session"
    assert lines["damaged"].strip() == "1 line of spool and log, 0 files"
    facts = json.loads(mcpobs("info", "--lake", str(tmp_path), "--json").stdout)
    assert (facts["rows"], facts["sessions"], facts["damaged_lines"], facts["sealed_segments"]) == (2, 1, 1, 1)


def test_compact_moves_the_spool_and_says_so(tmp_path: Path) -> None:
    for number in (1, 2):
        spooled(tmp_path, [row(number)])
    done = mcpobs("compact", "--lake", str(tmp_path))
    assert done.returncode == 0
    assert "2 operations of 2 segments" in done.stdout
    assert numbers(tmp_path) == [1, 2]
    spooled(tmp_path, [row(3)])
    facts = json.loads(mcpobs("compact", "--lake", str(tmp_path), "--json").stdout)
    assert (facts["committed_rows"], facts["merged_files"], facts["written_files"]) == (1, 2, 1)


def test_prune_foretells_then_drops_and_says_when_the_bytes_go(tmp_path: Path) -> None:
    spooled(tmp_path, [days_old(1, 40), days_old(2, 31), days_old(3, 1)])
    foretold = mcpobs("prune", "--older-than", "30d", "--dry-run", "--lake", str(tmp_path))
    assert "would drop  2 operations" in foretold.stdout
    assert numbers(tmp_path) == [1, 2, 3]
    done = mcpobs("prune", "--older-than", "30d", "--lake", str(tmp_path))
    assert done.returncode == 0
    assert "2 operations" in done.stdout
    assert "10 minutes" in done.stderr
    assert numbers(tmp_path) == [3]
    facts = json.loads(mcpobs("prune", "--older-than", "30d", "--now", "--json", "--lake", str(tmp_path)).stdout)
    assert (facts["rows"], facts["deleted_files"], facts["waiting_files"]) == (0, 2, 0)


def test_what_cannot_be_done_is_one_clear_line_with_a_hint(tmp_path: Path) -> None:
    spooled(tmp_path / "lake", [row(1)])
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "lake.json").write_text("{")
    (tmp_path / "locked").mkdir()
    spooled(tmp_path / "locked", [row(1)])
    (tmp_path / "locked" / "commit.lock").mkdir()
    for arguments, code in (
        (["info", "--lake", str(tmp_path / "none")], 3),
        (["compact", "--lake", str(tmp_path / "none")], 3),
        (["info", "--lake", str(tmp_path / "damaged")], 3),
        (["compact", "--lake", str(tmp_path / "locked")], 3),
        (["prune", "--older-than", "yesterday", "--lake", str(tmp_path / "lake")], 2),
        (["prune", "--lake", str(tmp_path / "lake")], 2),
    ):
        done = mcpobs(*arguments)
        assert (done.returncode, done.stdout) == (code, ""), arguments
        first, *rest = done.stderr.splitlines()
        assert first.startswith("mcpobs: error: "), arguments
        assert rest
        assert rest[0].startswith("hint: "), arguments
        assert "Traceback" not in done.stderr


def test_a_damaged_file_is_named_on_stderr(tmp_path: Path) -> None:
    spooled(tmp_path, [row(1)])
    mcpobs("compact", "--lake", str(tmp_path))
    (path,) = (tmp_path / "spans").glob("date=*/whole-*.parquet")
    path.write_bytes(os.urandom(100))
    shown = mcpobs("info", "--lake", str(tmp_path))
    assert shown.returncode == 0
    assert str(path) in shown.stderr
    assert "hint: " in shown.stderr
