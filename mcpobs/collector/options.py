"""What the collector is told: where to listen, to whom, and its limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mcpobs.collector.limits import Limits
from mcpobs.errors import UsageError

GRPC_PORT = 4317
HTTP_PORT = 4318


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to listen. Port 0 is any that is free."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files for TLS. With `client_ca` only clients with a certificate of that authority are served."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """How `serve` receives; None instead of an endpoint leaves that protocol out."""

    http: Endpoint | None = Endpoint("localhost", HTTP_PORT)
    grpc: Endpoint | None = Endpoint("localhost", GRPC_PORT)
    tokens: tuple[str, ...] = ()
    tls: Certificates | None = None
    limits: Limits = field(default_factory=Limits)
    grace_s: float = 10.0
    """For requests in flight, after a signal to stop."""


def parse_endpoint(text: str, option: str, default_port: int) -> Endpoint:
    """`HOST:PORT`, `[V6]:PORT`, `HOST` or `PORT`. Raises UsageError."""
    wrong = UsageError(f"{option} {text!r} is no HOST:PORT", f"write e.g. {option} 127.0.0.1:{default_port}")
    if text.isascii() and text.isdigit():
        host, port = "localhost", text
    elif text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise wrong
        port = rest[1:] if rest else str(default_port)
    elif text.count(":") > 1 and "/" not in text:
        host, port = text, str(default_port)
    else:
        host, colon, port = text.partition(":")
        port = port if colon else str(default_port)
    if not host:
        raise UsageError(
            f"{option} {text!r} names no host", f"{option} 0.0.0.0{text} listens on every interface of this machine"
        )
    if not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise wrong
    return Endpoint(host, int(port))
