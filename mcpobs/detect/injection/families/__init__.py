"""The families of patterns, one module each. A family is a kind of attack; its patterns are wordings of that kind."""

from __future__ import annotations

from mcpobs.detect.injection.families import (
    approval,
    authority,
    completion,
    concealment,
    context,
    decode,
    exfiltration,
    hidden,
    memory,
    model,
    multilingual,
    output,
    override,
    persona,
    pretext,
    roles,
    tools,
)
from mcpobs.detect.injection.pattern import Pattern

FAMILIES: dict[str, tuple[Pattern, ...]] = {
    "approval": approval.PATTERNS,
    "authority": authority.PATTERNS,
    "completion": completion.PATTERNS,
    "concealment": concealment.PATTERNS,
    "context": context.PATTERNS,
    "decode": decode.PATTERNS,
    "exfiltration": exfiltration.PATTERNS,
    "hidden": hidden.PATTERNS,
    "memory": memory.PATTERNS,
    "model": model.PATTERNS,
    "multilingual": multilingual.PATTERNS,
    "output": output.PATTERNS,
    "override": override.PATTERNS,
    "persona": persona.PATTERNS,
    "pretext": pretext.PATTERNS,
    "roles": roles.PATTERNS,
    "tools": tools.PATTERNS,
}

CONTEXT = "context"
"""The family of signs that lower a score."""

SHELVES = (
    ("approval", "authority", "completion", "concealment", "memory"),
    ("override", "persona", "pretext", "output"),
    ("model",),
    ("tools",),
    ("exfiltration", "hidden", "context"),
    ("decode", "roles"),
)
"""The families that one set holds together, as measured; `multilingual` has sets of its own."""
