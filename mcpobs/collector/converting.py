"""`python -m mcpobs.collector.converting`: makes protobuf of large JSON requests, in a process of its own.

Parsing JSON holds the interpreter's lock for as long as it takes, and needs many times the size of the text: neither
should be the receiver's. A request comes on stdin and its answer goes to stdout: a HEAD each, then so many bytes. It
ends when stdin does.
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
"""Status, and how many bytes follow. A request has the status 0."""

DATA_BYTES: Final = 2 << 30
"""Most memory, by RLIMIT_DATA. The densest request of 20 MiB takes 700 MB."""


class Status(IntEnum):
    """What follows: the request as protobuf, or why there is none."""

    CONVERTED = 0
    MALFORMED = 1
    TOO_MANY_VALUES = 2
    OUT_OF_MEMORY = 3


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the end of stdin is what ends it
    memory.limit(DATA_BYTES)
    with suppress(OSError):
        os.nice(5)  # the receiver goes first
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
