"""The commands of the three servers behind `mcpobs instrument`, with prices, a policy that flags, and the shim."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.planted_hour import shim
from bench.planted_hour.hour import Fault, Hour
from bench.planted_hour.workspace import Workspace
from tests.interop.packages import Packages

POLICY: Final = """version: 1
inspect:
- {id: injection, find: injection, rate: 0.01, action: flag}
"""


@dataclass(frozen=True)
class Front:
    lake: Path
    config: Path
    folder: Path
    packages: Packages
    workspace: Workspace

    def prepare(self, hour: Hour) -> None:
        """Writes prices, policy and faults, and begins the hour."""
        self.config.mkdir(parents=True, exist_ok=True)
        prices = [f"{json.dumps(tool)} = {usd}" for tool, usd in sorted(hour.prices_usd.items())]
        (self.config / "config.toml").write_text("\n".join(["[prices]", *prices]) + "\n")
        (self.config / "policy.yaml").write_text(POLICY)
        hour.began = time.time()
        for server in ("filesystem", "everything", "git"):
            of_server = {each.tool.name: _entry(each, hour.began) for each in hour.faults if each.tool.server == server}
            self._faults(server).write_text(json.dumps(of_server))

    def command(self, server: str) -> list[str]:
        recorder = [sys.executable, "-m", "mcpobs", "instrument", "--lake", str(self.lake)]
        settings = ["--config", str(self.config), "--policy", str(self.config / "policy.yaml"), "--name", server]
        return [*recorder, *settings, "--", *self._shim(server), *self._server(server)]

    def _faults(self, server: str) -> Path:
        return self.folder / f"{server}.json"

    def _shim(self, server: str) -> list[str]:
        return [sys.executable, shim.__file__, str(self._faults(server))]

    def _server(self, server: str) -> list[str]:
        if server == "git":
            return [str(self.packages.python / "bin/mcp-server-git"), "--repository", str(self.workspace.repository)]
        script = self.packages.module(f"@modelcontextprotocol/server-{server}") / "dist/index.js"
        return ["node", str(script), str(self.workspace.files) if server == "filesystem" else "stdio"]


def _entry(fault: Fault, began: float) -> dict[str, object]:
    return {"kind": fault.kind, "from": began + fault.from_s, "delay_s": fault.delay_s}
