"""A finding of a scan: its source, place, rule and offset. Holds the matched text only if it is to be shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """One rule in one place. `offset` is that of the first match, in characters of the file or of the JSON string;
    `score` is that of the texts that were scanned together."""

    source: str
    place: str
    family: str
    rule: str
    offset: int | None
    count: int
    score: float | None = None
    text: str | None = None
