"""The terminal's alternate screen, and how to leave it: whatever ends the command, the terminal is as it was."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l"  # the other screen, no cursor, and no line goes on in the next
_LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
_STEP_S = 0.2


class Terminated(KeyboardInterrupt):
    """The process was asked to end by a signal. It is a KeyboardInterrupt so that a running query ends with it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def screen() -> Iterator[None]:
    """The alternate screen, and keys without echo, for as long as the block runs. A SIGTERM or SIGHUP that ends it
    ends the process as it would have without."""
    keys = termios.tcgetattr(sys.stdin) if sys.stdin.isatty() else None
    old = {number: signal.signal(number, _terminate) for number in (signal.SIGTERM, signal.SIGHUP)}
    ended: Terminated | None = None
    try:
        if keys is not None:
            tty.setcbreak(sys.stdin)
        _write(_ENTER)
        yield
    except Terminated as error:
        ended = error
    finally:
        for number in old:
            signal.signal(number, signal.SIG_IGN)  # a second one must not come between the next lines
        _write(_LEAVE)
        if keys is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, keys)
        for number, handler in old.items():
            signal.signal(number, handler)
    if ended is not None:
        signal.signal(ended.number, signal.SIG_DFL)
        os.kill(os.getpid(), ended.number)


def draw(lines: Sequence[str]) -> None:
    """Shows the lines in place of what was there."""
    _write("\x1b[H" + "\x1b[K\n".join(lines) + "\x1b[K\x1b[J")


def size() -> tuple[int, int]:
    """Columns and lines."""
    found = os.get_terminal_size(sys.stdout.fileno())
    return found.columns or 80, found.lines or 24


def wait(seconds: float, redraw: Callable[[], None]) -> str:
    """Waits for a key, at most so long; the key, or nothing. Calls `redraw` when the terminal's size changes."""
    until, known = time.monotonic() + seconds, size()
    while (left := until - time.monotonic()) > 0:
        if sys.stdin.isatty():
            ready, _, _ = select.select([sys.stdin], [], [], min(left, _STEP_S))
            if ready:
                return os.read(sys.stdin.fileno(), 64).decode("ascii", "ignore")
        else:
            time.sleep(min(left, _STEP_S))
        if size() != known:
            known = size()
            redraw()
    return ""


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated(number)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
