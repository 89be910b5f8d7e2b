"""`find: definitions` with a real client: nothing is listed and nothing runs before it is approved, then all of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from mcp import Client

from mcpobs.policy.definitions import record
from mcpobs.policy.definitions.review import approve, review
from mcpobs.policy.definitions.watch import approved_file, seen_file
from tests.gate.fronts import over_stdio

SERVER = [sys.executable, str(Path(__file__).parents[1] / "shop.py"), "stdio"]
POLICY = "version: 1\nhalt_after_denials: off\ninspect: [{id: defs, find: definitions, action: deny}]\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.slow
@pytest.mark.parametrize("front", ["wrapper", "in_process"])
@pytest.mark.anyio
async def test_a_tool_is_listed_and_runs_when_it_is_approved(home: Path, front: str) -> None:
    policy, config, ran = home / "policy.yaml", home / "config", home / "ran"
    policy.write_text(POLICY)
    config.mkdir(mode=0o700)
    env = {"MCPOBS_TEST_RAN": str(ran), "MCPOBS_LAKE": str(home / "lake"), "MCPOBS_CONFIG": str(config)}
    command = [sys.executable, "-m", "mcpobs", "instrument", "--name", "shop", "--policy", str(policy), "--", *SERVER]
    if front == "in_process":
        command, env = SERVER, {**env, "MCPOBS_TEST_POLICY": str(policy)}
    async with over_stdio(command, "auto", env) as client:
        assert await _listed(client) == []
        refused = await client.call_tool("search", {"text": "a"})
        assert (refused.meta or {})["mcpobs/decision"]["code"] == "inspection"
    assert not ran.exists()
    found = review(None, record.read(seen_file(config, "shop"), "shop"))
    record.write(approved_file(config, "shop"), approve("shop", None, found, "2026-11-30", "ann"))
    async with over_stdio(command, "auto", env) as client:
        assert "search" in await _listed(client)
        assert not (await client.call_tool("search", {"text": "a"})).is_error
    assert ran.read_text().split() == ["search"]


async def _listed(client: Client) -> list[str]:
    return [tool.name for tool in (await client.list_tools()).tools]
