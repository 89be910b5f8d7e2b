"""`find: email`, `phone`, …, `personal`, `secrets`: personal data and secrets in a message.

What it does: looks for the kinds that the entry names in every text, also in JSON within a text, with the name of the
member that a text is the value of. A value that is found once is found in all texts of the message. A mask keeps the
kind and a short keyed hash, so equal values stay equal: `[email:3f9a2c10]`.
Why it matters: what a tool returns goes to a model and whoever runs it.
What to do: mask the kinds that an agent does not need, by tool; block secrets.
"""

from __future__ import annotations

from collections.abc import Sequence

from mcpobs.detect.personal import expanded
from mcpobs.policy.inspect.inspector import Context, Finding, Text, View
from mcpobs.policy.model import Inspection
from mcpobs.protocol.masks import Datum, Finder, Mask, keyed, masks_with


class Personal:
    """Finds some kinds of personal data and secrets."""

    def __init__(self, kinds: frozenset[str], key: bytes) -> None:
        self._finder = Finder(kinds)
        self._make = keyed(key)

    def inspect(self, view: View) -> Sequence[Finding]:
        data = [Datum(text.text, None if text.is_key else text.key) for text in view.texts]
        masks = masks_with(data, self._finder, self._make)
        return [_finding(text, mask) for text, several in zip(view.texts, masks, strict=True) for mask in several]


def _finding(text: Text, mask: Mask) -> Finding:
    return Finding(
        mask.kind,
        mask.kind,
        text.where,
        text.at,
        mask.start + text.offset,
        mask.end + text.offset,
        text.is_key,
        None if text.is_unplaced else mask.text,
        masks_text=text.is_number,
    )


def make(entry: Inspection, finds: frozenset[str], context: Context) -> Personal:
    return Personal(expanded(finds), context.key())
