"""Compares what rules are about: whether one covers all that another is about, and whether it can be about anything.
Pure. If it cannot decide, the answer is no: a finding must not be false.
"""

from __future__ import annotations

from collections.abc import Iterable

from mcpobs.policy.applies import matches
from mcpobs.policy.model import What, Who


def covers(whole: What, part: What) -> bool:
    """Whether all calls that `part` names are named by `whole`."""
    named = [
        (part.tools, whole.tools),
        (part.resources, whole.resources),
        (part.prompts, whole.prompts),
        (part.methods, whole.methods),
    ]
    return (
        all(inner is None or (outer is not None and _cover(outer, inner)) for inner, outer in named)
        and _spares(whole, part)
        and _is_within(part.servers, whole.servers)
        and _is_within(part.kinds, whole.kinds)
    )


def includes(whole: Who, part: Who) -> bool:
    """Whether all callers that `part` names are among those of `whole`."""
    return all(
        _is_within(getattr(part, name), getattr(whole, name))
        for name in ("roles", "scopes", "principals", "tenants", "clients")
    )


def is_empty(what: What, server: str | None) -> str | None:
    """Why no call can be meant; None if one can. `server` is the only one that the file is for."""
    others = what.resources or what.prompts or what.methods
    if what.tools is not None and not others and _cover(what.unless_tools, what.tools):
        return "`unless_tools` takes out every tool that `tools` names"
    if server is not None and what.servers is not None and not matches(what.servers, server):
        return f"the file is for the server {server} alone, and the rule for {', '.join(what.servers)}"
    return None


def is_anybody(who: Who) -> bool:
    return who == Who()


def _spares(whole: What, part: What) -> bool:
    """Whether what `whole` takes out is taken out by `part` too, or is none of its tools."""
    return all(
        matches(part.unless_tools, name) or ("*" not in name and not matches(part.tools or (), name))
        for name in whole.unless_tools
    )


def _is_within(part: Iterable[str] | None, whole: Iterable[str] | None) -> bool:
    return whole is None or (part is not None and _cover(tuple(whole), part))


def _cover(patterns: Iterable[str], names: Iterable[str]) -> bool:
    known = tuple(patterns)
    return all(any(_covers_one(pattern, name) for pattern in known) for name in names)


def _covers_one(pattern: str, name: str) -> bool:
    if pattern == name or pattern == "*":
        return True
    if "*" not in name:
        return matches((pattern,), name)
    before, star, after = pattern.partition("*")
    return star == "*" and not after and name.startswith(before)
