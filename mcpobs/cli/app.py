"""The command line as a whole: which commands there are. Owns no command."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mcpobs import __version__
from mcpobs.cli.demo import demo
from mcpobs.cli.once import Commands
from mcpobs.cli.options.approve import approve
from mcpobs.cli.options.baseline import baseline
from mcpobs.cli.options.check import check
from mcpobs.cli.options.collect import collect
from mcpobs.cli.options.decisions import decisions
from mcpobs.cli.options.doctor import doctor
from mcpobs.cli.options.explain import explain
from mcpobs.cli.options.halt import halt, resume
from mcpobs.cli.options.init import init
from mcpobs.cli.options.instrument import instrument
from mcpobs.cli.options.lake import app as lake
from mcpobs.cli.options.policy import app as policy
from mcpobs.cli.options.query import query
from mcpobs.cli.options.report import report
from mcpobs.cli.options.scan import scan, with_lake
from mcpobs.cli.options.serve import serve
from mcpobs.cli.options.session import session
from mcpobs.cli.options.simulate import simulate
from mcpobs.cli.usage import explained
from mcpobs.errors import EXIT_USAGE

app = Commands(
    name="mcpobs",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: a terminal's width decides, and a golden file can hold it
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(
    context_settings={"allow_interspersed_args": False, "help_option_names": ["-h", "--help"]},
)(instrument)
app.command(short_help="Run your MCP clients' servers through mcpobs.")(init)
app.command()(report)
app.command(short_help="Show one session, call by call.")(session)
app.command(short_help="Run your own read-only SQL.")(query)
app.command(short_help="Let an agent ask, over MCP.")(serve)
app.command(short_help="Make a limits file from the traffic.")(baseline)
app.command(short_help="Hold the traffic against a limits file.")(check)
app.add_typer(policy, name="policy")
app.command(short_help="List what a policy refused, and why.")(decisions)
app.command(short_help="Say why a call was refused.")(explain)
app.command(short_help="Approve tool definitions, new or changed.")(approve)
app.command(short_help="Look for injection, personal data and secrets.")(scan)
app.command(short_help="Replay the traffic against a policy.")(simulate)
app.command(short_help="Stop callers at once, or list who is stopped.")(halt)
app.command(short_help="Let go on what is halted.")(resume)
app.command(short_help="Receive OTLP and store it in the lake.")(collect)
app.add_typer(lake, name="lake")
app.command(short_help="Check the set-up and say what to do.")(doctor)
app.command(short_help="See the whole of it in fifteen seconds.")(demo)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mcpobs {__version__}")
        raise typer.Exit


@app.callback()
def mcpobs(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Observe and limit any MCP server: record its calls, report, derive limits, simulate and enforce them.

    \b
    Begin with:
      mcpobs demo                                 see the whole of it in fifteen seconds
      mcpobs instrument -- YOUR SERVER COMMAND    record every call of a server
      mcpobs report --p95                         which tool is slowest right now?
      mcpobs baseline > limits.yaml               limits from the traffic, with evidence
      mcpobs simulate limits.yaml                 what would they have stopped?
      mcpobs instrument --policy limits.yaml --   enforce them
    """


def run(argv: list[str]) -> int:
    """Runs a command line; returns its exit code. Usage errors are printed the way all errors are."""
    if argv[:1] == ["scan"]:
        argv = with_lake(argv)
    try:
        code = app(argv, standalone_mode=False, prog_name="mcpobs")
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            print(getattr(error, "format_message")())  # noqa: B009 - it is the parser's, in any version
            return EXIT_USAGE
        usage = explained(error)
        if usage is None:
            raise
        print(usage, file=sys.stderr)
        return EXIT_USAGE
    return code if isinstance(code, int) else 0
