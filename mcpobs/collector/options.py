"""Defines the collector's options: endpoints, permitted senders, limits."""

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
    """PEM files for TLS. With `client_ca` only clients with a certificate from that authority are served."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `serve`; an endpoint of None disables that protocol."""

    http: Endpoint | None = _HTTP
    grpc: Endpoint | None = _GRPC
    tokens: tuple[str, ...] = ()
    tls: Certificates | None = None
    allowed_hosts: tuple[str, ...] = ()
    """Names that a Host header may have, besides the collector's own."""
    allowed_origins: tuple[str, ...] = ()
    """Origins of web pages that may send, in the format of an Origin header."""
    limits: Limits = field(default_factory=Limits)
    grace_s: float = 10.0
    """Time for requests in flight to end after a stop signal."""
    redact: bool = False  # spans are stored without content
    scrub: bool = False  # spans are stored without personal data and secrets
