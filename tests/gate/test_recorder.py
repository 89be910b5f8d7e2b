"""What a process records with is opened by the environment that it was given, and by no other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mcpobs.gate.gate import Gate
from mcpobs.gate.recorder import LakeRecorder
from mcpobs.gate.row import Origin
from mcpobs.protocol.lifecycle import Lifecycle, now
from mcpobs.protocol.operation import Peer
from mcpobs.protocol.outcome import OK
from mcpobs.protocol.registry import Registry
from mcpobs.sessions.stdio import StdioSessions
from mcpobs.settings import Config, read_config
from tests.instrument.recorded import rows_of

ORIGIN = Origin("files", "0123456789abcdef", "stdio", "pipe", "proxy/stdio")


class Ends:
    client = server = Peer()
    protocol_version: str | None = None
    legacy: bool | None = None

    def __init__(self, sessions: StdioSessions) -> None:
        self.caller = sessions.caller


def recorded(env: dict[str, str], config: Config | None = None) -> None:
    sessions = StdioSessions("process", 0)
    recorder = LakeRecorder.open(
        ORIGIN, sessions.process_session, lake=None, warn=pytest.fail, config=config, env={**env, "HOME": "/nowhere"}
    )
    lifecycle = Lifecycle(recorder.facts, Registry(), sessions)
    call = lifecycle.begin(Ends(sessions), "client", "tools/call", {"name": "search"}, 1)
    lifecycle.end(call, now().mono_ns, OK)
    Gate(recorder, warn=pytest.fail).record(call)
    recorder.close()


def test_lake_key_and_prices_come_from_the_given_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, others = tmp_path / "ours", tmp_path / "others"
    for folder, price in ((ours, "0.002"), (others, "7")):
        folder.mkdir(mode=0o700)
        (folder / "config.toml").write_text(f"[prices]\nsearch = {price}\n")
        (folder / "config.toml").chmod(0o600)
    monkeypatch.setenv("MCPOBS_CONFIG", str(others))
    monkeypatch.setenv("MCPOBS_LAKE", str(tmp_path / "another lake"))
    recorded({"MCPOBS_CONFIG": str(ours), "MCPOBS_LAKE": str(tmp_path / "lake")})
    (row,) = rows_of(tmp_path / "lake")
    assert row["cost_microusd"] == 2000
    assert list((ours / "keys").iterdir())
    assert not (others / "keys").exists()
    assert not (tmp_path / "another lake").exists()


def test_a_configuration_that_was_read_is_not_read_again(tmp_path: Path) -> None:
    folder = tmp_path / "config"
    folder.mkdir(mode=0o700)
    (folder / "config.toml").write_text("[prices]\nsearch = 7\n")
    recorded({"MCPOBS_CONFIG": str(folder), "MCPOBS_LAKE": str(tmp_path / "lake")}, Config())
    assert "cost_microusd" not in rows_of(tmp_path / "lake")[0]


def test_a_wrong_configuration_is_one_warning_and_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[sessions]\nidle_gap_s = 'soon'\n")
    said: list[str] = []
    config = read_config({"MCPOBS_CONFIG": str(tmp_path), "HOME": "/nowhere"}, said.append)
    assert config == Config()
    (warning,) = said
    assert warning.startswith("the configuration is not used, the defaults hold: ")
    assert "[sessions] idle_gap_s is not a number of seconds (line 2)" in warning
    assert json.dumps(warning).count("hint") == 1
