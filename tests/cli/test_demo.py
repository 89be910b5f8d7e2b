"""`mcpobs demo` closes the loop: limits from its traffic stop the runaway of its second run, and the runaway's bill."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass
from pathlib import Path

import pytest

from mcpobs.limits.file import read
from mcpobs.output.text import width
from mcpobs.sample.play import HEAVY, LOOP, LOOP_CALLS, clients

CELLS = 80
PRICE_MICROUSD = 20_000


@dataclass(frozen=True)
class Demo:
    root: Path
    lines: list[str]

    def calls(self, lake: str, where: str) -> tuple[int, int, int]:
        """Calls, those among them that the server got, and their cost."""
        sql = (
            "select count(*), count(*) filter (where outcome <> 'denied'), cast(sum(cost_microusd) as bigint) "
            f"from tool_calls where {where}"
        )
        command = [sys.executable, "-m", "mcpobs", "query", sql, "--format", "csv", "--lake", str(self.root / lake)]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        calls, reached, cost = map(int, shown.splitlines()[1].split(","))
        return calls, reached, cost


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demo on a terminal of 80 cells; what it says beside its answers goes elsewhere."""
    root = tmp_path_factory.mktemp("demo")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, CELLS, 0, 0))
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | {"NO_COLOR": "1"}
    command = [sys.executable, "-m", "mcpobs", "demo", "--keep", str(root)]
    process = subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL, env=env)
    os.close(theirs)
    shown = _all_of(ours)
    assert process.wait(60) == 0
    return Demo(root, shown.decode().splitlines())


def _all_of(terminal: int) -> bytes:
    shown = b""
    while True:
        try:
            part = os.read(terminal, 1 << 16)
        except OSError:  # how Linux says that nobody has the other end open
            part = b""
        if not part:
            os.close(terminal)
            return shown
        shown += part


def test_the_runaway_of_the_second_run_is_stopped_at_the_cap_that_the_first_run_gave(demo: Demo) -> None:
    cap = read(str(demo.root / "limits.yaml")).of("search_orders").calls_per_session
    assert cap is not None
    runaway = f"session_id = '{LOOP}'"
    assert demo.calls("lake", runaway) == (LOOP_CALLS, LOOP_CALLS, LOOP_CALLS * PRICE_MICROUSD)
    assert demo.calls("enforced", runaway) == (LOOP_CALLS, cap.value, cap.value * PRICE_MICROUSD)
    assert cap.value < LOOP_CALLS / 10


def test_the_same_calls_are_made_in_both_runs_and_fewer_are_paid(demo: Demo) -> None:
    made = sum(len(script.calls) for scripts in clients() for script in scripts)
    calls, reached, cost = demo.calls("lake", "true")
    again, reached_again, cost_again = demo.calls("enforced", "true")
    assert (calls, reached, again) == (made, made, made)
    assert (reached_again, cost_again) < (reached, cost)


def test_the_last_lines_are_what_the_lakes_hold(demo: Demo) -> None:
    for whom, where in (("the runaway", f"session_id = '{LOOP}'"), ("all agents", "true")):
        _, before, spent = demo.calls("lake", where)
        _, now, spends = demo.calls("enforced", where)
        said = (
            f"{whom}: {before} calls for ${spent / 1e6:.2f} before, {now} calls for ${spends / 1e6:.2f} with the limits"
        )
        assert said in demo.lines


def test_the_reports_show_what_was_refused_and_to_whom(demo: Demo) -> None:
    shown = "\n".join(demo.lines)
    after = shown.partition("The same agents again")[2]
    assert "calls denied (" in after
    assert "halted" in after
    assert HEAVY in shown
    assert f"would have halted a loop (search_orders × {LOOP_CALLS})" in " ".join(demo.lines)


def test_without_keep_the_folder_is_temporary_and_nothing_of_it_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mcpobs.cli import demo as command

    made: list[Path] = []

    def shown(root: Path, play: command.Play) -> None:
        (root / "lake").mkdir()
        made.append(root)

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(command, "_show", shown)
    command.demo(keep=None)
    assert made[0].parent == tmp_path
    assert list(tmp_path.iterdir()) == []
    assert "mcpobs demo --keep" in capsys.readouterr().out


def test_no_line_is_drawn_over_where_stderr_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    from mcpobs.cli import demo as command

    command._progress(1, 9)
    command._played(9, Path("lake"))
    assert capsys.readouterr().err == "9 calls recorded in lake\n"


def test_every_line_fits_a_terminal_of_80_cells(demo: Demo) -> None:
    assert [line for line in demo.lines if width(line) > CELLS and str(demo.root) not in line] == []
