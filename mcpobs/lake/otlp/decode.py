"""Selects the decoder of OTLP trace requests: `columns.py` lists the columns produced. Decodes nothing itself.

`decode.c` decodes if it could be compiled, else `plain.py`; both accept and refuse the same requests and produce the
same. MCPOBS_OTLP_DECODER=native or plain forces one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

from mcpobs.errors import UsageError
from mcpobs.lake.otlp import json_request
from mcpobs.lake.otlp.columns import MAX_EXPANDED_BYTES
from mcpobs.lake.otlp.native.library import DECODER_VARIABLE, LIBRARY, Native
from mcpobs.lake.otlp.request import Body, Checked, MalformedError

__all__ = [
    "DECODER_VARIABLE",
    "NATIVE",
    "Batch",
    "Checked",
    "MalformedError",
    "check",
    "decode",
    "expanded",
    "from_json",
]


class Batch(Protocol):
    """Decoded spans, with the columns of columns.RAW. Each stream requested has all of them."""

    rows: int

    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...


class _Decoder(Protocol):
    def check(self, body: bytes) -> Checked: ...
    def expanded(self, body: Body) -> int: ...
    def json_values(self, text: bytes, most: int) -> int: ...
    def decode(self, bodies: Sequence[Body]) -> Batch: ...


def _plain() -> _Decoder:
    from mcpobs.lake.otlp import plain  # takes 40 ms, which the other decoder does not need

    return plain


def _chosen(wish: str) -> _Decoder:
    if wish not in ("", "native", "plain"):
        raise UsageError(f"{DECODER_VARIABLE} is {wish!r}", "set it to native or plain, or leave it out")
    if wish == "plain":
        return _plain()
    try:
        return Native()
    except OSError as error:
        if wish == "native":
            raise UsageError(
                f"{DECODER_VARIABLE} is native, but {LIBRARY.name} cannot be used: {error}",
                "install a C compiler and mcpobs anew, or leave the variable out",
            ) from None
        return _plain()


_decoder = _chosen(os.environ.get(DECODER_VARIABLE, ""))

NATIVE: bool = isinstance(_decoder, Native)
"""Whether the decoder in C is used."""


def check(body: bytes) -> Checked:
    """Validates a protobuf request before it is acknowledged, and counts. Raises MalformedError.

    `decode` leaves out rejected and oversized spans. A span is rejected if its trace id is not 16 bytes or all zero, or
    its span id not 8 bytes or all zero. It is oversized if it exceeds columns.MAX_EXPANDED_BYTES.
    """
    return _decoder.check(body)


def from_json(body: bytes) -> bytes:
    """Returns a JSON request as protobuf. Raises MalformedError with the fault and its path; TooManyValuesError if it
    has more than columns.MAX_JSON_VALUES."""
    return json_request.from_json(body, _decoder.json_values)


def expanded(body: Body) -> int:
    """Returns the most bytes that the spans of a protobuf request repeat. Raises MalformedError, but not for every
    request that `decode` refuses."""
    return min(MAX_EXPANDED_BYTES, _decoder.expanded(body))


def decode(bodies: Sequence[Body]) -> Batch:
    """Returns all spans of several protobuf requests, in order. Raises MalformedError if one of them is malformed."""
    return _decoder.decode(bodies)
