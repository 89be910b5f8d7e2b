"""Admits requests by their bearer token. Compares in constant time and keeps only digests of tokens."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

CHALLENGE = b'Bearer realm="mcpobs"'


class Tokens:
    """The accepted tokens; with none, everyone may send."""

    def __init__(self, tokens: Iterable[str] = ()) -> None:
        self._digests = tuple(_digest(token.encode()) for token in tokens)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def admit(self, authorization: bytes | str | None) -> bool:
        """Returns whether the value of an `authorization` header is accepted."""
        if not self._digests:
            return True
        if authorization is None:
            return False
        given = authorization.encode(errors="surrogateescape") if isinstance(authorization, str) else authorization
        scheme, _, token = given.partition(b" ")
        digest = _digest(token.strip())
        # Not `any`: its duration would reveal which of several tokens matched.
        matches = [hmac.compare_digest(digest, known) for known in self._digests]
        return scheme.lower() == b"bearer" and True in matches


def _digest(token: bytes) -> bytes:
    """Returns a digest of equal length for every token, so that a comparison does not reveal the length."""
    return hashlib.sha256(token).digest()
