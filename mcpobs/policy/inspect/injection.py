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
MOST_ALONE: Final = 64
"""Texts that are scored each for itself, to be masked. If the rest is an order still, the message is withheld."""
SEAM: Final = 400
"""Characters of a block's end that may belong to an order in several blocks."""
_SPOKEN: Final = frozenset({"text", "blob"})
_IN_BLOCKS: Final = frozenset({"content", "resource", "message", "request"})
BY_SCORE: Final = "score"
"""The rule of a finding without a pattern."""


class Injection:
    """Finds injected instructions above one threshold."""

    def __init__(self, rate: float, masks: bool) -> None:
        self._threshold = threshold(rate)
        self._masks = masks

    def inspect(self, view: View) -> Sequence[Finding]:
        groups = _items(view.texts) if view.of == "listing" else [view.texts]
        found = [finding for texts in groups for finding in self._together(texts)]
        if found and not self._masks:
            return found
        masked = {(finding.at, finding.is_key) for finding in found}
        return [*found, *self._over_blocks([text for text in view.texts if (text.at, text.is_key) not in masked])]

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
            rest = [text for number, text in enumerate(texts) if number not in named]
            yield from self._beside(rest)
        elif not named:
            yield Finding(FIND, BY_SCORE, "whole", texts[0].at[:3] if texts else ())

    def _beside(self, rest: Sequence[Text]) -> Iterator[Finding]:
        """The texts beside those that are masked: what passes must be none together."""
        if not rest or not self._is_one(rest):
            return
        longest = sorted(rest, key=lambda text: -len(text.text))[:MOST_ALONE]
        alone = [text for text in longest if self._is_one([text])]
        yield from (_finding(text, BY_SCORE) for text in alone)
        left = [text for text in rest if text not in alone]
        if not alone or self._is_one(left):
            yield Finding(FIND, BY_SCORE, "whole", rest[0].at[:3])

    def _over_blocks(self, texts: Sequence[Text]) -> Iterator[Finding]:
        """An order that is cut into blocks, which a model reads one after another: within a word, or between words."""
        seams = seams_of(texts)
        if not seams:
            return
        scanned = scan(seams)
        if scanned.score >= self._threshold:
            rule, family = next(((hit.rule, hit.family) for hit in scanned.hits), (BY_SCORE, None))
            yield Finding(FIND, rule, "content", family=family)

    def _is_one(self, texts: Sequence[Text]) -> bool:
        return scan([text.text for text in texts]).score >= self._threshold


def seams_of(texts: Sequence[Text]) -> list[str]:
    """Returns where the blocks of a message meet: their ends, joined as they are and with spaces between. Empty if it
    has one block."""
    blocks = [text.text for text in texts if text.key in _SPOKEN and not text.is_key and text.where in _IN_BLOCKS]
    if len(blocks) < 2:
        return []
    ends = [block if len(block) <= 2 * SEAM else f"{block[:SEAM]}\n\n{block[-SEAM:]}" for block in blocks]
    return ["".join(ends), " ".join(ends)]


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
        None if text.is_key or text.is_unplaced else MASK,
        masks_text=True,
        family=family,
    )


def make(entry: Inspection, finds: frozenset[str], context: Context) -> Injection:
    scan(["compiles the patterns"])  # at start, so that no call waits for it
    return Injection(entry.rate, entry.action == "mask")
