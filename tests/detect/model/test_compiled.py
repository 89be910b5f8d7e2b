"""The scanner's C under the compiler's eyes: warnings and sanitizers."""

from __future__ import annotations

import subprocess
from array import array
from pathlib import Path

import pytest

from mcpobs.detect.native.automaton import Automaton, Table
from mcpobs.detect.native.library import LIBRARY, Ngrams
from tests.compiling import COMPILER, NEEDS_COMPILER, SANITIZERS, compiled, run_under_sanitizers

SOURCE = LIBRARY.with_name("ngrams.c")
AUTOMATON = LIBRARY.with_name("automaton.c")
pytestmark = NEEDS_COMPILER


@pytest.mark.parametrize("level", ["-O0", "-O2", "-O3"])
@pytest.mark.parametrize("source", [SOURCE, AUTOMATON], ids=lambda source: source.name)
def test_it_compiles_without_a_warning(tmp_path: Path, level: str, source: Path) -> None:
    compiled(source, tmp_path, "-Wconversion", level, "-g")


def test_a_library_of_another_version_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.so"
    empty = [str(COMPILER), "-x", "c", "-fPIC", "-shared", "-", "-o", str(other)]
    subprocess.run(empty, input=b"int nothing;", check=True, timeout=60)
    with pytest.raises(OSError, match="does not fit this version"):
        Ngrams(other)
    with pytest.raises(OSError, match="does not fit this version"):
        Automaton(Table([], b"", b"", (), (), array("I"), array("I")), [], other)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "fuzz", "texts"),
    [(SOURCE, "tests.detect.model.fuzz", 5000), (AUTOMATON, "tests.detect.injection.fuzz", 1000)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_sanitizers_find_nothing_in_random_texts(tmp_path: Path, source: Path, fuzz: str, texts: int) -> None:
    library = compiled(source, tmp_path, "-Wconversion", *SANITIZERS)
    done = run_under_sanitizers(fuzz, str(library), str(texts))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{texts} texts\n", "")
