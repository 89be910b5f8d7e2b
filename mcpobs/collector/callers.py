"""Decides which HTTP requests may come from a web page. Knows nothing of OTLP and answers nothing.

A page of any site can make a browser send requests to this machine: under the site's own name once that name resolves
to a loopback address (DNS rebinding), or as a simple cross-site POST. A collector on loopback without a token refuses
both: the Host header must name it, and a request with the marks of a cross-site page must come from an allowed origin.
With a token, or on an address that other machines can reach, every Host and Origin passes: a page does not know the
token, and without a token anyone who reaches the address may send.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from mcpobs.errors import UsageError
from mcpobs.listening import is_own_name

Header = tuple[bytes, bytes]
Foreign = Literal["foreign_host", "foreign_origin", "malformed"]

_SAME: Final = (b"none", b"same-origin")
"""Values of Sec-Fetch-Site for our own page or for no page."""
_MOST_HEADERS_BYTES = 1024
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class ForeignError(Exception):
    """The request comes from a web page that may not send."""

    def __init__(self, reason: Foreign, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Callers:
    """The rule of one collector. `names` are the hosts that a Host header may name; None allows all hosts and all
    origins. `origins` may always send, and their browsers get CORS answers."""

    names: tuple[str, ...] | None = None
    origins: frozenset[str] = frozenset()

    def check(self, headers: list[Header]) -> None:
        """Raises ForeignError if the request is from a foreign web page. A request without a Host is not from a
        browser."""
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) > 1:
            raise ForeignError("malformed", "the request has more than one Host header")
        if self.names is None:
            return
        if hosts and not any(is_own_name(hosts[0].decode("latin-1"), name) for name in self.names):
            raise ForeignError(
                "foreign_host",
                f"the Host header does not name this collector, which accepts {', '.join(self.names)} and loopback "
                "addresses; `mcpobs collect --allow-host NAME` adds a name",
            )
        origins = [value for name, value in headers if name == b"origin"]
        sites = [value.strip().lower() for name, value in headers if name == b"sec-fetch-site"]
        if origins:
            if not all(self.allows(origin) for origin in origins):
                raise ForeignError(
                    "foreign_origin",
                    "web pages of this origin may not send; `mcpobs collect --allow-origin URL` allows one",
                )
        elif any(site not in _SAME for site in sites):
            raise ForeignError("foreign_origin", "web pages of other sites may not ask")

    def allows(self, origin: bytes) -> bool:
        return origin.decode("latin-1").lower() in self.origins

    def cors(self, headers: list[Header]) -> list[Header]:
        """Returns the headers that let a page of an allowed origin read the answer."""
        origin = next((value for name, value in headers if name == b"origin"), None)
        if origin is None or not self.allows(origin):
            return []
        return [(b"access-control-allow-origin", origin), (b"vary", b"origin")]

    def preflight(self, method: str, headers: list[Header]) -> list[Header] | None:
        """Returns the answer's headers to a CORS preflight request; None for any other request."""
        if method != "OPTIONS":
            return None
        asked = dict(headers)
        allowed = self.cors(headers)
        if not allowed or b"access-control-request-method" not in asked:
            return None
        allowed += [(b"access-control-allow-methods", b"POST"), (b"access-control-max-age", b"600")]
        names = asked.get(b"access-control-request-headers", b"")
        if names and len(names) <= _MOST_HEADERS_BYTES:
            allowed.append((b"access-control-allow-headers", names))
        if asked.get(b"access-control-request-private-network", b"").lower() == b"true":
            allowed.append((b"access-control-allow-private-network", b"true"))
        return allowed


def parse_origin(text: str, option: str) -> str:
    """Returns `https://app.example` in the format of an Origin header. Raises UsageError."""
    parts = urlsplit(text)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if (
        not parts.scheme
        or not parts.hostname
        or port == -1
        or parts.path not in ("", "/")
        or parts.query
        or parts.fragment
        or parts.username is not None
    ):
        raise UsageError(
            f"{option} {text!r} is not the origin of a web page", f"write e.g. {option} https://app.example.com"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    given = "" if port is None or port == _DEFAULT_PORTS.get(parts.scheme) else f":{port}"
    return f"{parts.scheme}://{host}{given}"
