"""`python -m mcpobs.collector.converting`: converts large JSON requests to protobuf, in a separate process.

Parsing JSON holds the interpreter's lock and needs memory of many times the size of the text; the receiver must have
neither cost. A request arrives on stdin and its answer goes to stdout: each a HEAD, then the number of bytes that it
gives. The process ends when stdin ends.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from enum import IntEnum
from struct import Struct
from typing import BinaryIO, Final

from mcpobs.lake import memory
from mcpobs.lake.otlp.decode import MalformedError, from_json
from mcpobs.lake.otlp.request import TooManyValuesError

HEAD: Final = Struct("<BQ")
"""Status and number of bytes that follow. A request has the status 0."""

DATA_BYTES: Final = 2 << 30
"""Most memory, by RLIMIT_DATA. The densest request of 20 MiB takes 700 MB."""


class Status(IntEnum):
    """Content that follows: the request as protobuf, or the fault."""

    CONVERTED = 0
    MALFORMED = 1
    TOO_MANY_VALUES = 2
    OUT_OF_MEMORY = 3


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # only the end of stdin ends it
    memory.limit(DATA_BYTES)
    with suppress(OSError):
        os.nice(5)  # the receiver has priority
    source, out = sys.stdin.buffer, sys.stdout.buffer
    while (body := _read(source)) is not None:
        status, content = converted(body)
        del body
        try:
            out.write(HEAD.pack(status, len(content)))
            out.write(content)
            out.flush()
        except BrokenPipeError:
            return


def converted(body: bytes) -> tuple[Status, bytes]:
    try:
        return Status.CONVERTED, from_json(body)
    except TooManyValuesError as error:
        return Status.TOO_MANY_VALUES, str(error).encode()
    except MalformedError as error:
        return Status.MALFORMED, str(error).encode()
    except MemoryError:
        return Status.OUT_OF_MEMORY, b""


def _read(source: BinaryIO) -> bytes | None:
    head = source.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    _, size = HEAD.unpack(head)
    body = source.read(size)
    return body if len(body) == size else None


if __name__ == "__main__":
    main()
