"""Bounds the memory of the calling process, and measures the memory left to it and to the machine. Knows nothing of the
lake."""

from __future__ import annotations

import errno
import mmap
import sys
from contextlib import suppress
from pathlib import Path

_MACHINE = Path("/")


def limit(data_bytes: int) -> None:
    """Sets RLIMIT_DATA: beyond it an allocation fails. Keeps a lower limit; does nothing on a system without
    RLIMIT_DATA."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if hard == resource.RLIM_INFINITY or hard > data_bytes:
            resource.setrlimit(resource.RLIMIT_DATA, (data_bytes, hard))


def is_limited_below(size_bytes: int) -> bool:
    """Returns whether a limit of the process is below this size."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        limits = (resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_DATA, resource.RLIMIT_AS))
        return any(found != resource.RLIM_INFINITY and found < size_bytes for found in limits)
    return False


def is_obtainable(size_bytes: int) -> bool:
    """Returns whether the process could allocate this much more. Touches none of it."""
    try:
        mmap.mmap(-1, size_bytes, **({} if sys.platform == "win32" else {"flags": mmap.MAP_PRIVATE})).close()
    except (MemoryError, OSError):
        return False
    return True


def is_lacking(error: BaseException | None) -> bool:
    """Returns whether an error or its cause reports a failed allocation."""
    seen: set[int] = set()  # Python lets an error be its own cause
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
            return True
        if type(error).__name__ == "OutOfMemoryException":  # by name, because this module does not import DuckDB
            return True
        error = error.__cause__
    return False


def of_machine_bytes(root: Path = _MACHINE) -> int | None:
    """Returns the memory left to the machine or the container; None if unknown."""
    found = [_available(root), *_of_groups(root)]
    return min((size for size in found if size is not None), default=None)


def _available(root: Path) -> int | None:
    with suppress(OSError, ValueError, IndexError):
        for line in (root / "proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    return None


def _of_groups(root: Path) -> list[int | None]:
    """Returns the memory left in the control group of the process and in each group above it."""
    found: list[int | None] = []
    with suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                top, most, used = root / "sys/fs/cgroup", "memory.max", "memory.current"
            elif "memory" in controllers.split(","):
                top, most, used = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
            else:
                continue
            group = top / path.lstrip("/")
            for folder in (group, *group.parents):
                if top in (folder, *folder.parents):
                    found.append(_left(folder, most, used))
    return found


def _left(group: Path, most: str, used: str) -> int | None:
    """Returns the memory left in a group. File pages count as left: the kernel reclaims them."""
    with suppress(OSError, ValueError):
        limit_bytes = int((group / most).read_text())  # or "max"
        facts = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        cached = sum(int(facts.get(name, 0)) for name in ("inactive_file", "active_file"))
        return limit_bytes - int((group / used).read_text()) + cached
    return None
