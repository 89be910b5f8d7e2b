"""Passwords, keys and tokens without a recognisable form, found by their label.

What it does: takes the value after `password=`, `"api_key": `, `SECRET_TOKEN: ` and the like, the credentials after
`Bearer`, `Basic` and `Authorization: …`, and the password in a URL (`scheme://user:password@host`). A value that is a
placeholder, a variable, a type or a plain word is none; how random a value has to be depends on how sure the label is.
Source: RFC 3986 3.2.1 (userinfo), RFC 6750 2.1 (Bearer), RFC 7617 (Basic); entropy after Shannon, per character.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from mcpobs.detect.personal.engine import Pattern
from mcpobs.detect.personal.found import Found
from mcpobs.detect.personal.page import Page

KINDS = frozenset(("password", "bearer_token"))
_KEYS = b"(?:api|access|auth|account|private|signing|encryption|client|master|shared|storage|service)[_ -]?key"
ANCHORS = (
    b"passw", b"passphrase", b"pwd", b"secret", b"token", b"credential", b"connection[_ -]?string", _KEYS,
    b"bearer ", b"basic ", b"://",
)  # fmt: skip
_ASSIGNMENT = Pattern(
    rb"(?i)(?:" + _KEYS + rb"|connection[_ -]?string|[a-z]{3,16})[a-z0-9_]{0,24}[\"'`\]]{0,2}\s{0,3}(?::=|=>|[:=])"
    rb"\s{0,3}[\"'`]{0,2}"
)
_VALUE = Pattern(rb"[^\x00\s\"'`,;<>(){}&|]+")
_SCHEME = Pattern(rb"(?i)(?:bearer|basic) {1,2}[A-Za-z0-9._~+/-]{12,}=*")
_USERINFO = Pattern(rb"://[^\x00\s/@:\"'<>?#]{0,128}:[^\x00\s/@\"'<>]{1,128}@")
_LONGEST = 8_192
_LONGEST_LABEL = 80
_SHOWN = 72  # characters of a value that are validated: labels may follow one another closely
_PASSWORDS = (b"passw", b"pwd", b"passphrase")
_PLACEHOLDERS = (
    b"your", b"xxx", b"***", b"...", b"example", b"changeme", b"change_me", b"placeholder", b"redacted", b"dummy",
    b"insert", b"replace", b"todo", b"<", b"${", b"$(", b"{{", b"%(", b"%s", b"process.env", b"os.environ", b"getenv",
    b"secrets.", b"config.", b"settings.", b"self.", b"this.", b"env.", b"null", b"none", b"true", b"false",
    b"undefined", b"string", b"required", b"optional", b"hidden", b"masked", b"[",
)  # fmt: skip
_PLACEHOLDER = re.compile(b"|".join(map(re.escape, _PLACEHOLDERS)))
_CLASSES = (
    frozenset(range(97, 123)),
    frozenset(range(65, 91)),
    frozenset(range(48, 58)),
    frozenset(b"!#$%&*+/=?@^~") | frozenset(range(128, 256)),
)
"""Lower case, upper case, digits, others."""
_WORDS = (b"pass", b"passwd", b"password", b"pwd", b"pw", b"secret", b"token")
_LEAST_BITS = 3.0  # per character, of a key or token
_TRAILING = b".!?:\\"


def at(page: Page, start: int, end: int) -> Iterator[Found]:
    """Yields the secret whose label or scheme is at a place."""
    text = page.data[start : start + _LONGEST]
    anchor = page.data[start:end].lower()
    if anchor == b"://":
        found = _in_url(text)
    elif anchor in (b"bearer ", b"basic "):
        found = None if page.data[max(0, start - 1) : start].isalnum() else _credentials(text)
    else:
        found = _assigned(text)
    if found is not None:
        kind, begin, close = found
        yield Found(kind, start + begin, start + close)


def is_placeholder(value: bytes) -> bool:
    """Returns whether a value is a placeholder for a secret."""
    plain = value.lower()
    return len(set(plain)) < 3 or _PLACEHOLDER.search(plain, 0, 24) is not None or plain[:1] in (b"$", b"%", b"@")


def _assigned(text: bytes) -> Found | None:
    begin = _ASSIGNMENT.at(text[:_LONGEST_LABEL])
    if begin is None:
        return None
    label, shown = text[:begin].lower(), _value(text[begin : begin + _SHOWN])
    if not _is_secret(shown, label):
        return None
    value = shown if len(shown) < _SHOWN - 8 else _value(text[begin:])
    return Found("password", begin, begin + len(value))


def _value(text: bytes) -> bytes:
    """Returns the value at the beginning of a text, without the end of its sentence."""
    return text[: _VALUE.at(text) or 0].rstrip(_TRAILING)


def _is_secret(value: bytes, label: bytes) -> bool:
    if len(value) < 4 or is_placeholder(value):
        return False
    mixed = _classes(value)
    if any(word in label for word in _PASSWORDS):
        return len(value) >= 6 and mixed >= 2
    return len(value) >= 12 and mixed >= 2 and any(48 <= byte <= 57 for byte in value) and _bits(value) >= _LEAST_BITS


def _classes(value: bytes) -> int:
    """Counts the classes of characters."""
    return sum(not known.isdisjoint(value) for known in _CLASSES)


def _bits(value: bytes) -> float:
    """Returns the entropy of the characters of a value, in bits per character."""
    counts = (value.count(byte) / len(value) for byte in set(value))
    return -sum(share * math.log2(share) for share in counts)


def _credentials(text: bytes) -> Found | None:
    end = _SCHEME.at(text)
    if end is None:
        return None
    begin = text.rindex(b" ", 0, end) + 1
    value = text[begin:end]
    is_random = _classes(value) >= 2 and any(48 <= byte <= 57 for byte in value)
    return Found("bearer_token", begin, end) if is_random and not is_placeholder(value) else None


def _in_url(text: bytes) -> Found | None:
    end = _USERINFO.at(text)
    if end is None:
        return None
    begin = text.index(b":", 3) + 1
    value = text[begin : end - 1]
    is_port = value.isdigit() and len(value) <= 5
    is_word = is_placeholder(value) or value.lower() in _WORDS
    return None if is_port or is_word else Found("password", begin, end - 1)
