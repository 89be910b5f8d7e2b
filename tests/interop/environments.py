"""Virtual environments with each Python SDK that the in-process front knows, and what our installation changed there.

Needs a package index, once. What others have is installed first and listed; then ours is, as a wheel.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
INSTALL_S = 900
PINS: dict[str, list[str]] = {
    "mcp-1.12": ["mcp==1.12.4", "pydantic<2.12"],  # it uses what pydantic 2.12 removed
    "mcp-1.30": ["mcp==1.30.0"],
    "mcp-2.3": ["mcp==2.3.0"],
    "fastmcp-2": ["fastmcp==2.14.7"],
    "fastmcp-3": ["fastmcp==3.4.10"],
    "fastmcp-4": ["fastmcp==4.1.2"],
}
MODERN = frozenset({"mcp-2.3", "fastmcp-4"})


@dataclass(frozen=True)
class Environment:
    """An environment with an SDK and with mcpobs; `before` and `after` are the versions of what is installed."""

    name: str
    python: Path
    before: dict[str, str]
    after: dict[str, str]

    @property
    def modern(self) -> bool:
        """Whether its servers speak 2026-07-28."""
        return self.name in MODERN


def wheel(folder: Path) -> Path:
    """The project as its users install it."""
    builder = folder / "builder"  # the tests' own environment need not have pip
    _run([sys.executable, "-m", "venv", str(builder)])
    _pip(builder / "bin" / "python", "wheel", "--no-deps", "-w", str(folder), str(PROJECT))
    (found,) = folder.glob("mcpobs_otel-*.whl")
    return found


def install(name: str, cache: Path, ours: Path) -> Environment:
    pins = PINS[name]
    key = hashlib.sha256(json.dumps([pins, sys.version]).encode()).hexdigest()[:12]
    folder = cache / f"{name}-{key}"
    python, listed = folder / "bin" / "python", folder / "before.json"
    with_policy = f"mcpobs-otel[policy] @ {ours.as_uri()}"
    if not listed.exists():
        shutil.rmtree(folder, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(folder)])
        _pip(python, "install", *pins)
        before = _versions(python)
        _pip(python, "install", with_policy)
        listed.write_text(json.dumps(before))
    else:
        _pip(python, "install", "--no-deps", "--force-reinstall", str(ours))
        _pip(python, "install", with_policy)  # what an older one of ours did not need
    return Environment(name, python, json.loads(listed.read_text()), _versions(python))


def _versions(python: Path) -> dict[str, str]:
    listed = json.loads(_pip(python, "list", "--format=json"))
    return {package["name"].lower(): package["version"] for package in listed}


def _pip(python: Path, *words: str) -> str:
    return _run([str(python), "-m", "pip", "--disable-pip-version-check", *words])


def _run(command: list[str]) -> str:
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, timeout=INSTALL_S)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout
