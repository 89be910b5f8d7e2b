"""Base64, base32, base85, hex, binary and decimal numbers."""

from __future__ import annotations

import base64
import binascii
import re
from string import ascii_letters, ascii_uppercase, digits

from mcpobs.detect.injection.codings.coding import SHORTEST, Coding, printable

PROBE = 32
"""Bytes of a run that are decoded first: an image fails there and costs no more."""


def _base64(run: bytes, _: bytes) -> str | None:
    packed = b"".join(run.split()).replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=")
    probe = packed[:PROBE]
    if probe.islower() or probe.isupper():
        return None  # a path, an identifier or a hash
    start = _from_base64(probe)
    if start is None or printable(start) is None:
        return None
    whole = _from_base64(packed[:-1] if len(packed) % 4 == 1 else packed)
    return printable(whole) if whole is not None else None


def _from_base64(packed: bytes) -> bytes | None:
    try:
        return base64.b64decode(packed + b"=" * (-len(packed) % 4))
    except binascii.Error:
        return None


def _base32(run: bytes, _: bytes) -> str | None:
    packed = run.rstrip(b"=").upper()
    try:
        return printable(base64.b32decode(packed + b"=" * (-len(packed) % 8)))
    except binascii.Error:
        return None


FEWEST_LETTERS = 12
"""Different bytes of a run of base85, which has 30 or more. A line of dashes decodes to letters too."""


def _base85(run: bytes, _: bytes) -> str | None:
    if len(set(run)) < FEWEST_LETTERS:
        return None
    for decode in (base64.b85decode, base64.a85decode):
        try:
            if printable(decode(run[:40])) is not None:
                return printable(decode(run))
        except ValueError:
            continue
    return None


def _hex(run: bytes, _: bytes) -> str | None:
    pairs = re.sub(rb"0x|\\x|[^0-9a-fA-F]", b"", run)
    return printable(bytes.fromhex(pairs[: len(pairs) & ~1].decode()))


def _binary(run: bytes, _: bytes) -> str | None:
    return printable(bytes(int(each, 2) for each in re.findall(rb"[01]{8}", run)))


def _decimal(run: bytes, _: bytes) -> str | None:
    numbers = [int(each) for each in re.findall(rb"\d{1,3}", run)]
    return printable(bytes(numbers)) if max(numbers) < 256 else None


_MORSE_SIGNS = """
    .- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. --
    -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --..
    ----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----. .-.-.- --..-- ..--..
    -..-. .--.-. ---...
"""
_MORSE = dict(zip(_MORSE_SIGNS.split(), "abcdefghijklmnopqrstuvwxyz0123456789.,?/@:", strict=True))


def _morse(run: bytes, _: bytes) -> str | None:
    words = re.split(r"\s*/\s*|\s{3,}|\n", run.decode())
    text = " ".join("".join(_MORSE.get(letter, "") for letter in word.split()) for word in words)
    return text if len(text) >= SHORTEST else None


CODINGS = (
    Coding(
        "base64",
        r"[a-z0-9+/_-]{30}",
        _base64,
        run=r"[a-z0-9+/_-]{30,}(?:\s{1,2}[a-z0-9+/_-]{20,})*(?:\s{1,2}[a-z0-9+/]{1,76})?={0,2}",
        begins=((ascii_letters + digits + "+/_-").encode(), 30),
        implied=True,
    ),
    Coding(
        "base32",
        r"(?-i:[A-Z2-7]{24})",
        _base32,
        run=r"(?-i:[A-Z2-7]{24,})={0,6}",
        begins=((ascii_uppercase + "234567").encode(), 24),
        implied=True,
    ),
    Coding(
        "base85",
        r"[a-z0-9][!#$%&()*+;<>?@^`{|}~][a-z0-9]{1,8}[!#$%&()*+;<>?@^`{|}~][a-z0-9]{1,8}[!#$%&()*+;<>?@^`{|}~][^\s]{12}",
        _base85,
        run=r"[!-~]{30,}",
        counts=True,
    ),
    Coding(
        "hex",
        r"(?:[0-9a-f]{2}){12}|(?:(?:0x|\\x)?[0-9a-f]{2}[\s:,]{0,2}){12}",
        _hex,
        run=r"(?:(?:0x|\\x)?[0-9a-f]{2}[\s:,]{0,2}){12,}",
        counts=True,
        implied=True,
    ),
    Coding("binary", r"(?:[01]{8}\s{0,2}){3,}", _binary, signs=(b"0110",), counts=True),
    Coding("morse", r"(?:[.-]{1,6}[\s/]{1,3}){8,}[.-]{0,6}", _morse, signs=(b".-", b"-."), counts=True),
    Coding("decimal", r"(?:\b\d{2,3}[\s,]{1,2}){10,}\d{0,3}", _decimal, signs=(b"101",), counts=True),
)
