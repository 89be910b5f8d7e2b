"""Opens DuckDB the way mcpobs uses it. Never reaches the network and never writes to the working directory.

The package `duckdb` costs 140-170 ms at import and its C module `_duckdb` 35 ms, which is most of a cold report.
The C module's name is private, so the package is imported instead if a release moves it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection as Connection
    from duckdb import Error as EngineError
    from duckdb import InterruptException as Interrupted
    from duckdb import connect as _connect
else:
    try:
        from _duckdb import DuckDBPyConnection as Connection
        from _duckdb import Error as EngineError
        from _duckdb import InterruptException as Interrupted
        from _duckdb import connect as _connect
    except ImportError:
        from duckdb import DuckDBPyConnection as Connection
        from duckdb import Error as EngineError
        from duckdb import InterruptException as Interrupted
        from duckdb import connect as _connect

__all__ = ["Connection", "EngineError", "Interrupted", "connect", "identifier", "one_thread", "quoted"]


def connect(*, spill: Path | None = None, threads: int | None = None, memory_bytes: int | None = None) -> Connection:
    """Opens an in-memory DuckDB in UTC.

    A query that exceeds memory spills to the folder `spill`, or fails if there is none.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",  # else an unknown function causes a download
        "autoload_known_extensions": "false",
        "python_enable_replacements": "false",  # else a table name may be a Python variable of the caller
        "temp_directory": str(spill) if spill is not None else "",  # else `.tmp` in the working directory
    }
    if threads is not None:
        config["threads"] = threads
    if memory_bytes is not None:
        config["memory_limit"] = f"{memory_bytes}B"
    connection = _connect(":memory:", config=config)
    connection.execute("set TimeZone = 'UTC'")
    # DuckDB draws a progress bar on stdout if Python runs no script (`python -c`, a notebook). In a notebook without
    # ipywidgets there is no bar, and DuckDB refuses to switch it off.
    with suppress(EngineError):
        connection.execute("set enable_progress_bar = false")
    return connection


@contextmanager
def one_thread(connection: Connection) -> Iterator[None]:
    """Runs statements that copy row by row on one thread. Several threads keep the order by buffering rows, each with
    its own copy of the text that rows share: 66,000 rows of 33 kB take 6 s and 115 MB with one thread, minutes and 1 GB
    with two."""
    [(threads,)] = connection.execute("select current_setting('threads')").fetchall()
    if threads == 1:
        yield
        return
    connection.execute("set threads = 1")
    try:
        yield
    finally:
        connection.execute(f"set threads = {threads}")


def quoted(text: str | Path) -> str:
    """Returns a text as an SQL literal, for statements in which DuckDB takes no parameter."""
    return "'" + str(text).replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Returns a name as an SQL identifier: a newer mcpobs may have written columns with any name."""
    return '"' + name.replace('"', '""') + '"'
