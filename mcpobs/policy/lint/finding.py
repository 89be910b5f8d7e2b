"""A finding about a policy file, and what is known besides the files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mcpobs.policy.model import Budget, CallLimit, Inspection, Layer, Rule
from mcpobs.policy.traffic import History

Level = Literal["warning", "note"]
Item = Rule | CallLimit | Budget | Inspection


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a policy file. `check` names the kind.

    `warning`: likely a mistake, or a way around the policy. `note`: worth knowing, and possibly meant."""

    check: str
    level: Level
    source: str
    line: int
    about: str
    """The id of a rule, limit or budget, or a key of the file."""
    problem: str
    meaning: str
    fix: str


@dataclass(frozen=True, slots=True)
class Known:
    """What is known besides the files. None: not known, so nothing is said about it."""

    history: History | None = None
    tools: frozenset[str] | None = None
    """Tools of the lake and of lists of tools."""
    verifies: bool | None = None
    """Whether config.toml says how callers are verified."""


NOTHING_KNOWN = Known()


def of_item(item: Item, layer: Layer, check: str, level: Level, problem: str, meaning: str, fix: str) -> Finding:
    return Finding(check, level, layer.source, item.line, item.id, problem, meaning, fix)


def of_key(key: str, layer: Layer, check: str, level: Level, problem: str, meaning: str, fix: str) -> Finding:
    return Finding(check, level, layer.source, layer.lines.get(key, 1), key, problem, meaning, fix)
