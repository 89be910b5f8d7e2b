"""Who calls, by the verified bearer token of a request, or as the configuration says. Never refuses a request: that is
the server's part; a token that cannot be verified vouches for nobody.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcpobs import safefile
from mcpobs.errors import UsageError
from mcpobs.installed.extras import needing
from mcpobs.protocol.session import NOBODY, Identity
from mcpobs.protocol.text import bounded
from mcpobs.settings import IdentityConfig

if TYPE_CHECKING:
    import jwt

MAX_JWKS_BYTES = 1 << 20
MAX_TOKEN = 16_384
MAX_VERIFIED = 4_096
MAX_NAME = 128
TRUST_S = 300.0  # a verified token is not verified again for so long
_LEEWAY_S = 30
_FETCH_TIMEOUT_S = 5
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures by a key pair only: with a shared secret whoever verifies could sign, and `none` is no signature."""

Verify = Callable[[Mapping[str, str]], Identity]


def identify(config: IdentityConfig | None, warn: Callable[[str], None]) -> Verify:
    """What takes the headers of a request (names in lower case) and says who sent it. Raises UsageError."""
    if config is None:
        return lambda headers: NOBODY
    if config.static:
        static = Identity(config.principal, config.tenant or None, config.role or None)
        return lambda headers: static
    return _Tokens(config, warn).identity


class _Tokens:
    """Verifies JWTs, and remembers those that it did."""

    def __init__(self, config: IdentityConfig, warn: Callable[[str], None]) -> None:
        with needing("[identity] jwks", "http"):
            import cryptography  # noqa: F401, without it no key can be read
            import jwt
            from jwt import PyJWKSet  # noqa: F401, an unrelated distribution `jwt` has none
        self._jwt = jwt
        self._config = config
        self._warn = warn
        self._warned: set[str] = set()
        self._verified: dict[str, tuple[Identity, float]] = {}
        self._key = self._keys(str(config.jwks))

    def _keys(self, place: str) -> Callable[[str], jwt.PyJWK]:
        if place.startswith(("http://", "https://")):
            client = self._jwt.PyJWKClient(place, timeout=_FETCH_TIMEOUT_S)
            return client.get_signing_key_from_jwt
        path = Path(place).expanduser()
        try:
            keys = self._jwt.PyJWKSet.from_dict(json.loads(safefile.read_trusted(path, MAX_JWKS_BYTES)))
        except safefile.ExposedError as error:
            raise UsageError(f"[identity] jwks {path} is not used: {error.strerror}", error.remedy) from None
        except (OSError, ValueError, AttributeError, self._jwt.PyJWTError) as error:
            raise UsageError(f"[identity] jwks {path} holds no keys: {error}", "name a JWK set, by RFC 7517") from None
        by_id = {key.key_id: key for key in keys.keys}

        def of(token: str) -> jwt.PyJWK:
            named = self._jwt.get_unverified_header(token).get("kid")
            found = by_id.get(named) if named is not None else (keys.keys[0] if len(keys.keys) == 1 else None)
            if found is None:
                raise self._jwt.InvalidKeyError("no such key")
            return found

        return of

    def identity(self, headers: Mapping[str, str]) -> Identity:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not 0 < len(token) <= MAX_TOKEN:
            return NOBODY
        known = self._verified.get(token)
        if known is not None and time.time() < known[1]:
            return known[0]
        try:
            claims = self._jwt.decode(
                token,
                self._key(token),
                algorithms=_ALGORITHMS,
                issuer=self._config.issuer,
                audience=self._config.audience,
                leeway=_LEEWAY_S,
                options={"require": ["exp"], "verify_aud": self._config.audience is not None},
            )
        except self._jwt.PyJWTError as error:
            self._warn_once(type(error).__name__)
            return NOBODY
        found = Identity(
            self._claim(claims, self._config.principal),
            self._claim(claims, self._config.tenant),
            self._claim(claims, self._config.role),
            _scopes(claims),
        )
        if len(self._verified) >= MAX_VERIFIED:
            self._verified.clear()
        self._verified[token] = (found, min(float(claims["exp"]) + _LEEWAY_S, time.time() + TRUST_S))
        return found

    def _warn_once(self, kind: str) -> None:
        if kind not in self._warned:
            self._warned.add(kind)
            self._warn(f"a bearer token could not be verified ({kind}): its calls have no principal")

    @staticmethod
    def _claim(claims: Mapping[str, Any], name: str) -> str | None:
        """A claim as text; of a list the first. A dot leads into an object, e.g. realm_access.roles."""
        value: object = claims.get(name)
        if value is None and "." in name:
            value = claims
            for part in name.split("."):
                value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, list):
            value = value[0] if value else None
        return bounded(str(value), MAX_NAME) if isinstance(value, str | int) and value != "" else None


def _scopes(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """`scope` (RFC 8693) or `scp`: words, or a list of them."""
    value = claims.get("scope", claims.get("scp"))
    words = value.split() if isinstance(value, str) else value if isinstance(value, list) else ()
    return tuple(word for word in words if isinstance(word, str))
