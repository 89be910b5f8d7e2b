"""What a reverse proxy alters: hop-by-hop headers, the host, and URLs that name the server itself. Pure."""

from __future__ import annotations

import ipaddress
import json
import re
import socket
import unicodedata
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from mcpobs.errors import UsageError
from mcpobs.protocol.envelope import members, skip_space
from mcpobs.proxy.http.bodies import CODINGS

Headers = list[tuple[str, str]]

_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade")
)  # RFC 9110, 7.6.1
_DEFAULT_PORTS = {"http": 80, "https": 443}
_URL = re.compile(r"(https?:)?[/\\]{2,}([^/\\?#]*)(.*)", re.DOTALL | re.IGNORECASE)
_IGNORED_AROUND = "".join(map(chr, range(33)))
_IGNORED = str.maketrans("", "", "\t\r\n")
_NUMERIC = re.compile(r"(?:0x[0-9a-f]{0,8}|[0-9]{1,11})(?:\.(?:0x[0-9a-f]{0,8}|[0-9]{1,11})){0,3}")
_LINK = re.compile(r"<([^<>]*)>")
_REFRESH = re.compile(r"(?i)^([^;,]*[;,]\s*(?:url\s*=\s*)?['\"]?)([^'\"]*)")
_METADATA = re.compile(r"(?i)(\bresource(?:_metadata(?:_uri)?)?\s*=\s*\"?)([^\",\s]*)")
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
    """A host as clients understand it: escapes, wide characters and numbers in other bases are one address."""
    host = unicodedata.normalize("NFKC", unquote(host)).replace("\u3002", ".").lower().removesuffix(".")
    if _NUMERIC.fullmatch(host):
        with suppress(OSError):
            return socket.inet_ntoa(socket.inet_aton(host))
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:
            return host if host.isascii() else host.encode("idna").decode()
        except UnicodeError:
            return host
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _is_this_machine(host: str) -> bool:
    """Whether a host in one spelling is a name of this machine, by which a server on loopback may call itself."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost") or host == socket.gethostname().lower()
    return address.is_loopback or address.is_unspecified


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


def for_server(
    headers: Iterable[tuple[str, str]], upstream: Upstream, peer: str | None, plain: bool = False
) -> Headers:
    """Headers of a request as they are passed on. Everything but what is of one hop goes through as it came.

    `plain` asks for an answer without content coding, because a URL in it may have to be rewritten."""
    items = list(headers)
    dropped = _HOP_BY_HOP | _named_by_connection(items) | {"host", "content-length", "expect"}
    passed: Headers = [("Host", upstream.host)]
    forwarded_for = []
    for name, value in items:
        match name.lower():
            case "accept-encoding":
                passed.append((name, "identity" if plain else _readable(value)))
            case "x-forwarded-for":
                forwarded_for.append(value)
            case lower if lower not in dropped:
                passed.append((name, value))
    if peer is not None:
        forwarded_for.append(peer)
    if forwarded_for:
        passed.append(("X-Forwarded-For", ", ".join(forwarded_for)))
    return passed


class OwnUrls:
    """Turns URLs of the server into URLs of this proxy, however the server spells its own name.

    `own_origin` is the proxy as the client named it; `addresses` are those at which the server was reached."""

    def __init__(self, upstream: Upstream, own_origin: str, addresses: Collection[str] = ()) -> None:
        self._upstream = upstream
        self._own_origin = own_origin
        self._addresses = addresses

    def own(self, url: str) -> str:
        """The URL as one of this proxy if it names the server; any other, and a relative one, as it is."""
        parts = _absolute(url)
        if parts is None:
            return url
        scheme, user, authority, rest = parts
        if not self._is_upstream(scheme, authority):
            return url
        own_scheme, _, own_authority = self._own_origin.partition("://")
        return f"{own_scheme + ':' if scheme else ''}//{user}{own_authority}{rest}"

    def is_foreign(self, url: str) -> bool:
        """Whether a URL leads to a server that is neither the upstream nor this proxy."""
        parts = _absolute(url)
        if parts is None:
            return False
        scheme, _, authority, _ = parts
        named = place_of(f"{scheme or 'http:'}//{authority}")
        return not self._is_upstream(scheme, authority) and named != place_of(self._own_origin)

    def header(self, name: str, value: str) -> str:
        """A header of a response, with URLs of the server as URLs of this proxy."""
        match name.lower():
            case "location" | "content-location":
                return self.own(value)
            case "link":
                return _LINK.sub(lambda found: f"<{self.own(found[1])}>", value)
            case "refresh":
                return _REFRESH.sub(lambda found: found[1] + self.own(found[2]), value)
            case "www-authenticate":
                return _METADATA.sub(lambda found: found[1] + self.own(found[2]), value)
        return value

    def metadata_paths(self, challenge: str) -> list[str]:
        """The paths at which a WWW-Authenticate header says that the metadata of the resource lies."""
        urls = [self.own(found[2]) for found in _METADATA.finditer(challenge)]
        parts = [urlsplit(url) for url in urls if place_of(url) == place_of(self._own_origin)]
        return [part.path for part in parts if part.path]

    def metadata(self, body: bytes) -> bytes:
        """A document of OAuth protected resource metadata (RFC 9728) with this proxy as the resource: clients refuse
        one that is not the URL they use. Everything else stays, byte for byte."""
        at = skip_space(body, 0)
        found = members(body, at) if body[at : at + 1] == b"{" else None
        named = [member for member in found.items if member.name == "resource"] if found is not None else []
        for member in reversed(named):
            try:
                url = json.loads(body[member.start : member.end])
            except ValueError:
                continue
            if isinstance(url, str) and (own := self._resource(url)) != url:
                body = body[: member.start] + json.dumps(own).encode() + body[member.end :]
        return body

    def _resource(self, url: str) -> str:
        own = self.own(url)
        path = self._upstream.path.rstrip("/")
        if own != url and path and urlsplit(own).path.rstrip("/") == path:  # what this proxy serves as /
            return self._own_origin + "/"
        return own

    def _is_upstream(self, scheme: str, authority: str) -> bool:
        named = place_of(f"{scheme or self._upstream.scheme + ':'}//{authority}")
        server = place_of(self._upstream.origin)
        if named is None or server is None:
            return False
        if named.port != server.port and not self._is_downgrade(scheme, authority):
            return False
        return (
            named.host == server.host
            or named.host in self._addresses
            or (_is_this_machine(server.host) and _is_this_machine(named.host))
        )

    def _is_downgrade(self, scheme: str, authority: str) -> bool:
        """A server behind TLS may take itself for one without; both are at their default ports. The other way round
        it is another server: led here, a redirect to https would come back for ever."""
        no_ports = urlsplit(f"//{authority}").port is None and urlsplit(self._upstream.origin).port is None
        return no_ports and scheme.lower() == "http:" and self._upstream.scheme == "https"


def _absolute(url: str) -> tuple[str, str, str, str] | None:
    """Scheme with its colon or none, user with its @ or none, host with port, and the rest of a URL that names a host,
    read as leniently as clients do (https://url.spec.whatwg.org/#url-parsing); None for a relative one."""
    found = _URL.fullmatch(url.strip(_IGNORED_AROUND).translate(_IGNORED))
    if found is None:
        return None
    scheme, authority, rest = found[1] or "", found[2], found[3]
    user, at, authority = authority.rpartition("@")
    return scheme, user + at, authority, rest


def for_client(headers: Iterable[tuple[str, str]], urls: OwnUrls) -> Headers:
    """Headers of a response as they are passed on; a redirect within the server stays with this proxy."""
    items = list(headers)
    dropped = _HOP_BY_HOP | _named_by_connection(items)
    return [(name, urls.header(name, value)) for name, value in items if name.lower() not in dropped]


def _named_by_connection(headers: Headers) -> set[str]:
    return {
        word.strip().lower() for name, value in headers if name.lower() == "connection" for word in value.split(",")
    }


def _readable(accepted: str) -> str:
    """An Accept-Encoding without the codings that cannot be read along."""
    kept = [word for word in accepted.split(",") if word.partition(";")[0].strip().lower() in CODINGS]
    return ",".join(kept).strip() or "identity"
