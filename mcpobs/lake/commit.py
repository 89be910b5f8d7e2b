"""`python -m mcpobs.lake.commit <lake>`: the background committer, started by a wrapper as a separate process. Prints
nothing.

One runs at a time. It commits, waits for the grace of the committed segments, unlinks them, and repeats while enough
new segments arrive, for GOES_ON_S at most. It runs at low priority and waits for no lock; an alarm ends it in any case.
Exit code: 0 done, or another process is committing · 2 wrong usage · 3 the lake cannot be read or written.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from mcpobs.errors import EXIT_OK, EXIT_UNAVAILABLE, EXIT_USAGE, McpobsError
from mcpobs.lake.backlog import LONG_PAUSE_S, PAUSE_S, Turn, sealed, segments, turn, worth_committing
from mcpobs.lake.place import require_lake

LIMIT_S = 900
GOES_ON_S = 300.0


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        return EXIT_USAGE
    signal.pthread_sigmask(signal.SIG_SETMASK, [])  # the wrapper that starts it blocks the signals that it forwards
    signal.alarm(LIMIT_S)  # its default action ends the process; a commit may be interrupted anywhere
    with suppress(OSError):  # a failure to lower the priority must not prevent the commit
        os.nice(10)
    lake = Path(arguments[0])
    try:
        require_lake(lake)
        with turn(lake) as mine:
            if mine is None:
                return EXIT_OK
            mine.rest(LONG_PAUSE_S)  # if it fails or is killed
            mine.rest(_commit_rounds(lake, mine))
    except (McpobsError, OSError):
        return EXIT_UNAVAILABLE  # the spool keeps the rows, and a command that the user runs reports the reason
    return EXIT_OK


def _commit_rounds(lake: Path, mine: Turn) -> float:
    """Commits until too little is left; returns the pause before the next background committer."""
    from mcpobs.lake.sealed import UNLINK_GRACE_S
    from mcpobs.lake.writer import commit, unlink_covered  # imports DuckDB

    end_s = time.monotonic() + GOES_ON_S
    moved = 0
    while True:
        done = commit(lake)
        if not done.segments and not done.busy and not any(map(sealed, segments(lake))):
            break
        mine.rest(LONG_PAUSE_S)
        time.sleep(UNLINK_GRACE_S)  # without the lake's lock: others may commit meanwhile
        progress = done.segments + done.unlinked + unlink_covered(lake)
        moved += progress
        if not progress or time.monotonic() > end_s or not worth_committing(lake):
            break
        mine.rest(LONG_PAUSE_S)
    return PAUSE_S if moved else LONG_PAUSE_S


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
