"""Reads the Delta log: which Parquet files are the table, and how far each writer's segments are in it.

Parses the log itself (JSON commits after the newest checkpoint), because deltalake costs 82 ms at import and 10-20 ms
to open. Never writes. Supports the features that mcpobs writes (reader version 1) and refuses any other, because an
unknown feature could change which rows are valid.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mcpobs import safefile
from mcpobs.errors import LakeError
from mcpobs.lake.engine import Connection, EngineError, quoted
from mcpobs.lake.place import LOG_FOLDER
from mcpobs.lake.schema import PARTITION, SENT, TIME

PART, WHOLE = "part-", "whole-"  # prefixes of file names: a whole file has every row that the table had of its sessions
REPORTERS = "mcpobs.reporters"  # in the statistics of a file, which Delta keeps as they are
IMPLAUSIBLE_TIMES = "mcpobs.implausible_times"  # likewise
COMMIT_BYTES = 1 << 30
_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(?:\.(\d{10})\.(\d{10}))?\.parquet")

_HINT = "restore the folder from a backup; `mcpobs lake info` shows the readable part"


class _UnreadableError(Exception):
    """A checkpoint that is not a regular file."""


Reporter = tuple[str | None, str | None, str | None]
"""Service, scope and front of spans that report MCP server operations."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet file of the table. `path` is relative to the table's folder; bounds and reporters are None if unknown.
    `sent` bounds the starts as sent of spans placed elsewhere in time, None if it has no such span; `implausible_times`
    counts the spans with an implausible start, end or session start."""

    path: str
    size_bytes: int
    date: str | None
    rows: int | None
    first_unix_nano: int | None
    last_unix_nano: int | None
    reporters: tuple[Reporter, ...] | None = None
    sent: tuple[int, int] | None = None
    implausible_times: int = 0

    @property
    def whole(self) -> bool:
        """Whether it held every row that the table had of its sessions when it was written."""
        return self.path.rpartition("/")[2].startswith(WHOLE)

    def overlaps(self, since: int | None, until: int | None) -> bool:
        """Returns False if no operation of the file began in [since, until)."""
        if since is not None and self.last_unix_nano is not None and self.last_unix_nano < since:
            return False
        return not (until is not None and self.first_unix_nano is not None and self.first_unix_nano >= until)

    def may_have(self, first: int, last: int) -> bool:
        """Returns False if no operation of the file was sent with a start from `first` to `last`."""
        if self.sent is not None and self.sent[0] <= last and self.sent[1] >= first:
            return True
        return self.overlaps(first, last + 1)


@dataclass(frozen=True, slots=True)
class Transaction:
    """The last segment of a writer that is in the table."""

    version: int
    updated_ms: int  # 0 if the log has none


@dataclass(slots=True)
class Snapshot:
    """The table at `version`; -1 if there is none yet."""

    version: int = -1
    files: dict[str, DataFile] = field(default_factory=dict)
    transactions: dict[str, Transaction] = field(default_factory=dict)
    removed_ms: dict[str, int] = field(default_factory=dict)  # tombstones: path to the time of its removal
    columns: dict[str, str] = field(default_factory=dict)  # name to Delta type

    def covered(self, writer: str) -> int:
        """Returns the last segment of a writer that is in the table; 0 if none is."""
        transaction = self.transactions.get(writer)
        return 0 if transaction is None else transaction.version


def load(table: Path, connect: Callable[[], Connection]) -> Snapshot:
    """Returns the table's current state. `connect` is called only if a checkpoint must be read.

    Raises LakeError if the log is damaged or uses features that mcpobs does not support.
    """
    for _ in range(8):
        try:
            return _load(table, connect)
        except FileNotFoundError:
            continue  # the log was cleaned up between listing and reading; what replaced it is listed next time
    raise LakeError(f"the Delta log of {table} keeps changing", "try again")


def _load(table: Path, connect: Callable[[], Connection]) -> Snapshot:
    log = table / LOG_FOLDER
    commits, checkpoints = _listing(log)
    if not commits and not checkpoints:
        return Snapshot()
    damage: Exception | None = None
    for start in [*sorted(checkpoints, reverse=True), -1]:
        newer = sorted(version for version in commits if version > start)
        if newer != list(range(start + 1, start + 1 + len(newer))) or (start < 0 and not newer):
            continue  # the commits between this checkpoint and the next are gone
        snapshot = Snapshot(version=start)
        try:
            if start >= 0:
                for action in _checkpoint_actions(checkpoints[start], connect()):
                    _apply(snapshot, action)
        except (EngineError, _UnreadableError) as error:
            damage = error  # an older checkpoint, or the commits from the first on, may still be complete
            continue
        for version in newer:
            for action in _commit_actions(log / f"{version:020d}.json"):
                _apply(snapshot, action)
            snapshot.version = version
        return snapshot
    if damage is None and checkpoints:
        raise FileNotFoundError(log)  # listed while it was cleaned up
    reason = str(damage).splitlines()[0] if damage else "its first commits are missing"
    raise LakeError(f"the Delta log {log} is damaged: {reason}", _HINT)


def _listing(log: Path) -> tuple[set[int], dict[int, list[Path]]]:
    """Returns the versions that have a commit file, and the files of each complete checkpoint."""
    try:
        names = os.listdir(log)
    except (FileNotFoundError, NotADirectoryError):
        return set(), {}
    except OSError as error:
        raise LakeError(f"cannot read {log}: {error.strerror}", "check the permissions of the lake's folders") from None
    commits: set[int] = set()
    parts: dict[int, list[tuple[int, Path]]] = {}
    for name in names:
        if match := _COMMIT.fullmatch(name):
            commits.add(int(match[1]))
        elif match := _CHECKPOINT.fullmatch(name):
            parts.setdefault(int(match[1]), []).append((int(match[3] or 1), log / name))
    whole = {version: [path for _, path in found] for version, found in parts.items() if len(found) == found[0][0]}
    return commits, whole


def _commit_actions(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        content = safefile.read(path, COMMIT_BYTES)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise LakeError(
            f"cannot read {path}: {error.strerror}", "check the permissions of the lake's folders"
        ) from None
    lines = [line for line in content.split(b"\n") if line]
    if not lines:
        raise LakeError(f"{path} is empty", _HINT)
    for line in lines:
        if line.startswith(b'{"commitInfo"'):
            continue
        try:
            action = json.loads(line)
            if not isinstance(action, dict):
                raise ValueError("an action must be an object")
        except (ValueError, RecursionError) as error:
            raise LakeError(f"{path} is damaged: {error}", _HINT) from None
        yield action


# The fields used of each kind of action, most frequent first. With whole structs and a query for each kind, 1,600
# tombstones and as many transactions took 45 ms; this takes 10.
_FIELDS: Final = {
    "txn": ("appId", "version", "lastUpdated"),
    "remove": ("path", "deletionTimestamp"),
    "add": ("path", "size", "partitionValues", "stats", "deletionVector"),
    "protocol": ("minReaderVersion",),
    "metaData": ("schemaString",),
    "sidecar": ("path",),
}


def _checkpoint_actions(paths: list[Path], connection: Connection) -> Iterator[Mapping[str, Any]]:
    for path in paths:
        try:
            os.close(safefile.open_regular(path))  # DuckDB would wait for a FIFO
        except FileNotFoundError:
            raise
        except OSError as error:
            raise _UnreadableError(f"{path}: {error.strerror}") from None
    files = ", ".join(quoted(path) for path in paths)
    relation = f"read_parquet([{files}])"
    known = {row[0] for row in connection.execute(f"describe select * from {relation}").fetchall()}
    wanted = {kind: fields for kind, fields in _FIELDS.items() if kind in known}
    selected = ", ".join(f"struct_extract({kind}, {quoted(f)})" for kind, fields in wanted.items() for f in fields)
    for row in connection.execute(f"select {selected} from {relation}").fetchall():
        at = 0
        for kind, fields in wanted.items():
            if row[at] is not None:  # the first field of each kind is always set
                yield {kind: dict(zip(fields, row[at : at + len(fields)], strict=True))}
                break
            at += len(fields)


def _apply(snapshot: Snapshot, action: Mapping[str, Any]) -> None:
    try:
        if (add := action.get("add")) is not None:
            if add.get("deletionVector"):
                raise LakeError(
                    "the lake's table uses deletion vectors", "run `vacuum` and `optimize` in the tool that made them"
                )
            path = _unquoted(add["path"])
            snapshot.files[path] = _data_file(path, add)
            snapshot.removed_ms.pop(path, None)
        elif (remove := action.get("remove")) is not None:
            path = _unquoted(remove["path"])
            snapshot.files.pop(path, None)
            snapshot.removed_ms[path] = int(remove.get("deletionTimestamp") or 0)
        elif (txn := action.get("txn")) is not None:
            snapshot.transactions[txn["appId"]] = Transaction(int(txn["version"]), int(txn.get("lastUpdated") or 0))
        elif (metadata := action.get("metaData")) is not None:
            schema = json.loads(metadata["schemaString"])
            snapshot.columns = {f["name"]: f["type"] if isinstance(f["type"], str) else "?" for f in schema["fields"]}
        elif (protocol := action.get("protocol")) is not None and int(protocol["minReaderVersion"]) > 1:
            raise LakeError(
                f"the lake's table asks for Delta reader version {protocol['minReaderVersion']}; mcpobs reads 1",
                "update mcpobs, or undo the table feature that another tool switched on",
            )
        elif action.get("sidecar") is not None:
            raise LakeError(
                "the lake's table has a checkpoint with sidecars, which mcpobs does not read", "update mcpobs"
            )
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError, OverflowError) as error:
        raise LakeError(f"the lake's Delta log holds an action that is not valid Delta: {error!r}", _HINT) from None


def _unquoted(path: str) -> str:
    if "%" not in path:
        return path
    from urllib.parse import unquote  # takes 6 ms; our own file names never need it

    return unquote(path)


def _data_file(path: str, add: Mapping[str, Any]) -> DataFile:
    rows = first = last = reporters = sent = implausible = None
    try:
        stats = json.loads(add.get("stats") or "{}")
        rows = stats.get("numRecords")
        first, last = stats.get("minValues", {}).get(TIME), stats.get("maxValues", {}).get(TIME)
        earliest, latest = stats.get("minValues", {}).get(SENT), stats.get("maxValues", {}).get(SENT)
        if isinstance(earliest, int) and isinstance(latest, int):
            sent = earliest, latest
        implausible = stats.get(IMPLAUSIBLE_TIMES)
        if (listed := stats.get(REPORTERS)) is not None:
            reporters = tuple((service, scope, front) for service, scope, front in listed)
    except (ValueError, AttributeError, TypeError, RecursionError):
        pass  # statistics are optional: without them the file is always read
    return DataFile(
        path=path,
        size_bytes=int(add["size"]),
        date=(add.get("partitionValues") or {}).get(PARTITION),
        rows=rows if isinstance(rows, int) else None,
        first_unix_nano=first if isinstance(first, int) else None,
        last_unix_nano=last if isinstance(last, int) else None,
        reporters=reporters,
        sent=sent,
        implausible_times=implausible if isinstance(implausible, int) else 0,
    )
