"""Feeds random requests to a build of decode.c and compares with the decoder in Python.

    python -m tests.lake.otlp.fuzz LIBRARY FIRST_SEED REQUESTS

Ends with 1 and the seed at the first difference. A sanitizer in the library ends the process by itself.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from random import Random
from typing import Any

from arro3.core import Table

from mcpobs.lake.otlp import plain
from mcpobs.lake.otlp.native import Native
from mcpobs.lake.otlp.request import MalformedError
from tests.lake.otlp import wire


class Exact(Native):
    """Gives the library memory that ends where the request ends: a bytes object has one byte more."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._library.mcpobs_otlp_check.argtypes = [ctypes.c_void_p, *self._library.mcpobs_otlp_check.argtypes[1:]]

    def check(self, body: bytes) -> Any:
        return super().check(_Exact(body))  # type: ignore[arg-type]


class _Exact:
    def __init__(self, body: bytes) -> None:
        self._size = len(body)
        self._memory = ctypes.create_string_buffer(body, len(body)) if body else ctypes.create_string_buffer(1)
        self._as_parameter_ = ctypes.addressof(self._memory)

    def __len__(self) -> int:
        return self._size


def outcome(decoder: Any, body: bytes) -> Any:
    try:
        checked = decoder.check(body)
    except MalformedError:
        checked = None
    try:
        table = Table.from_arrow(decoder.decode([body]))
    except MalformedError:
        return checked, None
    return checked, {name: table.column(name).to_pylist() for name in table.column_names} if table.num_rows else {}


def main(library: str, first: str, count: str) -> None:
    native = Exact(Path(library))
    malformed = spans = 0
    for seed in range(int(first), int(first) + int(count)):
        body = wire.request(Random(seed))
        found, wanted = outcome(native, body), outcome(plain, body)
        if found != wanted:
            sys.exit(f"seed {seed}: {found} is not {wanted}")
        malformed += found[0] is None
        spans += found[0].spans if found[0] else 0
    print(f"{count} requests, {malformed} malformed, {spans} spans")


if __name__ == "__main__":
    main(*sys.argv[1:])
