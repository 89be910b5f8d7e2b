"""URLs by which a server names itself, as URLs of the proxy in front of it. Does no I/O."""

from __future__ import annotations

import ipaddress
import json
import re
import socket
import unicodedata
from collections.abc import Collection
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from mcpobs.protocol.envelope import members, skip_space
from mcpobs.proxy.http.targets import DEFAULT_PORTS, Upstream

_URL = re.compile(r"(?:(https?:)[/\\]*|[/\\]{2,})([^/\\?#]*)(.*)", re.DOTALL | re.IGNORECASE)
"""After a scheme clients skip any number of slashes, also none."""
_IGNORED_AROUND = "".join(map(chr, range(33)))
_IGNORED = str.maketrans("", "", "\t\r\n")
_LINK = re.compile(r"<([^<>]*)>")
_REFRESH = re.compile(r"(?i)^([^;,]*[;,]\s*(?:url\s*=\s*)?['\"]?)([^'\"]*)")
_METADATA = re.compile(r"(?i)(\bresource(?:_metadata(?:_uri)?)?\s*=\s*\"?)([^\",\s]*)")
MAX_DIGITS = 11  # of a number below 2**32, in octal
WITH_URLS = frozenset(("location", "content-location", "link", "refresh", "www-authenticate"))
"""Headers of a response that may hold URLs, in lower case."""


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
    if not host or parts.scheme not in DEFAULT_PORTS:
        return None
    return Place(_one_spelling(host), port if port is not None else DEFAULT_PORTS[parts.scheme])


def same_place(one: str, other: str) -> bool:
    """Whether two absolute URLs name the same host and port."""
    place = place_of(one)
    return place is not None and place == place_of(other)


def _one_spelling(host: str) -> str:
    """A host as clients understand it: escapes, wide characters and numbers in other bases are one address."""
    host = unicodedata.normalize("NFKC", unquote(host)).replace("\u3002", ".").lower().removesuffix(".")
    numbers = [_ipv4_number(part) for part in host.split(".", 4)]
    if (numeric := _ipv4(numbers)) is not None:
        return numeric
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:
            return host if host.isascii() else host.encode("idna").decode()
        except UnicodeError:
            return host
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _ipv4(numbers: list[int | None]) -> str | None:
    """The address that numbers between dots name (https://url.spec.whatwg.org/#concept-ipv4-parser): the last one fills
    all bytes that are left. None if they name none."""
    *first, last = numbers
    if len(first) > 3 or last is None or last >= 256 ** (4 - len(first)):
        return None
    value = last
    for place, number in enumerate(first):
        if number is None or number > 255:
            return None
        value += number << 8 * (3 - place)
    return str(ipaddress.IPv4Address(value))


def _ipv4_number(text: str) -> int | None:
    """A decimal, octal (0…) or hexadecimal (0x…) number of at most MAX_DIGITS digits, as URLs write parts of
    addresses."""
    base, digits = 10, text
    if text.startswith("0x"):
        base, digits = 16, text[2:] or "0"
    elif len(text) > 1 and text.startswith("0"):
        base, digits = 8, text[1:]
    digits = digits.lstrip("0") or "0" * bool(digits)
    if len(digits) > MAX_DIGITS or not digits.isascii() or not digits.isalnum():
        return None
    try:
        return int(digits, base)
    except ValueError:
        return None


def _is_this_machine(host: str) -> bool:
    """Whether a host in one spelling is a name of this machine, by which a server on loopback may call itself."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost") or host == socket.gethostname().lower()
    return address.is_loopback or address.is_unspecified


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
