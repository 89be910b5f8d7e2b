"""Unpacks a body as it arrives. Never produces more than its limit, however large the unpacked body is."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final, Literal, Protocol, cast

from mcpobs.collector.intake import RefusedError

try:
    from isal import isal_zlib

    _decompressobj = cast("Callable[[int], _Decompressor]", isal_zlib.decompressobj)  # 0.9 µs a span; zlib takes 2.4
    _errors: tuple[type[Exception], ...] = (cast("type[Exception]", isal_zlib.error), zlib.error)
except ImportError:  # no wheel of isal for this platform
    _decompressobj = cast("Callable[[int], _Decompressor]", zlib.decompressobj)
    _errors = (zlib.error,)

Packing = Literal["gzip", "deflate"]

_WINDOW_BITS: Final[dict[Packing, int]] = {"gzip": 31, "deflate": 15}
_MEMBERS = 1024
"""Most members of one gzip body. Each costs a decompressor and a copy of the rest: a body of empty members would take
seconds."""

_PIECE_BYTES = 1 << 19
"""Output per call: libraries grow their output buffer by copying it. 445 µs for half a megabyte, 550 µs in one call."""


class TooLargeError(Exception):
    """A body exceeds its limit."""


class _Decompressor(Protocol):
    eof: bool
    unused_data: bytes
    unconsumed_tail: bytes

    def decompress(self, data: bytes, max_length: int = 0, /) -> bytes: ...


class Inflater:
    """Unpacks one body."""

    def __init__(self, packing: Packing, limit_bytes: int) -> None:
        self._packing = packing
        self._limit_bytes = limit_bytes
        self._out_bytes = 0
        self._members = 1
        self._member: _Decompressor = _decompressobj(_WINDOW_BITS[packing])
        self._begun = False

    def feed(self, data: bytes) -> bytes:
        """Returns the unpacked next bytes. Raises RefusedError (malformed) and TooLargeError."""
        out: list[bytes] = []
        part = b""
        most_bytes = 0
        while data or (most_bytes and len(part) == most_bytes):  # or it may hold more output of earlier input
            if self._member.eof:
                self._next_member()
            self._begun = True
            # One byte over the limit suffices; 0 would mean no limit.
            most_bytes = min(_PIECE_BYTES, self._limit_bytes - self._out_bytes + 1)
            try:
                part = self._member.decompress(data, most_bytes)
            except _errors as error:
                raise RefusedError("malformed", f"the body is not {self._packing}: {error}") from None
            self._out_bytes += len(part)
            if self._out_bytes > self._limit_bytes:
                raise TooLargeError(f"the body unpacks to more than {self._limit_bytes} bytes")
            out.append(part)
            if self._member.eof:
                data, most_bytes = self._member.unused_data, 0
            else:
                data = self._member.unconsumed_tail
        return out[0] if len(out) == 1 else b"".join(out)

    def end(self) -> None:
        """Raises RefusedError if the body is truncated."""
        if self._begun and not self._member.eof:
            raise RefusedError("malformed", f"the {self._packing} body is truncated")
        if not self._begun:
            raise RefusedError("malformed", f"the body is empty and not {self._packing}")

    def _next_member(self) -> None:
        self._members += 1
        if self._packing != "gzip" or self._members > _MEMBERS:
            raise RefusedError("malformed", f"the {self._packing} body goes on after its end")
        self._member = _decompressobj(_WINDOW_BITS[self._packing])
