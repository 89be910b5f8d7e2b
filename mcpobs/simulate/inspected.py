"""Replays entries of `inspect` from their recorded verdicts, because the lake holds no content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mcpobs.policy.conditions import CallFacts
from mcpobs.policy.model import Inspection, Policy


class Replayed(NamedTuple):
    """The result of the entries that inspect a call."""

    found: tuple[Inspection, ...]
    """The entries that found something."""
    unknown: tuple[str, ...]
    """The ids of the entries without a recorded verdict."""

    @property
    def blocked_by(self) -> str | None:
        return next((entry.id for entry in self.found if entry.action == "block"), None)


class Entries:
    """The entries of a policy, by server."""

    def __init__(self, policy: Policy) -> None:
        self._layers = [layer for layer in policy.layers if layer.inspect]

    def replayed(self, facts: CallFacts, server: str | None, verdicts: Mapping[str, bool]) -> Replayed:
        if not self._layers:
            return _NOTHING
        from mcpobs.policy.inspect.entries import fingerprint

        found, unknown = list[Inspection](), list[str]()
        for entry in self._about(facts, server):
            verdict = verdicts.get(fingerprint(entry))
            if verdict is None:
                unknown.append(entry.id)
            elif not verdict:
                found.append(entry)
        return Replayed(tuple(found), tuple(unknown))

    def _about(self, facts: CallFacts, server: str | None) -> Iterable[Inspection]:
        from mcpobs.policy.inspect.entries import may_have_looked_at

        for layer in self._layers:
            if layer.server not in (None, server):
                continue
            for entry in layer.inspect:
                if may_have_looked_at(entry, facts, server):
                    yield entry


_NOTHING = Replayed((), ())
