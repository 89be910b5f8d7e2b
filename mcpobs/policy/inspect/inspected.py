"""The result of an inspection: findings with their actions, and the data that a lake may keep of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from mcpobs.policy.inspect.inspector import At, Finding
from mcpobs.policy.model import Action

STRICTNESS: Final[dict[Action, int]] = {"pass": 0, "flag": 1, "mask": 2, "block": 3}
MAX_RECORDED: Final = 32
"""Kinds of findings in one row; the places of further ones are only counted, as `more`."""


class Noted(NamedTuple):
    """A finding of an entry, with its action. `shadow`: the entry is not in force, so the action is not taken."""

    id: str
    finding: Finding
    action: Action
    shadow: bool


@dataclass(slots=True)
class Inspected:
    """Findings in one message of all entries that apply to it."""

    noted: list[Noted] = field(default_factory=list)
    verdicts: dict[str, bool] = field(default_factory=dict)
    """Whether an entry found nothing, by its fingerprint: a replay goes by them."""
    degraded: bool = False
    """An inspector failed, and `on_error` decided."""

    @property
    def action(self) -> Action:
        """The strictest of all entries in force."""
        return strictest(noted.action for noted in self.noted if not noted.shadow)

    @property
    def ids(self) -> tuple[str, ...]:
        """The entries in force that found something to record, the strictest action first."""
        in_force = sorted(self._in_force(), key=lambda noted: -STRICTNESS[noted.action])
        return tuple(dict.fromkeys(noted.id for noted in in_force if noted.action != "pass"))

    @property
    def shadow_blocks(self) -> tuple[str, ...]:
        """The entries that would block the message if they were in force."""
        return tuple(dict.fromkeys(noted.id for noted in self.noted if noted.shadow and noted.action == "block"))

    @property
    def warned_by(self) -> str | None:
        """The entry that the decision of a passing message names; None without one."""
        return next(iter((*self.ids, *self.shadow_blocks)), None)

    def masks(self) -> list[Finding]:
        """The findings to mask."""
        return [noted.finding for noted in self._in_force() if noted.action == "mask"]

    def blocks(self) -> list[Finding]:
        """The findings that withhold the message, or an item of a listing."""
        return [noted.finding for noted in self._in_force() if noted.action == "block"]

    def _in_force(self) -> list[Noted]:
        return [noted for noted in self.noted if not noted.shadow]

    def recorded(self) -> list[dict[str, str | int | bool]]:
        """The data for the row: equal findings become one with a count and the first start. Never text or value."""
        found: dict[tuple[object, ...], dict[str, str | int | bool]] = {}
        more: dict[str, str | int | bool] = {}
        for id_, finding, action, shadow in self.noted:
            kind = id_, finding.find, finding.rule, finding.where, action, shadow
            known = found.get(kind)
            if known is not None:
                known["count"] = int(known["count"]) + 1
            elif len(found) >= MAX_RECORDED:
                more["more"] = int(more.get("more", 0)) + 1
            else:
                found[kind] = _recorded(id_, finding, action, shadow)
        return [*found.values(), *([more] if more else [])]


def strictest(actions: Iterable[Action]) -> Action:
    return max(actions, key=STRICTNESS.__getitem__, default="pass")


def items_of(findings: Sequence[Finding]) -> set[At] | None:
    """The items of a listing in which findings lie; None if one lies elsewhere."""
    found = {finding.at[:3] for finding in findings if len(finding.at) > 2 and isinstance(finding.at[2], int)}
    return found if all(finding.at[:3] in found for finding in findings) else None


def _recorded(id_: str, finding: Finding, action: Action, shadow: bool) -> dict[str, str | int | bool]:
    row: dict[str, str | int | bool] = {
        "id": id_,
        "find": finding.find,
        "rule": finding.rule,
        "where": finding.where,
        "count": 1,
        "action": action,
    }
    if finding.family is not None:
        row["family"] = finding.family
    if finding.start >= 0:
        row["start"] = finding.start
    if shadow:
        row["shadow"] = True
    return row
