"""Reads texts that a message holds in base64. The content decides what is a text, because a server chooses the type."""

from __future__ import annotations

import base64
import re
from typing import Final

_TEXTUAL: Final = ("text/", "application/json", "application/xml", "application/javascript", "image/svg+xml")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_=\s-]*+")
_SPACE: Final = re.compile(r"[\s=]++")
_STANDARD: Final = str.maketrans("-_", "+/")
_SAMPLE: Final = 4_096
"""Characters at each end that decide whether base64 holds a text."""
_ODD: Final = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffd]")
_MOST_ODD: Final = 0.1
"""The share of control and broken characters in a text. Compressed data has more than half."""


def is_base64(text: str) -> bool:
    return _BASE64.fullmatch(text) is not None


def text_of(data: str, mime: str) -> str | None:
    """Returns the text that base64 holds; None for no base64, and for a picture, a sound or other binary content."""
    if not is_base64(data):
        return None
    if not mime.lower().startswith(_TEXTUAL) and not any(map(_is_text, (data[:_SAMPLE], _tail(data)))):
        return None
    return _decoded(data)


def _tail(data: str) -> str:
    """The end of the data, from a place at which four characters are three bytes in base64 without spaces."""
    return data[max(0, len(data) - _SAMPLE) // 4 * 4 :]


def _is_text(data: str) -> bool:
    clear = _decoded(data)
    return len(_ODD.findall(clear)) <= _MOST_ODD * len(clear)


def _decoded(data: str) -> str:
    """Padding may lie within the data, and may be missing at its end: decoders differ, and some read on."""
    raw = b"".join(map(_bytes, _SPACE.sub(_kept, data.translate(_STANDARD)).split("=")))
    return raw.decode(_encoding(raw), "replace").replace("\0", "")


def _kept(found: re.Match[str]) -> str:
    return "=" if "=" in found[0] else ""


def _bytes(piece: str) -> bytes:
    whole = piece[:-1] if len(piece) % 4 == 1 else piece
    return base64.b64decode(whole + "=" * (-len(whole) % 4))


def _encoding(raw: bytes) -> str:
    """UTF-8, or UTF-16 by its mark or by the zeros of Latin letters."""
    sample = raw[:_SAMPLE]
    if sample[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    low, high = sample[::2].count(0), sample[1::2].count(0)
    if high * 4 > len(sample) and not low:
        return "utf-16-le"
    return "utf-16-be" if low * 4 > len(sample) and not high else "utf-8"
