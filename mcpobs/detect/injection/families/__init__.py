"""The families of patterns, one module each. A family is a kind of attack; its patterns are wordings of that kind."""

from __future__ import annotations

from mcpobs.detect.injection.families import (
    authority,
    concealment,
    exfiltration,
    override,
    persona,
    roles,
)
from mcpobs.detect.injection.pattern import Pattern

FAMILIES: dict[str, tuple[Pattern, ...]] = {
    "authority": authority.PATTERNS,
    "concealment": concealment.PATTERNS,
    "exfiltration": exfiltration.PATTERNS,
    "override": override.PATTERNS,
    "persona": persona.PATTERNS,
    "roles": roles.PATTERNS,
}
