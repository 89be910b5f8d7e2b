"""`mcpobs scan --evaluate`: measures how many labelled texts the injection scanner finds, by tier and family, and the
thresholds of several rates."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TextIO

from mcpobs import safefile
from mcpobs.cli.progress import progress
from mcpobs.cli.streams import emit, say, table
from mcpobs.errors import EXIT_OK, UsageError
from mcpobs.installed.extras import needing
from mcpobs.output import json_text
from mcpobs.queries.header import Column

if TYPE_CHECKING:
    from mcpobs.detect.evaluation import Evaluation, Share

_SHARE: Final = (
    Column("found", "bigint"),
    Column("of", "bigint"),
    Column("found_ratio", "double"),
    Column("low_ratio", "double"),
    Column("high_ratio", "double"),
)
_LINES: Final = (Column("texts", "varchar"), Column("tier", "varchar"), Column("family", "varchar"), *_SHARE)
_CURVE: Final = (
    Column("rate_ratio", "double"),
    Column("threshold", "double"),
    Column("false_positives_ratio", "double"),
    Column("recall_ratio", "double"),
)


def run_evaluation(path: str, rate: float, *, json: bool) -> int:
    """Prints the evaluation of a file of labelled texts."""
    with needing("`mcpobs scan`", "policy"):
        from mcpobs.detect import injection
    from mcpobs.detect.evaluation import as_json, evaluate, read

    with _opened(path) as lines:
        try:
            rows = read(lines)
        except UsageError as error:
            raise UsageError(f"{path}: {error.message}", error.hint) from None
    if not rows:
        raise UsageError(f"{path} holds no text", 'give {"text": "...", "label": 0 or 1} in each line')
    with progress() as shown:
        done = 0

        def score(text: str) -> float:
            nonlocal done
            done += 1
            if done % 50 == 0:
                shown.step(f"scanning, {done:,} of {len(rows):,} texts")
            return injection.scan([text]).score

        made = evaluate(rows, score, injection.threshold, rate)
    if json:
        emit(json_text.render(as_json(made)))
    else:
        _print(made)
    return EXIT_OK


@contextmanager
def _opened(path: str) -> Iterator[TextIO]:
    try:
        with os.fdopen(safefile.open_regular(path), "rb") as raw:
            stream = gzip.GzipFile(fileobj=raw) if path.endswith(".gz") else raw
            with io.TextIOWrapper(stream, "utf-8", errors="replace") as text:
                yield text
    except (OSError, EOFError, zlib.error) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"cannot read {path}: {why}", "name a file of JSON lines, also packed as .gz") from None


def _print(made: Evaluation) -> None:
    lines = [
        ("attack" if line.attack else "benign", line.tier, line.family or "all", *_cells(line.share))
        for line in made.lines
    ]
    emit(table(_LINES, lines) + "\n")
    emit(table(_CURVE, [(rate, at, wrong.ratio, right.ratio) for rate, at, wrong, right in made.curve]))
    say(
        f"at the rate {made.rate:g} (threshold {made.threshold:.3f}): recall {_share(made.recall)}, precision "
        f"{_share(made.precision)}, false positives {_share(made.false_positives)} of plain and hard texts"
    )


def _cells(share: Share) -> tuple[int, int, float | None, float, float]:
    return share.found, share.of, share.ratio, *share.interval()


def _share(share: Share) -> str:
    if share.ratio is None:
        return "-"
    low, high = share.interval()
    return f"{share.ratio:.1%} [{low:.1%}, {high:.1%}]"
