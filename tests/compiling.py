"""Compiles the C sources of mcpobs with warnings as errors, and runs programs under the sanitizers of the compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COMPILER = next(filter(None, map(shutil.which, ("gcc", "cc", "clang"))), None)
NEEDS_COMPILER = pytest.mark.skipif(COMPILER is None, reason="no C compiler")
SANITIZERS = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
_STRICT = ("-std=c11", "-Wall", "-Wextra", "-Wshadow", "-Wpointer-arith", "-Werror")
_ROOT = Path(__file__).parents[1]


def compiled(source: Path, folder: Path, *flags: str) -> Path:
    """Returns the shared library of a source."""
    library = folder / f"{source.stem}.so"
    command = [str(COMPILER), *_STRICT, "-fPIC", "-shared", *flags, str(source), "-o", str(library)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    return library


def run_under_sanitizers(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a module of Python that loads a library compiled with SANITIZERS."""
    name = "libasan.so" if "clang" not in str(COMPILER) else "libclang_rt.asan-x86_64.so"
    asan = subprocess.run(
        [str(COMPILER), f"-print-file-name={name}"], capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=_ROOT,
        env={
            **os.environ,
            "LD_PRELOAD": asan,
            "PYTHONMALLOC": "malloc",  # so that each object lies in memory of its own
            "ASAN_OPTIONS": "detect_leaks=0",  # the leaks are Python's
        },
        capture_output=True,
        text=True,
        timeout=3600,
    )
