"""Reads from the OTEL_* variables which signals are exported by OTLP, and to which endpoints. Imports nothing of
opentelemetry and opens no connection.

stdout of a stdio server carries JSON-RPC only, so an exporter that may write there is refused, not honoured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from mcpobs.masking import masked_path

Signal = Literal["traces", "metrics"]
WireProtocol = Literal["grpc", "http/protobuf"]

DEFAULT_PROTOCOL: WireProtocol = "http/protobuf"  # the specification's default
_SIGNALS: tuple[Signal, ...] = ("traces", "metrics")
_PROTOCOLS: dict[str, WireProtocol] = {"grpc": "grpc", "http/protobuf": "http/protobuf"}
_OTLP: dict[str, WireProtocol | None] = {
    "otlp": None,  # set by OTEL_EXPORTER_OTLP_PROTOCOL
    "otlp_proto_grpc": "grpc",
    "otlp_proto_http": "http/protobuf",
}
_DEFAULT_ENDPOINT: dict[WireProtocol, str] = {"grpc": "http://localhost:4317", "http/protobuf": "http://localhost:4318"}


@dataclass(frozen=True, slots=True)
class Target:
    """The destination of one signal. `endpoint` is for display: without credentials and query."""

    signal: Signal
    protocol: WireProtocol
    endpoint: str

    @property
    def origin(self) -> str:
        """The endpoint without its path: two signals of one origin go to one collector."""
        scheme, separator, rest = self.endpoint.partition("://")
        return f"{scheme}{separator}{rest.partition('/')[0]}"


def targets(env: Mapping[str, str], warn: Callable[[str], None]) -> tuple[Target, ...]:
    """Returns the signals to export; none if OTLP is not configured. Warns once of each wrong variable."""
    if env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ()
    messages: dict[str, None] = {}
    found = tuple(target for signal in _SIGNALS if (target := _target(signal, env, messages)) is not None)
    for message in messages:
        warn(message)
    return found


def _target(signal: Signal, env: Mapping[str, str], messages: dict[str, None]) -> Target | None:
    variable = f"OTEL_{signal.upper()}_EXPORTER"
    named = [word.strip().lower() for word in env.get(variable, "").split(",") if word.strip()]
    refused = [word for word in named if word not in _OTLP and word != "none"]
    if refused:
        messages[
            f"OTLP: {variable}={','.join(refused)} is refused: stdout carries JSON-RPC only, and mcpobs exports by OTLP"
            f"\nhint: set {variable}=otlp and OTEL_EXPORTER_OTLP_ENDPOINT"
        ] = None
    own = f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT"
    variable = own if env.get(own) else "OTEL_EXPORTER_OTLP_ENDPOINT"
    otlp = [word for word in named if word in _OTLP]
    if "none" in named or (named and not otlp) or not (named or env.get(variable)):
        return None
    protocol = _protocol(signal, env, _OTLP[otlp[0]] if otlp else None, messages)
    if protocol is None:
        return None
    endpoint = env.get(variable) or _DEFAULT_ENDPOINT[protocol]
    if protocol == "http/protobuf":
        if not _is_http(endpoint):
            messages[
                f"OTLP: {variable} is not an http:// or https:// URL: nothing is exported to it"
                "\nhint: write e.g. http://localhost:4318, or set OTEL_EXPORTER_OTLP_PROTOCOL=grpc"
            ] = None
            return None
        if variable != own:
            endpoint = f"{endpoint.rstrip('/')}/v1/{signal}"
    return Target(signal, protocol, _shown(endpoint))


def _protocol(
    signal: Signal, env: Mapping[str, str], implied: WireProtocol | None, messages: dict[str, None]
) -> WireProtocol | None:
    if implied is not None:
        return implied
    for variable in (f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        value = env.get(variable, "").strip()
        if value in _PROTOCOLS:
            return _PROTOCOLS[value]
        if value:
            messages[
                f"OTLP: {variable}={value} is not a protocol of the OTLP exporter package: nothing is exported by it"
                f"\nhint: set {variable}=grpc or {variable}=http/protobuf"
            ] = None
            return None
    return DEFAULT_PROTOCOL


def _is_http(endpoint: str) -> bool:
    from urllib.parse import urlsplit  # takes 7 ms; only an export needs it

    try:
        parts = urlsplit(endpoint)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _shown(endpoint: str) -> str:
    """Returns an endpoint for logs: without user, password, query, and keys in the path."""
    scheme, separator, rest = endpoint.partition("://")
    if not separator:
        scheme, rest = "", endpoint
    place, slash, path = rest.partition("?")[0].partition("#")[0].partition("/")
    return f"{scheme}{separator}{place.rpartition('@')[2]}{masked_path(slash + path)}"
