"""`mcpobs init` as its user meets it: what it writes, asks, refuses and gives back."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mcpobs.cli.init import InitOptions, run_init
from mcpobs.errors import UsageError
from mcpobs.setup import executable, files
from tests.setup.configurations import ALL, client_of

PLAIN: dict[str, Any] = {"a": {"command": "x", "args": ["y"]}, "b": {"command": "z"}}


def _options(*paths: Path, **given: Any) -> InitOptions:
    return InitOptions(
        paths=tuple(map(str, paths)),
        client=given.get("client"),
        servers=given.get("servers", ()),
        dry_run=given.get("dry_run", False),
        revert=given.get("revert", False),
        yes=given.get("yes", True),
        command=given.get("command", "/opt/tools/mcpobs"),
        lake=given.get("lake"),
        json=given.get("json", False),
    )


def _written(path: Path, servers: dict[str, Any] = PLAIN) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"mcpServers": servers}, indent=2))
    return path.read_bytes()


def _servers(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text())["mcpServers"])


def _mcpobs(*argv: str, **given: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mcpobs", "init", *argv]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL, **given
    )


@pytest.mark.parametrize("configuration", ALL, ids=lambda p: p.stem)
def test_init_and_then_revert_gives_the_same_bytes(configuration: Path, tmp_path: Path, home: Path) -> None:
    path = tmp_path / configuration.name
    path.write_bytes(configuration.read_bytes())
    os.chmod(path, 0o640)
    client = client_of(configuration).name
    assert run_init(_options(path, client=client)) == 0
    assert path.read_bytes() != configuration.read_bytes()
    assert run_init(_options(path, client=client, revert=True)) == 0
    assert path.read_bytes() == configuration.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == [path.name]
    assert not list((home / ".config/mcpobs/clients").iterdir())


def test_every_client_is_found_where_it_keeps_its_servers(home: Path, tmp_path: Path) -> None:
    mac = sys.platform == "darwin"
    settings = home / ("Library/Application Support" if mac else ".config")
    places = [
        *(home / ".claude.json", home / ".cursor/mcp.json", settings / "Claude/claude_desktop_config.json"),
        *(tmp_path / ".mcp.json", tmp_path / ".cursor/mcp.json"),
    ]
    vs_code = [
        *(tmp_path / ".vscode/mcp.json", settings / "Code/User/mcp.json"),
        settings / "Code/User/profiles/x1/mcp.json",
    ]
    codex = [home / ".codex/config.toml", tmp_path / ".codex/config.toml"]
    for path in places:
        _written(path)
    for path in vs_code:
        path.parent.mkdir(parents=True)
        path.write_text('{"servers": {"a": {"command": "x"}}}')
    for path in codex:
        path.parent.mkdir(parents=True)
        path.write_text('[mcp_servers.a]\ncommand = "x"\n')
    shown = _mcpobs("--dry-run", "--json", cwd=tmp_path)
    assert shown.returncode == 1
    found = json.loads(shown.stdout)["files"]
    assert {file["path"] for file in found} == {str(path) for path in [*places, *vs_code, *codex]}
    assert {file["state"] for file in found} == {"would_change"}


def test_a_dry_run_writes_nothing_and_ends_with_1(tmp_path: Path, home: Path) -> None:
    path = tmp_path / "mcp.json"
    before = _written(path)
    assert run_init(_options(path, dry_run=True)) == 1
    assert path.read_bytes() == before
    assert not (home / ".config").exists()


def test_where_nobody_can_be_asked_nothing_is_changed_and_it_ends_with_2(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    before = _written(path)
    shown = _mcpobs(str(path))
    assert (shown.returncode, path.read_bytes()) == (2, before)
    assert "--yes" in shown.stderr
    assert '+      "command"' in shown.stdout


@pytest.mark.parametrize(("answer", "code", "command"), [("y", 0, "mcpobs"), ("n", 1, "x"), ("", 1, "x")])
def test_at_a_terminal_it_asks_first(tmp_path: Path, answer: str, code: int, command: str) -> None:
    path = tmp_path / "mcp.json"
    _written(path)
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode() + b"\n")
    argv = [sys.executable, "-m", "mcpobs", "init", str(path), "--command", "mcpobs"]
    shown = subprocess.run(argv, stdin=theirs, capture_output=True, text=True, timeout=60, check=False)
    os.close(ours)
    os.close(theirs)
    assert (shown.returncode, _servers(path)["a"]["command"]) == (code, command)
    assert "Change this file? [y/N]" in shown.stderr


def test_nothing_to_change_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    _written(path)
    assert run_init(_options(path)) == 0
    after = path.read_bytes()
    assert run_init(_options(path, yes=False)) == 0
    assert path.read_bytes() == after


def test_no_configuration_at_all_gets_a_hint(home: Path, tmp_path: Path) -> None:
    shown = _mcpobs(cwd=tmp_path)
    assert shown.returncode == 2
    assert "mcpobs init PATH" in shown.stderr


def test_a_broken_configuration_stays_and_the_others_are_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken, whole = tmp_path / "broken.json", tmp_path / "whole.json"
    broken.write_text('{"mcpServers": {"a": }}')
    _written(whole)
    assert run_init(_options(broken, whole)) == 2
    assert broken.read_text() == '{"mcpServers": {"a": }}'
    assert _servers(whole)["a"]["command"] == "/opt/tools/mcpobs"
    assert "line 1, column 22" in capsys.readouterr().err


def test_a_missing_configuration_is_reported_without_an_empty_line(tmp_path: Path) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "mcpobs", "init", "nope.json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )
    assert shown.returncode == 2
    title, cannot, error, hint = shown.stdout.splitlines()
    assert (title, cannot) == ("JSON: nope.json", "  cannot be used")
    assert error.startswith("mcpobs: error: cannot read nope.json")
    assert hint.startswith("hint: ")


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles/mcp.json", tmp_path / "mcp.json"
    before = _written(real)
    link.symlink_to(real)
    run_init(_options(link))
    assert link.is_symlink()
    assert _servers(real)["a"]["command"] == "/opt/tools/mcpobs"
    run_init(_options(link, revert=True))
    assert link.is_symlink()
    assert real.read_bytes() == before


def test_a_read_only_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    before = _written(path)
    os.chmod(path, 0o444)
    assert run_init(_options(path)) == 2
    assert path.read_bytes() == before


def test_a_file_that_changes_between_reading_and_writing_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    _written(path)
    source = files.read(path)
    path.write_text("{}")
    with pytest.raises(UsageError, match="has changed"):
        files.replace(source, b"ours")
    assert path.read_text() == "{}"
    assert os.listdir(tmp_path) == ["mcp.json"]


def test_the_backup_is_the_owners_alone(tmp_path: Path, home: Path) -> None:
    path = tmp_path / "mcp.json"
    before = _written(path)
    run_init(_options(path))
    folder = home / ".config/mcpobs/clients"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert [file.read_bytes() for file in folder.glob("*.backup")] == [before]


def test_what_the_user_changed_since_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    _written(path)
    run_init(_options(path))
    data = json.loads(path.read_text())
    data["mcpServers"]["new"] = {"command": "n"}
    path.write_text(json.dumps(data))
    assert run_init(_options(path, revert=True)) == 0
    assert _servers(path) == {**PLAIN, "new": {"command": "n"}}  # and b has no args again


def test_servers_that_are_wrapped_one_after_another_all_come_back(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    before = _written(path)
    run_init(_options(path, servers=("b",)))  # the one that has no args
    run_init(_options(path, servers=("a",)))
    assert {s["command"] for s in _servers(path).values()} == {"/opt/tools/mcpobs"}
    run_init(_options(path, servers=("a",), revert=True))
    assert _servers(path)["a"] == PLAIN["a"]
    run_init(_options(path, revert=True))
    assert path.read_bytes() == before


def test_a_server_that_came_later_is_wrapped_and_taken_back_too(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    _written(path)
    run_init(_options(path))
    path.write_text(path.read_text().replace('"mcpServers": {', '"mcpServers": {"c": {"command": "c", "args": []},'))
    run_init(_options(path))
    assert {s["command"] for s in _servers(path).values()} == {"/opt/tools/mcpobs"}
    run_init(_options(path, revert=True))
    assert {name: s["command"] for name, s in _servers(path).items()} == {"a": "x", "b": "z", "c": "c"}


def test_the_lake_of_the_shell_is_written_down_for_the_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mcp.json"
    _written(path)
    monkeypatch.setenv("MCPOBS_LAKE", str(tmp_path / "lake"))
    run_init(_options(path))
    assert _servers(path)["a"]["args"][:3] == ["instrument", "--lake", str(tmp_path / "lake")]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"client": "curser"}, "cursor"),
        ({"servers": ("aa",)}, "a"),
        ({"command": "docker run"}, "mcpobs"),
    ],
)
def test_a_wrong_name_gets_a_hint(tmp_path: Path, given: dict[str, Any], expected: str) -> None:
    path = tmp_path / "mcp.json"
    before = _written(path)
    with pytest.raises(UsageError) as error:
        run_init(_options(path, **given))
    assert expected in (error.value.hint or "")
    assert path.read_bytes() == before


def test_the_wrapped_server_records_its_calls(tmp_path: Path, home: Path) -> None:
    """What stands in the configuration afterwards is started as a client starts it."""
    path = tmp_path / "mcp.json"
    _written(path, {"echo": {"command": "cat"}})
    assert _mcpobs(str(path), "--yes", "--lake", str(tmp_path / "lake")).returncode == 0
    entry = _servers(path)["echo"]
    call = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}\n'
    desktop = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([entry["command"], *entry["args"]], input=call, capture_output=True, env=desktop, timeout=60)
    assert done.stdout == call
    assert any(b'"service_name":"echo"' in f.read_bytes() for f in (tmp_path / "lake/spool").iterdir())


# -- which mcpobs -----------------------------------------------------------------------------------------


def _program(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    os.chmod(path, 0o755)
    return str(path)


def test_the_script_that_was_run_is_what_the_client_starts_and_its_links_stay(tmp_path: Path) -> None:
    real = _program(tmp_path / "venvs/mcpobs/bin/mcpobs")
    link = tmp_path / "bin/mcpobs"
    link.parent.mkdir()
    link.symlink_to(real)
    assert executable.command(None, str(link), "/usr/bin/python3") == (str(link),)


def test_by_its_name_it_is_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = _program(tmp_path / "bin/mcpobs")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert executable.command(None, "mcpobs", "/usr/bin/python3") == (script,)


def test_run_as_a_module_it_is_the_script_beside_the_interpreter_else_the_interpreter(tmp_path: Path) -> None:
    python = _program(tmp_path / "bin/python")
    argv0 = "/site-packages/mcpobs/__main__.py"
    assert executable.command(None, argv0, python) == (python, "-P", "-m", "mcpobs")
    script = _program(tmp_path / "bin/mcpobs")
    assert executable.command(None, argv0, python) == (script,)


@pytest.mark.parametrize(
    "cache", [".cache/uv/archive-v0/x/bin", ".cache/uv/environments-v2/y/bin", ".cache/pipx/z/bin"]
)
def test_a_mcpobs_in_a_cache_is_refused(tmp_path: Path, cache: str) -> None:
    script = _program(tmp_path / cache / "mcpobs")
    with pytest.raises(UsageError, match="cache") as error:
        executable.command(None, script, "/usr/bin/python3")
    assert "install" in (error.value.hint or "")
