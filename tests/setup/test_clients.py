"""Every client's format: wrap and revert give the same bytes, wrapping twice changes nothing, foreign edits survive."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.setup import clients, plan
from mcpobs.setup.backups import Backup, digest
from mcpobs.setup.clients import Client, Place
from mcpobs.setup.files import Source
from tests.seeds import some
from tests.setup.configurations import FRONT

# file below the home folder (~) or the project (.), the client, the keys that lead to its servers, a listed command
FORMATS: list[tuple[str, str, tuple[str, ...], bool]] = [
    ("~/.claude.json", "claude-code", ("mcpServers",), False),
    ("~/.claude.json", "claude-code", ("projects", "/home/u/p", "mcpServers"), False),
    ("./.mcp.json", "claude-code", ("mcpServers",), False),
    ("~/.cursor/mcp.json", "cursor", ("mcpServers",), False),
    ("./.vscode/mcp.json", "vscode", ("servers",), False),
    ("./my.code-workspace", "vscode", ("settings", "mcp", "servers"), False),
    ("./.devcontainer/devcontainer.json", "devcontainer", ("customizations", "vscode", "mcp", "servers"), False),
    ("./.devcontainer.json", "devcontainer", ("customizations", "vscode", "mcp", "servers"), False),
    ("./.devcontainer/a/devcontainer.json", "devcontainer", ("customizations", "vscode", "mcp", "servers"), False),
    ("~/.config/opencode/opencode.json", "opencode", ("mcp",), True),
    ("~/.config/opencode/opencode.jsonc", "opencode", ("mcp", "servers"), True),
    ("./opencode.json", "opencode", ("mcp",), True),
    ("./.opencode/opencode.jsonc", "opencode", ("mcp",), True),
    ("~/.config/zed/settings.json", "zed", ("context_servers",), False),
    ("./.zed/settings.json", "zed", ("context_servers",), False),
    ("~/.gemini/settings.json", "gemini", ("mcpServers",), False),
    ("./.gemini/settings.json", "gemini", ("mcpServers",), False),
    ("~/.codeium/windsurf/mcp_config.json", "windsurf", ("mcpServers",), False),
]
BY_NAME = {client.name: client for client in clients.CLIENTS}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
WORD = TEXT.filter(lambda t: bool(t.strip()) and not any(c.isspace() for c in t))
GAP = st.sampled_from(["", " ", "\n", "\r\n  ", "\t", ' // a } ] , "\n', "/* b { [ : */"])
LAST = st.sampled_from(["", "", ",", " , // end\n"])
VARIABLES = ["${HOME}/My Tools/x", "${env:TOOLS}/a b", "${workspaceFolder}/run me", "${input:x y}", "$HOME/My Tools/x"]


def _document(keys: tuple[str, ...], servers: Any) -> dict[str, Any]:
    for key in reversed(keys):
        servers = {key: servers}
    return {"theme": "dark", **servers, "other": [{"command": "not ours", "args": []}]}


def _server(words: list[str], listed: bool) -> dict[str, Any]:
    return {"type": "local", "command": words} if listed else {"command": words[0], "args": words[1:]}


def _written(draw: Any, value: Any) -> str:
    """JSON with comments, spaces of all kinds and trailing commas."""

    def around(text: str) -> str:
        return str(draw(GAP)) + text + str(draw(GAP))

    if isinstance(value, dict):
        pairs = [around(json.dumps(k)) + ":" + around(_written(draw, v)) for k, v in value.items()]
        return "{" + ",".join(pairs) + (draw(LAST) if pairs else "") + "}"
    if isinstance(value, list):
        items = [around(_written(draw, item)) for item in value]
        return "[" + ",".join(items) + (draw(LAST) if items else "") + "]"
    return json.dumps(value)


def _source(content: bytes) -> Source:
    path = Path("/nowhere/configuration")
    return Source(path, path, content, 0o600, (0, 0))


def _place(client: Client) -> Place:
    return Place(client, Path("/nowhere/configuration"))


@given(st.sampled_from(FORMATS), st.dictionaries(TEXT, st.lists(WORD, min_size=1, max_size=4), max_size=3), st.data())
def test_wrapping_comes_back_to_the_same_bytes_and_keeps_foreign_edits(
    form: tuple[str, str, tuple[str, ...], bool], servers: dict[str, list[str]], data: st.DataObject
) -> None:
    _, name, keys, listed = form
    place = _place(BY_NAME[name])
    content = _written(
        data.draw, _document(keys, {key: _server(words, listed) for key, words in servers.items()})
    ).encode()
    made = plan.wrap(place, _source(content), FRONT, ())
    assert {s.name: (s.state, list(s.words)) for s in made.servers} == {
        key: ("wrap", words) for key, words in servers.items()
    }
    wrapped = _source(made.content)
    assert not plan.wrap(place, wrapped, FRONT, ()).changes
    assert plan.unwrap(place, wrapped, (), None).content == content
    assert plan.unwrap(place, wrapped, (), Backup(content, digest(made.content))).content == content
    foreign = made.content.replace(b"dark", b"light")
    assert plan.unwrap(place, _source(foreign), (), Backup(content, digest(made.content))).content == content.replace(
        b"dark", b"light"
    )


@pytest.mark.parametrize("form", some(5, FORMATS))
def test_init_finds_wraps_and_restores_every_place(
    form: tuple[str, str, tuple[str, ...], bool], tmp_path: Path, home: Path
) -> None:
    file, client, keys, listed = form
    path = home / file[2:] if file.startswith("~") else tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    before = "// mine\n" + json.dumps(_document(keys, {"a": _server(["npx", "-y"], listed)}), indent=2)
    path.write_text(before)
    shown = _init(tmp_path, "--yes", "--json", "--command", "/opt/tools/mcpobs")
    (row,) = json.loads(shown.stdout)["files"]
    assert (row["client"], row["state"], shown.returncode) == (client, "changed", 0)
    server: Any = json.loads(path.read_text().removeprefix("// mine\n"))
    for key in keys:
        server = server[key]
    words = ["/opt/tools/mcpobs", "instrument", "--name", "a", "--", "npx", "-y"]
    assert server["a"] == _server(words, listed)
    assert clients.place_of(path, None).client.layouts  # a path named by the user has a layout too
    assert _init(tmp_path, "--yes", "--revert", str(path)).returncode == 0
    assert path.read_text() == before


@pytest.mark.parametrize("command", VARIABLES)
def test_a_command_with_a_clients_variable_is_kept_as_written_and_wrapped(command: str) -> None:
    content = json.dumps({"mcpServers": {"a": {"command": command}}}).encode()
    made = plan.wrap(_place(BY_NAME["cursor"]), _source(content), FRONT, ())
    server = json.loads(made.content)["mcpServers"]["a"]
    assert (server["command"], server["args"][-1]) == (FRONT.command[0], command)
    assert plan.unwrap(_place(BY_NAME["cursor"]), _source(made.content), (), None).content != made.content


def test_servers_of_a_dev_container_start_mcpobs_by_its_name(tmp_path: Path, home: Path) -> None:
    path = tmp_path / ".devcontainer.json"
    keys = ("customizations", "vscode", "mcp", "servers")
    path.write_text(json.dumps(_document(keys, {"a": {"command": "npx"}})))
    shown = _init(tmp_path, "--yes")
    assert json.loads(path.read_text())["customizations"]["vscode"]["mcp"]["servers"]["a"]["command"] == "mcpobs"
    assert "has to be there too" in shown.stderr


def test_a_folder_that_cannot_be_read_is_named_and_the_others_are_done() -> None:
    """As an ordinary user, in a folder of its own: for root every folder is readable, pytest's folder for root only."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        _one_closed_folder(Path(folder))


def _one_closed_folder(tmp_path: Path) -> None:
    home, project = tmp_path / "home", tmp_path / "project"
    closed = home / ".cursor"
    for folder in (closed, home / ".gemini", project):
        folder.mkdir(parents=True)
        folder.chmod(0o777)
    (home / ".gemini/settings.json").write_text('{"mcpServers": {"a": {"command": "x"}}}')
    closed.chmod(0)
    code = (
        "import os, sys\n"
        "from mcpobs.setup import clients, files\n"
        "from mcpobs.errors import UsageError\n"
        "from pathlib import Path\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        "for place in clients.found(Path.cwd(), {'HOME': sys.argv[1]}):\n"
        "    try: files.read(place.path); print(place.client.name)\n"
        "    except UsageError as error: print(error.message)\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code, str(home)], cwd=project, capture_output=True, text=True, timeout=60, check=False
    )
    closed.chmod(0o700)
    assert shown.stdout.splitlines() == [f"cannot read {closed}/mcp.json: Permission denied", "gemini"], shown.stderr


def _init(cwd: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mcpobs", "init", *argv]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL, cwd=cwd
    )
