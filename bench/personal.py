"""Recall and precision of detect.personal on labelled texts, and its CPU on fresh ones, beside presidio-analyzer.

    python -m bench.personal DATA [--presidio PYTHON] [--write]

DATA is a folder with pii_dev.jsonl.gz (`text`, `family`, `spans` of start, end and type) and injection_dev.jsonl.gz, of
which the benign texts are read. PYTHON is an interpreter that has presidio-analyzer and spaCy. `--write` replaces the
section of bench/RESULTS.md. Both see each text once
and in turn. A finding counts if it overlaps a label of its kind. IP addresses of real texts have no labels and are left
out.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mcpobs.detect.personal import find

TYPES = {
    "EMAIL": "email",
    "PHONE": "phone",
    "CREDIT_CARD": "card",
    "IBAN": "iban",
    "US_SSN": "ssn",
    "IP_ADDRESS": "ip",
}
RESULTS = Path(__file__).with_name("RESULTS.md")
TITLE = "Personal data and secrets"
KINDS = tuple(TYPES.values())
ROUNDS = 5
SMALLEST, LARGEST = 5_000, 10_000  # characters of a text whose CPU is measured
Finding = tuple[str, int, int]
Finder = Callable[[str], tuple[int, list[Finding]]]
"""Returns the CPU time of a search in nanoseconds, and what it found."""


def ours(text: str) -> tuple[int, list[Finding]]:
    begun = time.thread_time_ns()
    found = find(text, frozenset(KINDS))
    return time.thread_time_ns() - begun, [tuple(each) for each in found]


def with_secrets(text: str) -> tuple[int, list[Finding]]:
    begun = time.thread_time_ns()
    found = find(text)
    return time.thread_time_ns() - begun, [tuple(each) for each in found]


class Presidio:
    """presidio-analyzer in a process of its own."""

    def __init__(self, python: str) -> None:
        worker = str(Path(__file__).with_name("presidio_worker.py"))
        self._process = subprocess.Popen(
            [python, worker], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def __call__(self, text: str) -> tuple[int, list[Finding]]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(text) + "\n")
        self._process.stdin.flush()
        spent, found = json.loads(self._process.stdout.readline())
        return spent, [tuple(each) for each in found]

    def close(self) -> None:
        self._process.communicate()


@dataclass
class Score:
    labels: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    texts: Counter[str] = field(default_factory=Counter)
    hit: Counter[str] = field(default_factory=Counter)

    def add(self, row: dict, findings: list[Finding]) -> None:
        family = row["family"].partition("_")[0]
        labels = [(TYPES[s["type"]], s["start"], s["end"]) for s in row["spans"] if s["type"] in TYPES]
        findings = [each for each in findings if each[0] in KINDS and not (family == "real" and each[0] == "ip")]
        wrong = [each for each in findings if not any(_overlap(each, label) for label in labels)]
        for label in labels:
            self.labels[label[0]] += 1
            self.found[label[0]] += any(_overlap(each, label) for each in findings)
        self.wrong.update(kind for kind, _, _ in wrong)
        self.texts[family] += 1
        self.hit[family] += bool(wrong)

    def recall(self, kind: str | None = None) -> float:
        kinds = [kind] if kind else KINDS
        return 100 * sum(self.found[kind] for kind in kinds) / sum(self.labels[kind] for kind in kinds)

    def precision(self, kind: str | None = None) -> float:
        kinds = [kind] if kind else KINDS
        found = sum(self.found[kind] for kind in kinds)
        return 100 * found / max(1, found + sum(self.wrong[kind] for kind in kinds))

    def hits(self, family: str) -> float:
        return 100 * self.hit[family] / self.texts[family]


def _overlap(one: Finding, other: Finding) -> bool:
    return one[0] == other[0] and one[1] < other[2] and other[1] < one[2]


def _rows(path: Path) -> Iterator[dict]:
    with gzip.open(path, "rt") as lines:
        yield from map(json.loads, lines)


def blocks(texts: list[str]) -> list[str]:
    """Joins texts to blocks of 5 to 10 KB; each text is in one."""
    joined, block = [], ""
    for text in texts:
        block += text[:LARGEST] + "\n\n"
        if len(block) >= SMALLEST:
            joined.append(block[:LARGEST])
            block = ""
    return joined


def cpu(finders: dict[str, Finder], texts: list[str]) -> dict[str, tuple[float, float]]:
    """Returns the median over rounds of p50 and p99, in milliseconds. No text is in two rounds."""
    per_round: dict[str, list[tuple[float, float]]] = {name: [] for name in finders}
    for number in range(ROUNDS):
        spent: dict[str, list[int]] = {name: [] for name in finders}
        for text in texts[number::ROUNDS]:
            for name, finder in finders.items():
                spent[name].append(finder(text)[0])
        for name, times in spent.items():
            times.sort()
            per_round[name].append((statistics.median(times) / 1e6, times[int(len(times) * 0.99)] / 1e6))
    return {
        name: (statistics.median(p50 for p50, _ in rounds), statistics.median(p99 for _, p99 in rounds))
        for name, rounds in per_round.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--presidio", metavar="PYTHON")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    finders: dict[str, Finder] = {"mcpobs": ours, "mcpobs, secrets too": with_secrets}
    presidio = Presidio(given.presidio) if given.presidio else None
    if presidio is not None:
        finders["presidio-analyzer"] = presidio
    scores = {name: Score() for name in finders}
    labelled = list(_rows(given.data / "pii_dev.jsonl.gz"))
    for row in labelled:
        for name, finder in finders.items():
            scores[name].add(row, finder(row["text"])[1])
    benign = [row["text"] for row in _rows(given.data / "injection_dev.jsonl.gz") if row["label"] == 0]
    fresh = {"benign": blocks(benign), "records": blocks([row["text"] for row in labelled if row["spans"]])}
    spent = {kind: cpu(finders, texts) for kind, texts in fresh.items()}
    if presidio is not None:
        presidio.close()
    text = "\n".join(_table(scores, spent, {kind: len(texts) for kind, texts in fresh.items()}))
    text += f" Load average {load:.1f} at the start."
    print(text)
    if given.write:
        _write(text)


def _write(text: str) -> None:
    """Replaces the section of the results, or adds it at their end."""
    head, _, rest = RESULTS.read_text().partition(f"\n## {TITLE}\n")
    _, heading, after = rest.partition("\n## ")
    RESULTS.write_text(f"{head.rstrip()}\n\n## {TITLE}\n\n{text.strip()}\n{heading}{after}")


def _table(
    scores: dict[str, Score], spent: dict[str, dict[str, tuple[float, float]]], counts: dict[str, int]
) -> Iterator[str]:
    yield "Recall / precision, %, by kind; texts without a label in which something is found, %."
    yield ""
    yield f"| | {' | '.join(KINDS)} | all | near-miss texts hit | real texts hit |"
    yield "|---" * (len(KINDS) + 4) + "|"
    for name, score in scores.items():
        cells = [f"{score.recall(kind):.1f} / {score.precision(kind):.1f}" for kind in (*KINDS, None)]
        yield f"| {name} | {' | '.join(cells)} | {score.hits('near'):.1f} | {score.hits('real'):.1f} |"
    yield ""
    yield f"CPU per text of 5 to 10 KB, ms; median of {ROUNDS} rounds, no text twice."
    yield ""
    yield "| | " + " | ".join(f"{kind} p50 | p99" for kind in spent) + " |"
    yield "|---" * (2 * len(spent) + 1) + "|"
    for name in scores:
        yield (
            f"| {name} | "
            + " | ".join(f"{p50:.2f} | {p99:.2f}" for p50, p99 in (s[name] for s in spent.values()))
            + " |"
        )
    yield ""
    yield "Texts: " + ", ".join(f"{count} {kind}" for kind, count in counts.items()) + "."


if __name__ == "__main__":
    main()
