"""The words of `find`, and which inspector knows each. Compiles no pattern."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mcpobs.detect.personal.found import GROUPS, KINDS

DEFINITIONS: Final = "definitions"

INSPECTORS: Final[Mapping[str, str]] = {
    "injection": "injection",
    "output_schema": "output_schema",
    "shape": "shape",
    "size": "shape",
    DEFINITIONS: "definitions",
    **dict.fromkeys((*GROUPS, *sorted(KINDS)), "personal"),
}
"""The module of `policy/inspect` that each word belongs to."""
WORDS: Final = tuple(INSPECTORS)
