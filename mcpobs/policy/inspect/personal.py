"""`find: email`, `phone`, …, `personal`, `secrets`: personal data and secrets in a message.

What it does: looks for the kinds that the entry names in every text, with the name of the member that the text is the
value of. A mask keeps the kind and a short keyed hash, so equal values stay equal: `[email:3f9a2c10]`.
Why it matters: what a tool returns goes to a model and whoever runs it.
What to do: mask the kinds that an agent does not need, by tool; block secrets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from mcpobs.detect.personal import expanded, find
from mcpobs.policy.inspect.inspector import Context, Finding, Text, View
from mcpobs.policy.model import Inspection


class Personal:
    """Finds some kinds of personal data and secrets."""

    def __init__(self, kinds: frozenset[str], key: bytes) -> None:
        self._kinds = kinds
        self._key = key[: hashlib.blake2b.MAX_KEY_SIZE]

    def inspect(self, view: View) -> Sequence[Finding]:
        return [finding for text in view.texts for finding in self._of(text)]

    def _of(self, text: Text) -> Iterator[Finding]:
        for kind, start, end in find(text.text, self._kinds, None if text.is_key else text.key):
            mask = None if text.is_decoded else self._mask(kind, text.text[start:end])
            at = start + text.offset
            yield Finding(kind, kind, text.where, text.at, at, at + end - start, text.is_key, mask)

    def _mask(self, kind: str, value: str) -> str:
        data = value.encode("utf-8", "surrogatepass")
        return f"[{kind}:{hashlib.blake2b(data, key=self._key, digest_size=4, person=b'mask').hexdigest()}]"


def make(entry: Inspection, finds: frozenset[str], context: Context) -> Personal:
    return Personal(expanded(finds), context.key())
