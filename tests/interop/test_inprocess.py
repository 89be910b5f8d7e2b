"""The in-process front in each Python SDK: the same calls over each transport, each recorded once, and all undone."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError

from mcpobs.gate.judge import OnError
from tests.gate import table
from tests.instrument.recorded import rows_of
from tests.interop.conftest import CACHE_VARIABLE
from tests.interop.environments import PINS, Environment, install, wheel
from tests.policy import conversation
from tests.ports import free_port
from tests.proxy.test_canary import KNOWN
from tests.telemetry.receiver import receiving

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent
SERVER = HERE / "inprocess_server.py"
JUDGED = HERE.parent / "gate" / "judged_server.py"
SHOP = HERE.parent / "policy" / "shop.py"
PLANTED = HERE / "planted_server.py"
PLANTED_POLICY = """version: 1
inspect:
- {id: pii, find: [personal, secrets], where: [result, arguments], action: flag}
- {id: orders, find: injection, action: block}
"""
START_S = 60
EXPECTED = [
    ("tools/list", None, "ok"),
    ("tools/call", "add", "ok"),
    ("tools/call", "fail", "tool_error"),
    ("tools/call", "no_such_tool", "tool_error"),
    ("tools/call", "add", "tool_error"),
    ("tools/call", "steps", "ok"),
    ("tools/call", "slow", "cancelled"),
    ("resources/read", None, "ok"),
    ("resources/read", None, "server_error"),
    ("prompts/get", None, "ok"),
]
OPENING = {"legacy": ["initialize"], "auto": ["server/discover"]}
ASKED = frozenset(method for method, _, _ in EXPECTED) | {"initialize", "server/discover"}
SOURCE = {
    ("stdio", "legacy"): "stdio_process",
    ("stdio", "auto"): "stdio_process",
    ("http", "legacy"): "protocol_session",
    ("http", "auto"): "connection",
    ("sse", "legacy"): "sse_endpoint",
    ("sse", "auto"): "sse_endpoint",
}


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module", params=list(PINS))
def environment(request: pytest.FixtureRequest, ours: Path) -> Environment:
    chosen = os.environ.get(CACHE_VARIABLE)
    cache = Path(chosen) if chosen else Path(request.config.cache.mkdir("interop"))
    return install(request.param, cache, ours)


def test_nothing_that_was_installed_is_changed_by_ours(environment: Environment) -> None:
    assert "mcpobs-otel" not in environment.before
    assert "mcpobs-otel" in environment.after
    assert {name: environment.after.get(name) for name in environment.before} == environment.before


def test_a_call_has_one_server_span_and_undoing_gives_back_the_native_one(environment: Environment, home: Path) -> None:
    command = [str(environment.python), str(HERE / "inprocess_undo.py"), str(home / "lake")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=START_S)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["changed"]
    assert result["restored"]
    assert result["during"] == ["mcpobs"]
    assert result["after"] == result["bare"]
    assert [row["tool"] for row in rows_of(home / "lake") if row["method"] == "tools/call"] == ["add"]


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize("transport", ["stdio", "http", "sse"])
def test_each_call_is_recorded_once_with_its_outcome_and_session(
    environment: Environment, transport: str, mode: str, home: Path
) -> None:
    era = mode if environment.modern else "legacy"
    lake = home / "lake"
    env = {"MCPOBS_LAKE": str(lake), "MCPOBS_TEST_INSTRUMENT": "1"}
    if transport == "stdio":
        anyio.run(_plan, _on_stdio(environment, env), mode)
    else:
        with _listening(environment, transport, {**os.environ, **env}) as url:
            anyio.run(_plan, sse_client(f"{url}/sse") if transport == "sse" else f"{url}/mcp", mode)
    rows = rows_of(lake)
    asked = [row for row in rows if row["method"] in ASKED]
    opening = OPENING[era]
    assert [row["method"] for row in asked[: len(opening)]] == opening
    assert [(row["method"], row.get("tool"), row["outcome"]) for row in asked[len(opening) :]] == EXPECTED
    assert {row["transport"] for row in rows} == {transport}
    assert {row["front"] for row in rows} == {"in_process"}
    assert {row["session_source"] for row in rows} == {SOURCE[transport, era]}
    assert len({row["session_id"] for row in rows}) == 1
    assert {row["client_name"] for row in asked} == {"mcp"}
    assert "secret" not in json.dumps(rows)


@pytest.mark.parametrize("on_error", ["allow", "deny"])
@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize("transport", ["stdio", "http", "sse"])
def test_a_judge_decides_as_in_every_other_front(
    environment: Environment, transport: str, mode: str, on_error: OnError, home: Path
) -> None:
    lake, ran = home / "lake", home / "ran"
    env = {"MCPOBS_LAKE": str(lake), "MCPOBS_TEST_RAN": str(ran), "MCPOBS_TEST_JUDGE": on_error}
    if transport == "stdio":
        seen = anyio.run(_judged, _on_stdio(environment, env, JUDGED), mode)
    else:
        with _listening(environment, transport, {**os.environ, **env}, JUDGED) as url:
            seen = anyio.run(_judged, sse_client(f"{url}/sse") if transport == "sse" else f"{url}/mcp", mode)
    table.check(seen, ran.read_text().split(), rows_of(lake), on_error)


@pytest.mark.parametrize("transport", ["stdio", "http", "sse"])
@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_a_policy_is_enforced_in_every_release(
    environment: Environment, home: Path, tmp_path: Path, transport: str, mode: str
) -> None:
    lake, ran, policy = home / "lake", home / "ran", tmp_path / "policy.yaml"
    policy.write_text(conversation.POLICY)
    env = {"MCPOBS_LAKE": str(lake), "MCPOBS_TEST_RAN": str(ran), "MCPOBS_TEST_POLICY": str(policy)}
    if transport == "stdio":
        seen = anyio.run(_policed, _on_stdio(environment, env, SHOP), mode)
    else:
        with _listening(environment, transport, {**os.environ, **env}, SHOP) as url:
            seen = anyio.run(_policed, sse_client(f"{url}/sse") if transport == "sse" else f"{url}/mcp", mode)
    conversation.check(seen, ran.read_text().split(), rows_of(lake))


@pytest.mark.parametrize("policy", [None, PLANTED_POLICY], ids=["no policy", "inspecting"])
@pytest.mark.parametrize("transport", ["stdio", "http"])
def test_a_planted_secret_is_in_no_file_and_no_span(
    environment: Environment, transport: str, policy: str | None, home: Path, tmp_path: Path
) -> None:
    lake, secret, words = home / "lake", secrets.token_hex(8), " ".join(KNOWN)
    with receiving("http/protobuf") as receiver:
        env = {
            "HOME": str(home),
            "MCPOBS_LAKE": str(lake),
            "MCPOBS_TEST_INSTRUMENT": "1",
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "process,otel",
        }
        if policy is not None:
            (tmp_path / "policy.yaml").write_text(policy)
            env["MCPOBS_TEST_POLICY"] = str(tmp_path / "policy.yaml")
        if transport == "stdio":
            anyio.run(_planted, _on_stdio(environment, env, PLANTED, "0", secret), secret, words)
        else:
            with _listening(environment, transport, {**os.environ, **env}, PLANTED, secret) as url:
                anyio.run(_planted, f"{url}/mcp?key={secret}", secret, words)
        exported = str([str(request) for request, _ in receiver.requests])
    rows = rows_of(lake)
    assert [row["tool"] for row in rows if row["method"] == "tools/call"] == ["echo", "fail"]
    assert any(row.get("findings") for row in rows) is (policy is not None)
    assert "tools/call echo" in exported
    files = [path for path in home.rglob("*") if path.is_file()]
    for each in (secret, *KNOWN):
        assert not [path for path in files if each.encode() in path.read_bytes()], each
        assert each not in exported


async def _planted(target: Any, secret: str, words: str) -> None:
    text = f"{secret} {words}"
    async with Client(target, mode="legacy") as client:
        await client.list_tools()
        for tool in ("echo", "fail"):
            with suppress(MCPError):
                await client.call_tool(tool, {"text": text, "more": {text: [text]}})
        with suppress(MCPError):
            await client.read_resource(f"shop://{secret}")
        with suppress(MCPError):
            await client.get_prompt("greet", {"name": text})


async def _policed(target: Any, mode: str) -> list[str]:
    async with Client(target, mode=mode) as client:
        return await conversation.play(client)


async def _judged(target: Any, mode: str) -> dict[str, str | tuple[int, str]]:
    async with Client(target, mode=mode) as client:
        return await table.play(client)


def _on_stdio(environment: Environment, env: dict[str, str], script: Path = SERVER, *more: str) -> Any:
    words = [str(script), "stdio", *more]
    return stdio_client(StdioServerParameters(command=str(environment.python), args=words, env=env))


@contextmanager
def _listening(
    environment: Environment, transport: str, env: dict[str, str], script: Path = SERVER, *more: str
) -> Iterator[str]:
    port = free_port()
    command = [str(environment.python), str(script), transport, str(port), *more]
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(START_S)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    begun = time.monotonic()
    while time.monotonic() < begun + START_S and process.poll() is None:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("the server did not start")


async def _plan(target: Any, mode: str) -> None:
    async def progressed(*_: object) -> None:
        return None

    async with Client(target, mode=mode) as client:
        await client.list_tools()
        await client.call_tool("add", {"a": 1, "b": 2})
        # How a failure reaches the client differs from SDK to SDK; what is recorded does not.
        for tool, arguments in (("fail", {}), ("no_such_tool", {}), ("add", {"a": "no number", "b": 2})):
            with suppress(MCPError):
                await client.call_tool(tool, arguments)
        await client.call_tool("steps", {}, progress_callback=progressed)
        with anyio.move_on_after(0.5):
            await client.call_tool("slow", {})
        await client.read_resource("shop://good")
        with suppress(MCPError):
            await client.read_resource("shop://bad")
        await client.get_prompt("greet", {"name": "x"})
