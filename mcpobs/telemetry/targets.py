"""Which signals the OTEL_* variables send where by OTLP. Imports nothing of opentelemetry and opens no connection.

stdout of a stdio server carries JSON-RPC only, so an exporter that may write there is refused, not honoured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from mcpobs.masking import masked_path

Signal = Literal["traces", "metrics"]
WireProtocol = Literal["grpc", "http/protobuf"]

DEFAULT_PROTOCOL: WireProtocol = "http/protobuf"  # the specification's
_SIGNALS: tuple[Signal, ...] = ("traces", "metrics")
_PROTOCOLS: dict[str, WireProtocol] = {"grpc": "grpc", "http/protobuf": "http/protobuf"}
_OTLP: dict[str, WireProtocol | None] = {
    "otlp": None,  # as OTEL_EXPORTER_OTLP_PROTOCOL says
    "otlp_proto_grpc": "grpc",
    "otlp_proto_http": "http/protobuf",
}
_DEFAULT_ENDPOINT: dict[WireProtocol, str] = {"grpc": "http://localhost:4317", "http/protobuf": "http://localhost:4318"}


@dataclass(frozen=True, slots=True)
class Target:
    """Where one signal goes. `endpoint` is for people: without credentials and query."""

    signal: Signal
    protocol: WireProtocol
    endpoint: str

    @property
    def origin(self) -> str:
        """The endpoint without its path: two signals of one origin go to one collector."""
        scheme, separator, rest = self.endpoint.partition("://")
        return f"{scheme}{separator}{rest.partition('/')[0]}"


def targets(env: Mapping[str, str], warn: Callable[[str], None]) -> tuple[Target, ...]:
    """The signals to export; none where OTLP is not configured. Each wrong variable is told once."""
    if env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ()
    told: dict[str, None] = {}
    found = tuple(target for signal in _SIGNALS if (target := _target(signal, env, told)) is not None)
    for message in told:
        warn(message)
    return found


def _target(signal: Signal, env: Mapping[str, str], told: dict[str, None]) -> Target | None:
    variable = f"OTEL_{signal.upper()}_EXPORTER"
    named = [word.strip().lower() for word in env.get(variable, "").split(",") if word.strip()]
    refused = [word for word in named if word not in _OTLP and word != "none"]
    if refused:
        told[
            f"OTLP: {variable}={','.join(refused)} is refused: stdout carries JSON-RPC only, and mcpobs exports by OTLP"
            f"\nhint: set {variable}=otlp and OTEL_EXPORTER_OTLP_ENDPOINT"
        ] = None
    own = f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT"
    variable = own if env.get(own) else "OTEL_EXPORTER_OTLP_ENDPOINT"
    otlp = [word for word in named if word in _OTLP]
    if "none" in named or (named and not otlp) or not (named or env.get(variable)):
        return None
    protocol = _protocol(signal, env, _OTLP[otlp[0]] if otlp else None, told)
    if protocol is None:
        return None
    endpoint = env.get(variable) or _DEFAULT_ENDPOINT[protocol]
    if protocol == "http/protobuf":
        if not _is_http(endpoint):
            told[
                f"OTLP: {variable} is not an http:// or https:// URL: nothing is exported to it"
                "\nhint: write e.g. http://localhost:4318, or set OTEL_EXPORTER_OTLP_PROTOCOL=grpc"
            ] = None
            return None
        if variable != own:
            endpoint = f"{endpoint.rstrip('/')}/v1/{signal}"
    return Target(signal, protocol, _shown(endpoint))


def _protocol(
    signal: Signal, env: Mapping[str, str], implied: WireProtocol | None, told: dict[str, None]
) -> WireProtocol | None:
    if implied is not None:
        return implied
    for variable in (f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        value = env.get(variable, "").strip()
        if value in _PROTOCOLS:
            return _PROTOCOLS[value]
        if value:
            told[
                f"OTLP: {variable}={value} is no protocol of the OTLP exporter package: nothing is exported by it"
                f"\nhint: set {variable}=grpc or {variable}=http/protobuf"
            ] = None
            return None
    return DEFAULT_PROTOCOL


def _is_http(endpoint: str) -> bool:
    from urllib.parse import urlsplit  # 7 ms that only an export pays

    try:
        parts = urlsplit(endpoint)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _shown(endpoint: str) -> str:
    """An endpoint as it may stand in a log: no user, no password, no query, and of the path no key."""
    scheme, separator, rest = endpoint.partition("://")
    if not separator:
        scheme, rest = "", endpoint
    place, slash, path = rest.partition("?")[0].partition("#")[0].partition("/")
    return f"{scheme}{separator}{place.rpartition('@')[2]}{masked_path(slash + path)}"
