"""config.toml: each error names file, line, key and the nearest right key; each setting reaches its fronts."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcpobs.errors import UsageError
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


@pytest.mark.parametrize(
    "text",
    [
        "sessions = {\n  idle_gap_s = 60, # a minute\n}\n",
        "sessions = { idle_gap_s = 60, }\n",
        '[prices]\n"\\x61" = 0.1\n[sessions]\nidle_gap_s = 60\n',
    ],
)
def test_toml_1_1_is_read_as_it_is_in_a_client_s_configuration(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(text)
    assert load_config(tmp_path, {}).idle_gap_s == 60


def test_a_file_that_is_nested_without_end_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("a = " + "[" * 5000)
    with pytest.raises(UsageError, match="is not valid TOML"):
        load_config(tmp_path, {})


@pytest.mark.parametrize(
    ("text", "modes"),
    [
        ("", {"files": "off"}),
        ('[record]\nerrors = "masked"\n', {"files": "masked"}),
        ('[record]\nerrors = "full"\n[servers.files.record]\nerrors = "off"\n', {"files": "off", "other": "full"}),
        ('[servers.files]\nrecord.errors = "masked"\nprices.search = 1\n', {"files": "masked", "other": "off"}),
    ],
)
def test_texts_of_failures_are_recorded_by_server(text: str, modes: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(text)
    record = load_config(tmp_path, {}).record
    assert {server: record.errors_of(server) for server in modes} == modes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[record]\nerrors = "on"\n', r"\[record\] errors must be one of off, masked, full \(line 2\)"),
        ("[record]\nerrors = true\n", "errors must be one of"),
        ("[record]\nerrors = []\n", "errors must be one of"),
        ("[record]\nerror = 1\n", "unknown key 'error'"),
        ("record = 1\n", "record must be a table"),
        ("[servers.files]\nrecord = 1\n", r"\[servers.files.record\] must be a table"),
        ('[servers.files.record]\nerrors = "all"\n', r"\[servers.files.record\] errors must be one of"),
    ],
)
def test_a_wrong_switch_of_texts_is_an_error(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(UsageError, match=message):
        load_config(tmp_path, {})
