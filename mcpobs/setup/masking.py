"""What of a client's configuration may stand on a screen: the command, our own words, names of options and places of
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
"""Names of packages with a scope, or with `mcp` in them. A secret does not look like that, and a reader needs them."""

_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")
_URL = re.compile(r"(?P<scheme>https?|wss?)://(?P<place>[^/?#]*)(?P<path>[^?#]*)(?P<rest>.*)", re.DOTALL)
_SEGMENTS = frozenset({"", "mcp", "sse", "api", "http", "stream", "streamable", "messages", "v1", "v2", "v3"})
_KINDS = frozenset({"stdio", "http", "sse", "streamable-http", "streamableHttp", "ws", "sdk"})
_LITERALS = frozenset({"true", "false", "null"})


def command(text: str) -> str:
    """A program's name or path. What follows a space, or `=`, is not shown; of a path, no part that looks like a
    secret."""
    word, space, _ = text.partition(" ")
    name, equals, _ = word.partition("=")
    if equals:
        return HIDDEN
    shown = "/".join(HIDDEN if looks_secret(part) else part for part in name.split("/"))
    return f"{shown} {HIDDEN}" if space else shown


def argument(word: str) -> str:
    """An argument: the name of an option, or `…`."""
    if _OPTION.fullmatch(word) or word in _WORDS or _PACKAGE.fullmatch(word):
        return word
    name, equals, _ = word.partition("=")
    return f"{name}={HIDDEN}" if equals and _OPTION.fullmatch(name) else HIDDEN


def words(given: Sequence[str], ours: int = 0) -> list[str]:
    """A server's command with its arguments, behind so many words of ours."""
    own = [HIDDEN if looks_secret(word) and "/" not in word else word for word in given[:ours]]
    return [*own, *(command(word) for word in given[ours : ours + 1]), *map(argument, given[ours + 1 :])]


def url(text: str) -> str:
    """Scheme, host and port, with the path where each of its parts is a usual one."""
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
    """The value of `type` or `transport`."""
    return text if text in _KINDS else HIDDEN


def literal(text: str) -> str:
    """A value that is no string: a number may be a password."""
    return text if text in _LITERALS else HIDDEN


def comments(text: str, token: re.Pattern[str]) -> Iterator[tuple[int, int, str]]:
    """The comments of a text: begin, end and what is shown. The group of `token` that matches a comment is named by
    its form; what else it matches are strings."""
    for match in token.finditer(text):
        if match.lastgroup == "line":
            mark = "#" if match["line"].startswith("#") else "//"
            yield match.start(), match.end(), f"{mark} {HIDDEN}"
        elif match.lastgroup == "block":
            yield match.start(), match.end(), f"/* {HIDDEN} */"
