"""Feeds random requests to a build of decode.c and compares with the decoder in Python.

    python -m tests.lake.otlp.fuzz LIBRARY FIRST_SEED REQUESTS [EXPANDED_BYTES]

With a limit on what spans repeat, which is then that of both decoders, a third of the requests go beyond it. Ends with
1 and the seed at the first difference. A sanitizer in the library ends the process by itself.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from random import Random
from typing import Any

from arro3.core import Table

from mcpobs.lake.otlp import plain
from mcpobs.lake.otlp.columns import MAX_EXPANDED_BYTES
from mcpobs.lake.otlp.native.library import Native
from mcpobs.lake.otlp.request import MalformedError
from tests.lake.otlp import wire
from tests.lake.otlp.limited import LimitedPlain


class Exact(Native):
    """Gives the library memory that ends where the request ends: a bytes object has one byte more."""

    def __init__(self, path: Path, expanded_bytes: int) -> None:
        super().__init__(path, expanded_bytes)
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


def expanded(decoder: Any, body: bytes) -> int | None:
    try:
        return int(decoder.expanded(body))
    except MalformedError:
        return None


def main(library: str, first: str, count: str, expanded_bytes: str = str(MAX_EXPANDED_BYTES)) -> None:
    limit_bytes = int(expanded_bytes)
    native, python = Exact(Path(library), limit_bytes), LimitedPlain(limit_bytes)
    malformed = spans = oversized = 0
    for seed in range(int(first), int(first) + int(count)):
        rng = Random(seed)
        products = limit_bytes != MAX_EXPANDED_BYTES and seed % 3 == 0
        body = wire.product(rng, limit_bytes) if products else wire.request(rng)
        found, wanted = outcome(native, body), outcome(python, body)
        if found != wanted:
            sys.exit(f"seed {seed}: {found} is not {wanted}")
        if found[0] is None:
            malformed += 1
            expanded(native, body)  # may take what the other refuses
        else:
            if expanded(native, body) != plain.expanded(body):
                sys.exit(f"seed {seed}: {expanded(native, body)} bytes are not {plain.expanded(body)}")
            spans += found[0].spans
            oversized += found[0].oversized
    print(f"{count} requests, {malformed} malformed, {spans} spans, {oversized} oversized")


if __name__ == "__main__":
    main(*sys.argv[1:])
