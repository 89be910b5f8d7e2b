"""Names every number of a limits file by its path, e.g. ("tools", "search", "calls_per_session"). Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields

from mcpobs.limits.layout import quoted
from mcpobs.limits.model import (
    ArgumentLimits,
    GroupLimits,
    KeyLimits,
    Limit,
    Limits,
    SessionLimits,
    ToolLimits,
    ValueLimits,
)

Path = tuple[str, ...]
"""Keys from the top of the file to a number. A size ends with the mapping that it stands in: ("arguments",
"max_bytes") or ("result", "max_bytes")."""

_TOOL_NUMBERS = ("calls_per_session", "calls_per_hour", "error_rate", "latency_ms")


def numbers(limits: Limits) -> Iterator[tuple[Path, Limit]]:
    """Yields every number with its path, in the order of the file."""
    yield from _of_group((), GroupLimits(limits.session, limits.key, limits.tools))
    for section, groups in (("tenants", limits.tenants), ("roles", limits.roles)):
        for name in sorted(groups):
            yield from _of_group((section, name), groups[name])


def shown(path: Path) -> str:
    """Returns a path as one text, for people; names from traffic are quoted as in the file."""
    return ".".join(map(quoted, path))


def group(found: Mapping[Path, Limit], tools: Mapping[str, ToolLimits] | None = None) -> GroupLimits:
    """Assembles the numbers of one group, by paths without the group's own. `tools` have the shapes."""
    by_tool: dict[str, dict[Path, Limit]] = {name: {} for name in tools or ()}
    for path, limit in found.items():
        if path[0] == "tools":
            by_tool.setdefault(path[1], {})[path[2:]] = limit
    known = tools or {}
    return GroupLimits(
        session=SessionLimits(**{path[1]: limit for path, limit in found.items() if path[0] == "session"}),
        key=KeyLimits(**{path[1]: limit for path, limit in found.items() if path[0] == "key"}),
        tools={name: _tool(mine, known.get(name, ToolLimits())) for name, mine in by_tool.items()},
    )


def _tool(found: Mapping[Path, Limit], known: ToolLimits) -> ToolLimits:
    values: dict[str, dict[str, Limit]] = {}
    for path, limit in found.items():
        if path[0] == "argument_values":
            values.setdefault(path[1], {})[path[2]] = limit
    return ToolLimits(
        arguments=ArgumentLimits(found.get(("arguments", "max_bytes")), known.arguments.shapes),
        result_max_bytes=found.get(("result", "max_bytes")),
        result_shapes=known.result_shapes,
        argument_values={name: ValueLimits(**values[name]) for name in sorted(values)},
        **{name: found.get((name,)) for name in _TOOL_NUMBERS},
    )


def _of_group(prefix: Path, limits: GroupLimits) -> Iterator[tuple[Path, Limit]]:
    yield from _present((*prefix, "session"), limits.session)
    yield from _present((*prefix, "key"), limits.key)
    for name in sorted(limits.tools):
        tool, at = limits.tools[name], (*prefix, "tools", name)
        found: list[tuple[Path, Limit | None]] = [((*at, key), getattr(tool, key)) for key in _TOOL_NUMBERS]
        found.append(((*at, "arguments", "max_bytes"), tool.arguments.max_bytes))
        yield from ((path, limit) for path, limit in found if limit is not None)
        for argument in sorted(tool.argument_values):
            yield from _present((*at, "argument_values", argument), tool.argument_values[argument])
        if tool.result_max_bytes is not None:
            yield (*at, "result", "max_bytes"), tool.result_max_bytes


def _present(at: Path, limits: SessionLimits | KeyLimits | ValueLimits) -> Iterator[tuple[Path, Limit]]:
    for field in fields(limits):
        limit = getattr(limits, field.name)
        if limit is not None:
            yield (*at, field.name), limit
