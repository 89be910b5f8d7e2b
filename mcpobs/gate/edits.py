"""Applies edits to a message: to its bytes, where every other byte stays, and to its value in a server's process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter

from mcpobs.gate.decisions import Edit


def disjoint(edits: Iterable[Edit]) -> tuple[Edit, ...]:
    """Returns edits without overlaps, in their order within each text. Overlapping edits become one: the text of the
    first replaces all the characters that they cover."""
    found: list[Edit] = []
    for edit in sorted(edits, key=lambda one: (str(one.at), one.is_key, one.start)):
        last = found[-1] if found else None
        if last is None or (last.at, last.is_key) != (edit.at, edit.is_key) or not _overlap(last, edit):
            found.append(edit)
        elif last.end is not None and (edit.end is None or edit.end > last.end):
            found[-1] = last._replace(end=edit.end)
    return tuple(_distinct(found))


def _distinct(edits: Iterable[Edit]) -> Iterator[Edit]:
    """Yields edits after which two members of an object have two names still: `Ann@x.example` and `ann@x.example` have
    one mask, and of two equal names a reader keeps one."""
    named: dict[tuple[tuple[str | int, ...], str], int] = {}
    for (at, is_key), group in groupby(edits, key=lambda one: (one.at, one.is_key)):
        own = list(group)
        if is_key:
            name = _text(str(at[-1]), own)
            count = named[at[:-1], name] = named.get((at[:-1], name), 0) + 1
            if count > 1:
                own = [Edit(at, 0, None, f"{name} ({count})", is_key=True)]
        yield from own


def _overlap(first: Edit, second: Edit) -> bool:
    return first.end is None or second.start < first.end or second.start == first.start


def edited(value: object, edits: Sequence[Edit]) -> object:
    """Returns the value of a message with its edits. Parts without an edit are the same objects."""
    by_step: dict[str | int, list[Edit]] = {}
    own: list[Edit] = []
    for edit in edits:
        if not edit.at:
            own.append(edit)
        else:
            by_step.setdefault(edit.at[0], []).append(edit)
    if isinstance(value, str):
        return _text(value, own)
    if isinstance(value, int | float) and own:
        return own[0].text
    if isinstance(value, dict):
        found = {key: by_step.get(key if isinstance(key, str) else str(key), ()) for key in value}
        return {_name(key, found[key]): _below(item, found[key]) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_below(item, by_step.get(place, ())) for place, item in enumerate(value)]
    return value


def _below(value: object, edits: Sequence[Edit]) -> object:
    below = [edit._replace(at=edit.at[1:]) for edit in edits if not (edit.is_key and len(edit.at) == 1)]
    return edited(value, below) if below else value


def _name(key: object, edits: Sequence[Edit]) -> object:
    own = [edit for edit in edits if edit.is_key and len(edit.at) == 1]
    return _text(str(key), own) if own else key


def _text(text: str, edits: Iterable[Edit]) -> str:
    """Returns the text with its edits, which do not overlap."""
    parts, at = list[str](), 0
    for edit in sorted(edits, key=attrgetter("start")):
        parts += [text[at : edit.start], edit.text]
        at = len(text) if edit.end is None else edit.end
    return "".join((*parts, text[at:]))
