"""Zed's older form of a server, whose command is an object: wrapped inside it, and given back byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mcpobs.setup import clients, plan
from mcpobs.setup.backups import Backup, digest
from mcpobs.setup.clients import OPENCODE, ZED, Place
from mcpobs.setup.files import Source
from tests.setup.configurations import FRONT

PATH = Path("/nowhere/settings.json")
SERVERS: list[dict[str, Any]] = [
    {"command": {"path": "npx", "args": ["-y", "x"], "env": {"K": "v"}}, "settings": {}},
    {"command": {"path": "npx", "args": []}},
    {"command": {"path": "npx"}},
    {"source": "custom", "command": {"env": None, "args": ["a b"], "path": "${HOME}/My Tools/x"}, "enabled": True},
]


def _source(content: bytes) -> Source:
    return Source(PATH, PATH, content, 0o600, (0, 0))


@pytest.mark.parametrize("server", SERVERS, ids=json.dumps)
@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_it_is_wrapped_in_its_command_and_given_back(server: dict[str, Any], indent: Any) -> None:
    text = json.dumps({"theme": "dark", "context_servers": {"a": server, "b": {"command": "y"}}}, indent=indent)
    made = plan.wrap(Place(ZED, PATH), _source(text.encode()), FRONT, ())
    servers = json.loads(made.content)["context_servers"]
    first, *rest = FRONT.words("a")
    own = server["command"]
    assert servers["a"] == {
        **server,
        "command": {**own, "path": first, "args": [*rest, own["path"], *own.get("args", [])]},
    }
    assert [s.state for s in made.servers] == ["wrap", "wrap"]
    again = plan.wrap(Place(ZED, PATH), _source(made.content), FRONT, ())
    assert not again.changes
    backup = Backup(text.encode(), digest(made.content))
    assert plan.unwrap(Place(ZED, PATH), _source(made.content), (), backup).content == text.encode()
    edited = plan.unwrap(Place(ZED, PATH), _source(made.content + b"\n"), (), backup)
    assert edited.content == text.encode() + b"\n"


@pytest.mark.parametrize("command", [{}, {"args": ["x"]}, {"path": 1}, {"path": "x", "args": "y"}, {"path": ["x"]}])
def test_one_that_is_incomplete_is_left_alone(command: dict[str, Any]) -> None:
    text = json.dumps({"context_servers": {"a": {"command": command}}}).encode()
    made = plan.wrap(Place(ZED, PATH), _source(text), FRONT, ())
    assert not made.changes
    assert [(s.state, bool(s.why)) for s in made.servers] == [("left", True)]


@pytest.mark.parametrize(
    ("variable", "value", "file"),
    [
        ("OPENCODE_CONFIG", "own/mine.json", "own/mine.json"),
        ("OPENCODE_CONFIG", "own/mine.jsonc", "own/mine.jsonc"),
        ("OPENCODE_CONFIG_DIR", "own", "own/opencode.json"),
        ("OPENCODE_CONFIG_DIR", "own", "own/opencode.jsonc"),
    ],
)
def test_the_variables_of_opencode_name_its_configuration(tmp_path: Path, variable: str, value: str, file: str) -> None:
    (tmp_path / file).parent.mkdir()
    (tmp_path / file).write_text("{}")
    env = {"HOME": str(tmp_path / "home"), variable: str(tmp_path / value)}
    assert clients.found(tmp_path / "nowhere", env) == [Place(OPENCODE, tmp_path / file)]
