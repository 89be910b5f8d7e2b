"""The layout of a limits file: what a person reads, and what git shows as a small difference. Reads nothing.

One line a limit, so that a changed number is one changed line; a list that does not fit has one item a line; tools
by name. Every text that traffic chose (tools, sessions, shapes) is quoted where it is not plainly a word, in
comments too: a tool name with a line break in it must not add a key to the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from mcpobs.limits.model import VERSION, ArgumentLimits, Baseline, Evidence, Limit, Limits, SessionLimits, ToolLimits

WIDTH = 132
Value = str | float | tuple[int, int]
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_ID = re.compile(r"[0-9][0-9a-z]*[a-z][0-9a-z-]*")  # 9f2c; not 12, which another reader would take for a number
_RULE = re.compile(r"[0-9][0-9.]* × [a-z][a-z0-9 _]*")  # 3 × p95
_NUMERIC = re.compile(r"0[xbo]|.*[0-9]e[0-9]")
_NOT_TEXT = frozenset(
    ["y", "n", "yes", "no", "on", "off", "true", "false", "null"]
)  # words that YAML 1.1 takes for something else


@dataclass(frozen=True, slots=True)
class Comments:
    """What is said about the numbers and is no data: above the file, below `session`, and below a tool."""

    head: tuple[str, ...] = ()
    session: tuple[str, ...] = ()
    tools: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def lay_out(limits: Limits, comments: Comments) -> str:
    return "\n".join(_lines(limits, comments)) + "\n"


def quoted(text: str) -> str:
    """A text as YAML reads it back: plain where it is a word, else in double quotes."""
    plain = _WORD.fullmatch(text) or _RULE.fullmatch(text) or (_ID.fullmatch(text) and not _NUMERIC.match(text))
    if plain and text.lower() not in _NOT_TEXT:
        return text
    return '"' + "".join(_escaped(c) for c in text) + '"'


def _escaped(c: str) -> str:
    if c in '"\\':
        return "\\" + c
    if c.isprintable():  # all that isprintable() allows, YAML allows too; it escapes odd spaces and line breaks
        return c
    code = ord(c)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _lines(limits: Limits, comments: Comments) -> Iterator[str]:
    for text in comments.head:
        yield f"# {text}".rstrip()
    yield f"version: {VERSION}"
    if limits.baseline is not None:
        yield from _baseline(limits.baseline)
    if limits.session != SessionLimits() or comments.session:
        yield "session:" if limits.session != SessionLimits() else "session: {}"
        yield from _aligned(
            "  ", {"calls": _leaf("limit", limits.session.calls), "cost_usd": _leaf("limit", limits.session.cost_usd)}
        )
        for text in comments.session:
            yield f"  # {text}"
    if limits.tools:
        yield "tools:"
        for name in sorted(limits.tools):
            yield from _tool(name, limits.tools[name], comments.tools.get(name, ()))


def _tool(name: str, tool: ToolLimits, comments: tuple[str, ...]) -> Iterator[str]:
    yield f"  {quoted(name)}:" if tool != ToolLimits() else f"  {quoted(name)}: {{}}"
    leaves = {
        "calls_per_session": _leaf("limit", tool.calls_per_session),
        "latency_ms": _leaf("budget", tool.latency_ms),
        "arguments": _arguments(tool.arguments),
        "result": _flow(_members("max_bytes", tool.result_max_bytes)) if tool.result_max_bytes else None,
    }
    yield from _aligned("    ", leaves)
    for text in comments:
        yield f"    # {text}"


def _aligned(indent: str, leaves: Mapping[str, str | None]) -> Iterator[str]:
    """`key: value` lines with the values below one another; None is left out."""
    there = {key: text for key, text in leaves.items() if text is not None}
    column = max((len(key) for key in there), default=0) + 2
    for key, text in there.items():
        yield f"{indent}{key + ':':<{column}}{text}"


def _baseline(baseline: Baseline) -> Iterator[str]:
    members: dict[str, Value] = {}
    if baseline.server is not None:
        members["server"] = quoted(baseline.server)
    members |= {"from": _moment(baseline.first), "to": _moment(baseline.last)}
    members |= {"sessions": baseline.sessions, "calls": baseline.calls}
    if baseline.more_excluded:
        members["more_excluded"] = baseline.more_excluded
    items = [f"{{session: {quoted(one.session)}, why: {quoted(one.why)}}}" for one in baseline.excluded]
    yield _with_list("baseline: ", members, "excluded", items, "  ") if items else f"baseline: {_flow(members)}"


def _arguments(arguments: ArgumentLimits) -> str | None:
    members = _members("max_bytes", arguments.max_bytes) if arguments.max_bytes else {}
    if arguments.shapes is None:
        return _flow(members) if members else None
    return _with_list("", members, "shapes", [quoted(shape) for shape in arguments.shapes], " " * 6, before=23)


def _with_list(key: str, members: dict[str, Value], name: str, items: list[str], indent: str, before: int = 0) -> str:
    """A mapping that ends with a list: on one line where that fits, `before` characters from its start."""
    line = key + _flow({**members, name: f"[{', '.join(items)}]"})
    if before + len(line) <= WIDTH:
        return line
    opening = _flow({**members, name: "["})[:-1]
    return key + opening + "".join(f"\n{indent}{item}," for item in items)[:-1] + "]}"


def _leaf(key: str, limit: Limit | None) -> str | None:
    if limit is None:
        return None
    return _number(limit.value) if limit.evidence == Evidence() else _flow(_members(key, limit))


def _members(key: str, limit: Limit) -> dict[str, Value]:
    found = limit.evidence
    evidence = {
        "rule": None if found.rule is None else quoted(found.rule),
        "observed_max": found.observed_max,
        "mean": found.mean,
        "factor": found.factor,
        "p50": found.p50,
        "p95": found.p95,
        "n": found.n,
        "would_have_cut": found.would_have_cut,
        "next_1000_cut": found.next_1000_cut,
    }
    return {key: limit.value, **{name: value for name, value in evidence.items() if value is not None}}


def _flow(members: Mapping[str, Value]) -> str:
    return "{" + ", ".join(f"{key}: {_value(value)}" for key, value in members.items()) + "}"


def _value(value: Value) -> str:
    match value:
        case str():
            return value
        case (low, high):
            return f"[{low}, {high}]"
        case _:
            return _number(value)


def _moment(text: str) -> str:
    """A day stands plain; a time has colons, and is quoted."""
    return text if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else quoted(text)


def _number(value: float) -> str:
    """Without an exponent: `1e-07` is a number to us, and a text to other YAML readers."""
    return format(Decimal(repr(value)), "f")
