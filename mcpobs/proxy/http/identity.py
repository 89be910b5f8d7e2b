"""Who calls, by the verified bearer token of a request, or as the configuration says. Never refuses a request: that is
the server's part; a token that cannot be verified vouches for nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from mcpobs.installed.extras import needing
from mcpobs.protocol.session import NOBODY, Identity, configured
from mcpobs.protocol.text import bounded
from mcpobs.settings import IdentityConfig

MAX_TOKEN = 16_384
MAX_VERIFIED = 4_096
MAX_NAME = 128
TRUST_S = 300.0  # a verified token is not verified again for so long
_LEEWAY_S = 30
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures by a key pair only: with a shared secret whoever verifies could sign, and `none` is no signature."""


class Verify(Protocol):
    """Takes the headers of a request (names in lower case) and says who sent it. Never waits."""

    unverified: str | None
    """Why the last request that had a token has no identity."""

    def __call__(self, headers: Mapping[str, str]) -> Identity: ...

    async def ready(self, headers: Mapping[str, str]) -> None:
        """Waits a short time for what the request needs to be verified."""


def identify(config: IdentityConfig | None, warn: Callable[[str], None]) -> Verify:
    """What says who sent a request. Raises UsageError."""
    if config is None or config.static:
        return _Same(configured(config))
    return _Tokens(config, warn)


class _Same:
    """The same for all requests."""

    unverified: str | None = None

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def __call__(self, headers: Mapping[str, str]) -> Identity:
        return self._identity

    async def ready(self, headers: Mapping[str, str]) -> None:
        pass


class _Tokens:
    """Verifies JWTs, and remembers those that it did."""

    def __init__(self, config: IdentityConfig, warn: Callable[[str], None]) -> None:
        with needing("[identity] jwks", "http"):
            import cryptography  # noqa: F401, without it no key can be read
            import jwt
            from jwt import PyJWKSet  # noqa: F401, an unrelated distribution `jwt` has none
        from mcpobs.proxy.http.jwks import Keys

        self._jwt = jwt
        self._config = config
        self._warn = warn
        self._warned: set[str] = set()
        self._verified: dict[str, tuple[Identity, float]] = {}
        self._keys = Keys(str(config.jwks))
        self.unverified: str | None = None

    async def ready(self, headers: Mapping[str, str]) -> None:
        if "authorization" in headers and not self._keys.are_known:
            self._keys.key(None)  # has them fetched, where that is due
            await self._keys.wait()

    def __call__(self, headers: Mapping[str, str]) -> Identity:
        return self.identity(headers)

    def identity(self, headers: Mapping[str, str]) -> Identity:
        self.unverified = None
        scheme, _, token = headers.get("authorization", "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            return NOBODY
        if len(token) > MAX_TOKEN:
            return self._nobody("too_long", f"longer than {MAX_TOKEN} characters")
        known = self._verified.get(token)
        if known is not None and time.time() < known[1]:
            return known[0]
        try:
            key = self._keys.key(self._jwt.get_unverified_header(token).get("kid"))
            if key is None:
                if not self._keys.are_known:
                    return self._nobody(
                        "no_keys", f"the keys cannot be fetched: {self._keys.failed or 'no answer yet'}"
                    )
                return self._nobody("unknown_key", "its key is not known")
            claims = self._jwt.decode(
                token,
                key,
                algorithms=_ALGORITHMS,
                issuer=self._config.issuer,
                audience=self._config.audience,
                leeway=_LEEWAY_S,
                options={"require": ["exp"], "verify_aud": self._config.audience is not None},
            )
            until_s = min(float(claims["exp"]) + _LEEWAY_S, time.time() + TRUST_S)
        except self._jwt.ExpiredSignatureError as error:
            return self._nobody("expired", type(error).__name__)
        except (self._jwt.PyJWTError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
            return self._nobody("invalid", type(error).__name__)
        found = Identity(
            self._claim(claims, self._config.principal),
            self._claim(claims, self._config.tenant),
            self._claim(claims, self._config.role),
            _scopes(claims),
        )
        if len(self._verified) >= MAX_VERIFIED:
            self._verified.clear()
        self._verified[token] = (found, until_s)
        return found

    def _nobody(self, reason: str, why: str) -> Identity:
        self.unverified = reason
        self._warn_once(why)
        return NOBODY

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
