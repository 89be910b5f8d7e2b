"""Scrubs recorded texts that peers choose: names, headers, user agents, status texts.

A quick look decides whether a text may hold anything. Only then are the recognisers loaded (10 ms, and google-re2
7 ms): a process that observes usual clients never loads them.
"""

from __future__ import annotations

import re

_SIGNS = (
    "@", "://", "passw", "secret", "token", "pwd", "bearer ", "basic ", "credential", "key", "passphrase", "eyj",
    "hooks.slack", "akia", "asia", "abia", "acca", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat", "glpat",
    "gldt", "glrt", "glptt", "glcbt", "xox", "xapp", "sk_", "rk_", "sk-", "whsec_", "aiza", "gocspx", "ya29",
    "npm_", "pypi-", "hf_", "sg.", "shpat", "shpca", "shppa", "shpss", "doo_", "dop_", "dor_", ":aa",
)  # fmt: skip
"""A text without any of these and without a number holds nothing that `scrub` finds, except an IP address."""
_NUMBER = (
    r"(?<![\w/.-])[+(]?[0-9](?:[ ./()-]{0,3}[0-9]){6}|"
    r"\b[a-z]{2}[0-9]{2}[ -]?[a-z0-9]{4}[ -]?[a-z0-9]{3}|(?:ac|sk)[0-9a-f]{32}"
)
"""A run of digits, an IBAN or a key in hex digits."""
_NO_ADDRESSES = frozenset(("ip",))


def scrubbed(text: str) -> str:
    """Returns the text without personal data and secrets, except IP addresses: versions look like them, and those of
    callers are recorded on purpose."""
    if len(text) < 7:
        return text
    low = text.lower()
    if not any(sign in low for sign in _SIGNS) and re.search(_NUMBER, low) is None:
        return text
    from mcpobs.detect.personal import KINDS, scrub

    return scrub(text, KINDS - _NO_ADDRESSES)
