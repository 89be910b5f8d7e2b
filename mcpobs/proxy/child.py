"""The wrapped server's process: started as the client would have started it, signalled, waited for, imitated.

It is imported before anything heavy, so that the server starts while the wrapper still loads.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from mcpobs.errors import McpobsError
from mcpobs.inherited import environment

FORWARDED = tuple(
    getattr(signal, name)
    for name in (
        *(
            "SIGTERM",
            "SIGINT",
            "SIGHUP",
            "SIGQUIT",
            "SIGUSR1",
            "SIGUSR2",
            "SIGWINCH",
            "SIGCONT",
            "SIGALRM",
            "SIGVTALRM",
        ),
        *("SIGPROF", "SIGIO", "SIGPWR", "SIGURG", "SIGXCPU", "SIGSTKFLT"),
        *("SIGTSTP", "SIGTTIN", "SIGTTOU"),
    )
    if hasattr(signal, name)
)
STOPPING = frozenset((signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU))
_RESTORED = tuple(getattr(signal, name) for name in ("SIGPIPE", "SIGXFSZ") if hasattr(signal, name))
_SENT_BY_KERNEL = 0x80  # si_code SI_KERNEL: the terminal sent it, to the server's process as well
_PR_SET_PDEATHSIG = 1


class StartError(McpobsError):
    """The server's command cannot be run. Exit codes as of env(1): 127 not found, 126 not executable."""

    def __init__(self, message: str, hint: str, exit_code: int) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code


class Exit(NamedTuple):
    """How the server ended: its exit code, or the signal that ended it."""

    code: int | None
    signal: int | None

    @property
    def signal_name(self) -> str | None:
        if self.signal is None:
            return None
        try:
            return signal.Signals(self.signal).name
        except ValueError:  # a real-time signal
            return f"SIG{self.signal}"


class Child:
    """A started server. `stdin` and `stdout` are our ends of its pipes; its stderr is ours."""

    def __init__(self, pid: int, stdin: int, stdout: int) -> None:
        self.pid = pid
        self.stdin = stdin
        self.stdout = stdout
        self.sent: set[int] = set()  # signals that it got from us
        self.called_in_vain = False  # a signal came for it after its end: somebody wants us to end as well
        self._gone = threading.Lock()  # held while a signal is sent, and for good once the pid may be reused

    def wait(self) -> Exit:
        """Blocks until the server has ended."""
        if hasattr(os, "waitid"):  # macOS has it since Python 3.13
            while not self._has_ended():
                pass
            self._gone.acquire()
        _, status = os.waitpid(self.pid, 0)
        if os.WIFSIGNALED(status):
            return Exit(None, os.WTERMSIG(status))
        return Exit(os.waitstatus_to_exitcode(status), None)

    def _has_ended(self) -> bool:
        """Blocks until the server has ended, or has stopped. If it stopped because it was asked to, by us or by the
        terminal, so does the wrapper: a shell that waits for it takes its terminal back."""
        seen = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WSTOPPED | os.WNOWAIT)
        if seen is None or seen.si_code != os.CLD_STOPPED:
            return True
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOHANG)
        if seen.si_status in STOPPING:
            os.kill(os.getpid(), signal.SIGSTOP)
        return False

    def send_signal(self, number: int) -> None:
        if self._gone.acquire(blocking=False):
            try:
                self.sent.add(number)
                os.kill(self.pid, number)
            except OSError:  # it is gone, or belongs to another user by now
                pass
            finally:
                self._gone.release()
        else:
            self.called_in_vain = True


def start(command: Sequence[str]) -> Child:
    """Starts the server. Must run in the main thread before any other thread exists."""
    _occupy_standard_fds()
    handed_on = _take_over_signals()
    set_death_signal = _death_signal_setter()
    try:
        child_stdin, our_stdin = os.pipe()
        our_stdout, child_stdout = os.pipe()
        failure_read, failure_write = os.pipe()
        parent = os.getpid()
        pid = os.fork()
    except OSError as error:  # no process or no file descriptor left
        raise _start_error(command, error.errno or 0) from None
    if pid == 0:
        _become_server(command, child_stdin, child_stdout, failure_write, parent, set_death_signal, handed_on)
    for fd in (child_stdin, child_stdout, failure_write):
        os.close(fd)
    with os.fdopen(failure_read, "rb") as pipe:
        failure = pipe.read()
    if failure:
        os.waitpid(pid, 0)
        raise _start_error(command, int(failure))
    return Child(pid, our_stdin, our_stdout)


def _forwarded() -> tuple[signal.Signals, ...]:
    """What this process forwards. A process that blocks SIGTTIN or SIGTTOU gets an error in place of a stop if it uses
    its terminal in the background, so those two are forwarded only without a terminal."""
    if not any(map(os.isatty, (0, 1, 2))):
        return FORWARDED
    return tuple(number for number in FORWARDED if number not in (signal.SIGTTIN, signal.SIGTTOU))


def forward_signals(child: Child) -> None:
    """Passes signals on to the server, in a thread of its own. What the terminal sent, the server got already:
    it is in our process group."""
    if hasattr(signal, "sigwaitinfo"):
        threading.Thread(target=_forward_for_ever, args=(child,), name="signals", daemon=True).start()
        return
    for number in frozenset(FORWARDED) - STOPPING:  # macOS: no siginfo, so a ^C at a terminal reaches the server twice
        signal.signal(number, lambda got, _frame: child.send_signal(got))


def imitate(ended: Exit) -> NoReturn:
    """Ends this process the way the server ended, so that whoever waits for us sees the same status."""
    if ended.signal is not None:
        import resource

        try:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # one core dump, the server's, is enough
            signal.signal(ended.signal, signal.SIG_DFL)
        except (OSError, ValueError):
            pass  # SIGKILL and SIGSTOP have no disposition to restore
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [ended.signal])
        signal.raise_signal(ended.signal)  # to this thread: another one waits for signals to forward
        os._exit(128 + ended.signal)
    os._exit(ended.code or 0)


def _forward_for_ever(child: Child) -> None:
    forwarded = _forwarded()
    while True:
        info = signal.sigwaitinfo(forwarded)
        # A terminal that goes away signals the leader of its session alone.
        ours_alone = info.si_signo == signal.SIGHUP and os.getsid(0) == os.getpid()
        if info.si_code != _SENT_BY_KERNEL or ours_alone:
            child.send_signal(info.si_signo)


class _Inherited(NamedTuple):
    """What our own parent wanted the server to start with."""

    mask: set[int | signal.Signals]
    on_child_end: object


def _take_over_signals() -> _Inherited:
    """Blocks what is forwarded, in all threads to come. Where our parent ignores the end of its children, that was
    handed on to us, and we could not wait for the server."""
    blocked = _forwarded() if hasattr(signal, "sigwaitinfo") else ()
    return _Inherited(signal.pthread_sigmask(signal.SIG_BLOCK, blocked), signal.signal(signal.SIGCHLD, signal.SIG_DFL))


def _occupy_standard_fds() -> None:
    """Where we were started without stdin, stdout or stderr the next file that we open would get its number, and
    take its place. What takes it here can be neither read nor written, like none."""
    for fd, mode in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_RDONLY)):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, mode)  # gets the lowest free number, which is this one


def _become_server(
    command: Sequence[str],
    stdin: int,
    stdout: int,
    failure: int,
    parent: int,
    set_death_signal: object,
    inherited: _Inherited,
) -> NoReturn:
    """Runs in the forked child: nothing here may return or raise."""
    try:
        os.dup2(stdin, 0)
        os.dup2(stdout, 1)
        for number in _RESTORED:  # Python ignores these, and a disposition of "ignore" survives exec
            signal.signal(number, signal.SIG_DFL)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a ^C now is the server's already
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        if inherited.on_child_end == signal.SIG_IGN:
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        if callable(set_death_signal):
            set_death_signal(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)
        signal.pthread_sigmask(signal.SIG_SETMASK, inherited.mask)
        os.execvpe(command[0], list(command), environment())
    except OSError as error:
        os.write(failure, str(error.errno or 0).encode())
    finally:
        os._exit(127)


def _death_signal_setter() -> object:
    """prctl(2) on Linux: a wrapper that is killed outright takes the server with it, as killing the server would.
    Without it a server that does not watch for the end of its input would stay behind."""
    if sys.platform != "linux":
        return None
    try:
        import ctypes

        return ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None


def _start_error(command: Sequence[str], number: int) -> StartError:
    import errno

    program = command[0]
    if number == errno.ENOENT:
        return StartError(
            f"cannot start {program!r}: no such command",
            "check its spelling and the PATH that the MCP client gives to its servers",
            127,
        )
    if number in (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE):
        return StartError(
            f"cannot start {program!r}: {os.strerror(number)}", "check ulimit -u, ulimit -n and the memory", 126
        )
    return StartError(
        f"cannot start {program!r}: {os.strerror(number)}",
        "check that it is a program and may be executed",
        126,
    )
