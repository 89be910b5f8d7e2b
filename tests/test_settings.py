"""config.toml: an error names file, line, key and the nearest right key; each setting reaches its fronts."""

from __future__ import annotations

import ast
import os
from dataclasses import fields
from pathlib import Path

import pytest

import mcpobs
from mcpobs.errors import UsageError
from mcpobs.instrument.process import ProcessRecorder, ProcessSessions
from mcpobs.protocol.registry import Registry
from mcpobs.settings import Config, load_config, read_config

WRONG = [
    ("[sesions]\nidle_gap_s = 5\n", 1, "unknown key 'sesions'", "did you mean sessions?"),
    ("# top\nidle_gap_s = 5\n", 2, "unknown key 'idle_gap_s'", "write it below [sessions]"),
    ("[sessions]\n\nidle_gap = 5\n", 3, "[sessions]: unknown key 'idle_gap'", "did you mean idle_gap_s?"),
    ("[sessions]\nidle_gap_s = 'soon'\n", 2, "[sessions] idle_gap_s is not a number", "write e.g. 900"),
    ("sessions.idle_gap_s = -1\n", 1, "[sessions] idle_gap_s is not a number", "write e.g. 900"),
    ("sessions = 1\n", 1, "sessions must be a table", "write [sessions]"),
    ("[http]\nheader = []\n", 2, "[http]: unknown key 'header'", "did you mean headers?"),
    ("[http]\nheaders = 1\n", 2, "[http] headers must be a list", "write e.g."),
    ("[collect]\nredact = 1\n", 2, "[collect] redact must be true or false", "true:"),
    ("[collect]\n# a\naccept_ahead = '1y'\n", 3, "[collect] accept_ahead '1y' is not a duration", "write a number"),
    ("[identity]\njwsk = 'x'\n", 2, "[identity]: unknown key 'jwsk'", "did you mean jwks?"),
    ("[identity]\njwks = 1\n", 2, "[identity] jwks must be a text", "write e.g."),
    ("[prices]\nsearch = 'x'\n", 2, "[prices] search is not US dollars", "write e.g."),
    ("[prices]\n[prices.search]\nper_cal = 1\n", 3, "[prices.search]: unknown key 'per_cal'", "per_call"),
    ("[prices\n", 1, "is not valid TOML", ""),
]


@pytest.mark.parametrize(("text", "line", "message", "hint"), WRONG, ids=lambda v: repr(v)[:40])
def test_an_error_names_file_line_key_and_the_nearest_right_one(
    text: str, line: int, message: str, hint: str, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        load_config(tmp_path, {})
    assert caught.value.message.startswith(f"{tmp_path / 'config.toml'}")
    assert message in caught.value.message
    assert f"line {line}" in caught.value.message
    assert hint in (caught.value.hint or "")
    said: list[str] = []
    assert read_config({"MCPOBS_CONFIG": str(tmp_path)}, said.append) == Config()
    assert "prices" not in said[0].removeprefix(caught.value.message).partition(":")[0]
    assert caught.value.message in said[0]


FRONTS = {
    "stdio": ("proxy/front.py", "gate/recorder.py"),
    "http": ("proxy/http/command.py", "gate/recorder.py"),
    "in_process": ("instrument/process.py", "gate/recorder.py"),
    "collector": ("cli/collect.py", "lake/received.py"),
}
"""The modules in which a front reads its settings."""

REACHES: dict[str, set[str]] = {
    "prices": {"stdio", "http", "in_process"},  # reports price what a collector receives
    "idle_gap_s": {"http", "in_process", "collector"},  # a stdio process is one session
    "headers": {"http"},
    "identity": {"http"},
    "accept_older_than_s": {"collector"},
    "accept_ahead_s": {"collector"},
    "redact": {"collector"},
}


def test_every_setting_has_its_fronts() -> None:
    assert REACHES.keys() == {field.name for field in fields(Config)}


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("setting", [field.name for field in fields(Config)])
def test_a_setting_is_read_by_the_fronts_that_it_applies_to_and_by_no_other(setting: str, front: str) -> None:
    package = Path(mcpobs.__file__).parent
    read = {
        node.attr
        for module in FRONTS[front]
        for node in ast.walk(ast.parse((package / module).read_text()))
        if isinstance(node, ast.Attribute) and _is_config(node.value)
    }
    assert (setting in read) == (front in REACHES[setting])


def _is_config(node: ast.expr) -> bool:
    """`config.…`, `loaded.…` or `load_config().…`."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in ("load_config", "read_config")
    return isinstance(node, ast.Name) and node.id == "config"


@pytest.mark.parametrize("by", ["file", "variable"])
def test_the_idle_gap_reaches_the_sessions_of_the_in_process_front(by: str, tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    if by == "variable":
        env["MCPOBS_IDLE_GAP_S"] = "1"
    else:
        folder = tmp_path / ".config/mcpobs"
        folder.mkdir(parents=True, mode=0o700)
        (folder / "config.toml").write_text("[sessions]\nidle_gap_s = 1\n")
        env["MCPOBS_CONFIG"] = str(folder)
    recorder = ProcessRecorder.open(
        lake=tmp_path / "lake", name="x", transport="http", registry=Registry(), warn=print, env=env
    )
    try:
        sessions = recorder.lifecycle._sessions
        assert isinstance(sessions, ProcessSessions)
        assert sessions._remote._idle_gap_ns == 1_000_000_000
    finally:
        recorder.close()
