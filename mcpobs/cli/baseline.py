"""`mcpobs baseline`: learns limits from the lake and writes the file."""

from __future__ import annotations

import math
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from mcpobs.baseline.comments import cost_words, few_sessions_warning, without_own_numbers
from mcpobs.baseline.derive import Rules
from mcpobs.baseline.learn import Baseline, learn
from mcpobs.cli.elsewhere import naming_another
from mcpobs.cli.streams import emit, say, warn
from mcpobs.errors import EXIT_OK, UsageError
from mcpobs.lake.reader import open_reading
from mcpobs.limits.data import data
from mcpobs.limits.file import write
from mcpobs.limits.model import ANY_TOOL
from mcpobs.output import json_text
from mcpobs.queries.run import on_sound_files
from mcpobs.reports import early, window
from mcpobs.reports.warnings import of_damage
from mcpobs.settings import config_folder, lake_folder, load_config

STDOUT = "-"
NAMED = 5  # excluded sessions that stderr names; the file names more


@dataclass(frozen=True, slots=True)
class BaselineOptions:
    """The options of `mcpobs baseline`, named as they are on the command line."""

    output: str = STDOUT
    since: str | None = None
    until: str | None = None
    server: str | None = None
    factor_calls: float = 3
    factor_cost: float = 4
    min_sessions: int = 30
    force: bool = False
    json: bool = False
    lake: str | None = None


def run_baseline(options: BaselineOptions, now: int | None = None) -> int:
    """Learns limits and writes them; returns the exit code. `now` is the present in unix nanoseconds."""
    rules = _rules(options)
    chosen = window.given(options.since, options.until, time.time_ns() if now is None else now)
    path = None if options.output == STDOUT else Path(options.output)
    if path is not None and path.exists() and not options.force:
        raise UsageError(f"{path} is there already", "--force overwrites it; git shows what changed")
    config = load_config()
    until = None if chosen.until == window.FOREVER else chosen.until
    lake = lake_folder(options.lake)
    hash_name = early.hash_of(lake, config_folder())
    with naming_another(lake), open_reading(lake, until_unix_nano=until) as reading:
        found = on_sound_files(reading, lambda plan: learn(plan, chosen, options.server, config, rules, hash_name))
        warn(of_damage(reading))
    text = json_text.render(data(found.limits)) if options.json else write(found.limits, found.comments)
    if path is None:
        emit(text)
    else:
        _replace(path, text)
    _summarise(found, rules, path)
    return EXIT_OK


def _rules(options: BaselineOptions) -> Rules:
    for name, factor in (("--factor-calls", options.factor_calls), ("--factor-cost", options.factor_cost)):
        if not math.isfinite(factor) or not 1 <= factor <= 1000:
            raise UsageError(f"{name} {factor:g} is not from 1 to 1000", "below 1 it would cut what is normal")
    if options.min_sessions < 1:
        raise UsageError(f"--min-sessions {options.min_sessions} is not at least 1", "leave it out for 30")
    return Rules(options.factor_calls, options.factor_cost, options.min_sessions)


def _replace(path: Path, text: str) -> None:
    """Writes the whole file or leaves the old one: a limits file that is cut off would still be read."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise UsageError(f"cannot write {path}: {error.strerror}", "name another file with -o") from None


def _summarise(found: Baseline, rules: Rules, path: Path | None) -> None:
    learned, made = found.learned, found.limits.baseline
    assert made is not None
    tools = [tool for name, tool in found.limits.tools.items() if name != ANY_TOOL]
    own = sum(tool.calls_per_session is not None for tool in tools)
    say(
        f"limits from {len(learned.normal):,} normal of {made.sessions:,} sessions and {made.calls:,} calls, "
        f"{made.first} to {made.last}: {own} of {len(tools)} tools have numbers of their own"
        + (f" · written to {path}" if path is not None else "")
    )
    for one in learned.excluded[:NAMED]:
        say(f"left out {one.session}: {one.why}")
    if len(learned.excluded) > NAMED:
        say(f"left out {len(learned.excluded) - NAMED:,} more: see `excluded` in the file")
    lacking = without_own_numbers(found.limits, learned)
    for tool, words in lacking[:NAMED]:
        say(f"{tool}: {words}")
    if len(lacking) > NAMED:
        say(f"{len(lacking) - NAMED:,} more tools lack numbers: see the comments in the file")
    for words in cost_words(found.limits, learned):
        say(words)
    if warning := few_sessions_warning(rules, len(learned.normal)):
        say(warning)
