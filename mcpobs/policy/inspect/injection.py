"""`find: injection`: instructions in a message that are written for the model that reads it.

What it does: scores all texts of a message together, by patterns and a small linear model. It finds something if the
score passes the threshold that the entry's `rate` names: the share of harmless texts that pass it, too. A mask stands
for the whole text, because the rest of an order is still one.
Why it matters: what a tool returns goes straight into an agent's context, and whoever wrote the document that the tool
read can order the agent about.
What to do: flag first, look at `mcpobs report findings`, then block for tools that read what strangers write.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mcpobs.detect.injection import scan, threshold
from mcpobs.policy.inspect.inspector import TRUNCATED, Context, Finding, Text, View
from mcpobs.policy.model import Inspection

FIND: Final = "injection"
MASK: Final = "[withheld: injection]"
BY_SCORE: Final = "score"
"""The rule of a finding that no pattern made."""


class Injection:
    """Finds injected instructions above one threshold."""

    def __init__(self, rate: float, masks: bool) -> None:
        self._threshold = threshold(rate)
        self._masks = masks

    def inspect(self, view: View) -> Sequence[Finding]:
        texts = view.texts
        scanned = scan([text.text for text in texts])
        found: list[Finding] = [Finding(FIND, TRUNCATED, "whole")] if scanned.truncated else []
        if scanned.score < self._threshold:
            return found
        hits = [_finding(texts[hit.text], hit.rule, hit.family, hit.start, hit.end) for hit in scanned.hits]
        if self._masks:
            named = {hit.at for hit in hits}
            hits += [_finding(text, BY_SCORE) for text in texts if text.at not in named and self._is_one(text)]
        return [*found, *(hits or [Finding(FIND, BY_SCORE, "whole")])]

    def _is_one(self, text: Text) -> bool:
        return scan([text.text]).score >= self._threshold


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
