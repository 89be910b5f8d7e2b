"""Puts the differences of definitions into lines that a person can read and a terminal can show."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import unified_diff
from typing import Final

import orjson

from mcpobs.policy.definitions.changes import Change
from mcpobs.policy.definitions.review import Reviewed
from mcpobs.policy.definitions.visible import visible

_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+")
_SHORT: Final = 60
"""A longer text is compared line by line."""
MAX_LINES: Final = 400
MAX_LINE: Final = 2_000


def lines(one: Reviewed) -> list[str]:
    """Returns the lines of one tool: its standing and its differences."""
    found = [_head(one)]
    if one.seen is not None and not one.can_be_approved:
        return [*found, "  it is too large or too odd to be kept, and cannot be approved"]
    for change in one.changes():
        found += [f"  {line}" for line in _of(change)]
    found += [f"  hidden: {phrase}" for phrase in one.hidden()]
    return found


def _head(one: Reviewed) -> str:
    before = "" if one.approved is None else one.approved.definition.sha256[:12]
    after = "" if one.seen is None else one.seen.definition.sha256[:12]
    prints = f"{before} → {after}" if before and after and before != after else before or after
    by = f", approved {one.approved.at[:10]}" if one.approved is not None else ""
    name = f"by {visible(one.approved.by)}" if one.approved is not None and one.approved.by else ""
    return " ".join(part for part in (f"{visible(one.name)}: {one.standing} ({prints}{by}", name) if part) + ")"


def _of(change: Change) -> Iterator[str]:
    at = visible(change.at)
    before, after = change.before, change.after
    texts = [text for text in (before, after) if isinstance(text, str)]
    if change.did == "changed" and len(texts) == 2 and max(map(len, texts)) > _SHORT:
        yield f"~ {at}:"
        yield from difference(*texts)
    elif change.did == "changed":
        yield f"~ {at}: {_value(before)} → {_value(after)}"
    elif texts and max(map(len, texts)) > _SHORT:
        sign = "+" if change.did == "added" else "-"
        yield f"{sign} {at}:"
        yield from _bounded([f"    {sign} {line}" for line in _lines(texts[0])])
    else:
        yield f"+ {at}: {_value(after)}" if change.did == "added" else f"- {at}: {_value(before)}"


def difference(before: str, after: str) -> Iterator[str]:
    """Yields the unified difference of two texts, by lines and sentences."""
    old, new = _lines(before), _lines(after)
    if max(len(old), len(new)) > MAX_LINES:
        yield f"    {len(before):,} → {len(after):,} characters, too many for a comparison; it begins now with"
        yield from _bounded([f"    + {line}" for line in new])
        return
    for line in unified_diff(old, new, n=1, lineterm=""):
        if not line.startswith(("---", "+++")):
            yield f"    {line}" if line.startswith("@@") else f"    {line[:1]} {line[1:]}"


def _lines(text: str) -> list[str]:
    """Returns the sentences of a text, safe to show. Empty lines that could push the rest off a screen are counted."""
    found: list[str] = []
    empty = 0
    for line in text.split("\n"):
        if not line.strip():
            empty += 1
            continue
        if empty > 1:
            found.append(f"[{empty} empty lines]")
        empty = 0
        for sentence in _SENTENCE.split(line):
            found += [visible(sentence[at : at + MAX_LINE]) for at in range(0, len(sentence), MAX_LINE)]
    return found + ([f"[{empty} empty lines]"] if empty > 1 else [])


def _bounded(found: Sequence[str]) -> list[str]:
    left = len(found) - MAX_LINES
    return [*found[:MAX_LINES], f"    … {left:,} more lines"] if left > 0 else list(found)


def _value(value: object) -> str:
    if isinstance(value, str):
        return f'"{visible(value)}"'
    return visible(orjson.dumps(value).decode())
