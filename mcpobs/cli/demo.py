"""`mcpobs demo`: the whole of it in fifteen seconds, on a lake of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mcpobs.terminal import printable

PRICES = '[prices]\nsearch_orders = 0.002\nrefund = 0.01\n"*" = 0.0005\n'


def demo(
    keep: Annotated[
        Path | None, typer.Option(help="Folder to keep the demo's lake in.  [default: a new temporary folder]")
    ] = None,
) -> None:
    """See it work: a real MCP server, real sessions, the reports and a limits file.

    Starts a sample server through `mcpobs instrument`, plays 68 agent sessions against it with a real MCP client
    (among them a loop, an error burst, an odd argument and a heavy user), then shows what mcpobs has to say.

    \b
    Examples:
      mcpobs demo
      mcpobs demo --keep ./demo     and explore: mcpobs report loops --lake ./demo/lake
    """
    import os
    import tempfile

    from mcpobs import safefile
    from mcpobs.errors import UsageError
    from mcpobs.folders import CONFIG_VARIABLE
    from mcpobs.installed.extras import needing

    with needing("`mcpobs demo`", "demo"):
        from mcpobs.sample.play import play

    root = keep.absolute() if keep else Path(tempfile.mkdtemp(prefix="mcpobs-demo-"))
    lake, config = root / "lake", root / "config"
    if (lake / "lake.json").exists():
        raise UsageError(f"{lake} holds a lake already", "name an empty folder")
    try:
        safefile.make_folder(root)
        safefile.make_own_folder(config)
        safefile.create(config / "config.toml", PRICES.encode())
    except OSError as error:
        raise UsageError(f"cannot write to {root}: {error.strerror}", "name another folder: --keep FOLDER") from None
    os.environ[CONFIG_VARIABLE] = str(config)  # the demo's own prices and digest key
    calls = play(lake, {CONFIG_VARIABLE: str(config)}, _progress)
    print(f"\r{calls} calls recorded in {printable(str(lake))}\n", file=sys.stderr)
    _show(lake, root / "limits.yaml")


def _show(lake: Path, limits: Path) -> None:
    from mcpobs.cli.baseline import BaselineOptions, run_baseline
    from mcpobs.cli.check import CheckOptions, run_check
    from mcpobs.cli.report import ReportOptions, run_report

    place = str(lake)
    _title("Which tool is slowest right now?", "mcpobs report --p95")
    run_report(ReportOptions(lake=place, p95=True))
    for question, name, limit in (
        ("Is an agent going round in circles?", "loops", 5),
        ("What fails, and whose fault is it?", "errors", 5),
        ("Which sessions call far more than others?", "sessions", 5),
        ("Are there arguments unlike all others?", "shapes", 3),
    ):
        _title(question, f"mcpobs report {name}")
        run_report(ReportOptions(lake=place, name=name, limit=limit))
    _title("Limits from this traffic, with evidence", "mcpobs baseline > limits.yaml")
    run_baseline(BaselineOptions(lake=place, output=str(limits), force=True))
    print(limits.read_text())
    _title("What would they have stopped?", "mcpobs check limits.yaml")
    run_check(CheckOptions(limits=str(limits), lake=place))
    print(f"\nGo on exploring:  mcpobs report failures --lake {printable(str(lake))}")


def _title(question: str, command: str) -> None:
    print(f"\n== {question}   $ {command}\n", flush=True)


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty() or done in (1, total):
        print(f"\rplaying sessions: {done} of {total} calls", end="", file=sys.stderr, flush=True)
