"""HTTP by hand, for what no decent client sends."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from io import BufferedReader
from typing import Any


@dataclass(frozen=True)
class Answer:
    """A response; `headers` by their names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """A connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._file = sock.makefile("rb")

    def send(self, *parts: bytes) -> None:
        self.sock.sendall(b"".join(parts))

    def answer(self, method: str = "POST") -> Answer:
        """The next response; one that says 100 is passed over."""
        response = HTTPResponse(_OneFile(self._file), method=method)  # type: ignore[arg-type]
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())

    def line(self) -> bytes:
        return self._file.readline()

    def ended(self) -> bool:
        """Waits for the other side's end; False where it says something more."""
        try:
            return self._file.read(1) == b""
        except ConnectionError:
            return True

    def send_for_ever(self, data: bytes, most_bytes: int) -> int:
        """Sends until the other side breaks off, or so much is sent."""
        sent = 0
        try:
            while sent < most_bytes:
                self.sock.sendall(data)
                sent += len(data)
        except ConnectionError:
            pass
        return sent

    def close(self) -> None:
        self._file.close()
        self.sock.close()


@dataclass
class _OneFile:
    """HTTPResponse makes a file of its own, which would read ahead into the next response."""

    file: BufferedReader

    def makefile(self, _: str) -> _Open:
        return _Open(self.file)


class _Open:
    def __init__(self, file: BufferedReader) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def close(self) -> None:
        pass


@contextmanager
def connected(port: int) -> Iterator[Wire]:
    wire = Wire(socket.create_connection(("127.0.0.1", port), timeout=60))
    try:
        yield wire
    finally:
        wire.close()


def post(
    body: bytes = b"", path: str = "/v1/traces", content_type: str = "application/x-protobuf", **headers: str | None
) -> bytes:
    """A request; `headers` with _ for -, None leaves one out."""
    chosen: dict[str, str | None] = {
        "host": "localhost",
        "content-type": content_type,
        "content-length": str(len(body)),
    }
    chosen |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}\r\n" for name, value in chosen.items() if value is not None]
    return f"POST {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode() + body


def chunked(*chunks: bytes, content_type: str = "application/x-protobuf", **headers: str | None) -> bytes:
    head = post(content_type=content_type, content_length=None, transfer_encoding="chunked", **headers)
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


def ask(port: int, request: bytes, method: str = "POST") -> Answer:
    """Sends one request on a connection of its own."""
    with connected(port) as wire:
        wire.send(request)
        return wire.answer(method)


def zipped(body: bytes) -> bytes:
    """One gzip member, without the time in it."""
    return gzip.compress(body, mtime=0)
