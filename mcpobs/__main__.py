"""The entry point: owns the exit code and what an error looks like. stdout carries data only."""

from __future__ import annotations

import os
import sys

from mcpobs.errors import EXIT_INTERRUPTED, EXIT_UNAVAILABLE, McpobsError


def main() -> None:
    """Runs one command and exits with its code."""
    try:
        code = _run(sys.argv[1:])
        if sys.stdout is not None:  # started without one
            sys.stdout.flush()
    except McpobsError as error:
        if sys.stderr is not None:  # print() would take stdout instead
            print(error, file=sys.stderr)
        code = error.exit_code
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except MemoryError:
        if sys.stderr is not None:
            print(McpobsError("out of memory", "free some memory, or ask for less"), file=sys.stderr)
        code = EXIT_UNAVAILABLE
    except BrokenPipeError:  # `| head`: the reader has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the interpreter complains again at its exit
        code = 0
    sys.exit(code)


def _run(argv: list[str]) -> int:
    """`instrument` and `report` go through the fast door, which does without typer (100 ms); typer takes all
    other commands, and whatever the fast door does not understand: --help, completion, a wrong option."""
    if argv and argv[0] in ("instrument", "report") and "_MCPOBS_COMPLETE" not in os.environ:
        from mcpobs.cli import door

        argv = [argv[0], *door.with_values(argv[0], argv[1:])]
        options = door.parse(argv[0], argv[1:])
        if options is not None:
            return door.enter(argv[0], options)
    from mcpobs.cli.app import run

    return run(argv)


if __name__ == "__main__":
    main()
