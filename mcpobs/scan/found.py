"""A finding of a scan: its source, place, rule and offset. Holds the matched text only for --show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

WHOLE: Final = "whole"
"""The rule of a finding of a model, which names no place in the text."""


@dataclass(frozen=True, slots=True)
class Found:
    """One rule in one place. `find` is injection, personal or secrets; a rule of injection has a family.

    `offset` is that of the first match, in characters of the file or of the JSON string. `score` is that of the texts
    that were scanned together.
    """

    source: str
    place: str
    find: str
    family: str | None
    rule: str
    offset: int | None
    count: int
    score: float | None = None
    text: str | None = None
