"""Whether a rule or limit is about a call: its target, its caller, the share of sessions it is in force for. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from fnmatch import fnmatchcase

from mcpobs.policy.conditions import CallFacts
from mcpobs.policy.model import What, Who


def is_drawn(share: float, id_: str, facts: CallFacts) -> bool:
    """Whether a rule with a share is in force for the session of a call."""
    text = f"{id_}\0{facts.enforcement_key}\0{facts.session_id}"
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=7).digest()
    return int.from_bytes(digest, "big") < share * (1 << 56)


def matches(patterns: Iterable[str], name: str) -> bool:
    """Whether a name is one of some names or patterns. Case counts; only `*` is special."""
    return any(
        pattern == name or ("*" in pattern and fnmatchcase(name, pattern.replace("[", "[[]").replace("?", "[?]")))
        for pattern in patterns
    )


def is_about(what: What, facts: CallFacts, target: str | None, kinds: frozenset[str], server: str | None) -> bool:
    if what.servers is not None and (server is None or not matches(what.servers, server)):
        return False
    if what.methods is not None and matches(what.methods, facts.method):
        return True
    if target is None or facts.kind is None:
        return False
    target = facts.whole or target
    patterns = {"tool": what.tools, "resource": what.resources, "prompt": what.prompts}[facts.kind]
    if patterns is None or not matches(patterns, target):
        return False
    if facts.kind != "tool":
        return True
    if what.kinds is not None and not kinds & frozenset(what.kinds):
        return False
    return not matches(what.unless_tools, target)


def is_caller(who: Who, facts: CallFacts) -> bool:
    identity = facts.identity
    return (
        (who.roles is None or (identity.role is not None and identity.role in who.roles))
        and (who.scopes is None or not frozenset(identity.scopes).isdisjoint(who.scopes))
        and (who.principals is None or (identity.principal is not None and matches(who.principals, identity.principal)))
        and (who.tenants is None or (identity.tenant is not None and matches(who.tenants, identity.tenant)))
        and (who.clients is None or (facts.client is not None and matches(who.clients, facts.client)))
    )
