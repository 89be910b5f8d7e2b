"""`mcpobs scan`: its options and its help. The work is in `cli/scan.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

FINDS = ("injection", "personal", "secrets")
FORMS = ("auto", "text", "json", "jsonl")


def with_lake(argv: Sequence[str]) -> list[str]:
    """Returns a command line with `--lake FOLDER` in one word, and `--lake=` if it has no folder: no parser has options
    with an optional value."""
    words: list[str] = []
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word == "--lake":
            word = f"--lake={rest.pop(0) if rest and not rest[0].startswith('-') else ''}"
        words.append(word)
    return words


def _find_words(incomplete: str) -> list[str]:
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{word}" for word in FINDS if word.startswith(last)]


def _form_words(incomplete: str) -> list[str]:
    return [word for word in FORMS if word.startswith(incomplete)]


def scan(
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="[PATH]...", help="Files and folders; - is stdin.", show_default=False)
    ] = None,
    lake: Annotated[
        str | None,
        typer.Option(metavar="[FOLDER]", help="Scan the texts of a lake instead.  [default: MCPOBS_LAKE, else yours]"),
    ] = None,
    since: Annotated[str | None, typer.Option(help="With --lake: spans since then, e.g. 2h, 7d.")] = None,
    until: Annotated[str | None, typer.Option(help="With --lake: spans before then.")] = None,
    find: Annotated[
        str,
        typer.Option(
            metavar="WORDS",
            autocompletion=_find_words,
            help="injection, personal, secrets, or kinds of them (email, jwt …).",
        ),
    ] = ",".join(FINDS),
    rate: Annotated[
        float, typer.Option(metavar="SHARE", help="Share of harmless texts that are found too: 0.001 to 0.1.")
    ] = 0.01,
    form: Annotated[
        str, typer.Option("--as", metavar="FORM", autocompletion=_form_words, help="auto, text, json or jsonl.")
    ] = "auto",
    show: Annotated[
        bool, typer.Option("--show", help="Print matched text, with control characters as escapes.")
    ] = False,
    classifier: Annotated[
        str | None, typer.Option(metavar="NAME", help="Also ask a large model: stackone-defender, if installed.")
    ] = None,
    evaluate: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Measure the injection scanner on labelled texts: JSON lines, also .gz."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
) -> int:
    """Look for injected instructions, personal data and secrets, with the detectors that inspect results.

    Scans each string of a JSON document and names its path, JSON lines line by line, anything else as text. Prints no
    matched text without --show.

    \b
    Exit codes:
      0  no findings
      1  findings
      2  a wrong option or an unreadable file
      3  no lake

    \b
    Examples:
      mcpobs scan results.jsonl
      mcpobs scan docs/ --find injection --rate 0.001
      curl -s https://example.com | mcpobs scan - --show
      mcpobs scan --lake --since 1d --find personal,secrets
      mcpobs scan --evaluate labelled.jsonl.gz --rate 0.01
    """
    from mcpobs.cli.scan import ScanOptions, run_scan

    return run_scan(
        ScanOptions(
            paths=tuple(paths or ()),
            lake=lake,
            since=since,
            until=until,
            find=find,
            rate=rate,
            form=form,
            show=show,
            classifier=classifier,
            evaluate=evaluate,
            json=json,
        )
    )
