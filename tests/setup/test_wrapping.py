"""What `init` makes of real-looking configurations: only the command and the args of stdio servers change."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from mcpobs.errors import UsageError
from mcpobs.setup import files, plan
from mcpobs.setup.clients import CLAUDE_CODE, CODEX, CURSOR, OTHER_JSON, VS_CODE, Client, Place
from mcpobs.setup.located import Edit
from mcpobs.setup.wrapping import Front
from tests.setup.configurations import ALL, client_of, planned, reverted


def _data(text: str, client: Client) -> dict[str, Any]:
    """The data as other parsers read it. No string of these files looks like a comment."""
    text = text.removeprefix("\ufeff")
    if client is CODEX:
        return tomllib.loads(text)
    text = re.sub(r"^\s*//.*$|(?<=[,{]) // .*$|/\* .*? \*/", "", text, flags=re.MULTILINE)
    return dict(json.loads(re.sub(r",(\s*[}\]])", r"\1", text)))


def _servers(data: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    groups = [data.get("mcpServers"), data.get("servers"), data.get("mcp_servers"), data.get("mcp", {}).get("servers")]
    projects = data.get("projects", {})
    groups += [project.get("mcpServers") for project in projects.values()]
    return [pair for group in groups if group for pair in group.items() if isinstance(pair[1], dict)]


@pytest.mark.parametrize("path", ALL, ids=lambda p: p.stem)
def test_only_commands_and_args_of_stdio_servers_differ(path: Path) -> None:
    client = client_of(path)
    made = planned(path, client)
    assert made.changes
    before, after = _data(path.read_bytes().decode(), client), _data(made.content.decode(), client)
    wrapped = {s.name for s in made.servers if s.state == "wrap"}
    assert wrapped
    for name, server in _servers(before):
        if name in wrapped:
            own = [server["command"], *server.get("args", [])]
            server["command"] = "/opt/tools/mcpobs"
            server["args"] = ["instrument", "--name", name, "--", *own]
    assert repr(_sorted(after)) == repr(_sorted(before))  # by repr, for nan equals nothing


def _sorted(data: Any) -> Any:
    """With sorted keys: args that was not there before stands behind its command."""
    if isinstance(data, dict):
        return {key: _sorted(data[key]) for key in sorted(data)}
    return data


@pytest.mark.parametrize("path", ALL, ids=lambda p: p.stem)
def test_no_line_without_a_command_or_args_changes(path: Path) -> None:
    """Comments, the order of keys, spaces and line ends: what is taken away are lines with a command or args."""
    client = client_of(path)
    before = path.read_bytes().decode()
    after = planned(path, client).content.decode()
    gone = set(before.splitlines(keepends=True)) - set(after.splitlines(keepends=True))
    assert all("command" in line or "args" in line for line in gone)
    comment = re.compile(r"//.*|/\*.*?\*/|# .*")
    assert comment.findall(after) == comment.findall(before)
    if "\r\n" in before:
        assert "\n" not in after.replace("\r\n", "")


@pytest.mark.parametrize("path", ALL, ids=lambda p: p.stem)
def test_a_second_time_nothing_is_left_to_do(path: Path, tmp_path: Path) -> None:
    client = client_of(path)
    copy = tmp_path / path.name
    copy.write_bytes(planned(path, client).content)
    again = planned(copy, client)
    assert not again.changes
    assert {s.state for s in again.servers} <= {"wrapped", "left"}


@pytest.mark.parametrize("path", ALL, ids=lambda p: p.stem)
def test_without_a_backup_taking_mcpobs_away_gives_the_same_data(path: Path, tmp_path: Path) -> None:
    client = client_of(path)
    copy = tmp_path / path.name
    made = planned(path, client)
    copy.write_bytes(made.content)
    back = reverted(copy, client)
    assert {s.name for s in back.servers if s.state == "unwrap"} == {s.name for s in made.servers if s.state == "wrap"}
    before, after = _data(path.read_bytes().decode(), client), _data(back.content.decode(), client)
    for (_, was), (_, now) in zip(_servers(before), _servers(after), strict=True):
        if "args" not in was and now.get("args") == []:
            del now["args"]  # that there was none is what only the backup knows
    assert repr(after) == repr(before)


def _one(tmp_path: Path, entry: str, client: Client = CURSOR) -> Path:
    path = tmp_path / "mcp.json"
    path.write_text(entry if client is CODEX else '{"mcpServers": {' + entry + "}}")
    return path


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ('"a": {"command": "x", "args": ["--port", 8080]}', "not a string"),
        ('"a": {"command": "x", "args": "y"}', "not a list"),
        ('"a": {"command": "x", "args": null}', "not a list"),
        ('"a": {"command": ["x"]}', "command is not a string"),
        ('"a": {"command": ""}', "command is not a string"),
        ('"a": {}', "neither a command nor a url"),
        ('"a": {"command": "npx -y server"}', "has a space"),
        ('"a": {"command": "x", "command": "y"}', "repeated"),
        ('"a": {"command": "x"}, "a": {"command": "y"}', "repeated"),
        ('"a": {"url": "https://example.com"}', "HTTP"),
        ('"a": {"type": "http", "url": "https://example.com", "command": "x"}', "HTTP"),
    ],
)
def test_what_cannot_be_wrapped_is_left_with_the_reason(tmp_path: Path, entry: str, why: str) -> None:
    made = planned(_one(tmp_path, entry), CURSOR)
    assert not made.changes
    assert [s.state for s in made.servers] == ["left"]
    assert why in (made.servers[0].why or "")


def test_a_remote_server_comes_with_the_command_that_fronts_it_and_no_key(tmp_path: Path) -> None:
    made = planned(_one(tmp_path, '"a": {"url": "https://u:secret@example.com/mcp?key=hidden"}'), CURSOR)
    assert made.servers[0].hint is not None
    assert "--listen 127.0.0.1:PORT --upstream https://example.com " in made.servers[0].hint
    assert made.servers[0].hint.endswith(" http://127.0.0.1:PORT/mcp")
    assert "secret" not in made.before
    assert "hidden" not in made.before


def test_the_output_hides_the_values_of_env_and_headers(tmp_path: Path) -> None:
    entry = (
        '"a": {"command": "x", "env": {"K": "s3cret", "N": 5}}, "b": {"url": "https://e", "headers": {"A": "s3cret"}}'
    )
    made = planned(_one(tmp_path, entry), CURSOR)
    assert "s3cret" not in made.before + made.after
    assert b"s3cret" in made.content


def test_a_command_with_a_space_that_is_a_file_is_wrapped(tmp_path: Path) -> None:
    program = tmp_path / "my server"
    program.touch()
    made = planned(_one(tmp_path, f'"a": {{"command": "{program}"}}'), CURSOR)
    assert json.loads(made.content)["mcpServers"]["a"]["args"][-1] == str(program)


@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("mcpobs", ["instrument", "--", "x"]),
        ("/usr/bin/mcpobs", ["instrument", "--propagate", "x"]),
        ("python3", ["-m", "mcpobs", "instrument", "--", "x"]),
        ("uvx", ["--from", "git+https://example.com/mcpobs", "mcpobs", "instrument", "x"]),
    ],
)
def test_what_runs_through_mcpobs_already_is_left_and_not_taken_away(
    tmp_path: Path, command: str, args: list[str]
) -> None:
    path = _one(tmp_path, f'"a": {json.dumps({"command": command, "args": args})}')
    assert [s.state for s in planned(path, CURSOR).servers] == ["wrapped"]
    assert not reverted(path, CURSOR).changes


def test_a_server_that_takes_these_words_as_arguments_is_wrapped(tmp_path: Path) -> None:
    path = _one(tmp_path, '"a": {"command": "x", "args": ["--", "mcpobs", "instrument"]}')
    assert [s.state for s in planned(path, CURSOR).servers] == ["wrap"]


@pytest.mark.parametrize("name", ["", "-x", "--lake", 'q"uote', "a b", "é", "--"])
def test_any_name_survives_both_ways(tmp_path: Path, name: str) -> None:
    path = _one(tmp_path, f'{json.dumps(name)}: {{"command": "x", "args": ["y"]}}')
    before = path.read_bytes()
    path.write_bytes(planned(path, CURSOR, Front(("m/mcpobs",), lake="/my lake")).content)
    args = json.loads(path.read_text())["mcpServers"][name]["args"]
    assert args[:3] == ["instrument", "--lake", "/my lake"]
    assert args[-3:] == ["--", "x", "y"]
    assert reverted(path, CURSOR).content == before


def test_the_command_keeps_the_way_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    before = "[mcp_servers.a]\ncommand = '''C:\\x'''\nargs = [\"\"\"y\"\"\"]\n"
    path.write_text(before)
    after = planned(path, CODEX).content.decode()
    assert '"--", \'\'\'C:\\x\'\'\', """y"""]' in after
    path.write_text(after)
    assert reverted(path, CODEX).content.decode() == before


def test_new_args_stand_behind_the_line_of_the_command_and_its_comment(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[mcp_servers.a]\n  command = 'x' # why\n  cwd = '/'\n")
    assert planned(path, CODEX).content.decode().splitlines()[1:] == [
        '  command = "/opt/tools/mcpobs" # why',
        '  args = ["instrument", "--name", "a", "--", \'x\']',
        "  cwd = '/'",
    ]


def test_quotes_before_the_three_that_end_a_string_are_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    before = "[mcp_servers.a]\ncommand = \"\"\"x\"\"\"\"\"\nargs = ['''y''''', 'z']\n"
    path.write_text(before)
    args = tomllib.loads(planned(path, CODEX).content.decode())["mcp_servers"]["a"]["args"]
    assert args[3:] == ["--", 'x""', "y''", "z"]


def test_an_edit_that_would_change_anything_else_is_refused(tmp_path: Path) -> None:
    path = _one(tmp_path, '"a": {"command": "x"}, "b": {"command": "y"}')
    place, source = Place(CURSOR, path), files.read(path)
    document = plan.open_document(source, CURSOR)
    end = document.text.index(', "b"')
    with pytest.raises(UsageError, match="safely"):
        plan._plan(place, source, document, [Edit(end, len(document.text) - 2, "")], [], document.tree())


def test_only_the_named_servers_change(tmp_path: Path) -> None:
    path = _one(tmp_path, '"a": {"command": "x"}, "b": {"command": "y"}')
    made = planned(path, CURSOR, only=("b",))
    data = json.loads(made.content)["mcpServers"]
    assert data["a"] == {"command": "x"}
    assert data["b"]["command"] == "/opt/tools/mcpobs"


def test_a_user_who_edits_afterwards_keeps_the_edits(tmp_path: Path) -> None:
    path = _one(tmp_path, '"a": {"command": "x", "args": [\n "y"]}, "b": {"command": "z"}')
    text = planned(path, CURSOR).content.decode()
    text = text.replace('"y"]', '"y", "--new"], "cwd": "/srv"').replace('"b": {', '"c": {"command": "later"}, "b": {')
    path.write_text(text)
    back = json.loads(reverted(path, CURSOR).content)["mcpServers"]
    assert back["a"] == {"command": "x", "args": ["y", "--new"], "cwd": "/srv"}
    assert back["c"] == {"command": "later"}
    assert back["b"]["command"] == "z"


@pytest.mark.parametrize("args", ['["instrument","--name","a","--","x",]', '["instrument","--name","a","--","x" , ]'])
def test_a_trailing_comma_that_somebody_added_goes_with_the_last_word(tmp_path: Path, args: str) -> None:
    path = _one(tmp_path, f'"a": {{"command": "/opt/tools/mcpobs", "args": {args}}}', VS_CODE)
    text = reverted(path, OTHER_JSON).content.decode()
    assert json.loads(text) == {"mcpServers": {"a": {"command": "x", "args": []}}}


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{"mcpServers": {\n  "a" {}\n}}', "line 2, column 7"),
        ('{"mcpServers": {}\n', "line 2, column 1"),
        ('{"a": "b\n"}', "line 1, column 7"),
        ("{'a': 1}", "line 1, column 2"),
        ('{"a": 01}', "line 1, column 7"),
        ('{"a": 1} x', "line 1, column 10"),
        ('{"a": /* ', "line 1, column 7"),
        ("[" * 5000, "nested too deeply"),
    ],
)
def test_an_error_about_invalid_json_names_its_place(tmp_path: Path, text: str, where: str) -> None:
    path = tmp_path / "mcp.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=where):
        planned(path, CLAUDE_CODE)


@pytest.mark.parametrize(
    ("text", "where"),
    [("[mcp_servers.a\n", "line 1"), ("a = 1\na = 2\n", "line 2"), ("a = ", "line 1, column 5")],
)
def test_an_error_about_invalid_toml_names_its_place(tmp_path: Path, text: str, where: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=where):
        planned(path, CODEX)


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"// only a comment\n", b"{}", b"[]", b'"text"', b'{"mcpServers": []}']
)
def test_a_file_without_servers_is_none_to_change(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mcp.json"
    path.write_bytes(content)
    made = planned(path, CLAUDE_CODE)
    assert (made.changes, made.servers) == (False, ())


def test_a_file_of_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_bytes('{"mcpServers": {}}'.encode("utf-16"))
    with pytest.raises(UsageError, match="not UTF-8"):
        planned(path, CLAUDE_CODE)


def test_a_front_of_several_words_goes_in_front_as_it_is(tmp_path: Path) -> None:
    path = _one(tmp_path, '"a": {"command": "x"}')
    made = planned(path, CURSOR, Front(("/venv/bin/python", "-m", "mcpobs")))
    a = json.loads(made.content)["mcpServers"]["a"]
    assert [a["command"], *a["args"]][:4] == ["/venv/bin/python", "-m", "mcpobs", "instrument"]
    path.write_bytes(made.content)
    assert json.loads(reverted(path, CURSOR).content)["mcpServers"]["a"]["command"] == "x"
