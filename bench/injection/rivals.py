"""Other scanners beside ours, on the same rows: recall at equal false-positive rates, and CPU on fresh 10 KB texts.

    python -m bench.injection.rivals DATA PYTHON [--scores FILE] [--cpu]

PYTHON is the interpreter of an environment with glassport, zn-gate and stackone-defender[onnx]. FILE keeps their scores.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
