"""Reads TOML 1.0 and 1.1. tomllib knows 1.0 only, so what 1.1 adds is rewritten first: line ends, comments and a last
comma in inline tables, the escapes \\e and \\xHH, and times without seconds."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from typing import Any, Final

STRING: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'  # up to two quotes may precede the three that end it
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_TOKEN: Final = re.compile(
    rf"(?P<string>{STRING.pattern})|(?P<comment>#[^\n]*)|(?P<open>[\[{{])|(?P<close>[\]}}])|(?P<line>\r?\n)"
    r"|(?P<comma>,(?=(?:[ \t\r\n]|#[^\n]*\n)*\}))"
    r"|(?P<time>(?<![\d:])\d\d:\d\d(?![\d:]))",
    re.DOTALL,
)
_ESCAPE: Final = re.compile(r"\\(?:(?P<escape>e)|x(?P<hex>[0-9A-Fa-f]{2})|.)", re.DOTALL)


def loads(text: str, parse_float: Callable[[str], Any] = float) -> dict[str, Any]:
    """Raises TOMLDecodeError: that of TOML 1.0, whose place is one of this text."""
    try:
        return tomllib.loads(text, parse_float=parse_float)
    except tomllib.TOMLDecodeError as error:
        try:
            return tomllib.loads(_older(text), parse_float=parse_float)
        except tomllib.TOMLDecodeError:
            raise error from None


def _older(text: str) -> str:
    """Returns the text in TOML 1.0."""
    inside: list[str] = []

    def rewritten(token: re.Match[str]) -> str:
        in_table = bool(inside) and inside[-1] == "{"
        match token.lastgroup:
            case "string":
                return _ESCAPE.sub(_plain, token[0]) if token[0].startswith('"') else token[0]
            case "open":
                inside.append(token[0])
            case "close" if inside:
                inside.pop()
            case "comment" | "line" | "comma" if in_table:
                return " "
            case "time":
                return f"{token[0]}:00"
        return token[0]

    return _TOKEN.sub(rewritten, text)


def _plain(escape: re.Match[str]) -> str:
    if escape["escape"]:
        return "\\u001B"
    return f"\\u00{escape['hex']}" if escape["hex"] else escape[0]
