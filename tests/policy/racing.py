"""A process that reserves as fast as it can, and writes one byte for each grant that it saw.

python -m tests.policy.racing PATH LIMIT NAME
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from mcpobs.policy.sqlite import SqliteStore
from mcpobs.policy.state import Count, SessionKey

WAIT_S = 60.0
KEY = "principal:racing"


def calls(limit: int | None, amount: int = 1) -> Count:
    return Count("calls", amount, limit, scope=KEY)


def main() -> None:
    path, limit, name = sys.argv[1:]
    store = SqliteStore(path, WAIT_S)
    session = SessionKey(KEY, name)
    own = Count("own", 1, None)
    os.write(1, b"+")
    sys.stdin.buffer.read(1)
    while store.reserve(session, [calls(int(limit)), own]).granted:
        os.write(1, b".")
    store.close()


class Racer:
    """Such a process. It starts when it is let go."""

    def __init__(self, path: Path, limit: int, name: str, stack: ExitStack) -> None:
        command = [sys.executable, "-m", "tests.policy.racing", str(path), str(limit), name]
        self.process = stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        stack.callback(self.process.kill)
        self.saw = 0

    def ready(self) -> None:
        assert self.process.stdout is not None
        assert os.read(self.process.stdout.fileno(), 1) == b"+"

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"g")
        self.process.stdin.flush()

    def see(self, number: int) -> None:
        """Waits until it saw so many grants, or has ended."""
        assert self.process.stdout is not None
        while self.saw < number and (more := os.read(self.process.stdout.fileno(), number - self.saw)):
            self.saw += len(more)

    def end(self) -> int:
        """Returns its exit code."""
        self.see(sys.maxsize >> 40)
        return self.process.wait(60)


def total(path: Path) -> int:
    """What the store has counted."""
    store = SqliteStore(path, WAIT_S)
    try:
        return store.reserve(SessionKey(KEY, "reader"), [calls(None, 0)]).counts[0].before
    finally:
        store.close()


if __name__ == "__main__":
    main()
