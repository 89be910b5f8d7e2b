"""Masks a client's configuration for a screen: shows the command, our own words, names of options and addresses of
servers. All else may be a secret and is shown as `…`. Does no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from mcpobs.masking import looks_secret

HIDDEN: Final = "…"

_OPTION = re.compile(r"-[A-Za-z]|-it|--[a-z]{1,16}(?:-[a-z]{1,16}){0,4}")
_WORDS = frozenset({"--", "-", ".", "run", "exec", "start", "serve", "stdio", "mcp", "mcpobs", "instrument", "tool"})
_PACKAGE = re.compile(
    r"@[a-z][a-z-]{1,30}/[a-z]{1,16}(?:-[a-z]{1,16}){0,5}|mcp(?:-[a-z]{1,16}){1,4}|(?:[a-z]{1,16}-){1,4}mcp"
)
"""Names of packages with a scope, or with `mcp` in them. A secret does not look like this, and a reader needs them."""

_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")
_URL = re.compile(r"(?P<scheme>https?|wss?)://(?P<place>[^/?#]*)(?P<path>[^?#]*)(?P<rest>.*)", re.DOTALL)
_SEGMENTS = frozenset({"", "mcp", "sse", "api", "http", "stream", "streamable", "messages", "v1", "v2", "v3"})
_KINDS = frozenset({"stdio", "http", "sse", "streamable-http", "streamableHttp", "ws", "sdk"})
_LITERALS = frozenset({"true", "false", "null"})


def command(text: str) -> str:
    """Returns a program's name or path, without text after a space or `=`, and without parts of a path that look like a
    secret."""
    word, space, _ = text.partition(" ")
    name, equals, _ = word.partition("=")
    if equals:
        return HIDDEN
    shown = "/".join(HIDDEN if looks_secret(part) else part for part in name.split("/"))
    return f"{shown} {HIDDEN}" if space else shown


def argument(word: str) -> str:
    """Returns an argument for display: the name of an option, or `…`."""
    if _OPTION.fullmatch(word) or word in _WORDS or _PACKAGE.fullmatch(word):
        return word
    name, equals, _ = word.partition("=")
    return f"{name}={HIDDEN}" if equals and _OPTION.fullmatch(name) else HIDDEN


def words(given: Sequence[str], ours: int = 0) -> list[str]:
    """Returns a server's command and arguments for display, after the first `ours` words, which are ours."""
    own = [HIDDEN if looks_secret(word) and "/" not in word else word for word in given[:ours]]
    return [*own, *(command(word) for word in given[ours : ours + 1]), *map(argument, given[ours + 1 :])]


def url(text: str) -> str:
    """Returns scheme, host and port, with the path if each of its parts is a common word."""
    match = _URL.fullmatch(text)
    if match is None:
        return HIDDEN
    host = match["place"].rpartition("@")[2]
    if not _HOST.fullmatch(host) or "@" in match["path"] + match["rest"]:  # a password may hold a slash
        return HIDDEN
    host = ".".join(HIDDEN if looks_secret(label) else label for label in host.split("."))
    if not _SEGMENTS.issuperset(match["path"].split("/")):
        return f"{match['scheme']}://{host}/{HIDDEN}"
    return f"{match['scheme']}://{host}{match['path']}" + (HIDDEN if match["rest"] else "")


def kind(text: str) -> str:
    """Returns the value of `type` or `transport` for display."""
    return text if text in _KINDS else HIDDEN


def literal(text: str) -> str:
    """Returns a non-string value for display; a number may be a password."""
    return text if text in _LITERALS else HIDDEN


_SCALAR = re.compile(r'(?P<string>"(?:[^"\\]|\\.)*")(?P<key>\s*:)?|(?P<other>[^\s"\[\]{},:]+)')
_ENDS: Final = 7
"""Lines of a long value that are shown at its begin and end: more than a difference shows between two changes."""


def skipped(text: str) -> str:
    """Returns an object or array in strict JSON for display, with as many lines. The lines in its middle are empty."""
    lines = text.split("\n")
    if len(lines) <= 2 * _ENDS:
        return _SCALAR.sub(_scalar, text)
    ends = (_SCALAR.sub(_scalar, "\n".join(part)) for part in (lines[:_ENDS], lines[-_ENDS:]))
    return ("\n" * (len(lines) - 2 * _ENDS + 1)).join(ends)


def _scalar(match: re.Match[str]) -> str:
    if match["key"] is not None:
        return match[0]
    return f'"{HIDDEN}"' if match["string"] is not None else literal(match["other"])


def comments(text: str, token: re.Pattern[str], begin: int, end: int) -> Iterator[tuple[int, int, str]]:
    """Yields the comments of a part of a text: begin, end and the text to show. The group of `token` that matches a
    comment is named by its form; its other matches are strings."""
    for match in token.finditer(text, begin, end):
        if match.lastgroup == "line":
            mark = "#" if match["line"].startswith("#") else "//"
            yield match.start(), match.end(), f"{mark} {HIDDEN}"
        elif match.lastgroup == "block":
            yield match.start(), match.end(), f"/* {HIDDEN} */"
