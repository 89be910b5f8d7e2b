"""`python -m mcpobs.lake.commit <lake>`: a commit in a process of its own, as the wrapper starts it. Says nothing.

It yields the processor to everybody else and ends by itself: it waits for no lock, and a hard limit of time stands
behind that. Exit code: 0 done or another process is at it · 2 wrong usage · 3 the lake cannot be read or written.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from mcpobs.errors import EXIT_OK, EXIT_UNAVAILABLE, EXIT_USAGE, McpobsError

LIMIT_S = 900


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        return EXIT_USAGE
    signal.pthread_sigmask(signal.SIG_SETMASK, [])  # the wrapper that starts it blocks what it passes on
    signal.alarm(LIMIT_S)  # its default action ends the process, which a committer survives anywhere
    with suppress(OSError):  # being polite is not worth failing for
        os.nice(10)
    from mcpobs.lake.writer import UNLINK_GRACE_S, commit, unlink_covered

    lake = Path(arguments[0])
    try:
        if commit(lake).segments:
            time.sleep(UNLINK_GRACE_S)  # without the lock: others may commit meanwhile
            unlink_covered(lake)
    except McpobsError:
        return EXIT_UNAVAILABLE  # the spool keeps the rows, and a command that the user runs will say why
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
