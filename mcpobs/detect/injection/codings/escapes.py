"""Escapes of URLs, HTML and programming languages, between which plain letters may stand."""

from __future__ import annotations

import html
import re
from urllib.parse import unquote

from mcpobs.detect.injection.codings.coding import Coding


def _percent(run: bytes, _: bytes) -> str | None:
    return unquote(run.decode("utf-8", "replace").replace("+", " "), errors="replace")


def _entities(run: bytes, _: bytes) -> str | None:
    return html.unescape(run.decode("utf-8", "replace"))


def _backslashes(run: bytes, _: bytes) -> str | None:
    text = re.sub(rb"\\{1,2}(?:u\{?|x|U000)([0-9a-fA-F]{2,5})\}?", _character, run).decode("utf-8", "replace")
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # joins escaped pairs of surrogates


def _character(escape: re.Match[bytes]) -> bytes:
    return chr(int(escape[1], 16)).encode("utf-8", "surrogatepass") if int(escape[1], 16) < 0x110000 else b""


CODINGS = (
    Coding("percent", r"[\w.~+-]{0,20}(?:%[0-9a-f]{2}[\w.~+-]{0,20}){3,}", _percent, signs=(b"%",), fewest=3),
    Coding("entities", r"(?:[^&\n]{0,24}&#x?[0-9a-f]{2,6};){3,}[^&\n]{0,40}", _entities, signs=(b"&#",), fewest=3),
    Coding(
        "backslashes",
        r"[\w\s]{0,24}(?:\\{1,2}(?:u\{?|x|U000)[0-9a-f]{2,5}\}?[^\\\n]{0,24}){3,}",
        _backslashes,
        signs=(b"\\u", b"\\x", b"\\U"),
        fewest=3,
    ),
)
