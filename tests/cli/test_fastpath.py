"""The argv fast path and typer: the same options, the same answers."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, get_args, get_origin, get_type_hints

import pytest
import typer

from mcpobs.cli import fastpath
from mcpobs.cli.options.instrument import instrument
from mcpobs.cli.options.query import query
from mcpobs.cli.options.report import report
from mcpobs.cli.query import run_query
from mcpobs.cli.report import ReportOptions
from mcpobs.proxy.stdio import InstrumentOptions


def _declared(command: Callable[..., object]) -> dict[type, dict[str, str]]:
    """The options of a typer command by the type of their value: option → name of its parameter."""
    found: dict[type, dict[str, str]] = {bool: {}, int: {}, str: {}, list: {}}
    for name, hint in get_type_hints(command, include_extras=True).items():
        if get_origin(hint) is not Annotated:
            continue
        type_, info = get_args(hint)[:2]
        if isinstance(info, type(typer.Argument())):
            continue
        plain = next((part for part in get_args(type_) if part is not type(None)), type_)
        option = next((o for o in info.param_decls or () if o.startswith("--")), "--" + name.replace("_", "-"))
        kind = list if get_origin(plain) is list else plain if plain in (bool, int) else str
        found[kind][option] = name
    return found


@pytest.mark.parametrize("command", [instrument, query, report])
def test_the_fast_path_knows_the_options_that_typer_knows(command: Callable[..., object]) -> None:
    declared = _declared(command)
    name = command.__name__
    assert fastpath.FLAGS[name] == declared[bool]
    assert fastpath.NUMBERS[name] == declared[int]
    assert fastpath.VALUES[name] == declared[str]
    assert fastpath.LISTS[name] == declared[list]


@pytest.mark.parametrize(
    ("command", "takes"), [("instrument", InstrumentOptions), ("query", run_query), ("report", ReportOptions)]
)
def test_the_work_takes_the_options_of_the_fast_path(command: str, takes: Callable[..., object]) -> None:
    passed = {
        *fastpath.FLAGS[command].values(),
        *fastpath.NUMBERS[command].values(),
        *fastpath.VALUES[command].values(),
        *fastpath.LISTS[command].values(),
    }
    if command == "instrument":
        passed -= {"listen", "upstream", "in_process"}  # which it leaves to typer
    assert passed <= inspect.signature(takes).parameters.keys()


def test_the_command_after_the_dashes_is_the_servers_own() -> None:
    parsed = fastpath.parse("instrument", ["--name", "x", "--propagate", "--", "npx", "--name", "y", "--help"])
    assert parsed is not None
    assert parsed.options == {"name": "x", "propagate": True}
    assert parsed.words == ["npx", "--name", "y", "--help"]


def test_the_dashes_may_be_left_out() -> None:
    parsed = fastpath.parse("instrument", ["--lake=/tmp/x", "npx", "-y", "server", "--", "z"])
    assert parsed is not None
    assert parsed.options == {"lake": "/tmp/x"}
    assert parsed.words == ["npx", "-y", "server", "--", "z"]


@pytest.mark.parametrize(
    ("command", "argv"),
    [
        ("instrument", []),
        ("instrument", ["--"]),
        ("instrument", ["--help"]),
        ("instrument", ["--nonsense", "--", "x"]),
        ("instrument", ["--lake"]),
        ("instrument", ["--lake", "--", "x"]),
        ("report", ["-h"]),
        ("report", ["latency", "loops"]),
        ("report", ["--limit", "many"]),
        ("report", ["--limit", "-1"]),
        ("report", ["--since"]),
        ("report", ["--p95=yes"]),
        ("query", []),
        ("query", ["-"]),
        ("query", ["select 1", "select 2"]),
        ("query", ["select 1", "--timeout"]),
    ],
)
def test_what_it_does_not_understand_is_left_to_typer(command: str, argv: list[str]) -> None:
    assert fastpath.parse(command, argv) is None


def test_a_report_with_its_options_takes_the_fast_path() -> None:
    parsed = fastpath.parse("report", ["loops", "--since", "2h", "--limit=5", "--json"])
    assert parsed is not None
    assert parsed.words == ["loops"]
    assert parsed.options == {"since": "2h", "limit": 5, "json": True}


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["all", "--html"], ["all", "--html="]),
        (["--html", "page.html", "all"], ["--html=page.html", "all"]),
        (["--html", "latency"], ["--html=", "latency"]),
        (["--html", "-"], ["--html=-"]),
        (["--html", "--since", "2h"], ["--html=", "--since", "2h"]),
        (["--html=page"], ["--html=page"]),
        (["--watch", "5", "latency"], ["--watch=5", "latency"]),
        (["latency", "--watch"], ["latency", "--watch="]),
        (["--watch", "0.5"], ["--watch=0.5"]),
    ],
)
def test_a_value_that_may_be_left_out_is_one_word_with_its_option(argv: list[str], words: list[str]) -> None:
    assert fastpath.with_values("report", argv) == words
    assert fastpath.parse("report", words) is not None


def test_a_servers_own_options_are_left_as_they_are() -> None:
    assert fastpath.with_values("instrument", ["--", "x", "--html", "y"]) == ["--", "x", "--html", "y"]
