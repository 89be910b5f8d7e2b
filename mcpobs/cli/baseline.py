"""`mcpobs baseline`: learns limits from the lake and writes the file."""

from __future__ import annotations

import math
import os
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mcpobs.baseline.comments import (
    cost_words,
    few_sessions_warning,
    kinds_words,
    left_out_words,
    wide_words,
    without_own_numbers,
)
from mcpobs.baseline.evidence import sessions_for_rate
from mcpobs.baseline.learn import NAMED, Baseline, learn
from mcpobs.baseline.rules import FACTOR_CALLS, FACTOR_COST, Rules
from mcpobs.baseline.update import update
from mcpobs.cli.baseline_diff import difference
from mcpobs.cli.elsewhere import naming_another
from mcpobs.cli.streams import emit, say, warn
from mcpobs.errors import EXIT_OK, UsageError
from mcpobs.folders import config_folder, lake_folder
from mcpobs.lake.reader import open_reading
from mcpobs.limits.data import data
from mcpobs.limits.file import read, write
from mcpobs.limits.model import ANY_TOOL, STRATEGIES, Excluded, Limits, Strategy
from mcpobs.output import json_text
from mcpobs.queries.run import on_sound_files
from mcpobs.reports import early, window
from mcpobs.reports.warnings import of_damage
from mcpobs.settings import load_config

STDOUT = "-"
MARK = "\ufeff"
CUT_RATE = 0.01
LEAST_CUT_RATE = 0.001  # a prediction speaks of 1,000 sessions


@dataclass(frozen=True, slots=True)
class BaselineOptions:
    """The options of `mcpobs baseline`, named as they are on the command line."""

    output: str = STDOUT
    since: str | None = None
    until: str | None = None
    server: str | None = None
    run: str | None = None
    strategy: str | None = None
    cut_rate: float | None = None
    factor_calls: float | None = None
    factor_cost: float | None = None
    min_sessions: int = 30
    force: bool = False
    update: str | None = None
    json: bool = False
    lake: str | None = None


def run_baseline(options: BaselineOptions, now: int | None = None) -> int:
    """Learns limits and writes them; returns the exit code. `now` is the present in unix nanoseconds."""
    if options.update is not None:
        return _update(options, options.update, now)
    rules = _rules(options)
    path = None if options.output == STDOUT else Path(options.output)
    if path is not None and path.exists() and not options.force:
        raise UsageError(f"{path} is there already", "--force overwrites it, --update keeps your edits")
    found = _learn(options, rules, now)
    text = json_text.render(data(found.limits)) if options.json else write(found.limits, found.comments)
    if path is None:
        emit(text)
    else:
        _replace(path, text)
    _summarise(found, rules, path)
    return EXIT_OK


def _update(options: BaselineOptions, place: str, now: int | None) -> int:
    """Learns with what the file was learned with, unless an option says otherwise, and prints what moved."""
    if options.output != STDOUT or options.json:
        raise UsageError("--update writes the file that it names", "leave out -o and --json")
    path = Path(place)
    old = read(path)
    options = _as_in(options, old)
    rules = _rules(options)
    found = _learn(options, rules, now)
    before = path.read_bytes().decode()  # with its own line ends, and a byte order mark
    text = before.removeprefix(MARK)
    changed = update(text, found, place)
    emit(difference(changed.changes) + "\n")
    if changed.text != text:
        _replace(path, before[: len(before) - len(text)] + changed.text)
    _summarise(found, rules, path)
    return EXIT_OK


def _as_in(options: BaselineOptions, old: Limits) -> BaselineOptions:
    """The options with what the file says in place of those that are not given."""
    made, cost = old.baseline, old.session.cost_usd
    if options.factor_cost is None and cost is not None and cost.evidence.factor is not None:
        options = replace(options, factor_cost=cost.evidence.factor)
    if made is None:
        return options
    if options.strategy is None and options.cut_rate is None and options.factor_calls is None:
        options = replace(options, strategy=made.strategy, cut_rate=made.cut_rate, factor_calls=made.factor_calls)
    return replace(options, server=options.server or made.server, run=options.run or made.run)


def _learn(options: BaselineOptions, rules: Rules, now: int | None) -> Baseline:
    chosen = window.given(options.since, options.until, time.time_ns() if now is None else now)
    config = load_config()
    until = None if chosen.until == window.FOREVER else chosen.until
    lake = lake_folder(options.lake)
    hash_name = early.hash_of(lake, config_folder())
    with naming_another(lake), open_reading(lake, until_unix_nano=until) as reading:
        found = on_sound_files(
            reading, lambda plan: learn(plan, chosen, options.server, config, rules, options.run, hash_name)
        )
        warn(of_damage(reading))
    return found


def _rules(options: BaselineOptions) -> Rules:
    calls, cost = options.factor_calls or FACTOR_CALLS, options.factor_cost or FACTOR_COST
    for name, factor in (("--factor-calls", options.factor_calls), ("--factor-cost", options.factor_cost)):
        if factor is not None and (not math.isfinite(factor) or not 1 <= factor <= 1000):
            raise UsageError(f"{name} {factor:g} is not from 1 to 1000", "below 1 it would cut what is normal")
    if options.min_sessions < 1:
        raise UsageError(f"--min-sessions {options.min_sessions} is not at least 1", "leave it out for 30")
    strategy = _strategy(options)
    if strategy == "seed":
        return Rules(calls, cost, options.min_sessions)
    rate = CUT_RATE if options.cut_rate is None else options.cut_rate
    if not LEAST_CUT_RATE <= rate <= 0.5:  # NaN is not either
        raise UsageError(f"--cut-rate {rate:g} is not from {LEAST_CUT_RATE:g} to 0.5", "write e.g. 0.01 for 1 %")
    least = max(options.min_sessions, sessions_for_rate(rate))
    return Rules(calls, cost, least, strategy, rate)


def _strategy(options: BaselineOptions) -> Strategy:
    given = options.strategy
    if given is None:
        return "seed" if options.cut_rate is None else "cut-rate"
    found = next((strategy for strategy in STRATEGIES if strategy == given), None)
    if found is None:
        raise UsageError(f"--strategy {given!r} is not known", f"known here: {', '.join(STRATEGIES)}")
    if found == "seed" and options.cut_rate is not None:
        raise UsageError("--cut-rate has no meaning with --strategy seed", "leave one of them out")
    return found


def _replace(path: Path, text: str) -> None:
    """Writes the whole file or leaves the old one: a limits file that is cut off would still be read."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        draft.write_text(text, encoding="utf-8", newline="")
        if path.exists():
            draft.chmod(path.stat().st_mode & 0o777)
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
    _name("cut", "censored", learned.censored)
    if learned.excluded and learned.left_out is not None:
        say(left_out_words(learned.left_out))
    _name("left out", "excluded", learned.excluded)
    lacking = without_own_numbers(found.limits, learned)
    for tool, words in lacking[:NAMED]:
        say(f"{tool}: {words}")
    if len(lacking) > NAMED:
        say(f"{len(lacking) - NAMED:,} more tools lack numbers: see the comments in the file")
    if found.refused:
        say(f"{len(found.refused):,} numbers refused for lack of traffic: comments in the file say what they need")
    for words in cost_words(found.limits, learned):
        say(words)
    if kinds := kinds_words(learned):
        say(kinds)
    if warning := wide_words(found.limits, learned):
        say(warning)
    if warning := few_sessions_warning(rules, len(learned.normal)):
        say(warning)


def _name(word: str, key: str, sessions: Sequence[Excluded]) -> None:
    for one in sessions[:NAMED]:
        say(f"{word} {one.session}: {one.why}")
    if len(sessions) > NAMED:
        say(f"{word} {len(sessions) - NAMED:,} more: see `{key}` in the file")
