"""The scanner's C under the compiler's eyes: warnings and sanitizers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mcpobs.detect.native.anchors import Automaton
from mcpobs.detect.native.library import LIBRARY, Ngrams

SOURCE = LIBRARY.with_name("ngrams.c")
ANCHORS = LIBRARY.with_name("anchors.c")
COMPILER = next(filter(None, map(shutil.which, ("gcc", "cc", "clang"))), None)
ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler")


def compiled(folder: Path, *flags: str, source: Path = SOURCE) -> Path:
    library = folder / "ngrams.so"
    strict = ("-std=c11", "-Wall", "-Wextra", "-Wshadow", "-Wpointer-arith", "-Wconversion", "-Werror")
    command = [str(COMPILER), *strict, "-fPIC", "-shared", *flags, str(source), "-o", str(library)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    return library


@pytest.mark.parametrize("level", ["-O0", "-O2", "-O3"])
@pytest.mark.parametrize("source", [SOURCE, ANCHORS], ids=lambda source: source.name)
def test_it_compiles_without_a_warning(tmp_path: Path, level: str, source: Path) -> None:
    compiled(tmp_path, level, "-g", source=source)


def test_a_library_of_another_version_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.so"
    empty = [str(COMPILER), "-x", "c", "-fPIC", "-shared", "-", "-o", str(other)]
    subprocess.run(empty, input=b"int nothing;", check=True, timeout=60)
    with pytest.raises(OSError, match="does not fit this version"):
        Ngrams(other)
    with pytest.raises(OSError, match="does not fit this version"):
        Automaton([["word"]], [([0], 4)], other)


@pytest.mark.slow
def test_the_sanitizers_find_nothing_in_random_texts(tmp_path: Path) -> None:
    library = compiled(tmp_path, "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    name = "libasan.so" if "clang" not in str(COMPILER) else "libclang_rt.asan-x86_64.so"
    asan = subprocess.run(
        [str(COMPILER), f"-print-file-name={name}"], capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()

    done = subprocess.run(
        [sys.executable, "-m", "tests.detect.model.fuzz", str(library), "5000"],
        cwd=ROOT,
        env={**os.environ, "LD_PRELOAD": asan, "PYTHONMALLOC": "malloc", "ASAN_OPTIONS": "detect_leaks=0"},
        capture_output=True,
        text=True,
        timeout=3600,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "5000 texts\n", "")
