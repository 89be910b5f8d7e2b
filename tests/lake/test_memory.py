"""What is left of memory: of the process, of the machine and of its control groups."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from mcpobs.lake import memory

MIB = 1 << 20


def _tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


MEMINFO = {"proc/meminfo": "MemTotal: 8192 kB\nMemAvailable:    4096 kB\n"}
GROUP = {
    "proc/self/cgroup": "0::/a/b\n",
    "sys/fs/cgroup/a/memory.max": f"{9 * MIB}\n",
    "sys/fs/cgroup/a/memory.current": f"{8 * MIB}\n",
    "sys/fs/cgroup/a/memory.stat": f"anon 5\ninactive_file {MIB}\nactive_file 0\n",
    "sys/fs/cgroup/a/b/memory.max": "max\n",
    "sys/fs/cgroup/a/b/memory.current": "1\n",
    "sys/fs/cgroup/a/b/memory.stat": "anon 5\n",
}
OLD_GROUP = {
    "proc/self/cgroup": "3:cpu:/\n2:memory:/c\n",
    "sys/fs/cgroup/memory/c/memory.limit_in_bytes": f"{3 * MIB}\n",
    "sys/fs/cgroup/memory/c/memory.usage_in_bytes": f"{2 * MIB}\n",
    "sys/fs/cgroup/memory/c/memory.stat": "inactive_file 0\n",
}


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ({}, None),
        (MEMINFO, 4 * MIB),
        (MEMINFO | GROUP, 2 * MIB),
        (GROUP, 2 * MIB),
        (MEMINFO | OLD_GROUP, MIB),
        (MEMINFO | {"proc/self/cgroup": "damaged"}, 4 * MIB),
        ({"proc/meminfo": "MemAvailable: many kB\n"}, None),
    ],
)
def test_the_least_that_the_machine_or_a_group_leaves_counts(tmp_path: Path, files: dict[str, str], left: int) -> None:
    assert memory.of_machine_bytes(_tree(tmp_path, files)) == left


def test_errors_about_lacking_memory_are_recognised_also_as_a_cause() -> None:
    wrapped = ValueError("x")
    wrapped.__cause__ = OSError(12, "Cannot allocate memory")
    assert memory.is_lacking(MemoryError())
    assert memory.is_lacking(wrapped)
    assert not memory.is_lacking(OSError(28, "No space left on device"))
    assert not memory.is_lacking(None)


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_a_limited_process_knows_what_it_can_get() -> None:
    code = (
        "from mcpobs.lake import memory; memory.limit(1 << 30);"
        "print([memory.is_obtainable(n << 20) for n in (1, 512, 1024)], memory.is_limited_below(1 << 30), "
        "memory.is_limited_below(1 << 31))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[True, True, False] False True\n"
    assert memory.is_obtainable(MIB)
    assert resource.getrlimit(resource.RLIMIT_DATA)[0] == resource.RLIM_INFINITY
