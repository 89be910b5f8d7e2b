"""Reads small regular files and creates private files and folders. Never waits for a FIFO or a device, never reads
without a bound, and never writes through a symbolic link.

A failure raises OSError whose `strerror` completes a sentence: "cannot read PATH: it is a FIFO, and not a file".
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path

DRAFT_MODE = 0o600
DRAFT_S = 60.0  # a draft is written and renamed within milliseconds
FOLDER_MODE = 0o700
_OTHERS_READ = stat.S_IRGRP | stat.S_IROTH
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class ExposedError(OSError):
    """A file that others can change. `remedy` is the command that fixes it."""

    remedy = ""


def read(path: str | os.PathLike[str], most_bytes: int) -> bytes:
    """Returns the content of a regular file of at most `most_bytes`; nothing for the null device. Follows symbolic
    links. Raises OSError."""
    return _read(path, most_bytes)[0]


def read_trusted(path: str | os.PathLike[str], most_bytes: int) -> bytes:
    """Reads, like `read`, a file that decides whom or what mcpobs trusts. Raises ExposedError if everybody can change
    it."""
    return _read(path, most_bytes, lambda status: _refuse_exposed(path, status, stat.S_IWOTH, "everybody", "o-w"))[0]


def read_secret(path: str | os.PathLike[str], most_bytes: int) -> tuple[bytes, str | None]:
    """Reads, like `read`, a secret. Returns also a warning without subject if others can read it ("can be read by
    others").

    Raises ExposedError if others can change it.
    """
    content, mode = _read(
        path, most_bytes, lambda status: _refuse_exposed(path, status, _OTHERS_WRITE, "others", "600")
    )
    return content, "can be read by others" if mode & _OTHERS_READ else None


def read_own(path: str | os.PathLike[str], most_bytes: int) -> bytes:
    """Reads, like `read`, one of our own files. Raises OSError also for a symbolic link in its place."""
    descriptor = open_own(path, os.O_RDONLY)
    try:
        return _content(path, descriptor, os.fstat(descriptor), most_bytes)
    finally:
        os.close(descriptor)


def open_regular(path: str | os.PathLike[str]) -> int:
    """Returns a descriptor to read a regular file. Follows symbolic links. Raises OSError."""
    return _opened(path)[0]


def create(path: Path, content: bytes, *, replace: bool = True) -> bool:
    """Creates a durable file (0600) with its whole content in an existing folder. Replaces a symbolic link in its
    place. Without `replace` an existing file stays, and the result is False. Raises OSError."""
    remove_drafts(path)
    draft = draft_of(path)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, DRAFT_MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, DRAFT_MODE)  # a umask may have taken the owner's rights
            file.write(content)
            file.flush()
            os.fsync(descriptor)  # else a power failure can leave a permanently empty file
        if replace:
            os.replace(draft, path)
        else:
            os.link(draft, path)  # link, not rename: it fails if the name is taken
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    return True


def draft_of(path: Path) -> Path:
    """Returns the name of a file's draft, in the same folder."""
    return path.with_name(f".{path.name}.{os.urandom(6).hex()}")


def remove_drafts(path: Path) -> None:
    """Removes drafts of a file that killed processes left: regular files of this user, a minute old. They may hold
    secrets. Never raises."""
    name = re.compile(re.escape(f".{path.name}.") + "[0-9a-f]{12}")
    try:
        with os.scandir(path.parent) as entries:
            for entry in entries:
                if name.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    if status.st_uid == os.geteuid() and abs(time.time() - status.st_mtime) > DRAFT_S:
                        os.unlink(entry.path)
    except OSError:
        pass  # another process removed it, or the folder cannot be read


def open_own(path: str | os.PathLike[str], flags: int) -> int:
    """Opens or creates (0600) one of our own regular files. Raises OSError for a symbolic link in its place."""
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, DRAFT_MODE)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK):
            raise OSError(error.errno, "it is a symbolic link", os.fspath(path)) from None
        if error.errno == errno.ENXIO:  # a FIFO without a reader, opened for writing
            raise OSError(errno.EINVAL, "it is a FIFO, and not a file", os.fspath(path)) from None
        raise
    try:
        mode = os.fstat(descriptor).st_mode
        _refuse_special(path, mode)
        if flags & os.O_CREAT and mode & DRAFT_MODE != DRAFT_MODE:  # a umask has taken the owner's rights
            os.fchmod(descriptor, stat.S_IMODE(mode) | DRAFT_MODE)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def make_folder(path: Path) -> None:
    """Creates a folder and missing parents, each 0700 regardless of the umask. An existing folder stays unchanged and
    may be a symbolic link. Raises OSError."""
    try:
        _make(path)
    except FileNotFoundError:
        for folder in reversed(path.parents):
            _make(folder)
        _make(path)


def _make(folder: Path) -> None:
    if folder.is_dir():
        return
    try:
        os.mkdir(folder, FOLDER_MODE)
    except FileExistsError:
        if not folder.is_dir():  # else another process created it
            raise
    else:
        os.chmod(folder, FOLDER_MODE)


def require_own_folder(path: Path) -> None:
    """Raises OSError if one of our folders is not a folder, or is a symbolic link. A missing folder is accepted."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISLNK(mode):
        raise OSError(errno.ELOOP, f"{path.name} is a symbolic link", str(path))
    if not stat.S_ISDIR(mode):
        raise NotADirectoryError(errno.ENOTDIR, f"{path.name} is not a folder", str(path))


def remove(path: Path) -> None:
    """Removes a file, folder or link in the place of one of our files; follows no link. Raises OSError."""
    try:
        path.unlink(missing_ok=True)
    except (IsADirectoryError, PermissionError):
        if path.is_symlink() or not path.is_dir():
            raise
        shutil.rmtree(path)


def make_own_folder(path: Path) -> None:
    """Creates a folder (0700) in one of ours. Raises OSError for a symbolic link in its place."""
    if path.is_symlink():
        raise OSError(errno.ELOOP, "it is a symbolic link", str(path))
    make_folder(path)


def _read(
    path: str | os.PathLike[str], most_bytes: int, check: Callable[[os.stat_result], None] | None = None
) -> tuple[bytes, int]:
    """Returns the content and the mode."""
    if os.path.realpath(path) == os.devnull:
        return b"", DRAFT_MODE
    descriptor, status = _opened(path)
    try:
        if check is not None:
            check(status)
        return _content(path, descriptor, status, most_bytes), status.st_mode
    finally:
        os.close(descriptor)


def _opened(path: str | os.PathLike[str]) -> tuple[int, os.stat_result]:
    _refuse_special(path, os.stat(path).st_mode)  # opening alone can wake a FIFO's writer or move a tape
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        _refuse_special(path, status.st_mode)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor, status


def _refuse_special(path: str | os.PathLike[str], mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    kind = next((name for test, name in _KINDS if test(mode)), "something else")
    raise OSError(errno.EINVAL, f"it is {kind}, and not a file", os.fspath(path))


def _content(path: str | os.PathLike[str], descriptor: int, status: os.stat_result, most_bytes: int) -> bytes:
    if status.st_size <= most_bytes:
        parts: list[bytes] = []
        left = most_bytes + 1  # it may grow meanwhile, and files of /proc report a size of 0
        while left and (part := os.read(descriptor, min(left, max(status.st_size, 1 << 16) + 1))):
            parts.append(part)
            left -= len(part)
        if left:
            return b"".join(parts)
    raise OSError(errno.EFBIG, f"it is larger than {_size(most_bytes)}", os.fspath(path))


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count >> 10} KiB"


def _refuse_exposed(path: str | os.PathLike[str], status: os.stat_result, bits: int, whom: str, remedy: str) -> None:
    """Raises ExposedError if a file's mode, its owner or the folder that it lies in lets others change it.

    Root may read files of any owner: files of a container's volume belong to a user outside.
    """
    us = os.geteuid()
    if status.st_mode & bits:
        raise _exposed(path, f"it can be changed by {whom}", f"chmod {remedy} {os.fspath(path)}")
    if us != 0 and status.st_uid not in (us, 0):
        raise _exposed(path, "it belongs to another user", f"chown {us} {os.fspath(path)}")
    folder = os.path.dirname(os.path.realpath(path))
    above = os.stat(folder).st_mode
    if above & stat.S_IWOTH and not above & stat.S_ISVTX:
        raise _exposed(path, "everybody can replace it in its folder", f"chmod o-w {folder}")


def _exposed(path: str | os.PathLike[str], why: str, remedy: str) -> ExposedError:
    error = ExposedError(errno.EPERM, why, os.fspath(path))
    error.remedy = remedy
    return error
