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
from mcpobs.protocol.outcome import OK, Verdict
from mcpobs.protocol.registry import Registry
from mcpobs.semconv import Outcome
from mcpobs.sessions.stdio import StdioSessions
from mcpobs.settings import Config, RecordConfig, read_config
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


class Unreadable(Exception):
    def __str__(self) -> str:
        raise ValueError("ada@mail.calc.org")


MESSAGE = "no user ada@mail.calc.org at 6f1c2b3a-9d4e-4f5a-8b6c-7d8e9f0a1b2c"


@pytest.mark.parametrize(
    ("record", "said", "outcome", "text"),
    [
        (RecordConfig(), MESSAGE, "server_error", None),
        (RecordConfig("masked"), MESSAGE, "server_error", "no user [email] at [id]"),
        (RecordConfig("full"), MESSAGE, "server_error", MESSAGE),
        (RecordConfig("off", {"files": "masked"}), MESSAGE, "unfinished", "no user [email] at [id]"),
        (RecordConfig("full", {"files": "off"}), MESSAGE, "server_error", None),
        (RecordConfig("masked", {"other": "off"}), MESSAGE, "timeout", "no user [email] at [id]"),
        (RecordConfig("full"), MESSAGE, "denied", None),
        (RecordConfig("full"), MESSAGE, "cancelled", None),
        (RecordConfig("full"), Unreadable(), "server_error", None),
        (RecordConfig("full"), 17, "server_error", "17"),
    ],
)
def test_the_text_of_a_failure_is_recorded_as_its_server_is_configured(
    tmp_path: Path, record: RecordConfig, said: object, outcome: Outcome, text: str | None
) -> None:
    sessions = StdioSessions("process", 0)
    recorder = LakeRecorder.open(
        ORIGIN, sessions.process_session, lake=tmp_path, warn=pytest.fail, config=Config(record=record), env={}
    )
    lifecycle = Lifecycle(recorder.facts, Registry(), sessions)
    call = lifecycle.begin(Ends(sessions), "client", "tools/call", {"name": "search"}, 1)
    lifecycle.explain(call, said)
    lifecycle.end(call, now().mono_ns, Verdict(outcome))
    Gate(recorder, warn=pytest.fail).record(call)
    recorder.close()
    (row,) = rows_of(tmp_path)
    assert row.get("error_message") == text
    assert "ada" not in str(row) or record.errors_of("files") == "full"
