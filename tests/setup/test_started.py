"""`mcpobs doctor` starts each configured server as its client would and says where its record lands; a command that
finds no calls names the lake that has them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mcpobs import interpreter
from mcpobs.setup import started, storage
from mcpobs.setup.clients import DEVCONTAINER, OTHER_JSON, Place

SCRIPT = str(Path(sys.executable).with_name("mcpobs"))
ECHO = interpreter.command("mcpobs.setup.echo")
SHELLS = {
    "nothing": {},
    "data": {"XDG_DATA_HOME": "data"},
    "our lake": {"MCPOBS_LAKE": "lake"},
}


def _place(tmp_path: Path, server: dict[str, Any]) -> Place:
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {"s": server}}))
    return Place(OTHER_JSON, path)


def _through(*words: str, options: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    return {"command": SCRIPT, "args": ["instrument", *options, "--name", "s", "--", *words], **more}


def _shell(tmp_path: Path, variables: dict[str, str]) -> dict[str, str]:
    own = {name: str(tmp_path / value) for name, value in variables.items()}
    return {"HOME": str(tmp_path), "PATH": os.environ["PATH"], **own}


@pytest.mark.parametrize("variables", SHELLS.values(), ids=SHELLS)
def test_a_server_is_recorded_where_the_shell_looks_or_doctor_names_the_place(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    shell = _shell(tmp_path, variables)
    place = _place(tmp_path, _through(*ECHO))
    (check,) = started.check([place], shell)
    default = tmp_path / ".local/share/mcpobs"
    assert f"is recorded in {default}" in check.line
    assert check.state == ("warn" if variables else "ok")

    said = subprocess.run([SCRIPT, "report"], env=shell, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (f"records lie in {default}" in said.stderr) == bool(variables)


def test_a_lake_that_only_the_configuration_names_is_found_too(tmp_path: Path) -> None:
    lake = tmp_path / "far" / "lake"
    (tmp_path / ".cursor").mkdir()
    place = _place(tmp_path / ".cursor", _through(*ECHO, options=("--lake", str(lake))))
    shell = _shell(tmp_path, {})
    (check,) = started.check([place], shell)
    assert (check.state, f"is recorded in {lake}" in check.line) == ("warn", True)
    for words in (["report"], ["report", "latency"], ["baseline"], ["query", "select 1"]):
        said = subprocess.run([SCRIPT, *words], env=shell, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert said.returncode == 3
        assert f"records lie in {lake}" in said.stderr


@pytest.mark.parametrize(
    ("words", "state", "named"),
    [
        (["false"], "fail", "gives no answer to initialize"),
        (["no-such-server"], "fail", "no-such-server"),
        (["sh", "-c", "echo it is broken >&2; exit 3"], "fail", "it is broken"),
        (["sh", "-c", "exec sleep 60"], "warn", "nothing within 3 s"),
        (["sh", "-c", "echo a log line; exec sleep 60"], "warn", "nothing within 3 s"),
    ],
    ids=str,
)
def test_a_server_that_does_not_answer_is_named_with_the_reason(
    tmp_path: Path, words: list[str], state: str, named: str
) -> None:
    (check,) = started.check([_place(tmp_path, _through(*words))], _shell(tmp_path, {}), 3.0)
    assert (check.state, named in check.line) == (state, True), check.line


def test_a_server_gets_its_own_variables_and_few_of_the_shell_s(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    script = f'env > "{seen}"; exec {" ".join(ECHO)}'
    shell = {**_shell(tmp_path, {}), "TOKEN_OF_THE_SHELL": "x", "PYTHONHOME": "/nowhere", "LANG": "C"}
    (check,) = started.check([_place(tmp_path, _through("sh", "-c", script, env={"OWN": "y"}))], shell)
    assert check.state == "ok", check.line
    names = {line.partition("=")[0] for line in seen.read_text().splitlines()}
    assert "OWN" in names
    assert not {"TOKEN_OF_THE_SHELL", "PYTHONHOME", "LANG"} & names


@pytest.mark.parametrize(
    "server",
    [
        {"command": ECHO[0], "args": ECHO[1:]},
        _through("sh", "-c", "touch ran", disabled=True),
        _through("sh", "-c", "touch ran", enabled=False),
        _through("${HOME}/server"),
        _through("server", env={"KEY": "${input:key}"}),
        {"url": "http://127.0.0.1:1/mcp"},
    ],
    ids=str,
)
def test_what_only_the_client_can_start_or_nobody_wants_is_not_started(tmp_path: Path, server: dict[str, Any]) -> None:
    assert list(started.check([_place(tmp_path, server)], _shell(tmp_path, {}))) == []
    elsewhere = Place(DEVCONTAINER, _place(tmp_path, _through(*ECHO)).path)
    assert list(started.check([elsewhere], _shell(tmp_path, {}))) == []
    assert not (tmp_path / ".local").exists()


def test_servers_beyond_the_first_are_counted_and_equal_ones_started_once(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    servers = {f"s{n}": _through("false", env={"N": str(n // 2)}) for n in range(20)}
    path.write_text(json.dumps({"mcpServers": servers}))
    found = list(started.check([Place(OTHER_JSON, path)], _shell(tmp_path, {})))
    assert [check.state for check in found] == ["fail"] * 8 + ["ok"]
    assert found[-1].line == "2 more servers were not started"


def test_a_lake_of_received_spans_needs_no_key_here(tmp_path: Path) -> None:
    from mcpobs import keys

    lake = tmp_path / "lake"
    keys.open_folder(lake)
    (lake / "wal").mkdir(mode=0o700)
    found = list(storage.check_lake(lake, tmp_path / "config", 1.8e9))
    assert [check.state for check in found] == ["ok", "ok", "ok", "warn"]
    assert "mcpobs collect" in (found[-1].hint or "")
