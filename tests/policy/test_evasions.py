"""What is tried to get around a policy reaches no server: over stdio and over HTTP, in one table."""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
import sys
import warnings
import zlib
from collections.abc import Iterable
from pathlib import Path

import pytest
from aiohttp import web

from mcpobs.gate.policing import judge
from mcpobs.policy import file
from mcpobs.settings import IdentityConfig
from tests.policy.evasions import POLICY, Attempt, attempts, call, raw, request
from tests.proxy.http.world import World, world

ROOT = Path(__file__).parents[2]
IDENTITY = '[identity]\nstatic = true\nprincipal = "ann"\ntenant = "acme"\nrole = "support"\n'
WAIT_S = 30


def test_there_are_enough_of_them() -> None:
    names = [attempt.name for attempt in attempts()]
    assert len(names) == len(set(names))
    assert len(names) >= 80


def test_nothing_of_it_reaches_a_server_on_stdio(tmp_path: Path) -> None:
    seen, policy, config = tmp_path / "seen", tmp_path / "policy.yaml", tmp_path / "config"
    policy.write_text(POLICY)
    config.mkdir(mode=0o700)
    (config / "config.toml").write_text(IDENTITY)
    server = [sys.executable, str(Path(__file__).with_name("evaded_server.py")), str(seen)]
    wrapper = ["-m", "mcpobs", "instrument", "--lake", str(tmp_path / "lake"), "--config", str(config)]
    command = [sys.executable, *wrapper, "--name", "shop", "--policy", str(policy), "--", *server]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number, attempt in enumerate(attempts()):
            ping = raw({"jsonrpc": "2.0", "id": f"ping {number}", "method": "ping"})
            for frame in (*attempt.first, *attempt.frames, ping):
                process.stdin.write(frame.replace(b"\n", b"\\n") + b"\n")
            process.stdin.flush()
            while json.loads(process.stdout.readline()).get("id") != f"ping {number}":
                pass
        process.stdin.close()
        process.wait(WAIT_S)
    _check(attempts(), seen.read_bytes())
    assert seen.read_bytes().count(b'"method": "ping"') == len(attempts())


def _check(tried: Iterable[Attempt], seen: bytes) -> None:
    assert [attempt.name for attempt in tried if attempt.mark.encode() in seen] == []


class Seen:
    """An upstream that notes every byte of a body, and answers any request."""

    def __init__(self) -> None:
        self.bytes = b""

    async def __call__(self, req: web.BaseRequest) -> web.StreamResponse:
        body = await req.read()
        self.bytes += body + repr(dict(req.headers)).encode() + str(req.rel_url).encode()
        coding = req.headers.get("Content-Encoding")
        if coding == "gzip":
            self.bytes += gzip.decompress(body)
        try:
            id_ = json.loads(body).get("id", 0)
        except (ValueError, AttributeError):
            id_ = 0
        result = {"content": [{"type": "text", "text": "done"}], "resultType": "complete"}
        return web.json_response({"jsonrpc": "2.0", "id": id_, "result": result})


HEADERS = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2026-07-28"}


async def _post(w: World, body: bytes, **headers: str) -> int:
    named = _named(body)
    given = {
        "Content-Type": "application/json",
        **HEADERS,
        **named,
        **{k.replace("_", "-"): v for k, v in headers.items()},
    }
    async with w.client.post(w.url + "/mcp", data=body, headers=given) as response:
        await response.read()
        return response.status


def _named(body: bytes) -> dict[str, str]:
    """The headers that a client of 2026-07-28 sends beside a body that it can read itself."""
    try:
        message = json.loads(body)
        name = message["params"].get("name") or message["params"].get("uri")
        found = {"Mcp-Method": message["method"], **({"Mcp-Name": name} if isinstance(name, str) and name else {})}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    fits = all(value.isascii() and value.isprintable() and value == value.strip() for value in found.values())
    return found if fits and all(len(value) < 1_000 for value in found.values()) else {}


def test_nothing_of_it_reaches_a_server_over_http(tmp_path: Path) -> None:
    server = Seen()
    found = judge(file.of_texts([(POLICY.encode(), "policy.yaml")]), "shop")
    identity = IdentityConfig(static=True, principal="ann", tenant="acme", role="support")

    async def run() -> None:
        async with world(tmp_path, server, identity=identity, judge=found) as w:
            for attempt in attempts():
                for frame in (*attempt.first, *attempt.frames):
                    await _post(w, frame)
            await _http_only(w)
            assert await _post(w, raw(call("search", {"x": "REACHED"}))) == 200
            for given, value in (
                ({"n": 42}, "42"),
                ({"n": 42}, "42.0"),
                ({"n": True}, "true"),
                ({"n": "é"}, "=?base64?w6k=?="),
            ):
                assert await _post(w, raw(call("search", given)), Mcp_Param_N=value) == 200
            assert await _post(w, raw(call("search", {"in": {"n": "a"}})), Mcp_Param_N="a") == 200
            assert await _post(w, raw(call("search", {"in": {"n": "a"}})), Mcp_Param_Other="a") == 400

    asyncio.run(run())
    _check(attempts(), server.bytes)
    assert b"REACHED" in server.bytes
    assert b"H00" not in server.bytes


async def _http_only(w: World) -> None:
    """What only HTTP offers: codings, chunks, other methods, and headers that disagree with the body."""
    bad = raw(call("drop", {"x": "H00"}))
    await _post(w, gzip.compress(bad), Content_Encoding="gzip")
    await _post(w, zlib.compress(bad), Content_Encoding="deflate")
    await _post(w, bad, Content_Encoding="gzip")
    await _post(w, bad, Content_Encoding="identity")
    await _post(w, bad, Content_Type="text/plain")
    await _post(w, bad, Mcp_Name="search", Mcp_Method="tools/call")
    await _post(w, bad, Mcp_Method="ping")
    await _post(w, raw(call("search", {"x": "H00"})), Mcp_Name="drop")
    underscored = {**HEADERS, "Content-Type": "application/json", "Mcp_Name": "drop"}
    async with w.client.post(w.url + "/mcp", data=raw(call("search", {"x": "H00"})), headers=underscored) as response:
        await response.read()
    for name in ("Customer", "customer", "CUSTOMER", "Tenant"):
        rows = raw(call("rows", {"customer": "acme", "x": "H00"}))
        await _post(w, rows, **{f"Mcp_Param_{name}": "other"})
        await _post(w, rows, **{f"Mcp_Param_{name}": "=?base64?b3RoZXI=?="})
    for made_up in ({"made_up": "other"}, {"in": {"customer": "other"}}, {"in": [{"tenant": "other"}]}):
        rows = raw(call("rows", {"customer": "acme", "x": "H00", **made_up}))
        for name in ("Customer", "Tenant"):
            await _post(w, rows, **{f"Mcp_Param_{name}": "other"})
    await _post(w, raw(request("ping", {"x": "H00"})), Mcp_Method="tools/call", Mcp_Name="drop")
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):  # of a large body that is not streamed
        await _post(w, raw(call("drop", {"x": "H00", "pad": "a" * (17 << 20)})))

    async def chunks() -> object:
        for at in range(0, len(bad), 7):
            yield bad[at : at + 7]

    for method in ("POST", "PUT", "PATCH"):
        async with w.client.request(method, w.url + "/mcp", data=chunks(), headers=HEADERS) as response:
            await response.read()
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "post"):
        async with w.client.request(method, w.url + "/mcp", data=bad, headers=HEADERS) as response:
            await response.read()
    for header in ("X-HTTP-Method-Override", "X-Original-URL"):
        async with w.client.get(w.url + "/mcp", data=bad, headers={**HEADERS, header: "POST"}) as response:
            await response.read()


@pytest.mark.parametrize("attempt", [one for one in attempts() if one.first], ids=lambda one: one.name)
def test_what_comes_before_an_attempt_is_allowed(attempt: Attempt, tmp_path: Path) -> None:
    server = Seen()
    found = judge(file.of_texts([(POLICY.encode(), "policy.yaml")]), "shop")
    identity = IdentityConfig(static=True, principal="ann", tenant="acme", role="support")

    async def run() -> None:
        async with world(tmp_path, server, identity=identity, judge=found) as w:
            for frame in attempt.first:
                await _post(w, frame)
            assert all(row["outcome"] == "ok" for row in w.operations())

    asyncio.run(run())
    assert server.bytes
