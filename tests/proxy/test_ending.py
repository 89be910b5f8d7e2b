"""How the wrapper starts, is signalled and ends: as the server itself would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mcpobs.proxy.child import FORWARDED
from tests.proxy.wrapped import INSTRUMENT, Wrapped, call

HERE = Path(__file__).parent
LISTENING = [sys.executable, str(HERE / "listening.py")]
LAUNCH = [sys.executable, str(HERE / "launch.py")]

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc, prctl or siginfo")


def _front(lake: Path) -> list[str]:
    return [*INSTRUMENT, "--lake", str(lake), "--"]


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def _until_gone(pid: int) -> None:
    until = time.monotonic() + 30
    while not _gone(pid):
        assert time.monotonic() < until, "still there"
        time.sleep(0.01)


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_the_exit_code_is_the_servers(code: int, tmp_path: Path) -> None:
    with Wrapped(tmp_path / "lake") as wrapped:
        wrapped.send(call(1, "exit", code=code))
        assert wrapped.leave() == (code, b"", b"")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGINT, signal.SIGUSR1])
def test_a_server_that_dies_by_a_signal_takes_the_wrapper_with_it_in_the_same_way(
    number: signal.Signals, tmp_path: Path
) -> None:
    with Wrapped(tmp_path / "lake", ["sh", "-c", f"kill -{int(number)} $$"]) as wrapped:
        assert wrapped.leave() == (-number, b"", b"")


def test_signals_reach_the_server_each_once(tmp_path: Path) -> None:
    numbers = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT]
    with Wrapped(tmp_path / "lake", LISTENING) as wrapped:
        out = wrapped.process.stdout
        assert out is not None
        assert out.readline() == b"listening\n"
        for number in numbers:
            wrapped.process.send_signal(number)
            assert out.readline() == b"%d\n" % number
        assert wrapped.leave() == (len(numbers), b"", b"")


ONCE = "os.write(1, b'ready\\n'); os.write(1, b'%d\\n' % signal.sigwait(signal.valid_signals()))"


@linux
@pytest.mark.parametrize("number", [number for number in FORWARDED if number != signal.SIGCONT])
def test_each_signal_that_is_sent_to_the_wrapper_reaches_the_server(number: signal.Signals, tmp_path: Path) -> None:
    code = "import os,signal; signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals());" + ONCE
    with Wrapped(tmp_path / "lake", [sys.executable, "-c", code]) as wrapped:
        out = wrapped.process.stdout
        assert out is not None
        assert out.readline() == b"ready\n"
        wrapped.process.send_signal(number)
        assert out.readline() == b"%d\n" % number


def _stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@linux
@pytest.mark.parametrize("number", [signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU])
def test_a_server_that_is_stopped_stops_the_wrapper_and_goes_on_with_it(number: signal.Signals, tmp_path: Path) -> None:
    server = ["sh", "-c", "echo $$; exec cat"]
    pipe = subprocess.PIPE
    # A group of its own: in one that has no parent in its session nothing stops.
    with subprocess.Popen([*_front(tmp_path / "lake"), *server], stdin=pipe, stdout=pipe, process_group=0) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        for turn in (b"one\n", b"two\n"):
            process.send_signal(number)
            seen = os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED)
            assert seen is not None
            assert seen.si_code == os.CLD_STOPPED
            assert _stopped(pid)
            process.send_signal(signal.SIGCONT)
            process.stdin.write(turn)
            process.stdin.flush()
            assert process.stdout.readline() == turn
        process.stdin.close()
        assert process.wait(timeout=60) == 0


@linux
def test_a_server_that_ignores_a_stop_goes_on(tmp_path: Path) -> None:
    with Wrapped(tmp_path / "lake", ["sh", "-c", "trap '' TSTP; echo ready; exec cat"]) as wrapped:
        assert wrapped.process.stdout is not None
        assert wrapped.process.stdout.readline() == b"ready\n"
        wrapped.process.send_signal(signal.SIGTSTP)
        wrapped.send(b"words\n")
        assert wrapped.leave() == (0, b"words\n", b"")


@linux
def test_a_wrapper_that_ignores_an_alarm_has_a_server_that_does(tmp_path: Path) -> None:
    command = [*LAUNCH, "deaf", "--", *_front(tmp_path / "lake"), "sh", "-c", "echo ready; exec cat"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        for number in (signal.SIGALRM, signal.SIGTSTP, signal.SIGALRM):
            process.send_signal(number)
        assert process.communicate(b"words\n", timeout=60)[0] == b"words\n"
        assert process.returncode == 0


DAEMON = (
    "import os, sys, time\n"
    "if os.fork(): os._exit({code})\n"
    "os.setsid()\n"
    "sys.stdout.write('serving\\n'); sys.stdout.flush()\n"
    "for line in sys.stdin:\n"
    "    sys.stdout.write(line); sys.stdout.flush()\n"
)


@linux
def test_a_server_that_goes_on_in_the_background_is_served_until_its_client_leaves(tmp_path: Path) -> None:
    with Wrapped(tmp_path / "lake", [sys.executable, "-c", DAEMON.format(code=0)]) as wrapped:
        out = wrapped.process.stdout
        assert out is not None
        assert out.readline() == b"serving\n"
        for turn in range(3):
            time.sleep(1.2)  # longer than the wrapper waits for what a dead server may have left: lateness is the point
            wrapped.send(call(turn, "echo"))
            assert b'"tools/call"' in out.readline()
        assert wrapped.leave() == (0, b"", b"")


@linux
def test_a_server_that_goes_on_in_the_background_ends_the_wrapper_when_it_ends(tmp_path: Path) -> None:
    with Wrapped(tmp_path / "lake", [sys.executable, "-c", DAEMON.format(code=0) + "    break\n"]) as wrapped:
        assert wrapped.process.stdout is not None
        assert wrapped.process.stdout.readline() == b"serving\n"
        wrapped.send(b"words\n")
        assert wrapped.process.stdout.readline() == b"words\n"
        assert wrapped.process.wait(timeout=60) == 0


@linux
def test_a_wrapper_whose_server_is_in_the_background_ends_when_it_is_asked_to(tmp_path: Path) -> None:
    with Wrapped(tmp_path / "lake", [sys.executable, "-c", DAEMON.format(code=0)]) as wrapped:
        assert wrapped.process.stdout is not None
        assert wrapped.process.stdout.readline() == b"serving\n"
        while wrapped.process.poll() is None:  # the first ones may still find the server
            wrapped.process.terminate()
            time.sleep(0.05)
        assert wrapped.process.returncode in (0, -signal.SIGTERM)


def test_a_server_that_is_asked_to_end_ends_the_wrapper_with_its_signal(tmp_path: Path) -> None:
    with Wrapped(tmp_path / "lake") as wrapped:
        wrapped.server_pid()
        wrapped.process.terminate()
        assert wrapped.process.wait() == -signal.SIGTERM


@linux
def test_a_control_c_at_the_terminal_reaches_the_server_once(tmp_path: Path) -> None:
    master, slave = os.openpty()
    command = [*LAUNCH, "terminal", "--", *_front(tmp_path / "lake"), *LISTENING]
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True) as process:
        os.close(slave)
        seen = b""
        while b"listening" not in seen:
            seen += os.read(master, 1024)
        for turn in range(1, 4):
            os.write(master, b"\x03")
            while seen.count(b"\n2\r") + seen.count(b"^C2\r") < turn:
                seen += os.read(master, 1024)
        os.write(master, b"end\n")
        assert process.wait(timeout=60) == 3
    os.close(master)


@linux
def test_a_terminal_that_goes_away_ends_the_server_too(tmp_path: Path) -> None:
    master, slave = os.openpty()
    server = ["sh", "-c", "echo started; exec sleep 600"]
    command = [*LAUNCH, "terminal", "--", *_front(tmp_path / "lake"), *server]
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True) as process:
        os.close(slave)
        seen = b""
        while b"started" not in seen:
            seen += os.read(master, 1024)
        os.close(master)
        try:
            assert process.wait(timeout=60) == -signal.SIGHUP
        finally:
            process.kill()


@linux
def test_killing_the_wrapper_takes_the_server_with_it(tmp_path: Path) -> None:
    with Wrapped(tmp_path / "lake", ["sh", "-c", "echo $$; exec sleep 600"]) as wrapped:
        assert wrapped.process.stdout is not None
        pid = int(wrapped.process.stdout.readline())
        wrapped.process.kill()
        _until_gone(pid)


@linux
@pytest.mark.parametrize("server", ["grep -E Sig(Blk|Ign|Cgt) /proc/self/status", "ls /proc/self/fd"])
@pytest.mark.parametrize("states", ["", "blocked", "orphaning", "nohup", "background", "deaf", "blocked orphaning"])
def test_the_server_starts_with_the_signals_and_files_that_it_would_have_had(
    states: str, server: str, tmp_path: Path
) -> None:
    launch = [*LAUNCH, *states.split(), "--"]
    bare = subprocess.run([*launch, *server.split()], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    wrapper = [*launch, *_front(tmp_path / "lake"), *server.split()]
    wrapped = subprocess.run(wrapper, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert bare.stdout
    assert (wrapped.stdout, wrapped.stderr, wrapped.returncode) == (bare.stdout, bare.stderr, 0)


@pytest.mark.parametrize(
    ("redirections", "out"),
    [("<&-", b"hi\n"), ("2>&-", b"hi\n"), (">&-", b""), ("<&- 2>&-", b"hi\n"), ("<&- >&- 2>&-", b"")],
)
def test_a_wrapper_that_is_started_without_stdin_stdout_or_stderr_serves_the_server(
    redirections: str, out: bytes, tmp_path: Path
) -> None:
    server = ["sh", "-c", "trap '' PIPE; echo hi; cat; exit 6"]
    command = ["sh", "-c", f'exec "$@" {redirections}', "sh", *_front(tmp_path / "lake"), *server]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout) == (6, out)
    assert not [path for path in (tmp_path / "lake" / "spool").iterdir() if b"hi" in path.read_bytes()]


def test_an_error_never_goes_to_stdout_if_stderr_is_closed(tmp_path: Path) -> None:
    command = ["sh", "-c", 'exec "$@" 2>&-', "sh", *_front(tmp_path / "lake"), "no-such-command"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout) == (127, b"")


def test_the_end_of_input_reaches_the_server_and_the_end_of_output_the_client(tmp_path: Path) -> None:
    server = ["sh", "-c", "cat; echo end; exec >&-; echo later >&2; exit 5"]
    with Wrapped(tmp_path / "lake", server) as wrapped:
        wrapped.send(b"words\n")
        assert wrapped.leave() == (5, b"words\nend\n", b"later\n")


def test_a_server_that_closes_its_output_and_lives_on_is_left_alone(tmp_path: Path) -> None:
    with Wrapped(tmp_path / "lake", ["sh", "-c", "exec >&-; cat >/dev/null; exit 8"]) as wrapped:
        assert wrapped.process.stdout is not None
        assert wrapped.process.stdout.read() == b""
        assert wrapped.process.poll() is None
        wrapped.send(b"words\n")
        assert wrapped.leave() == (8, b"", b"")


def test_a_server_that_closes_its_input_breaks_the_clients_pipe(tmp_path: Path) -> None:
    with Wrapped(tmp_path / "lake", ["sh", "-c", "exec <&-; echo closed; exec sleep 600"]) as wrapped:
        assert wrapped.process.stdout is not None
        assert wrapped.process.stdout.readline() == b"closed\n"
        with pytest.raises(BrokenPipeError):
            wrapped.send(*[b"x" * 65536] * 64)
        wrapped.process.terminate()
        assert wrapped.process.wait() == -signal.SIGTERM


def test_a_client_that_reads_no_more_breaks_the_servers_pipe(tmp_path: Path) -> None:
    with Wrapped(tmp_path / "lake", ["sh", "-c", "yes; exit 1"]) as wrapped:
        assert wrapped.process.stdout is not None
        assert wrapped.process.stdout.readline() == b"y\n"
        wrapped.process.stdout.close()
        assert wrapped.process.wait() == 1


def test_a_process_that_the_server_leaves_behind_does_not_hold_the_wrapper(tmp_path: Path) -> None:
    server = ["sh", "-c", "sleep 600 2>/dev/null & echo $!; exit 4"]
    with Wrapped(tmp_path / "lake", server) as wrapped:
        code, out, err = wrapped.leave()
        os.kill(int(out), signal.SIGKILL)
        assert (code, err) == (4, b"")


def test_what_the_server_wrote_before_its_end_reaches_a_client_that_reads_late(tmp_path: Path) -> None:
    with Wrapped(tmp_path / "lake", ["sh", "-c", "head -c 120000 /dev/zero; exit 3"]) as wrapped:
        time.sleep(3)  # longer than the wrapper waits for what a dead server may have left: lateness is the point
        assert wrapped.leave() == (3, b"\0" * 120_000, b"")


def test_a_wrapper_whose_server_is_gone_and_whose_client_does_not_read_still_ends_when_asked(tmp_path: Path) -> None:
    with Wrapped(tmp_path / "lake", ["sh", "-c", "echo $$ >&2; head -c 120000 /dev/zero; exit 3"]) as wrapped:
        assert wrapped.process.stderr is not None
        _until_gone(int(wrapped.process.stderr.readline()))
        while wrapped.process.poll() is None:  # the first ones may still find the server
            wrapped.process.terminate()
            time.sleep(0.05)
        assert wrapped.process.returncode == 3


@linux
def test_a_flood_is_held_back_and_not_kept(tmp_path: Path) -> None:
    flood = "import os\nfor n in range(192): os.write(1, b'{\"x\":\"' + b'y' * (1 << 20) + b'\"}\\n')\nos.read(0, 1)"
    with Wrapped(tmp_path / "lake", [sys.executable, "-c", flood]) as wrapped:
        assert wrapped.process.stdout is not None
        for _ in range(192):
            assert len(wrapped.process.stdout.readline()) == (1 << 20) + 9
        status = Path(f"/proc/{wrapped.process.pid}/status").read_text()
        peak_kib = int(status.partition("VmHWM:")[2].split()[0])
        assert wrapped.leave() == (0, b"", b"")
    assert peak_kib < 100 << 10
