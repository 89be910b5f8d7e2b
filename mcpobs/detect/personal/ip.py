"""IP addresses of hosts.

What it does: takes four octets, or an IPv6 address of eight groups or shortened with at least three groups. A version
number, a network with its prefix length, and the addresses of no host elsewhere (loopback, unspecified, broadcast,
multicast, link-local) are none.
Source: RFC 791, RFC 4291 2.2; IANA special-purpose address registries (RFC 6890).
"""

from __future__ import annotations

from collections.abc import Iterator

from mcpobs.detect.personal.engine import Pattern
from mcpobs.detect.personal.found import Found
from mcpobs.detect.personal.labels import label
from mcpobs.detect.personal.page import Page

KINDS = frozenset(("ip",))
_V4 = Pattern(rb"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}")
_V6 = Pattern(rb":[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]")  # within an address
_V6_BYTES = b"0123456789ABCDEFabcdef:"
_V6_LONGEST = 39
_VERSIONS = frozenset(
    b"build chrome dll driver edition firefox firmware kernel model oid patch protocol release releases revision rule "
    b"section sha tag update upgrade v ver version versions".split()
)


def find(page: Page, kinds: frozenset[str]) -> Iterator[Found]:
    data = page.data
    for start, end in _V4.spans(data):
        if _stands_alone(data, start, end) and _is_host(data[start:end]) and not _is_version(page, start):
            yield Found("ip", start, end)
    taken = 0
    for at, _ in _V6.spans(data):
        if at < taken:
            continue
        before, after = data[max(taken, at - _V6_LONGEST) : at], data[at : at + _V6_LONGEST]
        start = at - len(before) + len(before.rstrip(_V6_BYTES))
        end = taken = at + len(after) - len(after.lstrip(_V6_BYTES))
        if _stands_alone(data, start, end, b":") and _is_v6(data[start:end]):
            yield Found("ip", start, end)


def _stands_alone(data: bytes, start: int, end: int, joined: bytes = b"") -> bool:
    before, after = data[max(0, start - 2) : start], data[end : end + 2]
    if before[-1:].isalnum() or (before[-1:] in (b".", b"-", b"_", b"/") and before != b"//"):
        return False
    if joined and (before == b"::" or after[:1] == joined):
        return False
    if after[:1].isalnum() or after[:1] in (b"_", b"-"):
        return False
    return not (after[:1] in (b".", b"/") and after[1:].isdigit())


def _is_host(text: bytes) -> bool:
    octets = text.split(b".")
    numbers = list(map(int, octets))
    if any(number > 255 for number in numbers) or any(len(octet) > 1 and octet[0] == 48 for octet in octets):
        return False
    first = numbers[0]
    return first not in (0, 127) and first < 224 and numbers[:2] != [169, 254]


def _is_version(page: Page, start: int) -> bool:
    words = page.words_before(start)
    return (words[0] if words else b"") in _VERSIONS or label(words) in _VERSIONS


def _is_v6(text: bytes) -> bool:
    left, shortened, right = text.partition(b"::")
    if b"::" in right or text.endswith(b":") or b"." in text:
        return False
    groups = [group for half in (left, right) if half for group in half.split(b":")]
    if any(not 1 <= len(group) <= 4 for group in groups):
        return False
    if not shortened:
        return len(groups) == 8
    return (
        3 <= len(groups) <= 7 and any(byte in b"0123456789" for byte in text) and not text.lower().startswith(b"fe80")
    )
