"""The argv fast path: reads the options of `instrument`, `query` and `report` without typer, whose import takes 100 ms.

It takes a command line only if it understands all of it. For anything else (--help, an unknown option, a missing value,
a wrong number) typer answers, which knows the same options. A test holds both tables of options equal.
"""

from __future__ import annotations

FLAGS = {
    "instrument": {"--propagate": "propagate", "--in-process": "in_process"},
    "query": {"--json": "json", "--raw": "raw"},
    "report": {
        "--p95": "p95",
        "--json": "json",
        "--bars": "bars",
        "--reprice": "reprice",
        "--exact": "exact",
        "--raw": "raw",
    },
}
VALUES = {
    "instrument": {
        "--lake": "lake",
        "--config": "config",
        "--name": "name",
        "--run": "run",
    },
    "query": {"--format": "format", "--lake": "lake", "--memory": "memory", "--timeout": "timeout"},
    "report": {
        "--lake": "lake",
        "--since": "since",
        "--until": "until",
        "--tool": "tool",
        "--session": "session",
        "--server": "server",
        "--run": "run",
        "--format": "format",
        "--html": "html",
        "--watch": "watch",
        "--by": "by",
    },
}
NUMBERS = {
    "instrument": {},
    "query": {"--limit": "limit"},
    "report": {"--limit": "limit", "--min-calls": "min_calls", "--min-repeats": "min_repeats"},
}

LISTS = {
    "instrument": {"--policy": "policy", "--listen": "listen", "--upstream": "upstream"},
    "query": {},
    "report": {},
}
"""Options that may be given more than once."""

MAY_BE_ALONE = {"--html", "--watch"}
"""Options of `report` that may have no value."""


def with_values(command: str, argv: list[str]) -> list[str]:
    """The command line with `--html FILE` and `--watch SECONDS` in one word each, and `--html=` if it has no value.

    No parser has options with an optional value. The next word is the value if it looks like one: a file has a dot or
    a slash in its name or is `-`, seconds are a number. Any other value is written with `=`.
    """
    if command != "report":
        return argv
    words: list[str] = []
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word in MAY_BE_ALONE:
            following = rest[0] if rest else ""
            takes = _looks_like_a_file(following) if word == "--html" else _looks_like_seconds(following)
            word = f"{word}={rest.pop(0) if takes else ''}"
        words.append(word)
    return words


def _looks_like_a_file(word: str) -> bool:
    return word == "-" or (not word.startswith("-") and ("." in word or "/" in word))


def _looks_like_seconds(word: str) -> bool:
    return word.isascii() and word.replace(".", "", 1).isdecimal()


class Parsed:
    """Options by the names of their fields, and the words that are no options.

    No dataclass: importing those costs 20 ms, and the wrapped server waits for this module.
    """

    def __init__(self) -> None:
        self.options: dict[str, str | int | bool | tuple[str, ...]] = {}
        self.words: list[str] = []


def parse(command: str, argv: list[str]) -> Parsed | None:
    """The options and words of a command line; None if typer has to read it."""
    parsed = Parsed()
    flags, values, numbers, lists = FLAGS[command], VALUES[command], NUMBERS[command], LISTS[command]
    rest = iter(argv)
    for word in rest:
        if word == "--" or (command == "instrument" and not word.startswith("-")):
            # The server's command begins; everything from here on belongs to it.
            parsed.words += [word, *rest] if word != "--" else rest
            break
        name, has_value, value = word.partition("=")
        if word in flags:
            parsed.options[flags[word]] = True
        elif name in values or name in numbers or name in lists:
            if not has_value:
                value = next(rest, "")
            if name in MAY_BE_ALONE:
                if not has_value:
                    return None
            elif not value or value.startswith("-"):
                return None
            if values.get(name, numbers.get(name)) in parsed.options:
                return None  # given twice
            if name in values:
                parsed.options[values[name]] = value
            elif name in lists:
                before = parsed.options.get(lists[name], ())
                parsed.options[lists[name]] = (*before, value) if isinstance(before, tuple) else (value,)
            elif value.isdecimal() and value.isascii():
                parsed.options[numbers[name]] = int(value)
            else:
                return None
        elif word.startswith("-"):
            return None
        else:
            parsed.words.append(word)
    return parsed if _complete(command, parsed) else None


def _complete(command: str, parsed: Parsed) -> bool:
    if command == "instrument":  # only the stdio wrapper has to start fast
        return bool(parsed.words) and not parsed.options.keys() & {"listen", "upstream", "in_process"}
    return len(parsed.words) == 1 if command == "query" else len(parsed.words) <= 1


def enter(command: str, parsed: Parsed) -> int:
    """Runs the command."""
    if command == "instrument":
        config = parsed.options.get("config")
        if isinstance(config, str):
            from mcpobs.errors import require_folder

            require_folder(config, "--config")
        from mcpobs.proxy.stdio import InstrumentOptions, instrument

        instrument(InstrumentOptions(command=tuple(parsed.words), **parsed.options))  # type: ignore[arg-type]
    if command == "query":
        from mcpobs.cli.query import run_query

        return run_query(parsed.words[0], **parsed.options)  # type: ignore[arg-type]
    from mcpobs.cli.report import ReportOptions, run_report

    return run_report(ReportOptions(name=parsed.words[0] if parsed.words else None, **parsed.options))  # type: ignore[arg-type]
