"""Counts the rows that `--watch` marks, right and wrong, while one tool after another is called: bench/RESULTS.md.

    python -m bench.watch_marks [--steps 40]

Each step adds one to three calls of one tool out of twelve, some of them so slow that columns grow. A mark is right if
the tool of its row was called in this step. `lines` compares each line with those of the picture before, as `--watch`
did until it compared answers.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from dataclasses import replace
from pathlib import Path

from mcpobs.output.answer import written
from mcpobs.output.formats import Paper
from mcpobs.output.fresh import MARK, Fresh
from mcpobs.reports.answer import Answer
from mcpobs.reports.ask import ask
from mcpobs.reports.request import Request
from tests.queries.recorded import START, call, spool

TOOLS = [f"tool-{letter}" for letter in "abcdefghijkl"]
PAPER = Paper(98)


def main(steps: int) -> None:
    random.seed(16)
    print("| report | rule | rows called | marked | wrong | missed |\n|---|---|--:|--:|--:|--:|")
    for report in ("latency", "errors"):
        with tempfile.TemporaryDirectory() as folder:
            counted = _watched(report, Path(folder) / "lake", steps)
        for rule, (called, marked, wrong, missed) in counted.items():
            print(f"| {report} | {rule} | {called:,} | {marked:,} | {wrong:,} | {missed:,} |")


def _watched(report: str, lake: Path, steps: int) -> dict[str, list[int]]:
    outcome = "tool_error" if report == "errors" else "ok"
    rows = [call(n, tool=tool, outcome=outcome, ms=10 + n % 7) for n, tool in enumerate(TOOLS * 3)]
    spool(lake, rows)
    before = ask(lake, Request(report), START)
    counted: dict[str, list[int]] = {"lines": [0] * 4, "answers": [0] * 4}
    for step in range(steps):
        tool = random.choice(TOOLS)
        ms = random.choice([12, 12, 12, 4_000, 90_000])
        first = 1_000 * (step + 1)
        spool(lake, [call(first + n, tool=tool, outcome=outcome, ms=ms) for n in range(random.randint(1, 3))])
        now = ask(lake, Request(report), START)
        for rule, marked in (("lines", _by_lines(now, before)), ("answers", _by_answers(now, before))):
            found = [1, len(marked), len([one for one in marked if one != tool]), int(tool not in marked)]
            counted[rule] = [old + new for old, new in zip(counted[rule], found, strict=True)]
        before = now
    return counted


def _by_lines(now: Answer, before: Answer) -> list[str]:
    known = {" ".join(line.split()) for line in written(before, "table", None, paper=PAPER).splitlines()}
    lines = [" ".join(line.split()) for line in written(now, "table", None, paper=PAPER).splitlines()]
    return _rows([line for line in lines if line and line not in known])


def _by_answers(now: Answer, before: Answer) -> list[str]:
    lines = written(now, "table", None, paper=replace(PAPER, fresh=Fresh(before))).splitlines()
    return _rows([line.removeprefix(MARK).strip() for line in lines if line.startswith(MARK)])


def _rows(lines: list[str]) -> list[str]:
    """The tools of the lines that are rows."""
    return [line.split()[0] for line in lines if line.split()[0] in TOOLS]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=40)
    main(parser.parse_args().steps)
