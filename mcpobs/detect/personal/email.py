"""E-mail addresses.

What it does: takes a local part and a domain with an alphabetic top-level domain around an `@`. The login of a
repository (`git@host:path`), a package with its version (`@scope/pkg@4.5.4`) and a decorator are none.
Source: RFC 5321 4.1.2 and 4.5.3.1 (lengths), RFC 1035 2.3.1 (labels). Quoted local parts are left out.
"""

from __future__ import annotations

from collections.abc import Iterator

from mcpobs.detect.personal.engine import Pattern
from mcpobs.detect.personal.found import Found
from mcpobs.detect.personal.page import Page

KINDS = frozenset(("email",))
_AT = Pattern(rb"[A-Za-z0-9_+\x80-\xff-]@[A-Za-z0-9\x80-\xff]")
_LOCAL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.!#$%&'*+-/=?^_`{|}~"
_PLAIN_LOCAL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%+-'"
_DOMAIN = Pattern(rb"(?:[A-Za-z0-9\x80-\xff](?:[A-Za-z0-9\x80-\xff-]{0,62}\.)){1,8}[A-Za-z]{2,24}")
_FILES = frozenset(b"png jpg jpeg gif svg webp js css html py json md txt".split())
_LOGINS = frozenset((b"git", b"hg", b"svn"))


def find(page: Page, kinds: frozenset[str]) -> Iterator[Found]:
    data = page.data
    if b"@" not in data:
        return
    taken = 0
    for at, _ in _AT.spans(data):
        at += 1
        left = data[max(taken, at - 64) : at]
        local = left[len(left.rstrip(_PLAIN_LOCAL)) :].lstrip(b".'-%+") if left.isascii() else _wide(left)
        length = _DOMAIN.at(data[at + 1 : at + 256])
        if not local or length is None:
            continue
        end = at + 1 + length
        if _is_address(local, data, at + 1, end):
            taken = end
            yield Found("email", at - len(local), end)


def _wide(left: bytes) -> bytes:
    """Returns the local part at the end of a text that has letters beyond ASCII, as of Latin languages."""
    text = left.decode("utf-8", "ignore")
    begin = len(text)
    while begin and (text[begin - 1] in _WIDE or "\u00c0" <= text[begin - 1] <= "\u024f"):
        begin -= 1
    return text[begin:].lstrip(".'-%+").encode()


_WIDE = frozenset(_PLAIN_LOCAL.decode())


def _is_address(local: bytes, data: bytes, begin: int, end: int) -> bool:
    after = data[end : end + 2]
    if local.endswith(b".") or b".." in local or after[:1] in (b"@", b"_") or after[:1].isalnum():
        return False
    if local.lower() in _LOGINS and after[:1] in (b":", b"/"):
        return False
    return data[begin:end].rpartition(b".")[2].lower() not in _FILES
