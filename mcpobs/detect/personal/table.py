"""Reads the header of a table in a text (CSV, TSV, Markdown), so that a cell is labelled by its column."""

from __future__ import annotations

_DELIMITERS = (b",", b"\t", b"|", b";")
_MOST_HEADER = 2_048  # bytes
_MOST_ROW = 4_096  # bytes of a row before a cell
_LONGEST_NAME = 40
_NAME = bytes(32 if not (48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122) else byte for byte in range(256))
_GENERIC = frozenset((b"value", b"values", b"data", b"content", b"text", b"field", b"key"))


class Table:
    """The columns of a table whose header ends at `start`."""

    def __init__(self, data: bytes, start: int, delimiter: bytes, columns: list[list[bytes]]) -> None:
        self._data, self._start, self._delimiter, self._columns = data, start, delimiter, columns

    def column(self, at: int) -> list[bytes] | None:
        """Returns the words of the column that holds the cell at `at`, the last first; None outside of the table."""
        if at < self._start:
            return None
        begin = self._data.rfind(b"\n", max(0, at - _MOST_ROW), at) + 1
        if begin == 0:
            return None
        end = self._data.find(b"\n", at, at + _MOST_ROW)
        row = self._data[begin : end if end >= 0 else at + _MOST_ROW]
        if _cells(row, self._delimiter) != len(self._columns):
            return None
        return self._columns[_cells(row[: at - begin], self._delimiter) - 1] or None


def table_of(data: bytes) -> Table | None:
    """Returns the table that one of the first three lines of a text begins."""
    start = 0
    for _ in range(3):
        end = data.find(b"\n", start, start + _MOST_HEADER)
        if end < 0:
            return None
        line = data[start:end]
        for delimiter in _DELIMITERS:
            if delimiter not in line or (delimiter == b"|" and data[end + 1 : end + 4].strip(b"|: -")):
                continue  # Markdown has a line of hyphens below the header
            if (columns := _columns(line, delimiter)) is not None:
                return Table(data, end + 1, delimiter, columns) if any(columns) else None
        start = end + 1
    return None


def _columns(line: bytes, delimiter: bytes) -> list[list[bytes]] | None:
    """Returns the words of each column of a header (none for `value` and the like), or None if a cell is not a name."""
    columns: list[list[bytes]] = []
    for cell in line.split(delimiter):
        name = cell.strip(b" \t\r\"'*`")
        words = name.translate(_NAME).lower().split()
        if len(name) > _LONGEST_NAME or len(words) > 4 or name[:1].isdigit() or any(c in name for c in b":=.{}[]<>@"):
            return None
        words.reverse()
        columns.append([] if words and words[0] in _GENERIC else words)
    if len(columns) == 2 and any(len(words) > 1 for words in columns):
        return None  # a sentence with a comma
    return columns


def _cells(row: bytes, delimiter: bytes) -> int:
    """Counts the cells of a row. A delimiter within double quotes separates nothing."""
    return 1 + sum(part.count(delimiter) for part in row.split(b'"')[::2])
