"""Compares the definitions that fronts saw with the approved ones, tool by tool, for a person to decide."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

from mcpobs.policy.definitions.changes import Change, changes
from mcpobs.policy.definitions.record import Entry, Record
from mcpobs.policy.definitions.visible import oddities, visible

Standing = Literal["approved", "new", "changed", "unseen"]
"""The standing of a tool. `unseen`: approved, and no front has seen it."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One tool. `approved` and `seen` are None if there is no such definition."""

    name: str
    standing: Standing
    approved: Entry | None
    seen: Entry | None

    @property
    def is_open(self) -> bool:
        return self.standing in ("new", "changed")

    @property
    def can_be_approved(self) -> bool:
        return self.seen is not None and self.seen.definition.value is not None

    def changes(self) -> list[Change]:
        """Returns the differences. Every member of a new tool counts as added."""
        before = None if self.approved is None else self.approved.definition.value
        after = None if self.seen is None else self.seen.definition.value
        return [one for one in changes(before, after) if one.path != ("name",)] if self.is_open else []

    def hidden(self) -> list[str]:
        """Returns the hidden characters of new texts, each kind with the place."""
        return [
            f"{visible(change.at)}: {phrase}"
            for change in self.changes()
            for text in (change.path[-1], change.after)
            if isinstance(text, str)
            for phrase in oddities(text)
        ]


def review(approved: Record | None, seen: Record | None) -> list[Reviewed]:
    """Returns all tools, those with something to decide first."""
    known = {} if approved is None else approved.tools
    now = {} if seen is None else seen.tools
    found = [_reviewed(name, known.get(name), now.get(name)) for name in sorted(known.keys() | now.keys())]
    return sorted(found, key=lambda one: not one.is_open)


def _reviewed(name: str, approved: Entry | None, seen: Entry | None) -> Reviewed:
    if approved is None:
        return Reviewed(name, "new", approved, seen)
    if seen is None:
        return Reviewed(name, "unseen", approved, seen)
    same = approved.definition.sha256 == seen.definition.sha256
    return Reviewed(name, "approved" if same else "changed", approved, seen)


def fingerprint(reviewed: Collection[Reviewed]) -> str:
    """Returns one fingerprint of all definitions that were seen, to approve exactly those that were read."""
    digest = hashlib.sha256()
    for one in sorted(reviewed, key=lambda one: one.name):
        if one.seen is not None:
            digest.update(f"{one.seen.definition.sha256} ".encode())
    return digest.hexdigest()[:16]


def approve(server: str, approved: Record | None, tools: Collection[Reviewed], at: str, by: str | None) -> Record:
    """Returns the approved definitions, with those of some tools replaced by the seen ones."""
    known = Record(server) if approved is None else approved
    entries = {one.name: Entry(one.seen.definition, at, by) for one in tools if one.seen is not None}
    return replace(known, tools={**known.tools, **entries})


def remove(approved: Record, tools: Collection[str]) -> Record:
    """Returns the approved definitions without those of some tools."""
    return replace(approved, tools={name: entry for name, entry in approved.tools.items() if name not in tools})
