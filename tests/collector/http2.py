"""HTTP/2 by hand: as much of it as a client needs that sends part of a gRPC message and then nothing more."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress

DATA, HEADERS, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 4, 6, 7, 8
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def header(name: str, value: str) -> bytes:
    """A literal without indexing, RFC 7541 §6.2.2."""
    return b"\x00" + b"".join(bytes([len(text)]) + text.encode() for text in (name, value))


class Stalling:
    """A connection that has sent its preface."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.sock.sendall(PREFACE + frame(SETTINGS, 0, 0))
        self._windows = {0: 65_535}
        self._initial = 65_535
        self._got = b""

    def begin(self, stream: int, path: str, message_bytes: int) -> None:
        """Opens a call whose message is announced with this length."""
        fields = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "x")]
        fields += [("content-type", "application/grpc"), ("te", "trailers")]
        self.sock.sendall(frame(HEADERS, 4, stream, b"".join(header(*field) for field in fields)))
        self._windows[stream] = self._initial
        self.send(stream, b"\x00" + struct.pack(">I", message_bytes))

    def send(self, stream: int, data: bytes) -> int:
        """Sends as much of it as the windows allow; returns how much."""
        self._listen()
        room = min(len(data), self._windows[0], self._windows[stream])
        for start in range(0, room, 16_384):
            self.sock.sendall(frame(DATA, 0, stream, data[start : min(start + 16_384, room)]))
        self._windows[0] -= room
        self._windows[stream] -= room
        return room

    def ended(self) -> bool:
        """Waits for the other side's end."""
        self.sock.settimeout(60)
        try:
            while self.sock.recv(1 << 16):
                pass
        except ConnectionError:
            pass
        return True

    def close(self) -> None:
        self.sock.close()

    def _listen(self) -> None:
        """Takes in what the other side has said by now."""
        self.sock.settimeout(0.01)
        with suppress(TimeoutError):
            while more := self.sock.recv(1 << 16):
                self._got += more
        self.sock.settimeout(60)
        while len(self._got) >= 9:
            size = int.from_bytes(self._got[:3])
            if len(self._got) < 9 + size:
                return
            kind, flags, stream = self._got[3], self._got[4], int.from_bytes(self._got[5:9])
            payload, self._got = self._got[9 : 9 + size], self._got[9 + size :]
            if kind == WINDOW_UPDATE:
                self._windows[stream] = self._windows.get(stream, self._initial) + int.from_bytes(payload)
            elif kind == SETTINGS and not flags & 1:
                self._settings(payload)
            elif kind == PING and not flags & 1:
                self.sock.sendall(frame(PING, 1, 0, payload))

    def _settings(self, payload: bytes) -> None:
        for start in range(0, len(payload), 6):
            name, value = struct.unpack(">HI", payload[start : start + 6])
            if name == 4:  # INITIAL_WINDOW_SIZE, of the streams that are open, too
                for stream in self._windows:
                    if stream:
                        self._windows[stream] += value - self._initial
                self._initial = value
        self.sock.sendall(frame(SETTINGS, 1, 0))
