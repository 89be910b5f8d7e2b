"""The fast door and typer: the same options, the same answers."""

from __future__ import annotations

from typing import Any

import pytest
import typer.main

from mcpobs.cli import door
from mcpobs.cli.app import app


def _typer_options(command: str) -> dict[str, tuple[str, bool, str]]:
    """Option → (name of its parameter, whether it is a flag, its type), as typer knows them."""
    group: Any = typer.main.get_command(app)
    found = {}
    for parameter in group.commands[command].params:
        for option in getattr(parameter, "opts", []):
            if option.startswith("--") and option != "--help":
                found[option] = (parameter.name, bool(getattr(parameter, "is_flag", False)), parameter.type.name)
    return found


@pytest.mark.parametrize("command", ["instrument", "report"])
def test_the_fast_door_knows_the_options_that_typer_knows(command: str) -> None:
    options = _typer_options(command)
    assert door.FLAGS[command] == {o: name for o, (name, flag, _) in options.items() if flag}
    assert door.NUMBERS[command] == {
        o: name for o, (name, flag, type_) in options.items() if not flag and type_.startswith("integer")
    }
    assert door.VALUES[command] == {
        o: name for o, (name, flag, type_) in options.items() if not flag and not type_.startswith("integer")
    }


def test_the_command_after_the_dashes_is_the_servers_own() -> None:
    parsed = door.parse("instrument", ["--name", "x", "--propagate", "--", "npx", "--name", "y", "--help"])
    assert parsed is not None
    assert parsed.options == {"name": "x", "propagate": True}
    assert parsed.words == ["npx", "--name", "y", "--help"]


def test_the_dashes_may_be_left_out() -> None:
    parsed = door.parse("instrument", ["--lake=/tmp/x", "npx", "-y", "server", "--", "z"])
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
    ],
)
def test_what_it_does_not_understand_is_left_to_typer(command: str, argv: list[str]) -> None:
    assert door.parse(command, argv) is None


def test_a_report_with_its_options_goes_through_the_fast_door() -> None:
    parsed = door.parse("report", ["loops", "--since", "2h", "--limit=5", "--json"])
    assert parsed is not None
    assert parsed.words == ["loops"]
    assert parsed.options == {"since": "2h", "limit": 5, "json": True}
