"""Lays out a limits file, to be readable and to give small diffs. Reads nothing.

One line per limit, so that a changed number is one changed line; a list that does not fit has one item per line; tools
sorted by name. Every text from traffic (tools, sessions, shapes) is quoted unless it is plainly a word, in comments
too: a tool name with a line break must not add a key to the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from mcpobs.limits.data import Data, data
from mcpobs.limits.model import Limits

WIDTH = 132
_BLOCKS = frozenset({"argument_values"})  # members with one line per member of their own
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_ID = re.compile(r"[0-9][0-9a-z]*[a-z][0-9a-z-]*")  # 9f2c; not 12, which another reader would parse as a number
_RULE = re.compile(r"[0-9][0-9.]* × [a-z][a-z0-9 _]*")  # 3 × p95
_DAY = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
)  # plain if a day is meant, else quoted, because another reader would parse it as a day
_NUMERIC = re.compile(r"0[xbo]|.*[0-9]e[0-9]")
_NOT_TEXT = frozenset(
    ["y", "n", "yes", "no", "on", "off", "true", "false", "null"]
)  # words with a special meaning in YAML 1.1


@dataclass(frozen=True, slots=True)
class Comments:
    """Comments about the limits: at the top of the file, below `session` and `key`, and below a tool."""

    head: tuple[str, ...] = ()
    session: tuple[str, ...] = ()
    tools: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    key: tuple[str, ...] = ()


def lay_out(limits: Limits, comments: Comments) -> str:
    return "\n".join(_lines(limits, comments)) + "\n"


def quoted(text: str) -> str:
    """Returns a text in YAML: plain if it is a word, else in double quotes."""
    plain = _WORD.fullmatch(text) or _RULE.fullmatch(text) or (_ID.fullmatch(text) and not _NUMERIC.match(text))
    if plain and text.lower() not in _NOT_TEXT:
        return text
    return '"' + "".join(_escaped(c) for c in text) + '"'


def _escaped(c: str) -> str:
    if c in '"\\':
        return "\\" + c
    if c.isprintable():  # YAML allows everything that isprintable() allows; odd spaces and line breaks are escaped
        return c
    code = ord(c)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _lines(limits: Limits, comments: Comments) -> Iterator[str]:
    for text in comments.head:
        yield f"# {text}".rstrip()
    found = data(limits)
    yield f"version: {found['version']}"
    if "baseline" in found:
        yield from _aligned("", {"baseline": found["baseline"]})
    yield from _group("", found, comments)
    for name in ("tenants", "roles"):
        if name in found:
            yield f"{name}:"
            for who, group in _mapping(found[name]).items():
                yield from group_lines("  ", who, _mapping(group))
    if "sequences" in found:
        yield "sequences:"
        sequences = found["sequences"]
        assert isinstance(sequences, list)
        yield from (f"  - {flow(one)}" for one in sequences)


def group_lines(indent: str, name: str, group: Mapping[str, Data]) -> Iterator[str]:
    """Yields the entry of a tenant or role."""
    yield f"{indent}{quoted(name)}:" if group else f"{indent}{quoted(name)}: {{}}"
    yield from _group(indent + "  ", group, Comments())


def _group(indent: str, found: Mapping[str, Data], comments: Comments) -> Iterator[str]:
    if "session" in found or comments.session:
        yield from block_lines(indent, "session", _mapping(found.get("session", {})), comments.session)
    if "key" in found or comments.key:
        yield from block_lines(indent, "key", _mapping(found.get("key", {})), comments.key)
    if "tools" in found:
        yield f"{indent}tools:"
        for name, tool in _mapping(found["tools"]).items():
            yield from block_lines(indent + "  ", quoted(name), _mapping(tool), comments.tools.get(name, ()))


def block_lines(indent: str, key: str, members: Mapping[str, Data], comments: tuple[str, ...] = ()) -> Iterator[str]:
    """Yields a mapping with one member per line, and its comments below."""
    yield f"{indent}{key}:" if members else f"{indent}{key}: {{}}"
    yield from _aligned(indent + "  ", members)
    for text in comments:
        yield f"{indent}  # {text}"


def _mapping(value: Data) -> Mapping[str, Data]:
    assert isinstance(value, dict)
    return value


def _aligned(indent: str, leaves: Mapping[str, Data]) -> Iterator[str]:
    """Yields `key: value` lines with aligned values."""
    column = max((len(key) for key in leaves if key not in _BLOCKS), default=0) + 2
    for key, value in leaves.items():
        if key in _BLOCKS:
            yield f"{indent}{key}:"
            yield from _aligned(indent + "  ", {quoted(name): one for name, one in _mapping(value).items()})
        else:
            yield leaf_line(f"{indent}{key + ':':<{column}}", value, indent + "  ")


def leaf_line(before: str, value: Data, indent: str) -> str:
    """Returns a value on one line; if that is too long, its lists of mappings and its last list have one item per
    line."""
    line = before + flow(value)
    if len(line) <= WIDTH or not isinstance(value, dict):
        return line
    last = list(value)[-1]
    members = [f"{key}: {_spread(member, key, key == last, indent)}" for key, member in value.items()]
    return f"{before}{{{', '.join(members)}}}"


def _spread(value: Data, key: str, last: bool, indent: str) -> str:
    # next_1000_cut stays whole
    if not isinstance(value, list) or not value or not isinstance(value[0], str | dict):
        return flow(value, key)
    if isinstance(value[0], str) and not last:
        return flow(value, key)
    return "[" + ",".join(f"\n{indent}{flow(item)}" for item in value) + "]"


def flow(value: Data, key: str = "") -> str:
    """Returns a value on one line."""
    match value:
        case str():
            return value if key in ("from", "to") and _DAY.fullmatch(value) else quoted(value)
        case dict():
            return "{" + ", ".join(f"{name}: {flow(member, name)}" for name, member in value.items()) + "}"
        case list():
            return "[" + ", ".join(flow(item) for item in value) + "]"
        case _:
            # Without an exponent: `1e-07` is a number to us, and a text to other YAML readers.
            return format(Decimal(repr(value)), "f")
