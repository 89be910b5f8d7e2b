"""Headers as a reverse proxy passes them on: without those of one hop, with its own for the next. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mcpobs.proxy.http.codings import ASKED_FOR
from mcpobs.proxy.http.own_urls import WITH_URLS, OwnUrls
from mcpobs.proxy.http.targets import Upstream

MAX_HEAD_BYTES = 256 << 10  # most servers take 16 to 64 KiB
MAX_HEADERS = 1_024


class Header(NamedTuple):
    """A header as it was sent; `lower` is its name in lower case."""

    name: str
    lower: str
    value: str


_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade")
)  # RFC 9110, 7.6.1
_NOT_FOR_SERVER = _HOP_BY_HOP | {"host", "content-length", "expect", "x-forwarded-for"}
_REWRITTEN = {"accept-encoding", "x-forwarded-for"}


def readable(value: str) -> str:
    """A header's value as text: bytes that are not UTF-8 are surrogates in it, which no row can hold."""
    return value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def headers_of(items: Iterable[tuple[str, str]]) -> list[Header]:
    return [Header(name, name.lower(), value) for name, value in items]


def for_server(headers: list[Header], upstream: Upstream, peer: str | None, plain: bool = False) -> list[str]:
    """Lines of a request's head as they are passed on. Everything but what is of one hop goes through as it came.

    `plain` asks for an answer without content coding, because a URL in it may have to be rewritten."""
    passed = [f"Host: {upstream.host}"]
    forwarded_for = []
    for name, lower, value in headers:
        if lower == "accept-encoding":
            passed.append(f"{name}: {'identity' if plain else _readable(value)}")
        elif lower not in _NOT_FOR_SERVER:
            passed.append(f"{name}: {value}")
        elif lower == "x-forwarded-for":
            forwarded_for.append(value)
        elif lower == "connection" and not _HOP_BY_HOP.issuperset(_words(value)):
            return for_server(_without_named(headers), upstream, peer, plain)
    if peer is not None:
        forwarded_for.append(peer)
    if forwarded_for:
        passed.append(f"X-Forwarded-For: {', '.join(forwarded_for)}")
    return passed


def for_client(headers: Iterable[tuple[str, str]], urls: OwnUrls) -> list[Header]:
    """Headers of a response as they are passed on; a redirect within the server stays with this proxy."""
    passed = []
    every = headers_of(headers)
    for header in every:
        if header.lower in WITH_URLS:
            passed.append(header._replace(value=urls.header(header.lower, header.value)))
        elif header.lower not in _HOP_BY_HOP:
            passed.append(header)
        elif header.lower == "connection" and not _HOP_BY_HOP.issuperset(_words(header.value)):
            return for_client([(name, value) for name, _, value in _without_named(every)], urls)
    return passed


def _without_named(headers: list[Header]) -> list[Header]:
    """The headers without those that a Connection header makes ones of its hop."""
    named = {"connection"}.union(*(_words(header.value) for header in headers if header.lower == "connection"))
    named -= _REWRITTEN
    return [header for header in headers if header.lower not in named]


def _words(connection: str) -> set[str]:
    return {word.strip().lower() for word in connection.split(",")}


def _readable(accepted: str) -> str:
    """An Accept-Encoding without the codings that cannot be read along."""
    kept = [word for word in accepted.split(",") if word.partition(";")[0].strip().lower() in ASKED_FOR]
    return ",".join(kept).strip() or "identity"
