"""Owns the entry point, the exit code and the form of error messages. stdout carries data only.

Imports nothing from the current folder, which may be anybody's: `python -m` and elements of PYTHONPATH put it before
the standard library. With `python -m mcpobs`, Python finds a `./mcpobs` before this module runs.
"""

import os
import sys
from contextlib import suppress


def _leave_current_folder(*, by_module: bool) -> None:
    """Removes the current folder, and elements of PYTHONPATH relative to it, from `sys.path`.

    `by_module`: `python -m` may have put it first. A server that mcpobs starts keeps its own rules.
    """
    named = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if not os.path.isabs(entry)]
    try:
        here = os.getcwd()
    except OSError:
        return  # it is gone, so nothing can be imported from it
    if by_module and not sys.flags.safe_path and sys.path and sys.path[0] == here:
        del sys.path[0]
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    left = {"", *named, *(os.path.normpath(os.path.join(here, entry)) for entry in named)} - {ours}
    if "PYTHONPATH" not in os.environ or sys.flags.ignore_environment:
        left = {""}
    sys.path[:] = [entry for entry in sys.path if entry not in left]


if __name__ == "__main__":
    _leave_current_folder(by_module=True)

import mcpobs.inherited  # noqa: E402, F401 - takes the client's environment out of ours before anything is started
from mcpobs.errors import (  # noqa: E402 - not from the current folder
    EXIT_INTERRUPTED,
    EXIT_UNAVAILABLE,
    EXIT_USAGE,
    McpobsError,
    OutputError,
    of_system,
)


def main() -> None:
    """Runs one command and exits with its code."""
    try:
        _leave_current_folder(by_module=False)
        code = _run(sys.argv[1:])
        if sys.stdout is not None:  # started without stdout
            sys.stdout.flush()
    except McpobsError as error:
        code = _explain(error)
    except ImportError as error:
        from mcpobs.installed.extras import damaged, is_own

        if not is_own(error):
            raise
        if sys.stderr is not None:
            print(damaged(error), file=sys.stderr)
        code = EXIT_USAGE
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except MemoryError:
        if sys.stderr is not None:
            print(McpobsError("out of memory", "free some memory, or ask for less"), file=sys.stderr)
        code = EXIT_UNAVAILABLE
    except BrokenPipeError:  # `| head`: the reader stopped reading
        _drop_output()
        code = 0
    except OSError as error:
        code = _explain(of_system(error))
    if code == EXIT_INTERRUPTED:
        # CPython ends itself by SIGINT, regardless of the code, if the interrupt came during exec(), as in dataclasses.
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                with suppress(OSError, ValueError):
                    stream.flush()
        os._exit(code)
    sys.exit(code)


def _explain(error: McpobsError) -> int:
    """Prints an error; returns its exit code."""
    if sys.stderr is not None:  # print() would use stdout instead
        print(error, file=sys.stderr)
    if isinstance(error, OutputError):
        _drop_output()
    return error.exit_code


def _drop_output() -> None:
    """Sends the rest of stdout nowhere: the interpreter flushes it at exit, and would report the fault again."""
    null = os.open(os.devnull, os.O_WRONLY)
    if null != 1:
        os.dup2(null, 1)


def _run(argv: list[str]) -> int:
    """Runs `instrument`, `query` and `report` by the argv fast path, without typer (100 ms). Typer parses all other
    commands, and arguments that the fast path does not support: --help, completion, a wrong option."""
    if argv and argv[0] in ("instrument", "query", "report") and "_MCPOBS_COMPLETE" not in os.environ:
        from mcpobs.cli import fastpath

        argv = [argv[0], *fastpath.with_values(argv[0], argv[1:])]
        options = fastpath.parse(argv[0], argv[1:])
        if options is not None:
            return fastpath.enter(argv[0], options)
    from mcpobs.cli.app import run

    return run(argv)


if __name__ == "__main__":
    main()
