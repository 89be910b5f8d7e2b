"""Installs the senders of other projects, pinned, into a cache folder. Needs npm and a package index, once."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_EXPORTERS = ("http", "proto", "grpc")
NPM = {
    "sdk2": {
        "@opentelemetry/api": "1.9.0",
        "@opentelemetry/sdk-trace-node": "2.12.0",
        "@opentelemetry/resources": "2.12.0",
        **{f"@opentelemetry/exporter-trace-otlp-{name}": "0.223.1" for name in _EXPORTERS},
    },
    "sdk3": {
        "@opentelemetry/api": "1.10.0",
        "@opentelemetry/sdk-trace": "3.1.0",
        "@opentelemetry/resources": "3.1.0",
        **{f"@opentelemetry/exporter-trace-otlp-{name}": "0.301.0" for name in _EXPORTERS},
    },
}
PIP = {"rotel": "0.0.1a15", "otel-cli": "0.4.0", "setuptools": "80.9.0"}  # otel-cli's SDK of 2022 needs pkg_resources
INSTALL_S = 600


@dataclass(frozen=True)
class Senders:
    """Where the senders lie."""

    npm: Path
    python: Path

    def rotel(self) -> Path:
        (agent,) = self.python.glob("lib/python*/site-packages/rotel/rotel-agent")
        return agent

    def otel_cli(self) -> Path:
        return self.python / "bin" / "otel"


def install(cache: Path) -> Senders:
    """The packages, installed where they are not; another set of versions is another folder."""
    pins = json.dumps([NPM, PIP, sys.version], sort_keys=True)
    folder = cache / f"otlp-{hashlib.sha256(pins.encode()).hexdigest()[:12]}"
    installed = Senders(npm=folder / "npm", python=folder / "python")
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        for name, versions in NPM.items():
            (installed.npm / name).mkdir(parents=True)
            (installed.npm / name / "package.json").write_text(json.dumps({"private": True, "dependencies": versions}))
            _run(
                ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"],
                installed.npm / name,
            )
        _run([sys.executable, "-m", "venv", str(installed.python)], folder)
        pinned = [f"{name}=={version}" for name, version in PIP.items()]
        _run([str(installed.python / "bin" / "python"), "-m", "pip", "install", "--quiet", *pinned], folder)
        (folder / "complete").touch()
    return installed


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
