"""The door to the decoders of OTLP trace requests: `columns.py` says which columns they make. Decodes nothing itself.

`decode.c` decodes where it could be compiled, `plain.py` elsewhere; both take and refuse the same requests and make the
same of them. MCPOBS_OTLP_DECODER=native or plain forces one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

from mcpobs.errors import UsageError
from mcpobs.lake.otlp import json_request
from mcpobs.lake.otlp.columns import MAX_EXPANDED_BYTES
from mcpobs.lake.otlp.native import LIBRARY, Native
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

DECODER_VARIABLE = "MCPOBS_OTLP_DECODER"


class Batch(Protocol):
    """Decoded spans, with the columns of columns.RAW. Each stream that it is asked for has all of them."""

    rows: int

    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...


class _Decoder(Protocol):
    def check(self, body: bytes) -> Checked: ...
    def expanded(self, body: Body) -> int: ...
    def json_values(self, text: bytes, most: int) -> int: ...
    def decode(self, bodies: Sequence[Body]) -> Batch: ...


def _plain() -> _Decoder:
    from mcpobs.lake.otlp import plain  # 40 ms that the other decoder does not need

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

    A span is rejected, which `decode` leaves out, when its trace id is not 16 bytes or all zero, or its span id not 8
    bytes or all zero. It is oversized, and left out too, when it exceeds columns.MAX_EXPANDED_BYTES.
    """
    return _decoder.check(body)


def from_json(body: bytes) -> bytes:
    """A JSON request as protobuf. Raises MalformedError, which says what is wrong and where; TooManyValuesError if it
    has more than columns.MAX_JSON_VALUES."""
    return json_request.from_json(body, _decoder.json_values)


def expanded(body: Body) -> int:
    """How many bytes the spans of a protobuf request repeat, at the most. Raises MalformedError; not for all that
    `decode` refuses."""
    return min(MAX_EXPANDED_BYTES, _decoder.expanded(body))


def decode(bodies: Sequence[Body]) -> Batch:
    """All spans of several protobuf requests, in their order. Raises MalformedError if one of them is malformed."""
    return _decoder.decode(bodies)
