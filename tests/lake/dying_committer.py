"""`python -m tests.lake.dying_committer <lake>`: a committer that kills itself when a batch has a span named `deadly`.

It does so in the midst of its work: after the batch is decoded, before its file is written.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from mcpobs.lake import received
from mcpobs.lake.otlp.request import Body
from mcpobs.lake.writer import commit


class Receiving(received.Receiving):
    def take(
        self, bodies: Sequence[Body], received_unix_nano: int, *, redact: bool = False, scrub: bool = False
    ) -> None:
        super().take(bodies, received_unix_nano, redact=redact, scrub=scrub)
        if any(b"deadly" in bytes(body) for body in bodies):
            os.kill(os.getpid(), signal.SIGKILL)


def main(lake: str) -> None:
    received.Receiving = Receiving  # type: ignore[misc]
    commit(Path(lake))


if __name__ == "__main__":
    main(*sys.argv[1:])
