"""The collector's options: where it listens, who may send, and its limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mcpobs.collector.limits import Limits
from mcpobs.listening import Endpoint

GRPC_PORT = 4317
HTTP_PORT = 4318
_GRPC = Endpoint("localhost", GRPC_PORT)
_HTTP = Endpoint("localhost", HTTP_PORT)


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files for TLS. With `client_ca` only clients with a certificate of that authority are served."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """How `serve` receives; None instead of an endpoint leaves that protocol out."""

    http: Endpoint | None = _HTTP
    grpc: Endpoint | None = _GRPC
    tokens: tuple[str, ...] = ()
    tls: Certificates | None = None
    allowed_hosts: tuple[str, ...] = ()
    """Names besides its own that a Host header may have."""
    allowed_origins: tuple[str, ...] = ()
    """Origins of web pages that may send, as an Origin header writes them."""
    limits: Limits = field(default_factory=Limits)
    grace_s: float = 10.0
    """For requests in flight, after a signal to stop."""
    redact: bool = False  # spans are stored without content
