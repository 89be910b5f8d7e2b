"""One line on stderr, never on stdout, which may be the wire."""

from __future__ import annotations

import os
import select

from mcpobs.terminal import warning

WAIT_MS = 100


def warn(message: str) -> None:
    """Dropped where nobody reads stderr: the calls must not wait for that."""
    try:
        poll = select.poll()
        poll.register(2, select.POLLOUT)
        if poll.poll(WAIT_MS):
            os.write(2, warning(message).encode(errors="replace"))
    except OSError:
        pass
