"""`find: injection`: instructions in a message that are written for the model that reads it.

What it does: scores all texts of a message together, by patterns and a small linear model. It finds something if the
score passes the threshold that the entry's `rate` names: the share of harmless texts that pass it, too. A mask stands
for the whole text, because the rest of an order is still one.
Why it matters: what a tool returns goes straight into an agent's context, and whoever wrote the document that the tool
read can order the agent about.
What to do: flag first, look at `mcpobs report findings`, then block for tools that read what strangers write.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from mcpobs.detect.injection import scan, threshold
from mcpobs.policy.inspect.inspector import TRUNCATED, Context, Finding, Text, View
from mcpobs.policy.model import Inspection

FIND: Final = "injection"
MASK: Final = "[withheld: injection]"
BY_SCORE: Final = "score"
"""The rule of a finding without a pattern."""


class Injection:
    """Finds injected instructions above one threshold."""

    def __init__(self, rate: float, masks: bool) -> None:
        self._threshold = threshold(rate)
        self._masks = masks

    def inspect(self, view: View) -> Sequence[Finding]:
        groups = _items(view.texts) if view.of == "listing" else [view.texts]
        return [finding for texts in groups for finding in self._together(texts)]

    def _together(self, texts: Sequence[Text]) -> Iterator[Finding]:
        """Scores texts together."""
        scanned = scan([text.text for text in texts])
        if scanned.truncated:
            yield Finding(FIND, TRUNCATED, "whole")
        if scanned.score < self._threshold:
            return
        for hit in scanned.hits:
            yield _finding(texts[hit.text], hit.rule, hit.family, hit.start, hit.end)
        named = {hit.text for hit in scanned.hits}
        if self._masks:
            others = [text for number, text in enumerate(texts) if number not in named and self._is_one(text)]
            yield from (_finding(text, BY_SCORE) for text in others)
            named |= {-1} if others else set()
        if not named:
            yield Finding(FIND, BY_SCORE, "whole", texts[0].at[:3] if texts else ())

    def _is_one(self, text: Text) -> bool:
        return scan([text.text]).score >= self._threshold


def _items(texts: Sequence[Text]) -> list[Sequence[Text]]:
    """The texts of each item of a listing, because an injection may hide among many items."""
    found: dict[object, list[Text]] = {}
    for text in texts:
        found.setdefault(text.at[:3] if text.item is not None else None, []).append(text)
    return list(found.values())


def _finding(text: Text, rule: str, family: str | None = None, start: int = -1, end: int = -1) -> Finding:
    offset = text.offset if start >= 0 else 0
    return Finding(
        FIND,
        rule,
        text.where,
        text.at,
        start + offset,
        end + offset,
        text.is_key,
        None if text.is_key or text.is_decoded else MASK,
        masks_text=True,
        family=family,
    )


def make(entry: Inspection, finds: frozenset[str], context: Context) -> Injection:
    scan(["compiles the patterns"])  # at start, so that no call waits for it
    return Injection(entry.rate, entry.action == "mask")
