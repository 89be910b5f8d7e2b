"""Conditions and calls for the tests of rules, made as a policy file and a front make them."""

from __future__ import annotations

import json
from typing import Any

from mcpobs.limits.document import parse
from mcpobs.policy.conditions import CallFacts, Condition, Holds, Prepared, RuleError
from mcpobs.policy.rules import KINDS
from mcpobs.policy.state import Done, SessionFacts
from mcpobs.protocol.session import Identity


def condition(key: str, value: object) -> Condition:
    """A condition from what follows its key in a policy file."""
    return KINDS[key](parse(f"{key}: {json.dumps(value, ensure_ascii=False)}".encode(), "policy").entries()[key])


def call(arguments: object = None, **facts: Any) -> CallFacts:
    session = facts.pop("done", None)
    if session is not None:
        facts["session"] = SessionFacts(0, {tool: Done(*done) for tool, done in session.items()})
    identity = Identity(**facts.pop("caller")) if "caller" in facts else Identity()
    facts = {"target": "tool", "kind": "tool", **facts}
    return CallFacts("tools/call", arguments={} if arguments is None else arguments, identity=identity, **facts)


def holds(condition: Condition, facts: CallFacts) -> bool:
    """Whether a `require` with the condition lets a call through: an error does not. A form that is prepared for the
    caller says the same."""
    held = _holds(condition.holds, facts)
    if isinstance(condition, Prepared):
        assert _holds(condition.prepared(facts.identity), facts) is held
    return held


def _holds(holds: Holds, facts: CallFacts) -> bool:
    try:
        return holds(facts)
    except RuleError:
        return False
