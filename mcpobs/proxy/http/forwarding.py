"""What a reverse proxy alters: hop-by-hop headers, the host, and URLs that name the server itself. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from mcpobs.errors import UsageError
from mcpobs.proxy.http.body import CODINGS

Headers = list[tuple[str, str]]

_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade")
)  # RFC 9110, 7.6.1


@dataclass(frozen=True, slots=True)
class Upstream:
    """The server behind: `origin` is scheme and authority, `path` what it is asked for where a client asks for /."""

    origin: str
    host: str  # as in a Host header
    path: str

    def url(self, target: str) -> str:
        """Where a request for `target`, path and query, goes."""
        if target.partition("?")[0] in ("", "/") and self.path:
            target = self.path + target.removeprefix("/")
        return self.origin + target


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


def for_server(headers: Iterable[tuple[str, str]], upstream: Upstream, peer: str | None) -> Headers:
    """Headers of a request as they are passed on. Everything but what is of one hop goes through as it came."""
    items = list(headers)
    dropped = _HOP_BY_HOP | _named_by_connection(items) | {"host", "content-length", "expect"}
    passed: Headers = [("Host", upstream.host)]
    forwarded_for = []
    for name, value in items:
        match name.lower():
            case "accept-encoding":
                passed.append((name, _readable(value)))
            case "x-forwarded-for":
                forwarded_for.append(value)
            case lower if lower not in dropped:
                passed.append((name, value))
    if peer is not None:
        forwarded_for.append(peer)
    if forwarded_for:
        passed.append(("X-Forwarded-For", ", ".join(forwarded_for)))
    return passed


def for_client(headers: Iterable[tuple[str, str]], upstream: Upstream, own_origin: str) -> Headers:
    """Headers of a response as they are passed on; a redirect within the server stays with this proxy."""
    items = list(headers)
    dropped = _HOP_BY_HOP | _named_by_connection(items)
    return [
        (name, own_url(value, upstream, own_origin) if name.lower() in ("location", "content-location") else value)
        for name, value in items
        if name.lower() not in dropped
    ]


def own_url(url: str, upstream: Upstream, own_origin: str) -> str:
    """A URL of the server as one of this proxy; any other as it is."""
    if url == upstream.origin or url.startswith((upstream.origin + "/", upstream.origin + "?")):
        return own_origin + url[len(upstream.origin) :]
    return url


def _named_by_connection(headers: Headers) -> set[str]:
    return {
        word.strip().lower() for name, value in headers if name.lower() == "connection" for word in value.split(",")
    }


def _readable(accepted: str) -> str:
    """An Accept-Encoding without the codings that cannot be read along."""
    kept = [word for word in accepted.split(",") if word.partition(";")[0].strip().lower() in CODINGS]
    return ",".join(kept).strip() or "identity"
