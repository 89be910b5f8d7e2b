"""Reads files, folders and stdin piece by piece. Keeps at most one document or one window of a text in memory.

A source is read as JSON if it is one JSON document of at most MAX_DOCUMENT, as JSON lines if its first line is an
object or array, else as text. A line that is not JSON is scanned as text. `.gz` files are unpacked as they are read.
"""

from __future__ import annotations

import codecs
import gzip
import io
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, Literal

import orjson

from mcpobs import safefile
from mcpobs.errors import UsageError
from mcpobs.scan.piece import MOST, OVERLAP, Piece, Window, of_value, split

As = Literal["auto", "text", "json", "jsonl"]
MAX_DOCUMENT: Final = 64 << 20
MAX_LINE: Final = 16 << 20
_READ: Final = 64 << 10
_HEAD: Final = 8 << 10
_SKIPPED: Final = frozenset({".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv"})
STDIN: Final = "-"


@dataclass(slots=True)
class Progress:
    """What was read so far. `skipped` are files of folders with the reason."""

    files: int = 0
    characters: int = 0
    at: str = ""
    skipped: list[tuple[str, str]] = field(default_factory=list)


def pieces(paths: list[str], progress: Progress, form: As = "auto") -> Iterator[Piece]:
    """Yields the pieces of all paths, in their order. Raises UsageError for a named path that cannot be read, or that
    is not of the form."""
    for path in paths:
        if path == STDIN:
            if sys.stdin is None:  # started without it
                raise UsageError("stdin is closed", "name a file")
            yield from _of_stream(STDIN, sys.stdin.buffer, progress, form)
        elif Path(path).is_dir():
            yield from _of_folder(path, progress, form)
        else:
            yield from _of_file(path, progress, form)


def _of_folder(folder: str, progress: Progress, form: As) -> Iterator[Piece]:
    """Yields the pieces of all files below a folder, sorted by name. Skips links and binary files."""
    for above, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED)
        for name in sorted(files):
            path = os.path.join(above, name)
            if os.path.islink(path):
                continue
            try:
                yield from _of_file(path, progress, form, is_named=False)
            except UsageError as error:
                progress.skipped.append((path, error.message))


def _of_file(path: str, progress: Progress, form: As, *, is_named: bool = True) -> Iterator[Piece]:
    try:
        with os.fdopen(safefile.open_regular(path), "rb") as raw:
            stream = gzip.GzipFile(fileobj=raw) if path.endswith(".gz") else raw
            yield from _of_stream(path, stream, progress, form, is_named=is_named)  # type: ignore[arg-type]  # reads alike
    except (OSError, EOFError, zlib.error) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"cannot read {path}: {why}", "name a file, a folder or - for stdin") from None


def _of_stream(
    source: str, stream: BinaryIO, progress: Progress, form: As, *, is_named: bool = True
) -> Iterator[Piece]:
    head = stream.read(_HEAD)
    if b"\0" in head and not is_named and not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        progress.skipped.append((source, "binary"))
        return
    progress.files += 1
    progress.at = source
    reading = _Reading(source, head, stream, form)
    for piece in reading.pieces():
        progress.characters += sum(len(window.text) - window.fresh for window in piece.windows)
        yield piece


class _Reading:
    """One stream with its head put back."""

    def __init__(self, source: str, head: bytes, stream: BinaryIO, form: As) -> None:
        self._source, self._form = source, form
        self._buffer, self._at = head, 0
        self._stream = stream

    def pieces(self) -> Iterator[Piece]:
        form = self._form
        if form in ("auto", "json"):
            document = self._document()
            if document is not None:
                yield from of_value(self._source, document[0])
                return
            if form == "json":
                raise UsageError(f"{self._source} is not one JSON document", "leave --as out, or write --as jsonl")
        if form == "jsonl" or (form == "auto" and self._begins_with_json()):
            yield from self._of_lines()
        else:
            yield from self._of_text()

    def _read(self) -> bytes:
        if self._at < len(self._buffer):
            part = self._buffer[self._at : self._at + _READ]
            self._at += len(part)
            return part
        self._buffer, self._at = b"", 0
        return self._stream.read(_READ)

    def _fill(self, most: int) -> bytes:
        """Returns the next bytes, at most `most`, and keeps them for the next read."""
        parts = [self._buffer[self._at :]]
        size = len(parts[0])
        while size < most and (part := self._stream.read(_READ)):
            parts.append(part)
            size += len(part)
        self._buffer, self._at = b"".join(parts), 0
        return self._buffer

    def _document(self) -> tuple[object] | None:
        """Returns the JSON document; None if the stream is not one document or is too large."""
        if not self._fill(_HEAD).lstrip(codecs.BOM_UTF8 + b" \t\r\n").startswith((b"{", b"[", b'"')):
            return None
        line, rest = self._first_line()
        if self._form == "auto" and rest and _parsed(line) is not None:
            return None
        content = self._fill(MAX_DOCUMENT + 1)
        if len(content) > MAX_DOCUMENT:
            return None
        try:
            return (orjson.loads(content.removeprefix(codecs.BOM_UTF8)),)
        except orjson.JSONDecodeError:
            return None

    def _first_line(self) -> tuple[bytes, bytes]:
        """Returns the first line, and the bytes after it that were read too."""
        most = _HEAD
        while True:
            found = self._fill(most)
            line, ended, rest = found.partition(b"\n")
            if ended and not rest.strip() and len(found) >= most:
                most *= 2  # blank lines so far
            elif ended or len(found) < most or most > MAX_LINE:
                return line, rest.strip()
            else:
                most *= 2

    def _begins_with_json(self) -> bool:
        return isinstance(_parsed(self._first_line()[0]), dict | list)

    def _of_lines(self) -> Iterator[Piece]:
        for number, line in enumerate(self._lines(), start=1):
            value = _parsed(line)
            place = str(number)
            if value is not None:
                yield from of_value(self._source, value, place)
            elif line.strip():
                for window in split(_text(line)):
                    yield Piece(self._source, (window,), place)

    def _lines(self) -> Iterator[bytes]:
        """Yields the lines. A line longer than MAX_LINE comes in parts."""
        left = b""
        while part := self._read():
            *whole, left = (left + part).split(b"\n")
            yield from whole
            if len(left) > MAX_LINE:
                yield left
                left = b""
        if left:
            yield left

    def _of_text(self) -> Iterator[Piece]:
        """Yields windows that share OVERLAP characters; the last one may be shorter."""
        decode = self._decoder()
        text, start, line, fresh = "", 0, 1, 0
        while True:
            part = self._read()
            text += decode(part, not part)
            while len(text) >= MOST or (not part and len(text) > fresh):
                window, keep = text[:MOST], max(0, min(len(text), MOST) - OVERLAP)
                yield Piece(self._source, (Window(window, start=start, fresh=fresh, line=line),))
                if not part and len(text) <= MOST:
                    return
                text, start, line, fresh = text[keep:], start + keep, line + window[:keep].count("\n"), OVERLAP
            if not part:
                return

    def _decoder(self) -> Callable[[bytes, bool], str]:
        head = self._fill(_HEAD)
        name = "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
        return io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(name)("replace"), translate=False).decode


def _parsed(line: bytes) -> object:
    try:
        value: object = orjson.loads(line.removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError:
        return None
    return value


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")
