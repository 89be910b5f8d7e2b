"""The one writer of warnings: what a line looks like, what is written once, and that nobody's pipe is waited for."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mcpobs.stderr import MAX_KEYS, Faults, Once, fault, say, warn


def test_a_warning_has_its_hint_on_a_line_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    warn("cannot record to /x\nhint: free some space")
    say("3 spans exported")
    assert capfd.readouterr().err == (
        "mcpobs: warning: cannot record to /x\nhint: free some space\nmcpobs: 3 spans exported\n"
    )


def test_what_a_peer_named_cannot_begin_a_line_or_move_the_cursor(capfd: pytest.CaptureFixture[str]) -> None:
    warn("tool \x1b[2J\nmcpobs: forged")
    assert capfd.readouterr().err == "mcpobs: warning: tool \\x1b[2J\\x0amcpobs: forged\n"


def test_a_full_pipe_that_nobody_reads_is_not_waited_for() -> None:
    code = (
        "import os; from mcpobs.stderr import warn\n"
        "os.set_blocking(2, False)\n"
        "try:\n"
        "    while True: os.write(2, b'x' * 4096)\n"
        "except BlockingIOError: os.set_blocking(2, True)\n"
        "warn('dropped')\n"
        "os.write(1, b'went on')\n"
    )
    read, write = os.pipe()
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=write, timeout=60, check=True
        )
    finally:
        os.close(read)
        os.close(write)
    assert done.stdout == b"went on"


def test_a_closed_stderr_raises_nothing() -> None:
    code = "import os; os.close(2); from mcpobs.stderr import warn; warn('nobody'); os.write(1, b'went on')"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, timeout=60, check=True)
    assert done.stdout == b"went on"


def test_a_warning_is_written_once_for_each_key_and_for_so_many_keys() -> None:
    written: list[str] = []
    once = Once(written.append)
    for key in ("a", "b", "a"):
        once(key, key)
    assert written == ["a", "b"]
    for number in range(2 * MAX_KEYS):
        once(str(number), "more")
    assert len(written) == MAX_KEYS


def test_a_fault_of_ours_is_reported_once_by_its_place_and_without_its_text() -> None:
    written: list[str] = []
    faults = Faults("a frame could not be observed", "the server goes on", written.append)
    try:
        raise ValueError("a secret")
    except ValueError as error:
        faults.report(error)
        faults.report(error)
        place = fault(error)
    assert place.startswith(f"ValueError at {__file__}:")
    assert written == [f"a frame could not be observed ({place}); the server goes on"]
