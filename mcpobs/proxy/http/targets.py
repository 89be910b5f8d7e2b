"""The server that a front stands in front of, and the paths of it that clients may ask for. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from mcpobs.errors import UsageError

_ABSOLUTE = re.compile(r"(?i)https?://([^/?#]*)(.*)", re.DOTALL)
DEFAULT_PORTS = {"http": 80, "https": 443}
ALLOWED = "GET, POST, DELETE, OPTIONS, HEAD"


class TargetError(Exception):
    """A request target that the front does not pass on, with the status of its answer."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


@dataclass(frozen=True, slots=True)
class Upstream:
    """The server behind: `origin` is scheme and authority, `path` what it is asked for where a client asks for /."""

    origin: str
    host: str  # as in a Host header
    path: str

    @property
    def scheme(self) -> str:
        return self.origin.partition("://")[0]

    def target(self, target: str) -> str:
        """The path and query that a request for `target` asks the server for."""
        if self.path and target.partition("?")[0] in ("", "/"):
            return self.path + target.removeprefix("/")
        return target


def parse_upstream(text: str) -> Upstream:
    """`http://HOST:PORT` or `https://…`, with a path or none. Raises UsageError."""
    parts = urlsplit(text)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in ("http", "https") or not parts.hostname or port == -1 or parts.query or parts.fragment:
        raise UsageError(f"--upstream {text!r} is no URL of a server", "write e.g. --upstream http://127.0.0.1:8000")
    if parts.username is not None:
        raise UsageError(f"--upstream {parts.hostname} has a user in its URL", "clients send their own credentials")
    return Upstream(f"{parts.scheme}://{parts.netloc}", parts.netloc, parts.path if parts.path != "/" else "")


def origin_form(method: str, target: str, names_us: Callable[[str], bool]) -> str:
    """Returns the path and query to ask the server for, exactly as the client wrote them (RFC 9112, 3.2); `*` for
    `OPTIONS *`. `names_us` decides whether the authority of an absolute target is this proxy or the server.

    Raises TargetError for every target that names another place, or none."""
    if method == "CONNECT":
        raise TargetError(405, "this proxy opens no tunnels")
    if target == "*" and method == "OPTIONS":
        return target
    if not target.startswith("/"):
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is None:
            raise TargetError(400, "the request target is not a path")
        authority, target = absolute.groups()
        if "@" in authority or not names_us(authority):
            raise TargetError(421, "the request target names another server")
        if not target and method == "OPTIONS":
            return "*"  # RFC 9112, 3.2.4
        if not target.startswith("/"):
            target = "/" + target
    try:
        target.encode()
    except UnicodeEncodeError:
        raise TargetError(400, "the request target is not valid UTF-8") from None
    return target
