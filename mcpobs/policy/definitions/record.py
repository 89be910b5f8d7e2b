"""Reads and writes files of tool definitions: those that a person approved, and those that fronts saw.

Both have one form, made for git: JSON in ASCII with sorted keys, so a hidden character is an escape that a reader of
the difference sees. Each entry holds the whole definition, because a fingerprint alone cannot say what changed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

from mcpobs import safefile
from mcpobs.errors import UsageError
from mcpobs.policy.definitions.definition import MAX_TOOLS, Definition, definition_of

VERSION: Final = 1
MAX_FILE: Final = 32 << 20
_MAX_FILE_NAME: Final = 120
_SHA256: Final = re.compile("[0-9a-f]{64}")
_MEMBERS: Final = frozenset({"version", "server", "tools"})
_ENTRY: Final = frozenset({"sha256", "at", "by", "definition"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One definition: when it was approved or first seen (ISO 8601, UTC), and by whom. `by` is a label."""

    definition: Definition
    at: str
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """The definitions of one server, by the tool's name."""

    server: str
    tools: Mapping[str, Entry] = field(default_factory=dict)


def file_name(server: str) -> str:
    """Returns the name of a server's file; different servers have different names."""
    safe = quote(server, safe="")
    if len(safe) > _MAX_FILE_NAME:
        safe = f"{safe[:_MAX_FILE_NAME]}-{hashlib.sha256(server.encode('utf-8', 'replace')).hexdigest()[:12]}"
    return f"{safe}.json"


def read(path: Path, server: str | None = None, *, whole: bool = False) -> Record | None:
    """Returns the definitions of a file; None if there is none. Raises UsageError for a file that is damaged, is of
    another server, holds a definition that does not have its fingerprint, or (if they must be `whole`) a fingerprint
    alone, which nobody can have read."""
    try:
        content = safefile.read_trusted(path, MAX_FILE)
    except FileNotFoundError:
        return None
    except OSError as error:
        remedy = error.remedy if isinstance(error, safefile.ExposedError) else "check its permissions"
        raise UsageError(f"cannot read {path}: {error.strerror}", remedy) from None
    record = of_text(content, str(path))
    if server is not None and record.server != server:
        raise UsageError(f"{path} holds the definitions of {record.server}, not of {server}", "name another file")
    for name, entry in record.tools.items():
        if whole and entry.definition.value is None:
            raise _damaged(str(path), f"the entry of {name!r} has no definition")
    return record


def of_text(content: bytes, source: str) -> Record:
    """Returns the definitions of a text. Raises UsageError."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise _damaged(source, "it is not JSON") from None
    if not isinstance(found, dict) or found.keys() != _MEMBERS or not isinstance(found["server"], str):
        raise _damaged(source, f"it needs the members {', '.join(sorted(_MEMBERS))}, and no others")
    if found["version"] != VERSION:
        raise UsageError(f"{source}: version {found['version']!r} is not known", "update mcpobs")
    tools = found["tools"]
    if not isinstance(tools, dict) or len(tools) > MAX_TOOLS:
        raise _damaged(source, f"`tools` must be an object of at most {MAX_TOOLS} tools")
    return Record(found["server"], {name: _entry(name, entry, source) for name, entry in tools.items()})


def _entry(name: str, entry: object, source: str) -> Entry:
    if not isinstance(entry, dict) or not _ENTRY - {"by"} <= entry.keys() <= _ENTRY:
        raise _damaged(source, f"the entry of {name!r} needs the members sha256, at and definition")
    by, at = entry.get("by"), entry["at"]
    definition = _definition(name, entry["sha256"], entry["definition"])
    if definition is None or definition.name != name or not isinstance(at, str) or not isinstance(by, str | None):
        raise _damaged(source, f"the entry of {name!r} is not a definition of it")
    if definition.sha256 != entry["sha256"]:
        raise _damaged(source, f"the definition of {name!r} does not have its fingerprint")
    return Entry(definition, at, by)


def _definition(name: str, sha256: object, value: object) -> Definition | None:
    """Returns the definition of an entry. A front keeps the fingerprint alone of one that cannot be approved."""
    if value is None and isinstance(sha256, str) and _SHA256.fullmatch(sha256):
        return Definition(name, sha256, len(name), None)
    return definition_of(value)


def _damaged(source: str, why: str) -> UsageError:
    return UsageError(f"{source}: {why}", "restore it, or remove it and approve the definitions again")


def write(path: Path, record: Record) -> None:
    """Replaces the file, as one step. Raises OSError."""
    safefile.make_folder(path.parent)
    safefile.create(path, as_text(record).encode())


def as_text(record: Record) -> str:
    """Returns the file's text. The same definitions give the same text."""
    tools = {
        name: {
            "at": entry.at,
            **({} if entry.by is None else {"by": entry.by}),
            "definition": entry.definition.value,
            "sha256": entry.definition.sha256,
        }
        for name, entry in record.tools.items()
    }
    found = {"version": VERSION, "server": record.server, "tools": tools}
    return json.dumps(found, indent=2, sort_keys=True, ensure_ascii=True) + "\n"
