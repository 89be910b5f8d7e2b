"""Scores texts with other scanners, in an environment that has glassport, zn-gate and stackone-defender[onnx].

Reads one JSON object a line ({"scanner", "text"}), answers with {"score", "default", "cpu_ms"}: how bad the text looks,
whether the scanner stops it by default, and the CPU time of this process. Imports nothing of mcpobs.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

Answer = tuple[float, bool]


def glassport() -> Callable[[str], Answer]:
    """Number of its patterns for poisoned texts that match; it reports any."""
    from glassport.audit import POISON_PATTERNS, _strip_invisible

    def score(text: str) -> Answer:
        seen, _ = _strip_invisible(text)
        found = sum(1 for pattern in POISON_PATTERNS if pattern.search(seen))
        return float(found), found > 0

    return score


def zn_gate() -> Callable[[str], Answer]:
    from zn_gate.guard import check_tool_result

    def score(text: str) -> Answer:
        found = check_tool_result(text)
        return (0.0 if found.allowed else found.confidence), not found.allowed

    return score


def stackone() -> Callable[[str], Answer]:
    """The score of its classifier that decides; by default it stops what it calls high risk."""
    from stackone_defender import create_prompt_defense

    defense = create_prompt_defense(block_high_risk=True, sanitize_content=False)
    defense.warmup_tier2()

    def score(text: str) -> Answer:
        found = defense.defend_tool_result({"content": text}, "read_file")
        return float(found.tier2_raw_score or found.tier2_score or 0.0), not found.allowed

    return score


SCANNERS = {"glassport": glassport, "zn-gate": zn_gate, "stackone-defender": stackone}


def main() -> None:
    made: dict[str, Callable[[str], Answer]] = {}
    for line in sys.stdin:
        asked = json.loads(line)
        name = asked["scanner"]
        if name not in made:
            made[name] = SCANNERS[name]()
            made[name]("a first text")
        started = time.process_time()
        score, default = made[name](asked["text"])
        spent = 1000 * (time.process_time() - started)
        print(json.dumps({"score": score, "default": default, "cpu_ms": spent}), flush=True)


if __name__ == "__main__":
    main()
