"""`mcpobs report --watch` in a real terminal: what it shows, and how it leaves the terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.queries.recorded import call, spool

ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"
DEADLINE_S = 60


class Terminal:
    """A command in a terminal of 100 x 20 cells."""

    def __init__(self, *words: str, **variables: str) -> None:
        self.fd, theirs = pty.openpty()
        self.resize(100, 20)
        self.keys = termios.tcgetattr(theirs)
        self.theirs = theirs
        environment = {**os.environ, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **variables}
        environment.pop("COLUMNS", None)
        self.child = subprocess.Popen(
            [sys.executable, "-m", "mcpobs", *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            start_new_session=True,
        )
        self.output = b""

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read_until(self, pattern: bytes, start: int = 0) -> int:
        """Reads on until the pattern was written behind `start`; the place behind it."""
        until = time.monotonic() + DEADLINE_S
        while not (match := re.compile(pattern, re.DOTALL).search(self.output, start)):
            left = until - time.monotonic()
            ready, _, _ = select.select([self.fd], [], [], max(0, left))
            assert ready, self.output[start:].decode(errors="replace")
            self.output += os.read(self.fd, 65536)
        return match.end()

    def end(self) -> int:
        """Waits for the command; everything that it wrote is in `output` then."""
        code = self.child.wait(DEADLINE_S)
        while select.select([self.fd], [], [], 0)[0]:
            self.output += os.read(self.fd, 65536)
        return code

    def close(self) -> None:
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        os.close(self.fd)
        os.close(self.theirs)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    spool(tmp_path / "lake", [call(n, tool=("search", "fetch")[n % 2], ms=10 + n) for n in range(30)])
    return tmp_path / "lake"


@pytest.fixture
def watching(lake: Path) -> Iterator[Terminal]:
    terminal = Terminal("report", "latency", "--watch", "0.2", "--lake", str(lake))
    yield terminal
    terminal.close()


def _as_it_was(terminal: Terminal) -> bool:
    """The main screen, a cursor, wrapped lines, and keys with echo; and nothing written behind that."""
    left = terminal.output.index(LEAVE)
    return (
        terminal.output.count(ENTER) == terminal.output.count(LEAVE) == 1
        and terminal.output.rindex(b"\x1b[?25h") > terminal.output.rindex(b"\x1b[?25l")
        and terminal.output.rindex(b"\x1b[?7h") > terminal.output.rindex(b"\x1b[?7l")
        and terminal.output[left + len(LEAVE) :] == b""
        and termios.tcgetattr(terminal.theirs) == terminal.keys
    )


def test_it_shows_the_report_and_what_changed_and_q_ends_it(lake: Path) -> None:
    with closing(Terminal("report", "shapes", "--watch", "0.2", "--lake", str(lake))) as watching:
        first = watching.read_until(rb"mcpobs report shapes .*30 calls, 0 failed in all time.*fetch.*search")
        assert "•".encode() not in watching.output
        spool(lake, [call(100 + n, tool="write", ms=10, outcome="tool_error") for n in range(4)])
        changed = rb"34 calls \(\+4\), 4 failed \(\+4\).*\xe2\x80\xa2 write "
        shown = watching.read_until(changed, first)
        picture = watching.output[watching.output.rindex(b"\x1b[H", 0, shown) : shown].decode()
        assert not re.search("• (search|fetch)", picture)
        os.write(watching.fd, b"q")
        assert watching.end() == 0
        assert _as_it_was(watching)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGHUP, -signal.SIGHUP)]
)
def test_the_terminal_is_as_it_was_whatever_ends_it(watching: Terminal, number: int, code: int) -> None:
    watching.read_until(rb"fetch.*search")
    watching.child.send_signal(number)
    assert watching.end() == code
    assert _as_it_was(watching)


def test_it_keeps_to_a_terminal_that_changes_its_size(watching: Terminal) -> None:
    before = watching.read_until(rb"fetch.*search")
    watching.resize(40, 5)
    watching.read_until(rb"more lines\x1b\[K\x1b\[J", before)
    last = watching.output.rindex(b"\x1b[H")
    assert watching.output[last:].count(b"\n") <= 4


def test_a_lake_that_is_gone_for_a_while_is_reported_and_the_answer_stays(watching: Terminal, lake: Path) -> None:
    before = watching.read_until(rb"fetch.*search")
    lake.rename(lake.with_name("elsewhere"))
    before = watching.read_until(rb"the last look failed: no lake at .*fetch.*search", before)
    lake.with_name("elsewhere").rename(lake)
    watching.read_until(rb"\x1b\[Hmcpobs report latency [^\n]*\n[^\n]*\n[^\n]*\n\x1b\[K\r?\n", before)


def test_an_error_at_the_start_never_touches_the_screen(tmp_path: Path) -> None:
    terminal = Terminal("report", "all", "--watch", "--lake", str(tmp_path / "none"))
    try:
        assert terminal.end() == 3
        assert ENTER not in terminal.output
    finally:
        terminal.close()


def test_without_colour_there_is_none(lake: Path) -> None:
    terminal = Terminal("report", "latency", "--watch", "--lake", str(lake), NO_COLOR="1")
    try:
        terminal.read_until(rb"fetch.*search")
        assert b"\x1b[1m" not in terminal.output
    finally:
        terminal.close()


def test_hostile_names_cannot_move_the_cursor_of_a_live_view(tmp_path: Path) -> None:
    evil = "\x1b[2J\x1b[?1049l\u202e"
    spool(tmp_path / "evil", [call(n, tool=evil, session_id=evil, service_name=evil) for n in range(25)])
    terminal = Terminal("report", "all", "--watch", "--lake", str(tmp_path / "evil"))
    try:
        terminal.read_until(rb"x1b\[2J.*\x1b\[J")
        assert LEAVE not in terminal.output
        assert b"\x1b[2J" not in terminal.output
    finally:
        terminal.close()
