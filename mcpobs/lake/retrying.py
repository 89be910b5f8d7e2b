"""`python -m mcpobs.lake.retrying <lake> <file>`: commits one file of the quarantine in a separate process.

The file may kill it, as it killed an earlier committer; the parent process notices. It prints one line of JSON: `rows`
and `duplicates`, or `error`. A committed file is deleted; of a segment of the collector's log, the requests that still
fail are kept.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TypedDict

from mcpobs.errors import EXIT_FINDINGS, EXIT_OK, EXIT_UNAVAILABLE, EXIT_USAGE, LakeError

DATA_BYTES = 4 << 30
"""Most memory, by RLIMIT_DATA: twice what the collector's committing process has."""


class Answer(TypedDict):
    """The result for the file. `error` is None if it left the quarantine."""

    rows: int
    duplicates: int
    error: str | None


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        return EXIT_USAGE
    from mcpobs.lake import memory, writer

    memory.limit(DATA_BYTES)
    try:
        done = writer.commit_set_aside(Path(arguments[0]), arguments[1])
    except LakeError as error:
        _answer(Answer(rows=0, duplicates=0, error=error.message))
        return EXIT_UNAVAILABLE
    left = "some of its requests still cannot be committed" if done.set_aside else None
    _answer(Answer(rows=done.rows, duplicates=done.duplicates, error=left))
    return EXIT_FINDINGS if left else EXIT_OK


def _answer(answer: Answer) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
