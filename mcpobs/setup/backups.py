"""Keeps a configuration's content from before `init` changed it, so that --revert can restore it byte for byte.

A configuration often holds service keys, so its copy lies in our configuration folder (0700, files 0600) and not beside
it, where a project's version control would find it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from mcpobs import safefile
from mcpobs.errors import UsageError
from mcpobs.setup import files

NOTE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Backup:
    """The content before the change, and the digest of the content written."""

    content: bytes
    written: str

    def untouched(self, now: bytes) -> bool:
        """Returns whether the file is unchanged since."""
        return digest(now) == self.written


class Backups:
    """The copies in a folder, by the path of the original file."""

    def __init__(self, config: Path) -> None:
        self._folder = config / "clients"

    def path(self, target: Path) -> Path:
        return self._folder / f"{hashlib.sha256(str(target).encode(errors='surrogateescape')).hexdigest()[:16]}.backup"

    def load(self, target: Path) -> Backup | None:
        path = self.path(target)
        try:
            content = safefile.read(path, files.MOST_BYTES)
            note = json.loads(safefile.read(path.with_suffix(".json"), NOTE_BYTES))
            return Backup(content, str(note["written_sha256"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(f"the backup {path} cannot be read: {error}", "repair or remove it") from None

    def keep(self, target: Path, before: bytes, after: bytes) -> Path:
        """Saves a copy; call it before the file is written. If we wrote `before` ourselves, the older copy stays."""
        known = self.load(target)
        path = self.path(target)
        note = {"file": str(target), "written_sha256": digest(after)}
        try:
            if known is None or not known.untouched(before):
                files.create(path, before)
            files.create(path.with_suffix(".json"), json.dumps(note, indent=2).encode() + b"\n")
        except OSError as error:
            raise UsageError(
                f"cannot keep a backup in {self._folder}: {error.strerror}",
                "nothing was changed; check its permissions",
            ) from None
        return path

    def forget(self, target: Path) -> None:
        path = self.path(target)
        path.with_suffix(".json").unlink(missing_ok=True)
        path.unlink(missing_ok=True)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
