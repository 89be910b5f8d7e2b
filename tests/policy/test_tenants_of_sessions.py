"""Over HTTP a session is its first tenant's: whoever else names its id gets nothing of it."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from mcpobs.gate.policing import judge
from mcpobs.policy import file
from mcpobs.settings import IdentityConfig
from tests.proxy.http.world import call, event, result, world

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
POLICY = b"version: 1\nrules: [{id: a, effect: allow, tools: [rows]}]\n"


def _identity(folder: Path) -> IdentityConfig:
    key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
    path = folder / "keys.json"
    path.write_text(json.dumps({"keys": [{**key, "kid": "k1", "alg": "RS256", "use": "sig"}]}))
    return IdentityConfig(jwks=str(path), issuer="https://id", audience="mcp")


def _as(tenant: str | None) -> dict[str, str]:
    headers = {"Mcp-Session-Id": "s1", "Accept": "application/json, text/event-stream"}
    if tenant is None:
        return headers
    claims: dict[str, Any] = {"sub": f"of {tenant}", "tenant": tenant, "iss": "https://id", "aud": "mcp"}
    token = jwt.encode({**claims, "exp": time.time() + 60}, KEY, algorithm="RS256", headers={"kid": "k1"})
    return {**headers, "Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(("tenant", "status"), [("acme", 200), ("other", 403), (None, 403)])
def test_nobody_resumes_the_stream_of_another_tenants_session(tenant: str | None, status: int, tmp_path: Path) -> None:
    reached: list[str] = []

    async def server(request: web.BaseRequest) -> web.StreamResponse:
        reached.append(request.method)
        message = json.loads(await request.read() or b'{"id": 1}')
        answer = event(result(message["id"], "of acme"), "1")
        return web.Response(body=answer, headers={"Content-Type": "text/event-stream"})

    async def run() -> None:
        found = judge(file.of_texts([(POLICY, "policy.yaml")]), "shop")
        async with world(tmp_path, server, identity=_identity(tmp_path), judge=found) as w:
            url = w.url + "/mcp"
            async with w.client.post(url, json=call("rows", modern=False), headers=_as("acme")) as response:
                assert b"of acme" in await response.read()
            resumed = {**_as(tenant), "Last-Event-ID": "0"}
            async with w.client.get(url, headers=resumed) as response:
                assert response.status == status
                assert (b"of acme" in await response.read()) is (status == 200)
            async with w.client.post(url, json=call("rows", 2, modern=False), headers=_as(tenant)) as response:
                assert response.status == status
            assert len(reached) == (3 if status == 200 else 1)

    asyncio.run(run())
