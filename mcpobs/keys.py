"""The lake's identity and its digest key. The key lies in the configuration folder and never in the lake.

So a lake can be copied and shared: digests say which arguments are equal, and cannot be tried out against
guessed arguments without the key.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from mcpobs.errors import LakeError
from mcpobs.settings import config_folder

LAKE_FILE = "lake.json"
FORMAT = 1
KEY_BYTES = 32
_ID = re.compile(r"[0-9a-f]{16}")


class UnwritableError(LakeError):
    """The lake cannot be made or reached now; it may be later."""


def open_folder(lake: Path) -> str:
    """Creates the lake's folders (0700) where missing, and returns the lake's id.

    Raises UnwritableError where the folder cannot be made, LakeError where it holds a lake of another format.
    """
    try:
        lake.mkdir(mode=0o700, parents=True, exist_ok=True)
        (lake / "spool").mkdir(mode=0o700, exist_ok=True)
        return _identity(lake)
    except OSError as error:
        raise UnwritableError(
            f"cannot write to the lake at {lake}: {error.strerror or error}",
            "check the folder's permissions and free space, or name another with --lake or MCPOBS_LAKE",
        ) from None


def read_identity(lake: Path) -> str | None:
    """The lake's id; None where the folder holds no lake."""
    try:
        content = (lake / LAKE_FILE).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        data = json.loads(content)
        found, form = data["id"], data["format"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise LakeError(
            f"{lake / LAKE_FILE} is damaged",
            "restore it, or remove it: a new one is made, whose digests are not comparable with those of before",
        ) from None
    if form != FORMAT or not isinstance(found, str) or not _ID.fullmatch(found):
        raise LakeError(f"{lake} is a lake of format {form!r}; this mcpobs reads format {FORMAT}", "update mcpobs")
    return found


def _identity(lake: Path) -> str:
    found = read_identity(lake)
    if found is None:
        content = json.dumps({"id": os.urandom(8).hex(), "format": FORMAT}) + "\n"
        _create_whole(lake / LAKE_FILE, content.encode())
        found = read_identity(lake)
    if found is None:
        raise OSError(f"{lake / LAKE_FILE} vanished while it was made")
    return found


def digest_key(lake_id: str, folder: Path | None = None) -> bytes:
    """The key of the lake's digests, made on first use.

    Where the configuration folder cannot be written a key of this process alone is returned: digests are then
    comparable within the process, which is what loop detection needs, and not across processes.
    """
    path = (folder or config_folder()) / "keys" / f"{lake_id}.key"
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _create_whole(path, os.urandom(KEY_BYTES).hex().encode() + b"\n")
        key = bytes.fromhex(path.read_text().strip())
    except (OSError, ValueError):
        return os.urandom(KEY_BYTES)
    return key if len(key) == KEY_BYTES else os.urandom(KEY_BYTES)


def _create_whole(path: Path, content: bytes) -> None:
    """Creates a file (0600) with its whole content; where another process was first, its file stays."""
    draft = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # else a power failure can leave the name with nothing behind it, for good
        os.link(draft, path)  # link, not rename: it fails where the name is taken
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
