"""`mcpobs scan`: scans files or a lake and prints the findings. Prints matched text only with --show."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, cast, get_args

from mcpobs.cli.options.scan import FINDS
from mcpobs.cli.progress import progress
from mcpobs.cli.streams import emit, say, table
from mcpobs.errors import EXIT_FINDINGS, EXIT_OK, UsageError, nearest
from mcpobs.folders import lake_folder
from mcpobs.installed.extras import needing
from mcpobs.output import json_text
from mcpobs.policy.definitions.visible import visible
from mcpobs.queries.header import Column
from mcpobs.scan.found import WHOLE, Found
from mcpobs.scan.piece import Piece
from mcpobs.scan.sources import STDIN, As, Progress, pieces

MAX_FOUND: Final = 10_000
"""Findings that are kept; more are counted."""
_TYPES: Final = {
    "source": "varchar",
    "place": "varchar",
    "rule": "varchar",
    "text": "varchar",
    "offset": "bigint",
    "count": "bigint",
    "score": "double",
}


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """The options of `mcpobs scan`, named as they are on the command line; `form` is --as."""

    paths: Sequence[str] = ()
    lake: str | None = None
    since: str | None = None
    until: str | None = None
    find: str = ",".join(FINDS)
    rate: float = 0.01
    form: str = "auto"
    show: bool = False
    classifier: str | None = None
    evaluate: str | None = None
    json: bool = False


@dataclass(slots=True)
class _Scanned:
    """The findings, of which the first MAX_FOUND are kept."""

    found: list[Found]
    count: int
    progress: Progress


Scan = Callable[[Piece], list[Found]]


def run_scan(options: ScanOptions) -> int:
    """Returns 1 if something was found."""
    form = _checked(options)
    if options.evaluate is not None:
        from mcpobs.cli.scan_evaluation import run_evaluation

        return run_evaluation(options.evaluate, options.rate, json=options.json)
    scan = _scan_of(options)
    with progress() as shown:
        seen = Progress()
        shown.step("scanning")
        if options.lake is None:
            scanned = _scanned(_stepping(pieces(list(options.paths), seen, form), seen, shown.step), scan, seen)
        else:
            scanned = _of_lake(options, scan, seen, shown.step)
    _print(scanned, options)
    return EXIT_FINDINGS if scanned.count else EXIT_OK


def _checked(options: ScanOptions) -> As:
    if options.paths and options.lake is not None:
        raise UsageError("--lake scans a lake instead of files", "leave one of them out")
    if options.evaluate is not None and (options.paths or options.lake is not None):
        raise UsageError("--evaluate reads labelled texts, and nothing else", "leave the paths and --lake out")
    if not options.paths and options.lake is None and options.evaluate is None:
        raise UsageError("nothing to scan", "name files, folders or - for stdin, or add --lake")
    if options.lake is None and (options.since or options.until):
        raise UsageError("--since and --until are for --lake", "leave them out, or add --lake")
    if not 0.001 <= options.rate <= 0.1:
        raise UsageError(f"--rate {options.rate:g} is not from 0.001 to 0.1", "0.01 is one harmless text in a hundred")
    forms = get_args(As)
    if options.form not in forms:
        close = nearest(options.form, forms)
        raise UsageError(
            f"--as {options.form!r} is not known", f"did you mean {close}?" if close else f"write {', '.join(forms)}"
        )
    for path in options.paths:
        if path != STDIN and not Path(path).exists():
            raise UsageError(f"there is no {path}", "name a file, a folder or - for stdin")
    return cast(As, options.form)


def _scan_of(options: ScanOptions) -> Scan:
    with needing("`mcpobs scan`", "policy"):
        from mcpobs.scan.scanners import Scanners, words_of
    finds = words_of(options.find)
    if options.classifier is None:
        return Scanners(finds, options.rate, show=options.show).scan
    from mcpobs.scan import classifier

    classify = classifier.load(options.classifier)
    return Scanners(finds, options.rate, show=options.show, classify=classify, classifier_score=classifier.SCORE).scan


def _stepping(found: Iterable[Piece], seen: Progress, step: Callable[[str], None]) -> Iterator[Piece]:
    """Yields the pieces, and shows the progress of the scan."""
    for piece in found:
        step(f"scanning {seen.at}, {seen.characters:,} characters")
        yield piece


def _scanned(found: Iterable[Piece], scan: Scan, seen: Progress) -> _Scanned:
    scanned = _Scanned([], 0, seen)
    for piece in found:
        here = scan(piece)
        scanned.count += len(here)
        scanned.found += here[: max(0, MAX_FOUND - len(scanned.found))]
    return scanned


def _of_lake(options: ScanOptions, scan: Scan, seen: Progress, step: Callable[[str], None]) -> _Scanned:
    from mcpobs.lake.reader import open_reading
    from mcpobs.queries.plan import Plan
    from mcpobs.queries.run import on_sound_files
    from mcpobs.reports import window
    from mcpobs.scan import recorded

    chosen = window.given(options.since, options.until, time.time_ns())

    def work(plan: Plan) -> _Scanned:
        texts = recorded.pieces(plan, seen, chosen.since, chosen.until)
        return _scanned(_stepping(texts, seen, step), scan, seen)

    with open_reading(lake_folder(options.lake or None)) as reading:
        return on_sound_files(reading, work)


def _print(scanned: _Scanned, options: ScanOptions) -> None:
    seen = scanned.progress
    if options.json:
        emit(json_text.render(_document(scanned, options)))
    elif scanned.found:
        emit(_table(scanned.found, options))
    for path, why in seen.skipped[:3]:
        if why != "binary":
            say(f"warning: skipped {path}: {why}")
    say(_summary(scanned))


def _table(found: Sequence[Found], options: ScanOptions) -> str:
    """A table without empty columns: the text without --show, the source if one file or a lake was scanned."""
    names = list(_TYPES)
    if len(options.paths) < 2 and not any(Path(path).is_dir() for path in options.paths):
        names.remove("source")
    if not options.show:
        names.remove("text")
    rows = [[_cell(one, name) for name in names] for one in found]
    return table([Column(name, _TYPES[name]) for name in names], rows)


def _cell(one: Found, name: str) -> object:
    match name:
        case "rule":
            return one.family if one.rule == WHOLE else one.rule
        case "text":
            return None if one.text is None else visible(one.text)
    return getattr(one, name)


def _document(scanned: _Scanned, options: ScanOptions) -> dict[str, object]:
    return {
        "files": scanned.progress.files,
        "characters": scanned.progress.characters,
        "skipped": [{"source": path, "reason": why} for path, why in scanned.progress.skipped],
        "find": options.find.split(","),
        "rate": options.rate,
        "count": scanned.count,
        "findings": [
            {name: value for name, value in asdict(one).items() if name != "text" or options.show}
            for one in scanned.found
        ],
    }


def _summary(scanned: _Scanned) -> str:
    seen = scanned.progress
    files = "" if not seen.files else f" in {seen.files:,} file{'' if seen.files == 1 else 's'}"
    skipped = f", {len(seen.skipped):,} skipped" if seen.skipped else ""
    left = scanned.count - len(scanned.found)
    more = f", {left:,} of them not listed" if left else ""
    count = f"{scanned.count:,} finding{'' if scanned.count == 1 else 's'}" if scanned.count else "nothing found"
    return f"{count}{more}{files}, {seen.characters:,} characters{skipped}"
