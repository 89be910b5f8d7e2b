"""Other scanners beside ours, on the same rows: recall at equal false-positive rates, and CPU on fresh 10 KB texts.

    python -m bench.injection.rivals DATA PYTHON [--scores FILE]

PYTHON is the interpreter of an environment with glassport, zn-gate and stackone-defender[onnx]. FILE keeps their
scores, which take half a second a text. Prints the section of bench/RESULTS.md.

Our scores are those of scanners that saw no row of the group. All scanners get the lowest threshold at which the same
benign texts, plain and hard, are hit at most at the rate: "exact". Ours is also shown at the threshold that it names.
"""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from bench.injection.corpus import Seen, own, seen
from bench.injection.cross import left_out
from bench.injection.descent import Settings
from bench.injection.evaluate import DATA, RATES, SLICES, curve, flagged, key, share, table
from bench.injection.rows import load
from mcpobs.detect import model
from mcpobs.detect.injection.scanning import measured
from mcpobs.detect.native.library import Ngrams

SCANNERS: Final = ("glassport", "zn-gate", "stackone-defender")
WORKER: Final = Path(__file__).with_name("rival_worker.py")


@dataclass(frozen=True)
class Answer:
    score: float
    default: bool
    cpu_ms: float


class Worker:
    """A process with the other scanners."""

    def __init__(self, python: str) -> None:
        command = [python, str(WORKER)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, scanner: str, text: str) -> Answer:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"scanner": scanner, "text": text}) + "\n")
        self._process.stdin.flush()
        return Answer(**json.loads(self._process.stdout.readline()))

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._process.communicate()


def scored(python: str, texts: Sequence[str], kept: Path | None) -> dict[str, list[Answer]]:
    """Each scanner's answers. Goes on where the file ends, because the slowest takes half a second a text."""
    answers: dict[str, list[Answer]] = {scanner: [] for scanner in SCANNERS}
    if kept is not None and kept.exists():
        for line in kept.read_text().splitlines():
            one = json.loads(line)
            answers[one.pop("scanner")].append(Answer(**one))
    with Worker(python) as worker:
        for scanner in SCANNERS:
            for text in texts[len(answers[scanner]) :]:
                answer = worker.ask(scanner, text)
                answers[scanner].append(answer)
                if kept is not None:
                    with kept.open("a") as file:
                        file.write(json.dumps({"scanner": scanner, **vars(answer)}) + "\n")
    return answers


TIERS: Final = (
    *("marked, without contested", "marked", "template families, marked", "obfuscated", "multilingual", "unmarked"),
    *("quoting", "plain benign", "hard benign"),
)
ROUNDS: Final = 7
BLOCKS: Final = 8
BLOCK_CHARACTERS: Final = 10_000


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("python")
    parser.add_argument("--scores", type=Path)
    parser.add_argument("--folds", type=int, default=5)
    given = parser.parse_args()
    rows, library, settings = load(given.data / DATA), Ngrams(), Settings()
    known = [seen(library, row) for row in rows]
    ours = own(library, rows, settings.seed)
    scores = left_out(known, ours, settings, given.folds, RATES, key("group"))
    answers = scored(given.python, [row.text for row in rows], given.scores)
    every = {
        "mcpobs, patterns and model": [each.score for each in scores],
        "mcpobs, patterns alone": [each.alone for each in scores],
        **{scanner: [answer.score for answer in found] for scanner, found in answers.items()},
    }
    print(f"### At the same rate of false positives\n\n{compared(known, every)}\n")
    print(f"### By default\n\n{by_default(known, answers)}\n")
    print(f"### At the thresholds that the scanner names, by rate\n\n{curve(known, scores)}\n")
    print(f"### At the rate of 1 %, by family\n\n{table(known, flagged(scores, 0.01)['patterns and model'])}\n")
    by_family = left_out(known, ours, settings, given.folds, RATES, key("family"))
    print(f"### Left out by family\n\n{curve(known, by_family)}\n")
    common = [row.text for row in rows if row.tier in ("plain", "hard")]
    print(f"### CPU\n\n{cpu(common, given.python)}")


def exact(rows: Sequence[Seen], scores: Sequence[float], rate: float) -> float:
    """The lowest threshold that at most `rate` of the common benign texts exceed."""
    benign = sorted(
        (s for each, s in zip(rows, scores, strict=True) if each.row.tier in ("plain", "hard")), reverse=True
    )
    return benign[math.floor(rate * len(benign))]


def compared(rows: Sequence[Seen], every: dict[str, list[float]]) -> str:
    lines = ["| rate % | scanner | " + " | ".join(TIERS) + " |", "|---" * (len(TIERS) + 2) + "|"]
    for rate in (0.001, 0.005, 0.01, 0.02, 0.05, 0.1):
        for name, scores in every.items():
            at = exact(rows, scores, rate)
            lines.append(_line(f"{100 * rate:g}", name, rows, [score > at for score in scores]))
    return "\n".join(lines)


def by_default(rows: Sequence[Seen], answers: dict[str, list[Answer]]) -> str:
    names = ("plain + hard benign", *TIERS)
    lines = ["| scanner | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for scanner, found in answers.items():
        hits = [answer.default for answer in found]
        cells = [f"{100 * (share(rows, hits, SLICES[name]).ratio or 0):.1f}" for name in names]
        lines.append(f"| {scanner} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _line(rate: str, name: str, rows: Sequence[Seen], hits: Sequence[bool]) -> str:
    cells = [f"{100 * (share(rows, hits, SLICES[tier]).ratio or 0):.1f}" for tier in TIERS]
    return f"| {rate} | {name} | " + " | ".join(cells) + " |"


def cpu(texts: Sequence[str], python: str) -> str:
    """CPU time of one harmless text of 10,000 characters, each seen once: the median of interleaved rounds."""
    spent = rounds(texts, python, SCANNERS)
    base = statistics.median(spent["glassport"])
    lines = ["| scanner | CPU ms, median | lowest–highest round | glassport = 1 |", "|---|---|---|---|"]
    for name, times in spent.items():
        middle = statistics.median(times)
        lines.append(f"| {name} | {middle:.2f} | {min(times):.2f}–{max(times):.2f} | {middle / base:.2f} |")
    return "\n".join(lines)


def rounds(texts: Sequence[str], python: str, scanners: Sequence[str]) -> dict[str, list[float]]:
    """Returns, by scanner, the median CPU time in ms of each round."""
    stream = "\n".join(texts)
    blocks = [stream[at : at + BLOCK_CHARACTERS] for at in range(0, len(stream) - BLOCK_CHARACTERS, BLOCK_CHARACTERS)]
    spent: dict[str, list[float]] = {}
    measured(blocks.pop())
    with Worker(python) as worker:
        for scanner in scanners:
            worker.ask(scanner, blocks.pop())
        for number in range(ROUNDS):
            turn: dict[str, list[float]] = {}
            these = blocks[number * BLOCKS : (number + 1) * BLOCKS]
            for block in these:  # one scanner after the other: between two others each would find its cache emptied
                for name, ms in _ours(block).items():
                    turn.setdefault(name, []).append(ms)
            for scanner in scanners:
                turn[scanner] = [worker.ask(scanner, block).cpu_ms for block in these]
            for name, times in turn.items():
                spent.setdefault(name, []).append(statistics.median(times))
    return spent


def _ours(block: str) -> dict[str, float]:
    started = time.process_time()
    _, readings = measured(block)
    between = time.process_time()
    model.score(readings)
    ended = time.process_time()
    patterns, linear = 1000 * (between - started), 1000 * (ended - between)
    return {"mcpobs, patterns": patterns, "mcpobs, model": linear, "mcpobs, both": patterns + linear}


if __name__ == "__main__":
    main()
