"""Defines the name of a spool segment and the format of its lines.

Shared by the process that writes a segment (`telemetry/spool.py`) and the lake's reader and committer, which do not
import each other. Does no I/O.

A segment is `<lake>/spool/<writer>.<seq>.jsonl`. A line is one flat JSON object, keyed by column name, without nulls,
whose last member is a CRC-32 of all bytes before it: `{"span_id":"…",…,"check":"0a1b2c3d"}`. So a line stays plain JSON
for any tool, and a line torn by a full disk or a crash is detected.
"""

from __future__ import annotations

import re
from binascii import hexlify
from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

SPOOL_FOLDER = "spool"
SUFFIX = ".jsonl"
CHECK_BYTES = 20  # ,"check":"0a1b2c3d"}
_CHECK_KEY = b',"check":"'
_STEM = re.compile(r"(?P<writer>[0-9a-z-]{8,64})\.(?P<seq>[0-9]{1,12})")


class Segment(NamedTuple):
    """A segment's writer, and its sequence number among that writer's segments, from 1."""

    writer: str
    seq: int

    @property
    def name(self) -> str:
        return f"{self.writer}.{self.seq}{SUFFIX}"


def parse_name(name: str, suffix: str = SUFFIX) -> Segment | None:
    """Returns the segment of a file name; None if the file is not a segment."""
    match = _STEM.fullmatch(name.removesuffix(suffix)) if name.endswith(suffix) else None
    return Segment(match["writer"], int(match["seq"])) if match else None


class LinePrefix(NamedTuple):
    """The common beginning of several lines: the members that they share, and their CRC-32."""

    text: bytes
    crc: int


BARE = LinePrefix(b"{", crc32(b"{"))
"""The prefix of lines that share nothing."""


def prefix_of(shared: bytes) -> LinePrefix:
    """Returns the prefix of lines that share the members of this JSON object (at least one)."""
    text = shared[:-1] + b","
    return LinePrefix(text, crc32(text))


def seal(row: bytes, prefix: LinePrefix = BARE) -> bytes:
    """Returns a JSON object (at least one member, none of the prefix's) as a line with its check and newline."""
    text, crc = prefix
    body = row[1:-1]
    check = hexlify(crc32(body, crc).to_bytes(4, "big"))
    return b"".join((text, body, b',"check":"', check, b'"}\n'))  # 0.6 µs; with one format for all 1.7


def intact(line: bytes) -> bool:
    """Returns True if a line, without its newline, is whole."""
    return line[-CHECK_BYTES:-10] == _CHECK_KEY and line[-10:] == b'%08x"}' % crc32(line[:-CHECK_BYTES])


@dataclass(frozen=True, slots=True)
class Scan:
    """The content of a segment: whole lines, the number of damaged ones, and whether every byte belongs to a whole
    line."""

    rows: list[bytes]
    damaged: int

    @property
    def clean(self) -> bool:
        return self.damaged == 0


def scan(content: bytes) -> Scan:
    """Splits a segment's bytes into whole lines and a count of damaged ones.

    The tail after the last newline may be a write in progress. It counts as damaged: the caller decides whether the
    segment's writer is alive.
    """
    rows: list[bytes] = []
    damaged = 0
    for line in content.split(b"\n"):
        if intact(line):
            rows.append(line)
        elif line:
            damaged += 1
    return Scan(rows, damaged)
