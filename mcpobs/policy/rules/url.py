"""`url`: an argument must be a URL of some schemes, hosts and ports.

What it does: reads the text of `arg` (or each text of a list) by the narrowest form of a URL, and compares scheme, host
and port. Hosts are exact, or `*.example.com` for all names below it. Refuses what readers of URLs disagree on: user
names, backslashes, spaces and control characters, hosts that are not ASCII, addresses in odd notations.
Why it matters: a tool that fetches URLs reaches what its server reaches, also a cloud's metadata and the local network.
What to do: name the hosts. Write other scripts as `xn--…`. An address is allowed only if it is listed itself. Redirects
and the address that a name has are known to the server alone: the real control is its network.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from mcpobs.limits.document import Place
from mcpobs.policy.codes import Code
from mcpobs.policy.conditions import CallFacts, Reads, texts
from mcpobs.policy.fields import names, path

MAX_URL: Final = 8_192
DEFAULT_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21, "sftp": 22}
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,31})://([^/?#]+)((?:[/?#].*)?)", re.DOTALL)
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,254})(?::([1-9][0-9]{0,4}))?")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")  # of a last label: readers take the host for an address
_REFUSED = re.compile(r"[\x00-\x20\x7f-\xa0\\\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]")


class Target(NamedTuple):
    scheme: str
    host: str
    port: int | None


@dataclass(frozen=True)
class UrlTarget:
    """A URL whose scheme, host and port are listed. Without ports, the scheme's own."""

    argument: tuple[str, ...]
    schemes: frozenset[str]
    hosts: frozenset[str]
    below: tuple[str, ...]
    """Suffixes with their leading dot."""
    ports: frozenset[int]
    reads: frozenset[Reads] = frozenset({"arguments"})
    code: Code = Code.ARGUMENTS
    remembers: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)

    def __repr__(self) -> str:
        """In one order: rules are known by it."""
        parts = (self.argument, sorted(self.schemes), sorted(self.hosts), self.below, sorted(self.ports))
        return f"UrlTarget{parts}"

    def holds(self, facts: CallFacts) -> bool:
        return all(self._is_listed(target(text)) for text in texts(facts, self.argument))

    def _is_listed(self, found: Target | None) -> bool:
        if found is None or found.scheme not in self.schemes:
            return False
        ports = self.ports or {DEFAULT_PORTS.get(found.scheme)}
        if found.port is None or found.port not in ports:
            return False
        return found.host in self.hosts or (not is_address(found.host) and found.host.endswith(self.below))

    def needs(self, facts: CallFacts) -> str:
        return f"the argument {'.'.join(self.argument)} has to be a plain URL of a host that is allowed here"


def read(place: Place) -> UrlTarget:
    fields = place.fields(("arg", "schemes", "hosts", "ports"))
    for key in ("arg", "hosts"):
        if key not in fields:
            place.refuse(f"no `{key}`", "write e.g. {arg: url, hosts: [api.example.com]}")
    hosts = names(fields["hosts"])
    for text in hosts:
        _check_host(text, fields["hosts"])
    schemes = names(fields["schemes"]) if "schemes" in fields else ("https",)
    ports = fields.get("ports")
    if ports is None and (odd := [one for one in schemes if one.lower() not in DEFAULT_PORTS]):
        place.refuse(f"no `ports` for the scheme {odd[0]!r}", "write e.g. ports: [8443]")
    return UrlTarget(
        argument=path(fields["arg"].text(), fields["arg"]),
        schemes=frozenset(scheme.lower() for scheme in schemes),
        hosts=frozenset(_plain_host(text) or "" for text in hosts if not text.startswith("*")),
        below=tuple(sorted(f".{_plain_host(text[2:])}" for text in hosts if text.startswith("*"))),
        ports=frozenset() if ports is None else frozenset(_ports(ports)),
    )


def target(text: str) -> Target | None:
    """Scheme, host and port of a URL, in lower case; None for a text that readers may read differently."""
    if len(text) > MAX_URL or _REFUSED.search(text):
        return None
    url = _URL.fullmatch(text)
    authority = _AUTHORITY.fullmatch(url[2]) if url else None
    if url is None or authority is None or not _is_plain_rest(url[3]):
        return None
    host = _plain_host(authority[1])
    scheme = url[1].lower()
    port = int(authority[2]) if authority[2] else DEFAULT_PORTS.get(scheme)
    return None if host is None or (port is not None and port > 65_535) else Target(scheme, host, port)


def is_address(host: str) -> bool:
    """Whether readers take a host for an address: also `127.1`, `2130706433` and `0x7f.1`."""
    return host.startswith("[") or _NUMERIC.fullmatch(host.rpartition(".")[2]) is not None


def _is_plain_rest(rest: str) -> bool:
    """Some readers look for the host behind an `@` also after `?` and `#`."""
    return rest[:1] in ("", "/") or (rest.isascii() and "@" not in rest)


def _plain_host(text: str) -> str | None:
    """A host in lower case, without the dot of the root; None if it is no name, nor an address as it is usually
    written."""
    host = text.lower()
    if host.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(host[1:-1]).compressed}]"
        except ValueError:
            return None
    host = host.removesuffix(".")
    if is_address(host):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            return None
    return host if len(host) <= 253 and all(_LABEL.fullmatch(label) for label in host.split(".")) else None


def _check_host(text: str, place: Place) -> None:
    name = text.removeprefix("*.")
    if text.startswith("*.") and "." not in name:
        place.refuse(f"{text!r} allows a whole top-level domain", "write e.g. *.example.com")
    if not name.isascii():
        place.refuse(f"{text!r} is not ASCII", f"write it as {_punycode(name)}")
    host = _plain_host(name)
    if host is None or (text.startswith("*") and (name == text or is_address(host))):
        place.refuse(f"{text!r} is no host", "write e.g. api.example.com, *.example.com, 192.0.2.7 or [2001:db8::7]")


def _punycode(name: str) -> str:
    try:
        return name.encode("idna").decode()
    except UnicodeError:
        return "xn--…"


def _ports(place: Place) -> list[int]:
    items = [place] if place.is_scalar else place.items()
    for item in items:
        if not 0 < item.count() <= 65_535:
            item.refuse(f"{item.text()} is no port", "write a number from 1 to 65535")
    if not items:
        place.refuse("an empty list matches nothing", "leave the key out")
    return [item.count() for item in items]
