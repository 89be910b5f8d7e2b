"""Builds the libraries in C with the package. Never fails for want of a compiler: mcpobs then does without them.

The libraries are no extension modules: they know nothing of Python and are loaded with ctypes, so one wheel serves
every Python on a platform. The compiler is that of the environment variable CC, else cc, gcc or clang.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FLAGS = (
    *("-std=c11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden"),
    *("-Wall", "-Wextra", "-fstack-protector-strong", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2"),
)


class Library(NamedTuple):  # no dataclass: hatchling runs this file without a module that one could look up
    source: Path
    made: Path
    without: str
    """What the user loses if it cannot be built."""


LIBRARIES = (
    Library(
        Path("mcpobs/lake/otlp/native/decode.c"),
        Path("mcpobs/lake/otlp/native/_decode.so"),
        "OTLP will be decoded in Python, which is slower",
    ),
    Library(
        Path("mcpobs/detect/native/ngrams.c"),
        Path("mcpobs/detect/native/_ngrams.so"),
        "results will be inspected without the linear model",
    ),
    Library(
        Path("mcpobs/detect/native/automaton.c"),
        Path("mcpobs/detect/native/_automaton.so"),
        "results will be inspected more slowly",
    ),
)


class NativeHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return  # an sdist has the sources
        root = Path(self.root)
        for library in LIBRARIES:
            (root / library.made).unlink(missing_ok=True)  # none at all rather than one of another time
            failed = build(root, library)
            if failed is not None:
                self.app.display_warning(f"mcpobs: {failed}; {library.without}")
                continue
            build_data["artifacts"].append(f"/{library.made.as_posix()}")
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{_platform()}"

    def clean(self, versions: list[str]) -> None:
        for library in LIBRARIES:
            (Path(self.root) / library.made).unlink(missing_ok=True)


def build(root: Path, library: Library) -> str | None:
    """Compiles a library in its place. Returns why it could not."""
    compiler = _compiler()
    if not compiler:
        return "no C compiler was found"
    made = root / library.made.with_suffix(".new")  # renamed when complete: the old one may be loaded somewhere
    command = [*compiler, *FLAGS, str(root / library.source), "-o", str(made)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{compiler[0]} could not be run ({error})"
    if done.returncode != 0:
        made.unlink(missing_ok=True)
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return f"{compiler[0]} could not compile {library.source} ({said[0]})"
    made.replace(root / library.made)
    return None


def _compiler() -> list[str]:
    given = shlex.split(os.environ.get("CC", ""))
    if given:
        return given
    found = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    return [found] if found else []


def _platform() -> str:
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
