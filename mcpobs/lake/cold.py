"""Reads the table's Parquet files as one relation, whichever version of mcpobs wrote them. Never writes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from mcpobs import safefile
from mcpobs.lake import quarantine
from mcpobs.lake.engine import Connection, EngineError, Interrupted, identifier, quoted
from mcpobs.lake.schema import PARTITION, TYPES, suffix
from mcpobs.lake.snapshot import DataFile

_MAGIC = b"PAR1"
_ENDING = len(suffix(TYPES))
_BY_NAME = ", union_by_name = true"


def relation(connection: Connection, table: Path, files: Sequence[DataFile], columns: Mapping[str, str] = TYPES) -> str:
    """Returns a select over the files with exactly the requested columns (name to DuckDB type), in that order.

    A column that an older mcpobs did not write is null; a column that only a newer one wrote is left out. Raises
    EngineError if the first file, or a file with other columns, is not Parquet.
    """
    groups: dict[str, list[DataFile]] = {}
    for file in files:
        ending = file.path[-_ENDING:]
        groups.setdefault(ending if ending == suffix(columns) or ending in _older() else "", []).append(file)
    selects = []
    for ending, alike in groups.items():
        if ending == suffix(columns):
            selects.append(f"select {', '.join(map(identifier, columns))} from {_scan(table, alike)}")
            continue
        source = _scan(table, alike, "" if ending else _BY_NAME)
        found = _older()[ending] if ending else _described(connection, source)
        selected = (_column(name, type_, found.get(name)) for name, type_ in columns.items())
        selects.append(f"select {', '.join(selected)} from {source}")
    return " union all ".join(selects)


@cache
def _older() -> dict[str, dict[str, str]]:
    """Returns the columns of earlier versions by file name suffix. Versions only ever added columns, so theirs are the
    first of ours."""
    columns = list(TYPES.items())
    older = [dict(columns[:length]) for length in range(1, len(columns))]
    return {suffix(known): {**known, PARTITION: TYPES[PARTITION]} for known in older}


def columns_of(connection: Connection, table: Path, files: Sequence[DataFile]) -> dict[str, str]:
    """Returns our columns, then columns found only in the files: a newer mcpobs wrote them, and they are kept.

    Files with exactly our columns are not opened.
    """
    if all(file.path.endswith(suffix(TYPES)) for file in files):
        return dict(TYPES)
    return TYPES | {
        name: type_
        for name, type_ in _described(connection, _scan(table, files, _BY_NAME)).items()
        if name not in TYPES
    }


def _scan(table: Path, files: Sequence[DataFile], options: str = "") -> str:
    paths = ", ".join(quoted(table / file.path) for file in files)
    return f"read_parquet([{paths}], hive_partitioning = true, hive_types = {{{quoted(PARTITION)}: VARCHAR}}{options})"


def _described(connection: Connection, source: str) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(f"describe select * from {source}").fetchall()}


def _column(name: str, type_: str, found: str | None) -> str:
    if found is None:
        return f"cast(null as {type_}) as {identifier(name)}"
    return identifier(name) if found == type_ else f"try_cast({identifier(name)} as {type_}) as {identifier(name)}"


def visible_damage(table: Path, file: DataFile) -> str | None:
    """Returns why a file does not match the log, judged by its size and last bytes; None if it seems sound. 10 µs a
    file."""
    path = table / file.path
    if not file.path.startswith(f"{PARTITION}={file.date}/"):
        return "it is not in the folder of its partition"
    try:
        with os.fdopen(safefile.open_regular(path), "rb") as opened:
            size = opened.seek(0, 2)
            if size != file.size_bytes:
                return f"it has {size:,} bytes and should have {file.size_bytes:,}"
            opened.seek(-min(size, 4), 2)
            if opened.read() != _MAGIC:
                return "it is not a Parquet file"
    except FileNotFoundError:
        return "it is missing"
    except OSError as error:
        return error.strerror or str(error)
    return None


def hidden_damage(connection: Connection, table: Path, file: DataFile) -> str | None:
    """Reads a whole file; returns why that fails, or None."""
    try:
        select = relation(connection, table, [file])
        used = ", ".join(f"bit_xor(hash({name}))" for name in TYPES)  # count() would not read the values
        connection.execute(f"select {used} from ({select})").fetchall()
    except Interrupted:
        raise  # the caller interrupted the query; the file may be sound
    except EngineError as error:
        return quarantine.described(error)
    return None
