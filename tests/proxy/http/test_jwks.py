"""Keys by URL: fetched beside the requests, by one fetch at a time, within bounds; who hangs delays nobody."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pytest
from aiohttp import web

from mcpobs.protocol.session import NOBODY
from mcpobs.proxy.http import jwks
from mcpobs.proxy.http.identity import identify
from mcpobs.settings import IdentityConfig
from tests.proxy.http.test_identity import OTHER, _jwks, _token
from tests.proxy.http.world import call, result, world


class Provider:
    """An identity provider: a real server, which hangs while `answers` is not set."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.location: str | None = None
        self.requests = 0
        self.answers = threading.Event()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.requests += 1
                provider.answers.wait(60)
                if provider.location is not None:
                    self.send_response(302)
                    self.send_header("Location", provider.location)
                    self.end_headers()
                    return
                self.send_response(200)
                self.end_headers()
                self.wfile.write(provider.content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/keys"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    found = Provider(Path(_jwks(tmp_path)).read_bytes())
    try:
        yield found
    finally:
        found.answers.set()
        found.server.shutdown()
        found.server.server_close()


def _fetched(keys: jwks.Keys) -> None:
    thread = keys._fetching
    if thread is not None:
        thread.join(30)
    assert keys._fetching is None


def _config(url: str) -> IdentityConfig:
    return IdentityConfig(jwks=url, issuer="https://id", audience="mcp")


async def _ok(request: web.BaseRequest) -> web.StreamResponse:
    return web.json_response(result())


def test_other_requests_go_on_while_the_provider_hangs_and_the_waiting_one_gets_its_principal(
    tmp_path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "START_WAIT_S", 0.01)
    monkeypatch.setattr(jwks, "FIRST_WAIT_S", 60)
    monkeypatch.setattr(jwks, "TIMEOUT_S", 60)

    async def run() -> None:
        async with world(tmp_path, _ok, identity=_config(provider.url)) as w:

            async def asked(**headers: str) -> None:
                async with w.client.post(w.url + "/mcp", json=call("search"), headers=headers) as response:
                    await response.read()

            waiting = [asyncio.create_task(asked(Authorization=f"Bearer {_token()}")) for _ in range(3)]
            await w.until(lambda: provider.requests == 1)
            for _ in range(3):
                await asked()
            assert not any(task.done() for task in waiting)
            provider.answers.set()
            await asyncio.gather(*waiting)
            assert [row.get("principal") for row in w.operations()] == [None, None, None, "ann", "ann", "ann"]
            assert provider.requests == 1

    asyncio.run(run())


def test_a_provider_that_never_answers_costs_a_request_its_principal_and_nothing_else(
    tmp_path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "START_WAIT_S", 0.01)
    monkeypatch.setattr(jwks, "FIRST_WAIT_S", 0.01)

    async def run() -> None:
        async with world(tmp_path, _ok, identity=_config(provider.url)) as w:
            headers = {"Authorization": f"Bearer {_token()}"}
            async with w.client.post(w.url + "/mcp", json=call("search"), headers=headers) as response:
                assert response.status == 200
            (operation,) = w.operations()
            assert "principal" not in operation
            await w.until(lambda: len(w.requests()) == 1)
            assert w.requests()[0]["mcpobs.http.unverified"] == "no_keys"
            assert [line for line in w.warnings if "no answer yet" in line]

    asyncio.run(run())


def test_known_keys_are_used_while_a_new_fetch_hangs_and_there_is_one_fetch_at_a_time(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "FRESH_S", 0)
    monkeypatch.setattr(jwks, "RETRY_S", -1)
    provider.answers.set()
    keys = jwks.Keys(provider.url)
    assert keys.are_known
    provider.answers.clear()
    for _ in range(100):
        assert keys.key("k1") is not None
        assert keys.key("unknown") is None
    assert keys.fetches == 2
    provider.answers.set()
    _fetched(keys)


def test_unknown_keys_cause_no_more_than_one_fetch_in_a_while(provider: Provider) -> None:
    provider.answers.set()
    verify = identify(_config(provider.url), lambda line: None)
    for number in range(100):
        assert verify({"authorization": f"Bearer {_token(key=OTHER, kid=f'k{number + 2}')}"}) == NOBODY
        assert verify.unverified == "unknown_key"
    assert provider.requests == 1


def test_a_provider_that_fails_keeps_its_known_keys_and_new_ones_are_found_later(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "RETRY_S", -1)
    provider.answers.set()
    keys = jwks.Keys(provider.url)
    good, provider.content = provider.content, b"<html>"
    assert keys.key("k2") is None
    _fetched(keys)
    assert keys.failed == "KeysError"
    assert keys.key("k1") is not None
    provider.content = good.replace(b'"k1"', b'"k2"')
    assert keys.key("k3") is None
    _fetched(keys)
    assert keys.key("k2") is not None


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:text/plain,x", "/keys", "//["])
def test_redirects_to_other_schemes_and_in_a_circle_are_not_followed(provider: Provider, location: str) -> None:
    provider.answers.set()
    provider.location = location
    keys = jwks.Keys(provider.url)
    assert not keys.are_known
    assert keys.failed is not None
    assert provider.requests <= jwks.MAX_REDIRECTS + 1


@pytest.mark.parametrize(("theirs", "follows"), [("https://id/y", True), ("http://id/y", False)])
def test_a_redirect_never_leaves_https(theirs: str, follows: bool) -> None:
    def redirected() -> object:
        request = urllib.request.Request("https://id/x")
        return jwks._Redirects().redirect_request(request, BytesIO(), 302, "Found", Message(), theirs)  # type: ignore[arg-type]

    if follows:
        assert redirected() is not None
    else:
        with pytest.raises(jwks.KeysError):
            redirected()


def test_a_document_that_is_too_large_is_refused(provider: Provider) -> None:
    provider.answers.set()
    provider.content = b" " * (jwks.MAX_BYTES + 1) + provider.content
    keys = jwks.Keys(provider.url)
    assert (keys.are_known, keys.failed) == (False, "KeysError")


def _rsa(bits: int, exponent: int = 65537) -> dict[str, str]:
    def number(value: int) -> str:
        return base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8)).rstrip(b"=").decode()

    return {"kty": "RSA", "kid": "big", "alg": "RS256", "n": number((1 << bits) - 1), "e": number(exponent)}


@pytest.mark.parametrize(
    "key",
    [
        _rsa(16_384),
        _rsa(1 << 20),
        _rsa(4096, (1 << 4000) + 1),
        {**_rsa(2048), "n": 7},
        {**_rsa(2048), "n": "?"},
        {"kty": "oct", "kid": "big", "k": "c2VjcmV0"},
        {"kty": "new", "kid": "big"},
        [],
        None,
    ],
)
def test_keys_that_would_take_long_to_verify_with_are_left_out(tmp_path: Path, key: object) -> None:
    good = json.loads(Path(_jwks(tmp_path)).read_bytes())["keys"]
    found = jwks.read_keys(json.dumps({"keys": [key, *good]}).encode())
    assert set(found) == {"k1"}
    with pytest.raises(jwks.KeysError):
        jwks.read_keys(json.dumps({"keys": [key]}).encode())


@pytest.mark.parametrize(
    "claims", [{"exp": 10**400}, {"exp": "never"}, {"exp": [1]}, {"exp": 1e308}, {"aud": {"a": 1}}]
)
def test_odd_claims_of_a_signed_token_break_nothing(tmp_path: Path, claims: dict[str, object]) -> None:
    verify = identify(_config(_jwks(tmp_path)), lambda line: None)
    import jwt

    from tests.proxy.http.test_identity import KEY

    payload = {"sub": "ann", "iss": "https://id", "aud": "mcp", "exp": time.time() + 60, **claims}
    token = jwt.api_jws.encode(json.dumps(payload).encode(), KEY, "RS256", {"kid": "k1"})
    assert verify({"authorization": f"Bearer {token}"}).principal in (None, "ann")
