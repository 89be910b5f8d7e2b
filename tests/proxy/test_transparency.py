"""The wrapper and the bytes: what goes in on one side comes out on the other, as it was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.proxy.framings import FRAMINGS

MIRROR = [sys.executable, str(Path(__file__).with_name("mirror.py"))]
WRAPPER = [sys.executable, "-m", "mcpobs", "instrument"]


def _exchange(front: list[str], folder: Path, sent: bytes, reply: bytes, piece: int) -> tuple[bytes, bytes, bytes, int]:
    """What the server received, what the client received, stderr, and the exit code."""
    folder.mkdir()
    (folder / "reply").write_bytes(reply)
    command = [*front, *MIRROR, str(folder / "received"), str(folder / "reply"), str(piece)]
    done = subprocess.run(command, input=sent, capture_output=True, timeout=60, check=False)
    return (folder / "received").read_bytes(), done.stdout, done.stderr, done.returncode


@pytest.mark.parametrize("name", FRAMINGS)
def test_both_directions_are_the_same_bytes_with_and_without_the_wrapper(name: str, tmp_path: Path) -> None:
    sent, reply, piece = FRAMINGS[name]
    bare = _exchange([], tmp_path / "bare", sent, reply, piece)
    front = [*WRAPPER, "--lake", str(tmp_path / "lake"), "--"]
    wrapped = _exchange(front, tmp_path / "wrapped", sent, reply, piece)
    assert bare == (sent, reply, b"a word on stderr\n", 5)
    assert wrapped == bare


@pytest.mark.parametrize("name", [n for n in FRAMINGS if "tools/call" not in str(FRAMINGS[n][0][:2000])])
def test_propagation_changes_only_requests(name: str, tmp_path: Path) -> None:
    sent, reply, piece = FRAMINGS[name]
    front = [*WRAPPER, "--propagate", "--lake", str(tmp_path / "lake"), "--"]
    received, out, err, code = _exchange(front, tmp_path / "wrapped", sent, reply, piece)
    if b'"method"' not in sent:
        assert received == sent
    assert (out, err, code) == (reply, b"a word on stderr\n", 5)


def test_there_are_enough_framings_to_speak_of_transparency() -> None:
    assert len(FRAMINGS) >= 30
