"""Parses endpoints and binds their sockets, with a helpful error if that fails. Accepts nothing."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from dataclasses import dataclass

from mcpobs.errors import UsageError

BACKLOG = 1024
_ELSEWHERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""`localhost` may resolve to an address family that this machine lacks."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address to listen on. Port 0 is any free port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_endpoint(text: str, option: str, default_port: int) -> Endpoint:
    """Parses `HOST:PORT`, `[V6]:PORT`, `HOST` or `PORT`. Raises UsageError."""

    def wrong(why: str, at: Endpoint = Endpoint("127.0.0.1", default_port)) -> UsageError:
        return UsageError(f"{option} {text!r} is not HOST:PORT: {why}", f"write e.g. {option} {at}")

    if "://" in text:
        raise wrong("it is a URL")
    if text.isascii() and text.isdigit():
        host, port = "localhost", text
    elif text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise wrong("only [ADDRESS]:PORT begins with a bracket", Endpoint("::1", default_port))
        port = rest[1:] if rest else str(default_port)
    elif text.count(":") > 1:
        host, port = text, str(default_port)
    else:
        host, colon, port = text.partition(":")
        port = port if colon else str(default_port)
    if (":" in host or text.startswith("[")) and not _is_v6(host):
        raise wrong(f"{host!r} is not an IPv6 address", Endpoint("::1", default_port))
    if not host:
        raise UsageError(
            f"{option} {text!r} names no host", f"{option} 0.0.0.0{text} listens on every interface of this machine"
        )
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535):
        raise wrong(f"{port!r} is not a port: a number up to 65535")
    return Endpoint(host, int(port))


def bind(endpoint: Endpoint, option: str) -> list[socket.socket]:
    """Returns one socket for each address of the host, all on one port. Raises UsageError."""
    sockets: list[socket.socket] = []
    port = endpoint.port
    missing: OSError | None = None
    try:
        for address in _addresses(endpoint, option):
            try:
                sockets.append(_bind(address, port))
            except OSError as error:
                if error.errno not in _ELSEWHERE:
                    raise
                missing = error
            else:
                port = sockets[0].getsockname()[1]
        if not sockets and missing is not None:
            raise missing
    except OSError as error:
        for bound in sockets:
            bound.close()
        raise _refusal(endpoint, option, error) from None
    return sockets


def is_loopback(bound: socket.socket) -> bool:
    return ipaddress.ip_address(bound.getsockname()[0].partition("%")[0]).is_loopback


def is_own_name(host: str, listens_on: str) -> bool:
    """Returns whether a Host header names a server that listens on loopback: `localhost`, a loopback address, or the
    name that it listens on; with any port, case and trailing dot.

    A page of any site can make a browser send requests here under the site's name (DNS rebinding). It cannot do so with
    an address, which is not resolved.
    """
    name, port = _split_host(host)
    if name is None or not (port == "" or (port.isascii() and port.isdigit())):
        return False
    name = name.lower().removesuffix(".")
    if name and name in ("localhost", listens_on.lower().removesuffix(".")):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _split_host(host: str) -> tuple[str | None, str]:
    """Returns host and port of a Host header, without the brackets of an IPv6 address; None for an invalid host."""
    if host.startswith("["):
        name, bracket, rest = host[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")) or not _is_v6(name):
            return None, ""
        return name, rest[1:]
    if host.count(":") > 1:  # an address without its brackets
        return (host, "") if _is_v6(host) else (None, "")
    name, _, port = host.partition(":")
    return name, port


def _is_v6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def _addresses(endpoint: Endpoint, option: str) -> list[str]:
    try:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise UsageError(
            f"{option}: no address is known for the host {endpoint.host!r}: {_reason(error)}",
            f"name an address of this machine, e.g. {option} 127.0.0.1:{endpoint.port}",
        ) from None
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def _reason(error: Exception) -> str:
    """Returns the error's text without its number."""
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def _bind(address: str, port: int) -> socket.socket:
    v6 = ":" in address
    bound = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # our own past connections do not block the port
        if v6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address != "::"))
        bound.bind((address, port))
        bound.listen(BACKLOG)
        bound.setblocking(False)
    except BaseException:
        bound.close()
        raise
    return bound


def _refusal(endpoint: Endpoint, option: str, error: OSError) -> UsageError:
    match error.errno:
        case errno.EADDRINUSE:
            hint = f"is it running there already? {option} {Endpoint(endpoint.host, 0)} takes any free port"
        case errno.EACCES:
            hint = f"ports below 1024 need privileges; name another with {option}"
        case errno.EADDRNOTAVAIL:
            hint = f"name an address of this machine, e.g. {option} 127.0.0.1:{endpoint.port}"
        case _:
            hint = f"name another place with {option} HOST:PORT"
    why = os.strerror(error.errno) if error.errno else str(error)
    return UsageError(f"{option}: cannot listen on {endpoint}: {why[:1].lower()}{why[1:]}", hint)
