"""TOML 1.1 in a client's configuration: read as meant, wrapped, and given back byte for byte."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from mcpobs import toml_versions
from mcpobs.setup import plan
from mcpobs.setup.backups import Backup, digest
from mcpobs.setup.clients import CODEX, Place
from mcpobs.setup.files import Source
from tests.setup.configurations import FRONT

NEWER: list[tuple[str, dict[str, Any]]] = [
    ("a = {\n  b = 1, # x } ,\n  c = [\n 1, 2,\n ],\n}\n", {"a": {"b": 1, "c": [1, 2]}}),
    ("a = { b = { c = 1, }, }\n", {"a": {"b": {"c": 1}}}),
    ("a = {\r\n  b = 1\r\n}\r\n", {"a": {"b": 1}}),
    ('a = "\\e[0m \\x41 \\\\e \\\\x41"\n', {"a": "\x1b[0m A \\e \\x41"}),
    ('a = """\\e"""\nb = \'\\e\'\n', {"a": "\x1b", "b": "\\e"}),
    ('a = "07:32 { \\x41"\nb = 07:32\n', {"a": "07:32 { A"}),
    ("a = 1979-05-27T07:32Z\nb = 1979-05-27 07:32\nc = 07:32:01\n", {}),
]


@pytest.mark.parametrize(("text", "expected"), NEWER, ids=lambda v: repr(v)[:30])
def test_the_newer_syntax_means_what_it_says(text: str, expected: dict[str, Any]) -> None:
    with pytest.raises(tomllib.TOMLDecodeError):
        tomllib.loads(text)
    data = toml_versions.loads(text)
    assert {key: data[key] for key in expected} == expected


@pytest.mark.parametrize("text", ["a = {\n", "a = { b = 1,, }", 'a = "\\y"', "a = 7:32", "a = 1 b = 2"])
def test_what_is_in_no_version_is_refused(text: str) -> None:
    with pytest.raises(tomllib.TOMLDecodeError):
        toml_versions.loads(text)


@pytest.mark.parametrize(("text", "expected"), NEWER, ids=lambda v: repr(v)[:30])
@pytest.mark.parametrize(
    "server",
    [
        'a = {\n  command = "n\\x70x", # it\n  args = [ "\\e" ],\n}\n',
        'a = {\n  command = "npx",\n}\n',
        'a = {\n  command = "npx"\n}\n',
    ],
)
def test_servers_in_the_newer_syntax_are_wrapped_and_given_back(
    server: str, text: str, expected: dict[str, Any]
) -> None:
    content = f"{text}[mcp_servers]\n{server}".encode()
    path = Path("/nowhere/config.toml")

    def source(now: bytes) -> Source:
        return Source(path, path, now, 0o600, (0, 0))

    made = plan.wrap(Place(CODEX, path), source(content), FRONT, ())
    (one,) = made.servers
    assert (one.state, one.words[0]) == ("wrap", "npx")
    wrapped = toml_versions.loads(made.content.decode())["mcp_servers"]["a"]
    assert (wrapped["command"], "npx" in wrapped["args"]) == (FRONT.command[0], True)
    assert not plan.wrap(Place(CODEX, path), source(made.content), FRONT, ()).changes
    back = plan.unwrap(Place(CODEX, path), source(made.content), (), None).content
    assert toml_versions.loads(back.decode())["mcp_servers"]["a"]["command"] == "npx"
    if "args" in server:
        assert back == content
    backup = Backup(content, digest(made.content))
    assert plan.unwrap(Place(CODEX, path), source(made.content), (), backup).content == content
    foreign = source(made.content + b"# mine\n")
    assert plan.unwrap(Place(CODEX, path), foreign, (), backup).content == content + b"# mine\n"
