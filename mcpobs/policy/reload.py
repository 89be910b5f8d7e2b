"""Takes changes of policy files while a front runs: compiled aside, swapped as one reference, never a moment without.

A daemon thread looks at the files, so the poll loop and the event loop do no I/O for it. A change is taken when the
files have been still for SETTLE_S: editors write in several steps. A policy that is wrong, or gone, is refused with one
warning, and the one in force stays. Counters go by rule ids and live in the store: a reload touches none.
"""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from mcpobs import safefile
from mcpobs.errors import McpobsError, UsageError
from mcpobs.limits.document import MAX_BYTES
from mcpobs.policy import file
from mcpobs.policy.model import Policy
from mcpobs.stderr import say, warn
from mcpobs.terminal import HINT

LOOK_S = 1.0
SETTLE_S = 0.2
RACY_NS = 3_000_000_000
"""A file that was written so shortly before it was read is compared by its content: a second write can leave time and
size as they are."""


class _Stamp(NamedTuple):
    """What a change of a file shows without reading it; also of what a link leads to."""

    mtime_ns: int
    size: int
    inode: int
    device: int


_GONE = _Stamp(0, -1, 0, 0)


class Reloader:
    """Watches the files of one policy. `use` takes a new one, e.g. `Engine.use`; called from the watching thread."""

    def __init__(
        self,
        files: Sequence[str],
        policy: Policy,
        use: Callable[[Policy], None],
        *,
        say: Callable[[str], None] = say,
        warn: Callable[[str], None] = warn,
        look_s: float = LOOK_S,
        settle: Callable[[], bool] | None = None,
    ) -> None:
        """`settle` waits until a writer may have gone on; True ends the look."""
        self._files = tuple(files)
        self._use = use
        self._say = say
        self._warn = warn
        self._look_s = look_s
        self._hash = policy.hash
        self._refused = ""  # what was refused last, so that it is said once
        self._stamps: tuple[_Stamp, ...] = ()
        self._digest = ""
        self._ended = threading.Event()
        self._settle = settle or (lambda: self._ended.wait(SETTLE_S))
        self._thread: threading.Thread | None = None

    # -- the thread ------------------------------------------------------------------------------------------

    def start(self, *, after_fork: bool = False) -> None:
        """Starts watching; with `after_fork` also in processes that are forked off later, which threads do not
        survive."""
        self._run_thread()
        if after_fork:
            os.register_at_fork(after_in_child=self._start_again)

    def _start_again(self) -> None:
        if not self._ended.is_set():
            self._ended = threading.Event()  # its lock may be held by the thread that is gone
            self._run_thread()

    def stop(self) -> None:
        """Ends watching. What is in force stays."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _run_thread(self) -> None:
        # Signals are the front's: one that the kernel gives to this thread would end the process, or be lost.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self._thread = threading.Thread(target=self._watch, name="mcpobs-policy", daemon=True)
            self._thread.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _watch(self) -> None:
        while not self._ended.wait(self._look_s):
            try:
                self.look()
            except Exception as error:  # a fault of ours must not end the watch in silence
                self._refuse(f"cannot look at the policy ({type(error).__name__})", "restart to take a new one")

    # -- a look ----------------------------------------------------------------------------------------------

    def look(self) -> bool:
        """Takes a change, if there is one and the files are still. Returns whether another policy is in force."""
        stamps = self._stamped()
        if stamps == self._stamps:
            if not _is_racy(stamps):
                return False
        elif self._settle() or self._stamped() != stamps:
            return False  # still being written: the next look is soon enough
        contents, fault = self._contents()
        self._stamps = stamps
        digest = hashlib.sha256(repr((contents, fault and fault.message)).encode()).hexdigest()
        if digest == self._digest:
            return False
        self._digest = digest
        return self._take(contents, fault)

    def _take(self, contents: list[tuple[bytes, str]], fault: McpobsError | None) -> bool:
        if fault is not None:
            return self._refuse(fault.message, fault.hint)
        try:
            policy = file.of_texts(contents)
            if policy.hash == self._hash:
                self._refused = ""
                return False
            self._use(policy)
        except McpobsError as error:
            return self._refuse(error.message, error.hint)
        old, self._hash, self._refused = self._hash, policy.hash, ""
        self._say(f"policy {policy.hash} is in force, in place of {old}: {', '.join(self._files)}")
        return True

    def _refuse(self, message: str, hint: str | None) -> bool:
        if message != self._refused:
            self._refused = message
            kept = f"the changed policy is refused, and {self._hash} stays in force: {message}"
            self._warn(kept + (f"{HINT}{hint}" if hint else ""))
        return False

    def _stamped(self) -> tuple[_Stamp, ...]:
        return tuple(map(_stamp, self._files))

    def _contents(self) -> tuple[list[tuple[bytes, str]], McpobsError | None]:
        found = []
        for path in self._files:
            try:
                found.append((safefile.read(path, MAX_BYTES), path))
            except OSError as error:
                hint = "put it back, or restart without it: until then the old one is enforced"
                return [], UsageError(f"cannot read {path}: {error.strerror}", hint)
        return found, None


def _stamp(path: str) -> _Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return _GONE
    return _Stamp(found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev)


def _is_racy(stamps: tuple[_Stamp, ...]) -> bool:
    """Whether a file may have changed in the moment in which it was read."""
    return time.time_ns() - max((one.mtime_ns for one in stamps), default=0) < RACY_NS
