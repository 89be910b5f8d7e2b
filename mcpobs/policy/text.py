"""Finds what a policy file itself says: the text of a rule, and of its conditions, for people who read about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import yaml

from mcpobs.limits.document import Place, parse
from mcpobs.limits.layout import quoted
from mcpobs.policy.rules import KINDS

MAX_LINES = 40


@dataclass(frozen=True, slots=True)
class Said:
    """What a file says of one rule, limit, budget or number. `lines` are those of the file, as they are."""

    source: str
    line: int
    lines: tuple[str, ...]
    conditions: tuple[str, ...] = ()


class Texts:
    """What files say, by the ids that decisions name. Raises UsageError for a file that cannot be parsed."""

    def __init__(self, contents: Iterable[tuple[bytes, str]]) -> None:
        self._said: dict[str, Said] = {}
        for content, source in contents:
            lines = content.decode("utf-8-sig").splitlines()
            root = parse(content, source).entries()
            for key in ("rules", "limits", "inspect"):
                for place in root[key].items() if key in root else ():
                    fields = place.entries()
                    if "id" in fields:
                        self._said[fields["id"].text()] = _said(
                            place, lines, conditions(fields) if key == "rules" else ()
                        )
            self._numbers("", root, lines)
            for section in ("tenants", "roles"):
                for name, group in root[section].entries().items() if section in root else ():
                    self._numbers(f"{section}.{name}.", group.entries(), lines)

    def _numbers(self, prefix: str, root: Mapping[str, Place], lines: Sequence[str]) -> None:
        for section in ("budgets", "session", "key"):
            for name, place in root[section].entries().items() if section in root else ():
                self._said[f"{prefix}{section}.{name}"] = _said(place, lines)
        for tool, place in root["tools"].entries().items() if "tools" in root else ():
            for name, number in place.entries().items():
                self._said[f"{prefix}tools.{tool}.{name}"] = _said(number, lines)

    def of(self, id_: str) -> Said | None:
        """What the files say of a rule's or limit's id, also of the window behind it and of a number of any tool."""
        known = id_.removesuffix(".reopened")
        mapping = known.rpartition(".")[0]
        for name in (known, mapping, _of_any(known), _of_any(mapping)):
            if name in self._said:
                return self._said[name]
        return None


def _of_any(id_: str) -> str:
    """The same number of any tool."""
    return re.sub(r"^((?:tenants|roles)\..+\.)?tools\..+\.([a-z_]+)$", r"\1tools.*.\2", id_, flags=re.DOTALL)


def conditions(fields: dict[str, Place]) -> tuple[str, ...]:
    """The conditions of a rule, each as `key value`."""
    return tuple(f"{key} {flow(fields[key])}" for key in KINDS if key in fields)


def flow(place: Place) -> str:
    """A value on one line, as a file could say it."""
    match place.node:
        case yaml.MappingNode():
            return "{" + ", ".join(f"{quoted(name)}: {flow(one)}" for name, one in place.entries().items()) + "}"
        case yaml.SequenceNode():
            return "[" + ", ".join(flow(one) for one in place.items()) + "]"
        case _:
            return quoted(place.text()) if getattr(place.node, "style", None) else str(place.node.value)


def _said(place: Place, lines: Sequence[str], conditions: tuple[str, ...] = ()) -> Said:
    first = place.node.start_mark.line
    end = place.node.end_mark
    last = end.line if end.column else end.line - 1  # a block ends where the next line begins
    text = [line.rstrip() for line in lines[first : min(max(first, last), first + MAX_LINES) + 1]]
    while len(text) > 1 and not text[-1].strip():
        text.pop()
    return Said(place.source, first + 1, tuple(text), conditions)
