"""Reads and replaces a configuration file: whole or not at all, keeping its mode and owner."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mcpobs import safefile
from mcpobs.errors import UsageError

MOST_BYTES = 256 << 20  # ~/.claude.json grows with each project; some are tens of megabytes


@dataclass(frozen=True, slots=True)
class Source:
    """A file as it was read. `target` is its path with symbolic links resolved: that file is replaced, not the link."""

    path: Path
    target: Path
    content: bytes
    mode: int
    owner: tuple[int, int]


def read(path: Path) -> Source:
    try:
        target = path.resolve(strict=True)
        content = safefile.read(target, MOST_BYTES)
        status = target.stat()
    except IsADirectoryError:
        raise UsageError(f"{path} is not a file", "name the configuration file itself") from None
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, in Python 3.11 and 3.12
        why = (error.strerror or str(error)) if isinstance(error, OSError) else "a loop of symbolic links"
        raise UsageError(f"cannot read {path}: {why}", "name an existing configuration") from None
    return Source(path, target, content, stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid))


def writable(source: Source) -> None:
    """Raises UsageError if the file is read-only. A rename would not check that."""
    if not source.mode & 0o222 or not os.access(source.target, os.W_OK):
        raise UsageError(f"{source.path} is read-only", f"chmod u+w {source.target}, if you may change it")


def replace(source: Source, content: bytes) -> None:
    """Replaces the content that was read. Raises UsageError if the file has changed meanwhile."""
    writable(source)
    safefile.remove_drafts(source.target)
    draft = safefile.draft_of(source.target)
    try:
        _write(draft, content, source)
        if safefile.read(source.target, MOST_BYTES) != source.content:
            raise UsageError(
                f"{source.path} has changed since it was read; nothing was written",
                "close the client that writes it, and run this again",
            )
        os.replace(draft, source.target)
    except OSError as error:
        raise UsageError(
            f"cannot write {source.path}: {error.strerror}", "check the folder's permissions and free space"
        ) from None
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()


def _write(draft: Path, content: bytes, source: Source) -> None:
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)  # it may hold keys
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        if source.owner != (os.geteuid(), os.getegid()):
            os.fchown(file.fileno(), *source.owner)
        os.fchmod(file.fileno(), source.mode)  # after fchown, which clears bits
        os.fsync(file.fileno())


def create(path: Path, content: bytes) -> None:
    """Creates or replaces one of our files (0600), with its folder (0700)."""
    safefile.make_folder(path.parent)
    try:
        safefile.create(path, content)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise UsageError(f"no space left for {path}", "free some") from None
        raise
