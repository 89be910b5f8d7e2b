"""What a reverse proxy alters: hop-by-hop headers, the host, and URLs that name the server itself. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from mcpobs.errors import UsageError
from mcpobs.proxy.http.body import CODINGS

Headers = list[tuple[str, str]]

_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade")
)  # RFC 9110, 7.6.1
_DEFAULT_PORTS = {"http": 80, "https": 443}
_ABSOLUTE = re.compile(r"(?i)https?://([^/?#]*)(.*)", re.DOTALL)
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

    @property
    def authority(self) -> str:
        return self.origin.partition("://")[2]

    def target(self, target: str) -> str:
        """The path and query that a request for `target` asks the server for."""
        if self.path and target.partition("?")[0] in ("", "/"):
            return self.path + target.removeprefix("/")
        return target

    def is_at(self, scheme: str, user: str | None, host: str | None, port: int | None) -> bool:
        """Whether the parts of a URL that was built from a request are those of this server."""
        parts = urlsplit(self.origin)
        return (
            user is None
            and scheme == parts.scheme
            and (host or "").lower() == parts.hostname
            and port == (parts.port or _DEFAULT_PORTS[parts.scheme])
        )


class Place(NamedTuple):
    """Host and port of a URL, in one spelling."""

    host: str
    port: int


def place_of(url: str) -> Place | None:
    """Host and port that an absolute URL names; None if it names none."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or parts.scheme not in _DEFAULT_PORTS:
        return None
    return Place(_one_spelling(host), port if port is not None else _DEFAULT_PORTS[parts.scheme])


def same_place(one: str, other: str) -> bool:
    """Whether two absolute URLs name the same host and port."""
    place = place_of(one)
    return place is not None and place == place_of(other)


def _one_spelling(host: str) -> str:
    host = host.lower().removesuffix(".")
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:
            return host if host.isascii() else host.encode("idna").decode()
        except UnicodeError:
            return host
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


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
        if not target.startswith("/"):
            target = "/" + target
    try:
        target.encode()
    except UnicodeEncodeError:
        raise TargetError(400, "the request target is not valid UTF-8") from None
    return target


def for_server(headers: Iterable[tuple[str, str]], upstream: Upstream, peer: str | None) -> Headers:
    """Headers of a request as they are passed on. Everything but what is of one hop goes through as it came."""
    items = list(headers)
    dropped = _HOP_BY_HOP | _named_by_connection(items) | {"host", "content-length", "expect"}
    passed: Headers = [("Host", upstream.host)]
    forwarded_for = []
    for name, value in items:
        match name.lower():
            case "accept-encoding":
                passed.append((name, _readable(value)))
            case "x-forwarded-for":
                forwarded_for.append(value)
            case lower if lower not in dropped:
                passed.append((name, value))
    if peer is not None:
        forwarded_for.append(peer)
    if forwarded_for:
        passed.append(("X-Forwarded-For", ", ".join(forwarded_for)))
    return passed


def for_client(headers: Iterable[tuple[str, str]], upstream: Upstream, own_origin: str) -> Headers:
    """Headers of a response as they are passed on; a redirect within the server stays with this proxy."""
    items = list(headers)
    dropped = _HOP_BY_HOP | _named_by_connection(items)
    return [
        (name, own_url(value, upstream, own_origin) if name.lower() in ("location", "content-location") else value)
        for name, value in items
        if name.lower() not in dropped
    ]


def own_url(url: str, upstream: Upstream, own_origin: str) -> str:
    """A URL of the server as one of this proxy; any other as it is."""
    if url == upstream.origin or url.startswith((upstream.origin + "/", upstream.origin + "?")):
        return own_origin + url[len(upstream.origin) :]
    return url


def _named_by_connection(headers: Headers) -> set[str]:
    return {
        word.strip().lower() for name, value in headers if name.lower() == "connection" for word in value.split(",")
    }


def _readable(accepted: str) -> str:
    """An Accept-Encoding without the codings that cannot be read along."""
    kept = [word for word in accepted.split(",") if word.partition(";")[0].strip().lower() in CODINGS]
    return ",".join(kept).strip() or "identity"
