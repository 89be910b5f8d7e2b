"""A pattern of injected instructions, and the vocabulary and abbreviations that patterns are written in."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mcpobs.detect.injection.folding import folded
from mcpobs.detect.injection.words import WORDS

SPACE = r"""[\s*_"'`]+"""
"""A space of a pattern: white space, and the emphasis or quotes that a sentence may carry between two words."""


MAYBE_SPACE = SPACE[:-1] + "*"


@dataclass(frozen=True, slots=True)
class Pattern:
    """One regular expression, or two that lie within a distance.

    A gap in one expression (`send.{0,60}password`) costs RE2 seven times the whole set, so patterns with a gap are
    written as `regex` and `near`. A space stands for SPACE and `<NAME>` for the words of that name.
    """

    id: str
    regex: str
    generalises: str
    finds: str
    passes: str
    near: str = ""
    within: int = 60
    inside: bool = False
    """Whether `near` may also lie in what `regex` found."""

    shared: str = ""
    """The name that patterns with one weight in common are weighed as."""

    @property
    def family(self) -> str:
        return self.id.partition("-")[0]


def expanded(regex: str) -> str:
    """Returns the RE2 expression of a pattern's text."""
    return folded(
        re.sub(r"<([A-Z_]+)>", lambda found: _alternatives(found[1]), regex)
        .replace(" ?", MAYBE_SPACE)
        .replace(" ", SPACE)
    )


def _alternatives(name: str) -> str:
    return f"(?:{'|'.join(word.strip() for word in WORDS[name].split('|'))})"
