"""The TypeScript SDKs log in at a protected server through the HTTP front."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.interop.packages import Packages
from tests.interop.serving import fronted, serving
from tests.ports import free_port

pytestmark = pytest.mark.interop
HERE = Path(__file__).parent
SERVER = HERE.parent / "oauth_server.py"


@pytest.mark.parametrize("generation", ["1", "2"])
def test_a_typescript_client_logs_in_through_the_front(generation: str, packages: Packages, tmp_path: Path) -> None:
    port = free_port()
    with fronted(f"http://127.0.0.1:{port}", tmp_path / "lake", "vault") as front:
        command = [sys.executable, str(SERVER), str(port), f"{front.url}/mcp"]
        script = packages.npm / "oauth_client.mjs"
        script.write_bytes((HERE / "oauth_client.mjs").read_bytes())  # Node looks for packages beside a script
        with serving(command, port, tmp_path / "server.log", {**os.environ}):
            done = subprocess.run(
                ["node", str(script), generation, f"{front.url}/mcp"], capture_output=True, text=True, timeout=60
            )
    assert (done.stdout, done.returncode) == ("box 7\n", 0), done.stderr
