"""Builds the decoder in C with the package. Never fails for want of a compiler: mcpobs then decodes in Python.

The library is no extension module: it knows nothing of Python and is loaded with ctypes, so one wheel serves every
Python on a platform. The compiler is that of the environment variable CC, else cc, gcc or clang.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("mcpobs/lake/otlp/native")
SOURCE = FOLDER / "decode.c"
LIBRARY = FOLDER / "_decode.so"
FLAGS = (
    *("-std=c11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden"),
    *("-Wall", "-Wextra", "-fstack-protector-strong", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2"),
)


class DecoderHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return  # an sdist has the source
        root = Path(self.root)
        (root / LIBRARY).unlink(missing_ok=True)  # none at all rather than one of another time
        failed = build(root)
        if failed is not None:
            self.app.display_warning(f"mcpobs: {failed}; OTLP will be decoded in Python, which is slower")
            return
        build_data["artifacts"].append(f"/{LIBRARY.as_posix()}")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{_platform()}"

    def clean(self, versions: list[str]) -> None:
        (Path(self.root) / LIBRARY).unlink(missing_ok=True)


def build(root: Path) -> str | None:
    """Compiles the library in its place. Returns why it could not."""
    compiler = _compiler()
    if not compiler:
        return "no C compiler was found"
    made = root / LIBRARY.with_suffix(".new")  # renamed when complete: the old one may be loaded somewhere
    command = [*compiler, *FLAGS, str(root / SOURCE), "-o", str(made)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{compiler[0]} could not be run ({error})"
    if done.returncode != 0:
        made.unlink(missing_ok=True)
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return f"{compiler[0]} could not compile {SOURCE} ({said[0]})"
    made.replace(root / LIBRARY)
    return None


def _compiler() -> list[str]:
    given = shlex.split(os.environ.get("CC", ""))
    if given:
        return given
    found = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    return [found] if found else []


def _platform() -> str:
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
