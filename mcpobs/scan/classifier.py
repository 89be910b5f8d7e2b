"""Loads a heavy classifier as a second opinion. Never on the call path: it takes 0.4 s for 10 KB.

The package stackone-defender has its weights in its wheel. At the score 0.94 it flags 5 % of benign texts.
"""

from __future__ import annotations

from typing import Final

from mcpobs.errors import UsageError
from mcpobs.installed.commands import install_packages
from mcpobs.scan.scanners import Classify

NAME: Final = "stackone-defender"
SCORE: Final = 0.94
MAX_TEXT: Final = 10_000


def load(name: str) -> Classify:
    """Returns the classifier. Raises UsageError if it is unknown or not installed."""
    if name != NAME:
        raise UsageError(f"unknown classifier {name!r}", f"write --classifier {NAME}")
    try:
        from stackone_defender import create_prompt_defense  # type: ignore[import-not-found]  # no dependency of ours

        defense = create_prompt_defense(enable_tier1=False, require_tier2=True)
        defense.warmup_tier2()
    except Exception as error:  # it raises errors of several packages
        raise UsageError(
            f"--classifier needs {NAME}, which cannot be loaded: {error}", install_packages([f"{NAME}[onnx]"])
        ) from None
    return lambda text: max(_score(defense, text[at : at + MAX_TEXT]) for at in range(0, len(text), MAX_TEXT))


def _score(defense: object, text: str) -> float:
    found = defense.defend_tool_result(text, "scan").tier2_score  # type: ignore[attr-defined]  # as above
    return 0.0 if found is None else float(found)
