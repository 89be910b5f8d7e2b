"""`mcpobs init --policy`: what it writes into config.toml, and that every other byte stays."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from mcpobs.cli.init import InitOptions, run_init
from mcpobs.errors import UsageError
from mcpobs.gate.policing import files_of
from mcpobs.settings import load_config
from mcpobs.setup.policy_setting import planned, write


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MCPOBS_CONFIG", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.yaml").write_text("version: 1\nrules:\n- {id: a, effect: allow, tools: [x]}\n")
    (tmp_path / "limits.yaml").write_text("version: 1\nsession: {calls: 5}\n")
    return tmp_path


def options(**given: Any) -> InitOptions:
    defaults: dict[str, Any] = {
        "paths": (),
        "client": None,
        "servers": (),
        "dry_run": False,
        "revert": False,
        "yes": True,
        "command": "/opt/mcpobs",
        "lake": None,
        "json": False,
        "policy": ("policy.yaml", "limits.yaml"),
    }
    return InitOptions(**{**defaults, **given})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "[policy]\nfiles = [$]\n"),
        ("[prices]\nx = 1 # mine", "[prices]\nx = 1 # mine\n\n[policy]\nfiles = [$]\n"),
        ("# top\n[prices]\nx = 1\n", "# top\n[prices]\nx = 1\n\n[policy]\nfiles = [$]\n"),
        ('[policy]\nstate = "memory"\n', '[policy]\nfiles = [$]\nstate = "memory"\n'),
        ("[policy]", "[policy]\nfiles = [$]\n"),
        ("[ policy ] # ours\n\n[prices]\nx = 1\n", "[ policy ] # ours\nfiles = [$]\n\n[prices]\nx = 1\n"),
        (
            '[policy]\nfiles = [\n  "old.yaml", # old\n]\n[prices]\n',
            "[policy]\nfiles = [$]\n[prices]\n",
        ),
        ('policy.files = ["old.yaml"]\n', "policy.files = [$]\n"),
        ('policy = {files = ["old.yaml"], state = "memory"}\n', 'policy = {files = [$], state = "memory"}\n'),
        ("[prices]\r\nx = 1\r\n", "[prices]\r\nx = 1\r\n\r\n[policy]\r\nfiles = [$]\r\n"),
    ],
)
def test_only_the_files_are_edited(home: Path, before: str, after: str) -> None:
    names = ", ".join(json.dumps(str(home / name)) for name in ("policy.yaml", "limits.yaml"))
    config = home / "config" / "config.toml"
    if before:
        config.parent.mkdir()
        config.write_bytes(before.encode())
    write(planned(config.parent, ["policy.yaml", str(home / "limits.yaml")]))
    assert config.read_bytes().decode() == after.replace("$", names)
    assert config.stat().st_mode & 0o022 == 0
    assert not planned(config.parent, ["policy.yaml", "limits.yaml"]).changes
    assert load_config().policy.files == (str(home / "policy.yaml"), str(home / "limits.yaml"))


@pytest.mark.parametrize("before", ['policy = {state = "memory"}\n', "policy = [\n", 'policy.state = "x"\n[a]\n'])
def test_what_cannot_be_edited_is_left_as_it_is(home: Path, before: str) -> None:
    (home / "config").mkdir()
    (home / "config" / "config.toml").write_text(before)
    with pytest.raises(UsageError, match=r"config\.toml"):
        planned(home / "config", ["policy.yaml"])
    assert (home / "config" / "config.toml").read_text() == before


def test_init_sets_the_policy_of_every_front_also_where_no_client_is(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_init(options(dry_run=True)) == 1
    assert not (home / "config" / "config.toml").exists()
    assert run_init(options()) == 0
    shown = capsys.readouterr()
    assert '+files = ["' in shown.out
    assert "names the policy of all servers" in shown.err
    assert files_of(()) == [str(home / "policy.yaml"), str(home / "limits.yaml")]
    assert run_init(options()) == 0
    assert "already so" in capsys.readouterr().out


def test_init_wraps_servers_and_sets_the_policy_in_one_go(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / ".mcp.json").write_text(json.dumps({"mcpServers": {"a": {"command": "x"}}}))
    assert run_init(options(paths=(str(home / ".mcp.json"),), json=True)) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["policy"]["state"], found["files"][0]["state"]) == ("changed", "changed")
    assert "/opt/mcpobs" in (home / ".mcp.json").read_text()
    assert "policy" in tomllib.loads((home / "config" / "config.toml").read_text())


def test_a_wrong_policy_is_named_nowhere(home: Path) -> None:
    (home / "policy.yaml").write_text("version: 1\nrule: []\n")
    with pytest.raises(UsageError, match=r"policy\.yaml:2: rule: unknown key"):
        run_init(options())
    with pytest.raises(UsageError, match="exclude each other"):
        run_init(options(revert=True))
    assert not (home / "config").exists()
