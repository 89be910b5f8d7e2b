"""A login through the front: the official client, a real authorization server, a real protected server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from aiohttp import web
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.oauth2 import AuthorizationCodeResult
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

from tests.instrument.serving import served
from tests.oauth_server import protected
from tests.ports import free_port
from tests.proxy.http.world import world


class Kept:
    """What a client keeps of a login."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client_info: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client_info

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client_info = client_info


class Browser:
    """Follows the authorization URL as a browser of a user would who agrees."""

    def __init__(self) -> None:
        self.callback = ""

    async def go(self, url: str) -> None:
        async with httpx2.AsyncClient() as http:
            self.callback = (await http.get(url)).headers["location"]

    async def came_back(self) -> AuthorizationCodeResult:
        found = {name: values[0] for name, values in parse_qs(urlsplit(self.callback).query).items()}
        return AuthorizationCodeResult(code=found["code"], state=found.get("state"), iss=found.get("iss"))


async def _unused(request: web.BaseRequest) -> web.StreamResponse:
    raise AssertionError("the real server is the upstream")


async def _logs_in(url: str, mode: str) -> str:
    browser, kept = Browser(), Kept()
    login = OAuthClientProvider(
        server_url=url,
        client_metadata=OAuthClientMetadata(client_name="c", redirect_uris=["http://localhost:1/back"]),  # type: ignore[list-item]
        storage=kept,
        redirect_handler=browser.go,
        callback_handler=browser.came_back,
    )
    async with (
        httpx2.AsyncClient(auth=login, timeout=20) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,  # type: ignore[arg-type]
    ):
        result = await client.call_tool("open_box", {"number": 7})
    assert kept.tokens is not None
    return result.content[0].text  # type: ignore[union-attr]


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize("path", ["", "/mcp"], ids=["path in the client", "path in the upstream"])
def test_the_official_client_logs_in_through_the_front(tmp_path: Path, mode: str, path: str) -> None:
    origin = f"http://127.0.0.1:{(port := free_port())}"

    async def run() -> None:
        async with world(tmp_path, _unused, upstream=origin, path=path) as w:
            url = w.url if path else f"{w.url}/mcp"
            assert await _logs_in(url, mode) == "box 7"
            (made,) = [row for row in w.operations() if row["method"] == "tools/call"]
            assert (made["tool"], made["outcome"]) == ("open_box", "ok")
            refused = [row["http_status"] for row in w.requests() if row.get("http_status")]
            assert refused.count(401) == 1

    with served(protected(origin, f"{origin}/mcp", binds=False), port):
        asyncio.run(run())


def test_a_server_that_takes_tokens_for_its_own_url_only_is_given_the_fronts_url_as_its_resource(
    tmp_path: Path,
) -> None:
    origin = f"http://127.0.0.1:{(port := free_port())}"

    async def run() -> None:
        async with world(tmp_path, _unused, upstream=origin) as w:
            with served(protected(origin, f"{w.url}/mcp", binds=True), port):
                assert await _logs_in(f"{w.url}/mcp", "auto") == "box 7"

    asyncio.run(run())
