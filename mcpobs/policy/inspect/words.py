"""The words of `find`, and which inspector knows each. Imports no detector, because editors' schemas read this too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PERSONAL: Final = ("email", "phone", "card", "iban", "ssn", "ip")
SECRETS: Final = ("aws_key", "github_token", "jwt", "private_key")
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {"personal": PERSONAL, "secrets": SECRETS}
"""Words that stand for several."""

INSPECTORS: Final[Mapping[str, str]] = {
    "injection": "injection",
    **dict.fromkeys((*GROUPS, *PERSONAL, *SECRETS), "personal"),
}
"""The module of `policy/inspect` that each word belongs to."""
WORDS: Final = tuple(INSPECTORS)
