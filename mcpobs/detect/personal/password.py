"""Passwords, keys and tokens without a form of their own: a label calls them that.

What it does: takes the value after `password=`, `"api_key": `, `SECRET_TOKEN: ` and the like, the credentials after
`Bearer`, `Basic` and `Authorization: …`, and the password in a URL (`scheme://user:password@host`). A value that is a
placeholder, a variable, a type or a plain word is none; how random a value has to be depends on how sure the label is.
Source: RFC 3986 3.2.1 (userinfo), RFC 6750 2.1 (Bearer), RFC 7617 (Basic); entropy after Shannon, per character.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from mcpobs.detect.personal.engine import Pattern
from mcpobs.detect.personal.found import Found
from mcpobs.detect.personal.page import Page

KINDS = frozenset(("password", "bearer_token"))
_LABEL = Pattern(
    rb"(?i)(?:passw(?:or)?d|passphrase|passwort|pwd|secret|token|credentials?|connection[_-]?string|"
    rb"(?:api|access|auth|account|private|signing|encryption|client|master|shared|storage|service)[_ -]?key)"
    rb"[a-z0-9_]{0,16}[\"'`\]]{0,2}\s{0,3}(?::=|=>|[:=])\s{0,3}[\"'`]{0,2}[^\x00\s\"'`,;<>(){}&|]{4,}"
)
_SCHEME = Pattern(rb"(?i)\b(?:bearer|basic) {1,2}[A-Za-z0-9._~+/-]{12,}=*")
_URL = Pattern(rb"[A-Za-z][A-Za-z0-9+.-]{1,24}://[^\x00\s/@:\"'<>?#]{0,128}:[^\x00\s/@\"'<>]{1,128}@")
_PASSWORDS = (b"passw", b"pwd", b"passphrase")
_PLACEHOLDERS = (
    b"your", b"xxx", b"***", b"...", b"example", b"changeme", b"change_me", b"placeholder", b"redacted", b"dummy",
    b"insert", b"replace", b"todo", b"<", b"${", b"$(", b"{{", b"%(", b"%s", b"process.env", b"os.environ", b"getenv",
    b"secrets.", b"config.", b"settings.", b"self.", b"this.", b"env.", b"null", b"none", b"true", b"false",
    b"undefined", b"string", b"required", b"optional", b"hidden", b"masked", b"[",
)  # fmt: skip
_WORDS = (b"pass", b"passwd", b"password", b"pwd", b"pw", b"secret", b"token")
_LEAST_BITS = 3.0  # per character, of a key or token
_TRAILING = b".!?:\\"


def find(page: Page, kinds: frozenset[str]) -> Iterator[Found]:
    if "password" in kinds:
        yield from _assigned(page.data)
        yield from _in_urls(page.data)
    if "bearer_token" in kinds:
        yield from _credentials(page.data)


def is_placeholder(value: bytes) -> bool:
    """Returns whether a value stands for a secret and is none."""
    plain = value.lower()
    return len(set(plain)) < 3 or any(mark in plain[:24] for mark in _PLACEHOLDERS) or plain[:1] in (b"$", b"%", b"@")


def _assigned(data: bytes) -> Iterator[Found]:
    for start, end in _LABEL.spans(data):
        text = data[start:end]
        begin = start + _value_at(text)
        value = data[begin:end].rstrip(_TRAILING)
        if _is_secret(value, text[: begin - start].lower()):
            yield Found("password", begin, begin + len(value))


def _value_at(text: bytes) -> int:
    """Returns where the value begins in `label = value`."""
    at = min(found for found in (text.find(b":"), text.find(b"=")) if found >= 0)
    while text[at : at + 1] in (b":", b"=", b">", b" ", b"\t", b"\n", b"\r", b'"', b"'", b"`"):
        at += 1
    return at


def _is_secret(value: bytes, label: bytes) -> bool:
    if len(value) < 4 or is_placeholder(value):
        return False
    mixed = _classes(value)
    if any(word in label for word in _PASSWORDS):
        return len(value) >= 6 and mixed >= 2
    return len(value) >= 12 and mixed >= 2 and any(48 <= byte <= 57 for byte in value) and _bits(value) >= _LEAST_BITS


def _classes(value: bytes) -> int:
    """Counts the classes of characters: lower case, upper case, digits, others."""
    return (
        any(97 <= byte <= 122 for byte in value)
        + any(65 <= byte <= 90 for byte in value)
        + any(48 <= byte <= 57 for byte in value)
        + any(byte in b"!#$%&*+/=?@^~" or byte > 127 for byte in value)
    )


def _bits(value: bytes) -> float:
    """Returns the entropy of the characters of a value, in bits per character."""
    counts = (value.count(byte) / len(value) for byte in set(value))
    return -sum(share * math.log2(share) for share in counts)


def _credentials(data: bytes) -> Iterator[Found]:
    for start, end in _SCHEME.spans(data):
        begin = start + data[start:end].rindex(b" ") + 1
        value = data[begin:end]
        if not is_placeholder(value) and (_classes(value) >= 2 and any(48 <= byte <= 57 for byte in value)):
            yield Found("bearer_token", begin, end)


def _in_urls(data: bytes) -> Iterator[Found]:
    if b"://" not in data:
        return
    for start, end in _URL.spans(data):
        begin = data.index(b":", data.index(b"://", start) + 3) + 1
        value = data[begin : end - 1]
        is_port = value.isdigit() and len(value) <= 5
        if not is_port and not is_placeholder(value) and value.lower() not in _WORDS:
            yield Found("password", begin, end - 1)
