"""Keys and tokens with a form that their issuer chose.

What it does: takes a text with the prefix, the alphabet and the length that the issuer documents, if it is no part of a
longer word. Each row of `TOKENS` is one form; a text of fewer than eight different characters is a placeholder.
Source: the issuers' documentation; for those that publish no form, the rules of GitHub secret scanning partners.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mcpobs.detect.personal.found import Found
from mcpobs.detect.personal.page import Page

_WORD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_URL = _WORD + b"_-"
_HEX = b"0123456789abcdef"


class Token(NamedTuple):
    """One form: `prefix`, then at least `least` characters of `alphabet`."""

    kind: str
    prefix: bytes
    alphabet: bytes
    least: int


TOKENS = (
    *(Token("aws_key", prefix, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16) for prefix in (b"AKIA", b"ASIA", b"ABIA")),
    *(Token("github_token", b"gh%b_" % letter, _WORD, 36) for letter in (b"p", b"o", b"u", b"s", b"r")),
    Token("github_token", b"github_pat_", _WORD + b"_", 50),
    *(Token("gitlab_token", prefix, _URL, 20) for prefix in (b"glpat-", b"gldt-", b"glrt-", b"glptt-", b"glcbt-")),
    *(Token("slack_token", b"xox%b-" % letter, _WORD + b"-", 20) for letter in (b"a", b"b", b"e", b"p", b"r", b"s")),
    Token("slack_token", b"xapp-", _WORD + b"-", 20),
    Token("slack_token", b"hooks.slack.com/services/", _WORD + b"/", 30),
    *(Token("stripe_key", prefix, _WORD, 16) for prefix in (b"sk_live_", b"sk_test_", b"rk_live_", b"rk_test_")),
    Token("stripe_key", b"whsec_", _WORD + b"+/=", 24),
    Token("google_key", b"AIza", _URL, 35),
    Token("google_key", b"GOCSPX-", _URL, 24),
    Token("google_key", b"ya29.", _URL, 30),
    Token("npm_token", b"npm_", _WORD, 36),
    Token("pypi_token", b"pypi-", _URL, 50),
    Token("anthropic_key", b"sk-ant-", _URL, 24),
    *(Token("openai_key", prefix, _URL, 32) for prefix in (b"sk-proj-", b"sk-svcacct-", b"sk-admin-")),
    Token("openai_key", b"sk-", _WORD, 40),
    Token("huggingface_token", b"hf_", _WORD, 30),
    Token("sendgrid_key", b"SG.", _URL + b".", 60),
    *(Token("twilio_key", prefix, _HEX, 32) for prefix in (b"AC", b"SK")),
    *(Token("shopify_token", prefix, _HEX + b"ABCDEF", 32) for prefix in (b"shpat_", b"shpca_", b"shppa_", b"shpss_")),
    *(Token("digitalocean_token", prefix, _HEX, 64) for prefix in (b"doo_v1_", b"dop_v1_", b"dor_v1_")),
)
KINDS = frozenset(token.kind for token in TOKENS) | {"telegram_token"}
_IN_HEX = b"(?-i:(?:AC|SK)[0-9a-f]{8})"  # two letters alone are in every text
ANCHORS = (*{token.prefix.replace(b".", rb"\.") for token in TOKENS if len(token.prefix) > 2}, b":AA", _IN_HEX)
_LEAST_DIFFERENT = 8
_LONGEST = 4_096


def at(page: Page, start: int, end: int) -> Iterator[Found]:
    """Yields the token whose prefix is at a place."""
    data = page.data
    if data[start:end] == b":AA":
        yield from _telegram(data, start)
        return
    if data[max(0, start - 1) : start] and data[start - 1] in _URL:
        return
    text = data[start : start + _LONGEST]
    for kind, prefix, alphabet, least in TOKENS:
        if text.startswith(prefix):
            length = _run(text[len(prefix) :], alphabet)
            rest = text[len(prefix) + length :][:1]
            whole = text[: len(prefix) + length]
            if length >= least and not rest.isalnum() and len(set(whole)) >= _LEAST_DIFFERENT:
                yield Found(kind, start, start + len(whole))
                return


def _telegram(data: bytes, colon: int) -> Iterator[Found]:
    """Yields a bot's token: its number, a colon, 35 characters."""
    before = data[max(0, colon - 11) : colon]
    digits = len(before) - len(before.rstrip(b"0123456789"))
    length = _run(data[colon + 1 : colon + 64], _URL)
    if 8 <= digits <= 10 and length == 35:
        yield Found("telegram_token", colon - digits, colon + 1 + length)


def _run(text: bytes, alphabet: bytes) -> int:
    return len(text) - len(text.lstrip(alphabet))
