"""The Parquet files of the table as one relation, whatever version of mcpobs wrote them. Never writes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from mcpobs import safefile
from mcpobs.lake.engine import Connection, EngineError, Interrupted, identifier, quoted
from mcpobs.lake.schema import PARTITION, TYPES, suffix
from mcpobs.lake.snapshot import DataFile

_MAGIC = b"PAR1"


def relation(connection: Connection, table: Path, files: Sequence[DataFile], columns: Mapping[str, str] = TYPES) -> str:
    """A select over the files with exactly the columns asked for (name to DuckDB type), in that order.

    A column that an older mcpobs did not write is null; one that a newer one wrote is left out. Raises EngineError
    where the first file, or one with other columns, is no Parquet.
    """
    same = [file for file in files if file.path.endswith(suffix(columns))]
    other = [file for file in files if not file.path.endswith(suffix(columns))]
    selects = []
    if same:
        selects.append(f"select {', '.join(map(identifier, columns))} from {_scan(table, same)}")
    if other:
        source = _scan(table, other, ", union_by_name = true")
        found = _described(connection, source)
        selected = (_column(name, type_, found.get(name)) for name, type_ in columns.items())
        selects.append(f"select {', '.join(selected)} from {source}")
    return " union all ".join(selects)


def columns_of(connection: Connection, table: Path, files: Sequence[DataFile]) -> dict[str, str]:
    """Our columns and after them those that only the files know: a newer mcpobs wrote them, and they are kept.

    Files with exactly our columns are not opened.
    """
    if all(file.path.endswith(suffix(TYPES)) for file in files):
        return dict(TYPES)
    return TYPES | {
        name: type_
        for name, type_ in _described(connection, _scan(table, files, ", union_by_name = true")).items()
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
    """Why a file cannot be what the log says, as far as its size and its last bytes tell; 10 µs a file."""
    path = table / file.path
    if not file.path.startswith(f"{PARTITION}={file.date}/"):
        return "it does not lie in the folder of its partition"
    try:
        with os.fdopen(safefile.open_regular(path), "rb") as opened:
            size = opened.seek(0, 2)
            if size != file.size_bytes:
                return f"it has {size:,} bytes and should have {file.size_bytes:,}"
            opened.seek(-min(size, 4), 2)
            if opened.read() != _MAGIC:
                return "it is no Parquet file"
    except FileNotFoundError:
        return "it is missing"
    except OSError as error:
        return error.strerror or str(error)
    return None


def hidden_damage(connection: Connection, table: Path, file: DataFile) -> str | None:
    """Why a file cannot be read, found by reading all of it."""
    try:
        select = relation(connection, table, [file])
        used = ", ".join(f"bit_xor(hash({name}))" for name in TYPES)  # count() does without the values
        connection.execute(f"select {used} from ({select})").fetchall()
    except Interrupted:
        raise  # somebody ended the reading: that says nothing about the file
    except EngineError as error:
        return str(error).splitlines()[0]
    return None
