"""What takes long says so: in a terminal only, and without a trace."""

from __future__ import annotations

import io
import re
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

from mcpobs.cli.progress import Progress, Silent, progress
from mcpobs.lake.engine import connect
from tests.cli.test_watch import Terminal
from tests.queries.recorded import call, spool

SLOW = "select sum(a.range * b.range) as s from range(3000000) a, range(3000000) b where a.range % 7 < b.range % 5"


class _Heard(io.StringIO):
    """A stream that tells when something was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = Event()

    def write(self, text: str) -> int:
        done = super().write(text)
        self.written.set()
        return done


def test_long_work_shows_progress_and_erases_it() -> None:
    stream = _Heard()
    progress = Progress(stream, after_s=0)
    assert stream.written.wait(60)
    progress.end()
    progress.end()
    shown = stream.getvalue()
    assert re.fullmatch(r"(\r\x1b\[Kmcpobs: reading … 0 s)+\r\x1b\[K", shown)


def test_the_progress_line_names_the_current_step() -> None:
    stream = _Heard()
    progress = Progress(stream, after_s=0)
    progress.step("reading: loops (2 of 9)")
    while "loops" not in stream.getvalue():
        stream.written.clear()
        assert stream.written.wait(60)
    progress.end()


def test_short_work_shows_no_progress() -> None:
    stream = _Heard()
    progress = Progress(stream, after_s=3600)
    progress.end()
    assert stream.getvalue() == ""


def test_the_engine_still_draws_nothing_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    stream = _Heard()
    progress = Progress(stream, after_s=3600)
    connection = connect()
    progress.follow(connection)
    connection.execute("set progress_bar_time = 0")
    connection.execute("select sum(a.range) from range(3000) a, range(30000) b").fetchall()
    progress.end()
    assert capfd.readouterr() == ("", "")


def test_without_a_terminal_on_stderr_there_is_no_progress() -> None:
    with progress() as silent:
        assert isinstance(silent, Silent)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    spool(tmp_path / "lake", [call(n) for n in range(3)])
    return tmp_path / "lake"


def test_a_long_query_shows_its_duration_and_erases_it(lake: Path) -> None:
    terminal = Terminal("query", SLOW, "--lake", str(lake))
    try:
        terminal.read_until(rb"mcpobs: reading \xe2\x80\xa6 [12] s")
        terminal.child.send_signal(signal.SIGINT)
        assert terminal.end() == 130
        assert terminal.output.endswith(b"\r\x1b[K")
    finally:
        terminal.close()


def test_a_quick_report_in_a_terminal_has_its_answer_alone(lake: Path) -> None:
    words = ["report", "latency", "--json", "--lake", str(lake)]
    piped = subprocess.run([sys.executable, "-m", "mcpobs", *words], capture_output=True, timeout=60, check=True)
    terminal = Terminal(*words)
    try:
        assert terminal.end() == 0
        answer = re.sub(rb"\r\x1b\[K(mcpobs: reading[^\r]*)?", b"", terminal.output)  # on a machine that is slow
        assert answer.replace(b"\r\n", b"\n") == piped.stdout
    finally:
        terminal.close()
