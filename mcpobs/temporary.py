"""Creates private folders for temporary files, which the next run removes if their process was killed.

A folder is `<root>/mcpobs-<pid>-<random>`. Its process holds the folder's lock, so that a process in another PID
namespace, whose pid has no meaning here, keeps its own. `tempfile` and `secrets` cost 10 ms at import.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path

_NAME = re.compile(r"mcpobs-([1-9][0-9]{0,9})-[0-9a-f]{12}")
_LOOKED_AT = 20_000  # entries of a temporary folder; 20 ms
_held: dict[Path, int] = {}
_swept: set[str] = set()


def make(env: Mapping[str, str] = os.environ) -> Path | None:
    """Returns a new folder (0700) of this process; None if none can be created. Once, removes folders that killed
    processes left."""
    for root in (env.get("TMPDIR"), "/tmp", "/var/tmp"):
        if not root:
            continue
        folder = Path(root) / f"mcpobs-{os.getpid()}-{os.urandom(6).hex()}"
        try:
            folder.mkdir(mode=0o700)
            os.chmod(folder, 0o700)
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        _held[folder] = descriptor
        with suppress(OSError):  # a file system without locks: then only the pid counts
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if root not in _swept:
            _swept.add(root)
            sweep(root)
        return folder
    return None


def remove(folder: Path) -> None:
    """Removes a folder of `make` with its content. Never raises, because leftovers do no harm."""
    _remove(folder)
    descriptor = _held.pop(folder, None)
    if descriptor is not None:
        os.close(descriptor)


def lock_of(folder: Path) -> int | None:
    """Returns the descriptor that holds a folder of this process."""
    return _held.get(folder)


def sweep(root: str) -> int:
    """Removes folders left by ended processes of this user; returns their number."""
    removed = 0
    try:
        with os.scandir(root) as entries:
            names = [entry.name for entry in islice(entries, _LOOKED_AT) if entry.name.startswith("mcpobs-")]
    except OSError:
        return 0
    for name in names:
        match = _NAME.fullmatch(name)
        if match is not None and not _alive(int(match[1])) and _abandoned(folder := Path(root) / name):
            _remove(folder)
            removed += 1
    return removed


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass  # another user's process, or an invalid pid
    return True


def _abandoned(folder: Path) -> bool:
    """Returns whether it is a folder of this user that no process holds. Follows no symbolic link."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or not stat.S_ISDIR(status.st_mode):
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _remove(folder: Path) -> None:
    try:
        for path in folder.iterdir():
            path.unlink(missing_ok=True)
        folder.rmdir()
    except OSError:
        import shutil  # takes 10 ms, needed only for nested folders

        shutil.rmtree(folder, ignore_errors=True)  # follows no symbolic links
