"""Masks personal data and secrets in decoded spans of every decoder.

By default only in error texts: status messages and events, which hold exceptions. `collect --scrub` does it for every
text. arro3 (a dependency of deltalake) holds the columns; it takes 50 ms to import, so nothing is without texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from arro3.core import Array, ChunkedArray, DataType, Table, dictionary_dictionary, dictionary_indices

from mcpobs.lake.otlp.columns import RAW
from mcpobs.lake.otlp.decode import Batch
from mcpobs.protocol.masks.finder import MakeMask
from mcpobs.protocol.masks.scrubbed import scrubbed_json, scrubbed_text

ERROR_TEXTS: Final = ("status_message", "events")
"""Columns that are scrubbed by default."""
_IDS: Final = frozenset(("trace_id", "span_id", "parent_span_id"))
TEXTS: Final = tuple(name for name, type_ in RAW.items() if type_ in ("text", "json") and name not in _IDS)
"""Columns that are scrubbed with `collect --scrub`."""
_UTF8: Final = DataType.utf8()
_DICTIONARY: Final = DataType.dictionary(DataType.int32(), _UTF8)


class Scrubbed:
    """Decoded spans with scrubbed texts. Its stream can be requested several times."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self.rows: int = table.num_rows

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(None)


def scrubbed(batch: Batch, columns: Iterable[str], make: MakeMask | None = None) -> Batch:
    """Returns the batch with these columns scrubbed; the same object if nothing is found."""
    table = Table.from_arrow(batch)
    changed = False
    for name in columns:
        column = table.column(name)
        if column.null_count == len(column):
            continue
        texts = _Texts(scrubbed_json if RAW[name] == "json" else scrubbed_text, make)
        chunks = [_scrubbed_chunk(chunk, texts) for chunk in column.chunks]
        if texts.changed:
            place = table.column_names.index(name)
            table = table.set_column(place, table.field(place), ChunkedArray(chunks))
            changed = True
    return Scrubbed(table) if changed else batch


class _Texts(dict[str | None, str | None]):
    """Maps each text to its scrubbed text, so that equal texts are scrubbed once."""

    def __init__(self, scrub: Callable[[str, MakeMask | None], str], make: MakeMask | None) -> None:
        super().__init__({None: None})
        self._scrub, self._make = scrub, make
        self.changed = False

    def __missing__(self, text: str) -> str:
        made = self[text] = self._scrub(text, self._make)
        self.changed = self.changed or made is not text
        return made


def _scrubbed_chunk(chunk: Array, texts: _Texts) -> Array:
    if chunk.type == _UTF8:
        return Array([texts[text] for text in chunk.to_pylist()], _UTF8)
    entries = Array([texts[text] for text in dictionary_dictionary(chunk).to_pylist()], _UTF8)
    return entries.cast(_DICTIONARY).take(dictionary_indices(chunk))
