"""Who calls over HTTP: a verified token's claims, or what the configuration says, and nobody otherwise."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from mcpobs.errors import UsageError
from mcpobs.protocol.session import NOBODY, Identity
from mcpobs.proxy.http.identity import _Tokens, identify
from mcpobs.settings import IdentityConfig
from tests.proxy.http.world import call, result, world

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _jwks(folder: Path) -> str:
    key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
    path = folder / "keys.json"
    path.write_text(json.dumps({"keys": [{**key, "kid": "k1", "alg": "RS256", "use": "sig"}]}))
    return str(path)


def _token(key: Any = KEY, algorithm: str = "RS256", kid: str | None = "k1", **claims: Any) -> str:
    claims = {"sub": "ann", "iss": "https://id", "aud": "mcp", "exp": time.time() + 60, **claims}
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, key, algorithm=algorithm, headers={"kid": kid} if kid else None)


def _who(folder: Path, token: str, **config: Any) -> Identity:
    warnings: list[str] = []
    of = identify(IdentityConfig(jwks=_jwks(folder), issuer="https://id", audience="mcp", **config), warnings.append)
    found = of({"authorization": f"Bearer {token}"})
    assert of({"authorization": f"Bearer {token}"}) == found
    assert bool(warnings) == (found == NOBODY)
    return found


def test_a_verified_token_says_who_calls(tmp_path: Path) -> None:
    token = _token(tenant="acme", role=["admin", "user"], scope="read write")
    assert _who(tmp_path, token) == Identity("ann", "acme", "admin", ("read", "write"))


def test_claims_may_have_other_names_and_lie_deeper(tmp_path: Path) -> None:
    token = _token(org=7, realm_access={"roles": ["ops"]}, scp=["a"])
    found = _who(tmp_path, token, principal="aud", tenant="org", role="realm_access.roles")
    assert found == Identity("mcp", "7", "ops", ("a",))


@pytest.mark.parametrize(
    "token",
    [
        _token(key=OTHER),
        _token(iss="https://evil"),
        _token(aud="other"),
        _token(exp=time.time() - 3600),
        _token(exp=None),
        _token(kid="k2"),
        _token(key="secret" * 8, algorithm="HS256"),
        jwt.encode({"sub": "ann", "exp": time.time() + 60}, None, algorithm="none"),
        _token() + "x",
        "rubbish",
    ],
    ids=[
        "key",
        "issuer",
        "audience",
        "expired",
        "no expiry",
        "unknown key",
        "shared secret",
        "none",
        "torn",
        "rubbish",
    ],
)
def test_a_token_that_cannot_be_verified_vouches_for_nobody(tmp_path: Path, token: str) -> None:
    assert _who(tmp_path, token) == NOBODY


def test_a_good_token_is_remembered_no_longer_than_it_is_good(tmp_path: Path) -> None:
    expires = time.time() + 5
    token = _token(exp=expires)
    tokens = _Tokens(IdentityConfig(jwks=_jwks(tmp_path), issuer="https://id", audience="mcp"), lambda line: None)
    assert tokens.identity({"authorization": f"Bearer {token}"}).principal == "ann"
    ((_, until),) = tokens._verified.values()
    assert until <= expires + 30


def test_unreadable_keys_are_reported_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{}")
    for path in (tmp_path / "keys.json", tmp_path / "none.json"):
        with pytest.raises(UsageError, match="holds no keys"):
            identify(IdentityConfig(jwks=str(path)), lambda line: None)


def test_keys_are_fetched_from_a_url(tmp_path: Path) -> None:
    keys = Path(_jwks(tmp_path)).read_bytes()
    with serving(keys) as url:
        of = identify(IdentityConfig(jwks=url, issuer="https://id", audience="mcp"), lambda line: None)
        assert of({"authorization": f"bearer {_token()}"}).principal == "ann"
        assert of({"authorization": f"bearer {_token(kid='k2')}"}) == NOBODY


def test_calls_have_the_principal_of_their_token(tmp_path: Path) -> None:
    async def server(request: web.BaseRequest) -> web.StreamResponse:
        return web.json_response(result())

    async def run() -> None:
        config = IdentityConfig(jwks=_jwks(tmp_path), issuer="https://id", audience="mcp")
        async with world(tmp_path, server, identity=config) as w:
            for token in (_token(tenant="acme"), "forged"):
                headers = {"Authorization": f"Bearer {token}"}
                async with w.client.post(w.url + "/mcp", json=call("search"), headers=headers) as response:
                    await response.read()
            known, forged = w.operations()
            assert (known["principal"], known["tenant"]) == ("ann", "acme")
            assert (known["enforcement_key"], known["session_source"]) == ("principal:ann", "principal")
            assert "principal" not in forged
            assert forged["enforcement_key"] == "connection:127.0.0.1"
            assert known["session_id"] != forged["session_id"]

    asyncio.run(run())


@contextmanager
def serving(content: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/keys"
        server.shutdown()
