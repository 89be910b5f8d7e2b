"""Names the kinds of personal data and secrets, and defines the result of a recogniser."""

from __future__ import annotations

from typing import NamedTuple

PERSONAL = frozenset(("email", "phone", "card", "iban", "ssn", "ip", "name", "address", "birth_date"))
"""Kinds of personal data. `name`, `address` and `birth_date` are found by the name of a JSON key only."""
SECRETS = frozenset(
    (
        "anthropic_key", "aws_key", "bearer_token", "digitalocean_token", "github_token", "gitlab_token",
        "google_key", "huggingface_token", "jwt", "npm_token", "openai_key", "password", "private_key", "pypi_token",
        "sendgrid_key", "shopify_token", "slack_token", "stripe_key", "telegram_token", "twilio_key",
    )
)  # fmt: skip
"""Kinds of secrets. `password` is any value whose label says password, secret, key or token."""
KINDS = PERSONAL | SECRETS
GROUPS = {"personal": PERSONAL, "secrets": SECRETS}


class Found(NamedTuple):
    """One datum: text[start:end] is of this kind."""

    kind: str
    start: int
    end: int


def expanded(names: frozenset[str]) -> frozenset[str]:
    """Returns the kinds that names of kinds and groups stand for. Raises `ValueError` for an unknown name."""
    kinds: set[str] = set()
    for name in sorted(names):
        if name not in KINDS and name not in GROUPS:
            raise ValueError(f"unknown kind {name!r}")
        kinds |= GROUPS.get(name, {name})
    return frozenset(kinds)
