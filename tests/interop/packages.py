"""Installs the real servers and clients, pinned, into a cache folder. Needs npm and a package index, once."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

GO_TIME = f"mcp-time-{sys.platform}-{'arm64' if platform.machine() in ('arm64', 'aarch64') else 'x64'}"
"""The Go server's binary for this machine: npm names it as Node names systems and processors."""

NPM = {
    "@modelcontextprotocol/sdk": "1.32.2",
    "@modelcontextprotocol/client": "2.4.0",
    "@modelcontextprotocol/server-everything": "2026.8.31",
    "@modelcontextprotocol/server-filesystem": "2026.8.31",
    "conformance-0.1": "npm:@modelcontextprotocol/conformance@0.1.16",
    "conformance-0.2": "npm:@modelcontextprotocol/conformance@0.2.0-alpha.12",
    "node": "22.23.3",  # conformance needs 22; everything else runs on the machine's own
    GO_TIME: "0.4.0",
}
PIP = {"mcp-server-git": "2026.10.19", "mcp-server-time": "2026.10.19"}
INSTALL_S = 600


@dataclass(frozen=True)
class Packages:
    """Where the servers and clients of other projects lie."""

    npm: Path
    python: Path

    def module(self, name: str) -> Path:
        return self.npm / "node_modules" / name


def install(cache: Path) -> Packages:
    """The packages, installed where they are not; another set of versions is another folder."""
    pins = json.dumps([NPM, PIP, sys.version], sort_keys=True)
    folder = cache / hashlib.sha256(pins.encode()).hexdigest()[:12]
    installed = Packages(npm=folder / "npm", python=folder / "python")
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _install_npm(installed.npm)
        _install_python(installed.python)
        (folder / "complete").touch()
    return installed


def _install_npm(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps({"private": True, "dependencies": NPM}))
    _run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"], folder)


def _install_python(folder: Path) -> None:
    _run([sys.executable, "-m", "venv", str(folder)], folder.parent)
    pinned = [f"{name}=={version}" for name, version in PIP.items()]
    _run([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *pinned], folder.parent)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, env=os.environ, capture_output=True, text=True, timeout=INSTALL_S)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
