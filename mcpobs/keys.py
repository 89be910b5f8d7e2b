"""Owns the lake's identity and its digest key. The key lies in the configuration folder, never in the lake.

So a lake can be copied and shared: digests show which arguments are equal, but guessed arguments cannot be checked
without the key.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

from mcpobs import safefile
from mcpobs.errors import LakeError
from mcpobs.segment import SPOOL_FOLDER

LAKE_FILE = "lake.json"
LAKE_FILE_BYTES = 1 << 16
FORMAT = 1
KEY_BYTES = 32
Warn = Callable[[str], None]
_ID = re.compile(r"[0-9a-f]{16}")


class UnwritableError(LakeError):
    """The lake cannot be created or reached now, but may be later."""


def open_folder(lake: Path) -> str:
    """Creates the lake's missing folders (0700) and returns the lake's id.

    Raises UnwritableError if the folder cannot be created, LakeError if it holds a lake of another format.
    """
    try:
        safefile.make_folder(lake)
        safefile.make_own_folder(lake / SPOOL_FOLDER)
        return _identity(lake)
    except OSError as error:
        raise UnwritableError(
            f"cannot write to the lake at {lake}: {error.strerror or error}",
            "check the folder's permissions and free space, or name another with --lake or MCPOBS_LAKE",
        ) from None


def read_identity(lake: Path) -> str | None:
    """Returns the lake's id; None if the folder holds no lake."""
    try:
        content = safefile.read(lake / LAKE_FILE, LAKE_FILE_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise
        content = b""
    try:
        data = json.loads(content)
        found, form = data["id"], data["format"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise LakeError(
            f"{lake / LAKE_FILE} is damaged",
            "restore it, or remove it: new digests are then not comparable with the old ones",
        ) from None
    if form != FORMAT or not isinstance(found, str) or not _ID.fullmatch(found):
        raise LakeError(f"{lake} is a lake of format {form!r}; this mcpobs reads format {FORMAT}", "update mcpobs")
    return found


def _identity(lake: Path) -> str:
    found = read_identity(lake)
    if found is None:
        content = json.dumps({"id": os.urandom(8).hex(), "format": FORMAT}) + "\n"
        safefile.create(lake / LAKE_FILE, content.encode(), replace=False)
        found = read_identity(lake)
    if found is None:
        raise OSError(f"{lake / LAKE_FILE} vanished while it was made")
    return found


def digest_key(lake_id: str, folder: Path, warn: Warn | None = None) -> bytes:
    """Returns the key of the lake's digests in the configuration folder, creating it on first use.

    If the configuration folder cannot be written, or others can change the key, returns a key for this process only:
    digests are then comparable within the process, which suffices for loop detection, but not across processes. `warn`
    receives the remedy for a key that others can change or read.
    """
    path = folder / "keys" / f"{lake_id}.key"
    try:
        if not path.exists():
            safefile.make_folder(path.parent)
            safefile.create(path, os.urandom(KEY_BYTES).hex().encode() + b"\n", replace=False)
        key, exposed = read_key(path)
        if exposed is not None and warn is not None:
            warn(f"the digest key {path} {exposed}\nhint: chmod 600 {path}")
        return key
    except safefile.ExposedError as error:
        if warn is not None:
            warn(f"the digest key {path} is not used: {error.strerror}\nhint: {error.remedy}")
    except (OSError, ValueError):
        pass
    return os.urandom(KEY_BYTES)


def read_key(path: Path) -> tuple[bytes, str | None]:
    """Returns the key in a file, with a warning if others can read it. Raises OSError, ExposedError if others can
    change it, or ValueError if it holds no key."""
    content, exposed = safefile.read_secret(path, 16 * KEY_BYTES)
    key = bytes.fromhex(content.decode().strip())
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes")
    return key, exposed
