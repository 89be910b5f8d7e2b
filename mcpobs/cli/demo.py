"""`mcpobs demo`: traffic, reports, limits, their simulation, and a second run under them, on lakes of its own."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from mcpobs.terminal import printable

PRICES = '[prices]\nsearch_orders = 0.02\nrefund = 0.1\n"*" = 0.005\n'
FIRST, SECOND = "lake", "enforced"
Play = Callable[..., int]
_ERASE = "\r\x1b[K"
EXCERPT = ("session:", "  calls:", "  cost_usd:", "tools:", "  search_orders:")
"""Beginnings of the lines of the limits file that are shown. The line below the last is shown too."""


def demo(
    keep: Annotated[
        Path | None, typer.Option(help="Folder to keep the demo's lakes in.  [default: none are kept]")
    ] = None,
) -> None:
    """See it work: a real MCP server, real sessions, reports, limits, and the limits in force.

    Starts a sample server through `mcpobs instrument` and plays 64 agent sessions against it with a real MCP client:
    among them a runaway in a loop, an error burst, an odd argument and a heavy user. Shows the reports, derives limits
    from this traffic, simulates them, and plays the same agents again with the limits in force.

    \b
    Examples:
      mcpobs demo
      mcpobs demo --keep ./demo     and explore: mcpobs report loops --lake ./demo/lake
    """
    import tempfile

    from mcpobs.installed.extras import needing

    with needing("`mcpobs demo`", "demo"):
        from mcpobs.sample.play import play

    if keep is not None:
        _show(keep.absolute(), play)
        _explore(keep.absolute())
        return
    with tempfile.TemporaryDirectory(prefix="mcpobs-demo-", ignore_cleanup_errors=True) as folder:
        _show(Path(folder), play)
    print("\nNothing of this is kept. To keep the calls and go on exploring:\n  mcpobs demo --keep ./mcpobs-demo")


def _show(root: Path, play: Play) -> None:
    """Plays the agents, shows what there is to see, and plays them again."""
    env = _prepare(root)
    os.environ |= env
    first, second, limits = root / FIRST, root / SECOND, root / "limits.yaml"
    _title("Agents use a shop, and mcpobs records it", "mcpobs instrument --name shop -- SERVER COMMAND")
    _played(play(first, env, _progress), first)
    _reports(first)
    _limits(first, limits)
    _title(
        "The same agents again, with the limits in force", f"mcpobs instrument --policy limits.yaml --lake {SECOND} …"
    )
    _played(play(second, env, _progress, limits), second)
    _enforced(first, second)


def _explore(root: Path) -> None:
    print("\nGo on exploring:")
    print(f"  cd {shlex.quote(printable(str(root)))}")
    print(f"  export MCPOBS_CONFIG=$PWD/config MCPOBS_LAKE=$PWD/{FIRST}")
    print("  mcpobs report failures")
    print(f"  mcpobs explain agent-stuck --lake {SECOND} --policy limits.yaml")


def _prepare(root: Path) -> dict[str, str]:
    """Makes the demo's folders; returns the variable that names its own prices and digest key."""
    from mcpobs import safefile
    from mcpobs.errors import UsageError
    from mcpobs.folders import CONFIG_VARIABLE

    for lake in (root / FIRST, root / SECOND):
        if (lake / "lake.json").exists():
            raise UsageError(f"{lake} holds a lake already", "name an empty folder")
    config = root / "config"
    try:
        safefile.make_folder(root)
        safefile.make_own_folder(config)
        safefile.create(config / "config.toml", PRICES.encode())
    except OSError as error:
        raise UsageError(f"cannot write to {root}: {error.strerror}", "name another folder: --keep FOLDER") from None
    return {CONFIG_VARIABLE: str(config)}


def _reports(lake: Path) -> None:
    from mcpobs.cli.report import ReportOptions, run_report

    place = str(lake)
    _title("Which tool is slowest right now?", "mcpobs report --p95")
    run_report(ReportOptions(lake=place, p95=True))
    for question, name, limit in (
        ("Is an agent going round in circles?", "loops", 5),
        ("What fails, and whose fault is it?", "errors", 5),
        ("Which sessions call far more than others?", "sessions", 3),
        ("Are there arguments unlike all others?", "shapes", 1),
    ):
        _title(question, f"mcpobs report {name} --limit {limit}")
        run_report(ReportOptions(lake=place, name=name, limit=limit))
    _title("What does it cost, and who spends it?", "mcpobs report cost --by session --limit 3")
    run_report(ReportOptions(lake=place, name="cost", by="session", limit=3))


def _limits(lake: Path, limits: Path) -> None:
    from mcpobs.cli.baseline import BaselineOptions, run_baseline
    from mcpobs.cli.simulate import SimulateOptions, run_simulate

    _title("Limits from this traffic, with evidence", f"mcpobs baseline > {limits.name}")
    run_baseline(BaselineOptions(lake=str(lake), output=str(limits), force=True))
    print()
    _excerpt(limits.read_text().splitlines())
    _title("What would they have stopped, and saved?", f"mcpobs simulate {limits.name}")
    run_simulate(SimulateOptions(files=[str(limits)], lake=str(lake)))


def _excerpt(lines: list[str]) -> None:
    """Prints the limits of a session and of the runaway's tool, each line as far as there is room."""
    from mcpobs.cli.streams import terminal_cells
    from mcpobs.output.text import taken

    shown = [n for n, line in enumerate(lines) if line.startswith(EXCERPT)]
    cells = terminal_cells() - 1
    for line in (lines[n] for n in (*shown, shown[-1] + 1)):
        kept = taken(line, cells)
        print(kept if kept == line else f"{kept}…")
    print(f"({len(lines)} lines in all)")


def _enforced(first: Path, second: Path) -> None:
    from mcpobs.cli.report import ReportOptions, run_report
    from mcpobs.sample.play import LOOP

    _title("What was refused?", f"mcpobs decisions --limit 4 --lake {SECOND}")
    run_report(ReportOptions(lake=str(second), name="decisions", limit=4))
    _title("What did the runaway cost, before and now?", f"mcpobs report cost --by session --session {LOOP}")
    run_report(ReportOptions(lake=str(first), name="cost", by="session", session=LOOP))
    print(f"\n$ … --lake {SECOND}\n", flush=True)
    run_report(ReportOptions(lake=str(second), name="cost", by="session", session=LOOP))
    _title("The loop is closed")
    for whom, session in (("the runaway", LOOP), ("all agents", None)):
        print(f"{whom}: {_bill(first, session)} before, {_bill(second, session)} with the limits")


def _bill(lake: Path, session: str | None) -> str:
    """Calls that reached the server and what they cost, by the lake."""
    import time

    from mcpobs.reports.ask import ask
    from mcpobs.reports.filters import Filters
    from mcpobs.reports.request import Request
    from mcpobs.reports.wording import count, dollars

    spent = ask(lake, Request("cost", filters=Filters(session=session)), time.time_ns()).result.summary
    return f"{count(spent['priced'], 'call')} for {dollars(spent['cost_microusd'] or 0)}"


def _title(question: str, command: str | None = None) -> None:
    print(f"\n== {question}" + (f"\n$ {command}\n" if command else "\n"), flush=True)


def _played(calls: int, lake: Path) -> None:
    print(f"{_ERASE if _draws() else ''}{calls} calls recorded in {printable(str(lake))}", file=sys.stderr)


def _progress(done: int, total: int) -> None:
    if _draws():
        print(f"{_ERASE}playing sessions: {done} of {total} calls", end="", file=sys.stderr, flush=True)


def _draws() -> bool:
    """Whether stderr is a terminal on which a line can be drawn over."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
