"""The forms of our comments below an entry of a limits file, to know them from a person's."""

from __future__ import annotations

import re
from collections.abc import Callable

from mcpobs.limits.paths import Path

PRICES = "write US dollars a call below [prices] in config.toml, e.g. search = 0.002"

_PRICES = re.escape(PRICES)
KINDS: tuple[tuple[str, Callable[[Path], bool]], ...] = (
    (
        r'[\d,]+ normal sessions?: [\d,]+ more for numbers of its own, until then those of "\*"',
        lambda path: path[-1] != "latency_ms",
    ),
    (
        r"[\d,]+ answered calls?: [\d,]+ more for a latency budget of its own",
        lambda path: path[-1] == "latency_ms",
    ),
    (r"[\d,]+ days? of (a caller|callers): [\d,]+ more for calls_per_hour", lambda path: path[-1] == "calls_per_hour"),
    (
        r"calls_per_hour: left out, [\d,]+ days? of (a caller|callers): [\d,]+ more needed",
        lambda path: path[-1] == "calls_per_hour",
    ),
    (r"error_rate: left out, because a normal session failed throughout", lambda path: path[-1] == "error_rate"),
    (
        rf"cost_usd: left out, for (no call costs anything|no price is known; {_PRICES})",
        lambda path: path[-1] == "cost_usd",
    ),
    (rf"cost_usd: without .*, which no price is known of; {_PRICES}", lambda path: False),
    (
        r"argument shapes vary too much for a list: (\d+|\d+ of \d+ sessions used one of their own)",
        lambda path: False,
    ),
    (
        r"in too few sessions for a number: .*; each needs [\d,]+",
        lambda path: path[2:3] == ("argument_values",),
    ),
)
"""Our comments below an entry: their forms, and whether one says that a number is missing for lack of traffic."""


def kind_of(words: str) -> int | None:
    """Returns the form of one of our comments; None for a person's."""
    return next((kind for kind, (form, _) in enumerate(KINDS) if re.fullmatch(form, words)), None)


def says_missing(words: str, path: Path) -> bool:
    """Returns whether one of our comments says that a number is missing for lack of traffic."""
    kind = kind_of(words)
    return kind is not None and KINDS[kind][1](path)
