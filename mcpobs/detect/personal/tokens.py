"""Keys and tokens that their issuers give a recognisable form.

What it does: takes a text with the prefix, the alphabet and the length that the issuer documents, if it is no part of a
longer word. Each row of `TOKENS` is one form; a text of fewer than eight different characters is a placeholder.
Source: the issuers' documentation; for those that publish no form, the rules of GitHub secret scanning partners.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mcpobs.detect.personal.engine import Pattern
from mcpobs.detect.personal.found import Found
from mcpobs.detect.personal.page import Page


class Token(NamedTuple):
    """One form: `prefix`, then at least `least` characters of which `alphabet` is the pattern of one."""

    kind: str
    prefix: bytes
    alphabet: bytes
    least: int


_WORD = rb"[A-Za-z0-9]"
_URL = rb"[A-Za-z0-9_-]"
_HEX = rb"[0-9a-f]"
TOKENS = (
    *(Token("aws_key", prefix, rb"[A-Z2-7]", 16) for prefix in (b"AKIA", b"ASIA", b"ABIA", b"ACCA")),
    *(Token("github_token", b"gh%b_" % letter, _WORD, 36) for letter in (b"p", b"o", b"u", b"s", b"r")),
    Token("github_token", b"github_pat_", rb"[A-Za-z0-9_]", 50),
    *(Token("gitlab_token", prefix, _URL, 20) for prefix in (b"glpat-", b"gldt-", b"glrt-", b"glptt-", b"glcbt-")),
    *(
        Token("slack_token", b"xox%b-" % letter, rb"[A-Za-z0-9-]", 20)
        for letter in (b"a", b"b", b"e", b"p", b"r", b"s")
    ),
    Token("slack_token", b"xapp-", rb"[A-Za-z0-9-]", 20),
    Token("slack_token", b"https://hooks.slack.com/services/", rb"[A-Za-z0-9/]", 30),
    *(
        Token("stripe_key", b"%b_%b_" % (side, mode), _WORD, 16)
        for side in (b"sk", b"rk")
        for mode in (b"live", b"test")
    ),
    Token("stripe_key", b"whsec_", rb"[A-Za-z0-9+/=]", 24),
    Token("google_key", b"AIza", _URL, 35),
    Token("google_key", b"GOCSPX-", _URL, 24),
    Token("google_key", b"ya29.", _URL, 30),
    Token("npm_token", b"npm_", _WORD, 36),
    Token("pypi_token", b"pypi-", _URL, 50),
    Token("anthropic_key", b"sk-ant-", _URL, 24),
    *(Token("openai_key", prefix, _URL, 32) for prefix in (b"sk-proj-", b"sk-svcacct-", b"sk-admin-")),
    Token("openai_key", b"sk-", _WORD, 40),
    Token("huggingface_token", b"hf_", _WORD, 30),
    Token("sendgrid_key", b"SG.", rb"[A-Za-z0-9_.-]", 60),
    *(Token("twilio_key", prefix, _HEX, 32) for prefix in (b"AC", b"SK")),
    *(Token("shopify_token", prefix, rb"[0-9A-Fa-f]", 32) for prefix in (b"shpat_", b"shpca_", b"shppa_", b"shpss_")),
    *(Token("digitalocean_token", b"do%b_v1_" % letter, _HEX, 64) for letter in (b"o", b"p", b"r")),
)
KINDS = frozenset(token.kind for token in TOKENS) | {"telegram_token"}
_LEAST_DIFFERENT = 8


def _pattern() -> bytes:
    """Returns one pattern for all tokens. Each is bounded at its least length: `_end` goes on from there."""
    forms: dict[tuple[bytes, int], list[bytes]] = {}
    for token in TOKENS:
        forms.setdefault((token.alphabet, token.least), []).append(token.prefix.replace(b".", rb"\."))
    rows = [b"(?:%b)%b{%d}" % (b"|".join(prefixes), alphabet, least) for (alphabet, least), prefixes in forms.items()]
    return b"|".join((*rows, rb"[0-9]{8,10}:AA[A-Za-z0-9_-]{33}"))


_TOKEN = Pattern(_pattern())
_LONGEST = 4_096
_WORDS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_REST = {_WORD: _WORDS, _HEX: _WORDS}
_OTHER_REST = _WORDS + b"_-"


def find(page: Page, kinds: frozenset[str]) -> Iterator[Found]:
    data = page.data
    taken = 0
    for start, end in _TOKEN.spans(data):
        if start < taken or page.byte(start - 1) in _OTHER_REST:
            continue
        text = data[start:end]
        token = next((each for each in TOKENS if text.startswith(each.prefix)), None)
        kind = "telegram_token" if token is None else token.kind
        rest = data[end : end + _LONGEST]
        end += len(rest) - len(rest.lstrip(_REST.get(token.alphabet, _OTHER_REST) if token else _OTHER_REST))
        if kind in kinds and len(set(text)) >= _LEAST_DIFFERENT:
            taken = end
            yield Found(kind, start, end)
