"""Parses a YAML text into places with path and line, so that an error can name them. Knows no limit.

Plain data only: no anchors, no tags, one document, no repeated key, a bounded size and depth. The caller decides the
type of a scalar, not YAML, so a tool may be called `yes` or `1e3` without quotes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import NoReturn

import yaml

from mcpobs.errors import UsageError, nearest

try:  # libyaml is 10 times faster; a wheel without it gives the same result
    from yaml import CSafeLoader as Loader
except ImportError:
    from yaml import SafeLoader as Loader  # type: ignore[assignment]  # same interface, no common base class

MAX_BYTES = 8 << 20  # 500 tools with 20 shapes of 200 characters each are 2 MB
MAX_DEPTH = 16  # the format needs 9
LARGEST = 2**53  # beyond it a double no longer counts by ones
_NUMBER = re.compile(r"[-+]?((0|[1-9][0-9_]{0,30})(\.[0-9]{0,400})?|\.[0-9]{1,400})([eE][-+]?[0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class Place:
    """A value of the document, with the path that leads to it."""

    source: str
    path: str
    node: yaml.Node

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.node, yaml.MappingNode)

    @property
    def is_scalar(self) -> bool:
        return isinstance(self.node, yaml.ScalarNode)

    @property
    def line(self) -> int:
        """Counted from 1."""
        return int(self.node.start_mark.line) + 1 if self.node.start_mark else 0

    def refuse(self, problem: str, hint: str) -> NoReturn:
        _refuse(self.source, self.node, f"{self.path}: {problem}" if self.path else problem, hint)

    def entries(self) -> dict[str, Place]:
        """Returns the members of a mapping, with any names."""
        if not isinstance(self.node, yaml.MappingNode):
            self.refuse(f"{_shown(self.node)} is not a mapping", "write `key: value` lines, indented below it")
        found: dict[str, Place] = {}
        for key, value in self.node.value:
            if not isinstance(key, yaml.ScalarNode):
                _refuse(self.source, key, f"{_below(self.path, '?')}: a key must be a text")
            path = _below(self.path, key.value)
            if key.value in found:
                _refuse(self.source, key, f"{path} is repeated", "keep one of the two")
            found[key.value] = Place(self.source, path, value)
        return found

    def fields(self, known: Collection[str]) -> dict[str, Place]:
        """Returns the members of a mapping that may hold only known keys."""
        found = self.entries()
        for name, place in found.items():
            if name not in known:
                like = nearest(name, known)
                place.refuse("unknown key", f"did you mean `{like}`?" if like else f"known here: {', '.join(known)}")
        return found

    def items(self) -> list[Place]:
        if not isinstance(self.node, yaml.SequenceNode):
            is_mapping = isinstance(self.node, yaml.MappingNode)
            hint = "begin each of its entries with `- `" if is_mapping else "write [first, second]"
            self.refuse(f"{_shown(self.node)} is not a list", hint)
        return [Place(self.source, f"{self.path}[{index}]", item) for index, item in enumerate(self.node.value)]

    def plain(self) -> object:
        """Returns the value as YAML types it: for what has a schema of its own, such as a JSON Schema."""
        match self.node:
            case yaml.MappingNode():
                return {name: place.plain() for name, place in self.entries().items()}
            case yaml.SequenceNode():
                return [item.plain() for item in self.items()]
            case _:
                return yaml.SafeLoader("").construct_object(self.node)

    def flag(self) -> bool:
        text = self.text()
        if text not in ("true", "false"):
            self.refuse(f"{text!r} is not true or false", "write true or false")
        return text == "true"

    def text(self) -> str:
        if not isinstance(self.node, yaml.ScalarNode):
            self.refuse(f"{_shown(self.node)} is not a text", "write a single word, or a text in quotes")
        if self.node.tag.endswith(":null") and not self.node.style:  # plain: "" with libyaml, None without
            self.refuse("has no value", "write one behind the colon, or leave the key out")
        return str(self.node.value)

    def number(self) -> float:
        """Returns a number from 0 to 2**53; an int if it is written as one."""
        value = self.signed_number()
        if value < 0:
            self.refuse(f"{self.text()} is negative", "a limit is 0 or more")
        return value

    def signed_number(self) -> float:
        """Returns a number from -2**53 to 2**53; an int if it is written as one."""
        text = self.text()
        assert isinstance(self.node, yaml.ScalarNode)
        if self.node.style and _NUMBER.fullmatch(text):
            self.refuse(f'"{text}" is a text', "write the number without quotes")
        digits = text.replace("_", "")
        if not _NUMBER.fullmatch(text):
            self.refuse(f"{_shown(self.node)} is not a number", "write e.g. 15")
        value = float(digits)
        if not math.isfinite(value) or abs(value) > LARGEST:
            self.refuse(f"{text} is too large", "leave the key out if there is no limit")
        return value if "." in text or "e" in text.lower() else int(digits)

    def count(self) -> int:
        value = self.number()
        if value != int(value):
            self.refuse(f"{value} is not a whole number", f"write e.g. {int(value)}")
        return int(value)


def compose(text: str) -> yaml.Node | None:
    """Returns the nodes of a text that was checked before; their marks count characters, with libyaml too."""
    node: yaml.Node | None = Loader(text).get_single_node()
    return node


def parse(content: bytes, source: str) -> Place:
    """Returns the root of a document. Raises UsageError, with the line, for anything but one plain YAML document."""
    if len(content) > MAX_BYTES:
        raise UsageError(
            f"{source} is larger than {MAX_BYTES >> 20} MiB: that is not a limits file",
            "make one with `mcpobs baseline -o limits.yaml`",
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{source}:{line}: not UTF-8 text", "save the file as UTF-8") from None
    try:
        _check_plain(text, source)
        node = compose(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{source}:{mark.line + 1}" if mark else source
        hint = "indent with spaces: YAML does not allow tabs" if "\t" in text else "correct that line"
        raise UsageError(f"{where}: not valid YAML: {error.problem or error.context}", hint) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UsageError(f"{source}:{line}: not valid YAML: {error.reason}", "correct that line") from None
    if node is None:
        raise UsageError(f"{source} is empty", "make one with `mcpobs baseline -o limits.yaml`")
    return Place(source, "", node)


def _check_plain(text: str, source: str) -> None:
    """Checks the document event by event before anything is built, so that a YAML bomb cannot exhaust memory."""
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        match event:
            case yaml.AliasEvent() | yaml.NodeEvent(anchor=str()):
                _refuse(source, event, "anchors and aliases are not read in a limits file", "write the value out")
            case yaml.CollectionStartEvent():
                depth += 1
                if depth > MAX_DEPTH:
                    _refuse(source, event, f"nested deeper than {MAX_DEPTH} levels")
            case yaml.CollectionEndEvent():
                depth -= 1
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag not in (None, "!"):
            _refuse(source, event, f"tags are not read in a limits file: {event.tag}")


def _refuse(source: str, at: yaml.Node | yaml.Event, problem: str, hint: str | None = None) -> NoReturn:
    mark = at.start_mark
    raise UsageError(f"{source}:{mark.line + 1}: {problem}" if mark else f"{source}: {problem}", hint)


def _below(path: str, key: str) -> str:
    shown = key if re.fullmatch(r"[\w.*-]{1,80}", key) else repr(key[:80])
    return f"{path}.{shown}" if path else shown


def _shown(node: yaml.Node) -> str:
    match node:
        case yaml.MappingNode():
            return "a mapping"
        case yaml.SequenceNode():
            return "a list"
        case yaml.ScalarNode(tag="tag:yaml.org,2002:null"):
            return "an empty value"
        case _:
            return repr(str(node.value)[:80])
