"""Selects the messages that an entry of `inspect` inspects, and names its verdicts. Loads no detector."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mcpobs.policy.applies import is_about, matches
from mcpobs.policy.conditions import CallFacts, Unknown
from mcpobs.policy.model import Control, Inspection, Look, What

if TYPE_CHECKING:
    from mcpobs.policy.inspect.inspector import Of

_LOOKS: Final[Mapping[Of, Look]] = {"call": "arguments", "result": "result", "request": "result", "listing": "listing"}
DESCRIBING: Final = frozenset(
    {
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
        "initialize",
        "server/discover",
    }
)
"""Requests whose results describe the server: its tools, prompts, resources and instructions."""
_EITHER: Final = frozenset({"read", "write"})
_BY_ITEM: Final = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resources",
}


def looks_at(entry: Inspection, of: Of, facts: CallFacts, kinds: frozenset[str], server: str | None) -> bool:
    """Whether an entry inspects a message. `kinds` are those of the tool: `read` or `write`."""
    what = entry.what
    target = None if isinstance(facts.target, Unknown) else facts.whole or facts.target
    if _LOOKS[of] not in entry.where or (what.servers is not None and not _is_of(what.servers, server)):
        return False
    if of == "result" and facts.method.startswith("tasks/"):
        return True  # of a call that began elsewhere: any tool's
    if is_general(what):
        return facts.kind != "tool" or target is None or not matches(what.unless_tools, target)
    if of == "listing":
        member = _BY_ITEM.get(facts.method)
        return member is not None and getattr(what, member) is not None
    return is_about(what, facts, target, kinds, server)


def may_have_looked_at(entry: Inspection, facts: CallFacts, server: str | None) -> bool:
    """Whether an entry inspects a recorded call: its arguments, or what came back. The lake does not record whether a
    tool reads or writes, so an entry for either counts."""
    parts: list[Of] = ["call"]
    if not facts.method.startswith("notifications/"):
        parts.append("listing" if facts.method in DESCRIBING else "result")
    return any(looks_at(entry, of, facts, _EITHER, server) for of in parts)


def is_general(what: What) -> bool:
    """Whether an entry applies to all messages: it names nothing, or only all tools."""
    others = what.resources is None and what.prompts is None and what.methods is None and what.kinds is None
    return others and (what.tools is None or "*" in what.tools)


def fingerprint(entry: Inspection) -> str:
    """Names an entry by its kinds and messages, not by its action, so that a replay of another action has its
    verdicts."""
    looks = replace(entry, action="flag", on_error="flag", over="flag", control=Control())
    return f"{entry.id}@{hashlib.blake2b(repr(looks).encode(), digest_size=4).hexdigest()}"


def _is_of(servers: Sequence[str], server: str | None) -> bool:
    return server is not None and matches(servers, server)


def is_item_of(what: What, item: str) -> bool:
    named = [*(what.tools or ()), *(what.resources or ()), *(what.prompts or ())]
    return (is_general(what) or matches(named, item)) and not matches(what.unless_tools, item)
