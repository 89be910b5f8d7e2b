"""Texts that a peer chose, made fit for a record. Never raises."""

from __future__ import annotations

import re

_UNFIT = re.compile(r"[\ud800-\udfff\x00]")


def bounded(text: str, limit: int) -> str:
    """At most `limit` characters, cut with an ellipsis; lone surrogates and NUL become U+FFFD."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isascii() and "\0" not in text:
        return text
    return _UNFIT.sub("\ufffd", text)


def bounded_or_none(value: object, limit: int) -> str | None:
    """The same for a value that may be anything: None where it is no text or an empty one."""
    return bounded(value, limit) if isinstance(value, str) and value else None
