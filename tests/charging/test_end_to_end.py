"""A real client behind the wrapper, a real collector, real spans: what an agent spends on models stops its session."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from mcpobs.policy import file
from mcpobs.policy.spend import Budgets, ModelCall, Sharing
from mcpobs.policy.sqlite import SqliteStore
from tests.charging.spans import MICROUSD, request_of
from tests.collector.test_command import running
from tests.collector.wire import ask, post
from tests.gate.fronts import over_stdio
from tests.instrument.recorded import rows_of

SERVER = [sys.executable, str(Path(__file__).parents[1] / "policy" / "shop.py"), "stdio"]
POLICY = "version: 1\ndefault: allow\nbudgets:\n  session: {usd: 0.01}\n"
LONG_S = 60


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def called(client: Client, conversation: str) -> str:
    meta: Any = {"gen_ai.conversation.id": conversation}
    result = await client.call_tool("search", {"text": "a"}, meta=meta)
    decided = (result.meta or {}).get("mcpobs/decision")
    return "ok" if decided is None else str(decided["code"])


async def counters(port: int, name: str, least: int) -> dict[str, int]:
    """The collector's counters, once one of them is so large."""
    end = time.monotonic() + LONG_S
    while True:
        answer = await asyncio.to_thread(ask, port, b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n", "GET")
        found: dict[str, int] = answer.json()["counters"]
        if found.get(name, 0) >= least:
            return found
        assert time.monotonic() < end, found
        await asyncio.sleep(0.05)


async def sent(port: int, body: bytes) -> None:
    answer = await asyncio.to_thread(ask, port, post(body))
    assert answer.status == 200


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.anyio
async def test_what_a_conversation_spends_on_models_stops_it_and_no_other(home: Path, mode: str) -> None:
    lake, policy = home / "lake", home / "policy.yaml"
    policy.write_text(POLICY)
    options = ["--lake", str(lake), "--policy", str(policy)]
    wrapper = [sys.executable, "-m", "mcpobs", "instrument", *options, "--", *SERVER]
    with running(*options) as (_, http, _):
        async with over_stdio(wrapper, mode, {"MCPOBS_TEST_RAN": str(home / "ran")}) as client:
            assert [await called(client, "one"), await called(client, "two")] == ["ok", "ok"]
            first, second = request_of("one"), request_of("one")
            await sent(http, first)
            await counters(http, "spend.charged_microusd", MICROUSD)
            assert await called(client, "one") == "ok"
            for body in (first, second, first, request_of("three"), request_of("one", model="no-such-model")):
                await sent(http, body)
            found = await counters(http, "spend.charged_microusd", 2 * MICROUSD)
            assert [await called(client, "one"), await called(client, "two")] == ["cost_limit", "ok"]
            await sent(http, request_of("two"))
            found = await counters(http, "spend.charged_microusd", 3 * MICROUSD)
            assert [await called(client, "one"), await called(client, "two")] == ["cost_limit", "ok"]
        metrics = ask(http, b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n", "GET").body.decode()
    assert found["spend.charged_model_calls"] == 3
    assert (found["spend.unmatched_model_calls"], found["spend.unpriced_model_calls"]) == (1, 1)
    assert found["spend.failing"] == found["spend.restarts"] == 0
    assert found["spend.lag_ms"] > 2_000  # those in the log, and some
    assert "# TYPE mcpobs_collector_spend_lag_ms gauge\n" in metrics
    assert f"mcpobs_collector_spend_charged_microusd_total {3 * MICROUSD}\n" in metrics


@pytest.mark.anyio
async def test_a_collector_that_is_killed_after_it_acknowledged_a_span_charges_it_once(home: Path) -> None:
    lake, policy = home / "lake", home / "policy.yaml"
    policy.write_text(POLICY)
    options = ["--lake", str(lake), "--policy", str(policy)]
    wrapper = [sys.executable, "-m", "mcpobs", "instrument", *options, "--", *SERVER]
    bodies = [request_of("one") for _ in range(2)]
    async with over_stdio(wrapper, "auto", {"MCPOBS_TEST_RAN": str(home / "ran")}) as client:
        assert await called(client, "one") == "ok"
        for body in bodies:
            with running(*options) as (popen, http, _):
                await sent(http, body)
                popen.kill()
        with running(*options) as (_, http, _):
            await sent(http, bodies[0])
            await sent(http, request_of("two"))
            assert await called(client, "two") == "ok"
            await counters(http, "spend.charged_model_calls", 1)
            end = time.monotonic() + LONG_S
            while await called(client, "one") != "cost_limit":
                assert time.monotonic() < end
                await asyncio.sleep(0.1)
    asking = ModelCall("", "", None, None, 0, 0)
    (key,) = {row["enforcement_key"] for row in rows_of(lake) if row["method"] == "tools/call"}
    of = Sharing(None, None, None, key, None, "one", 0)
    (charge,) = Budgets(file.load([policy])).charges(asking, of)
    store = SqliteStore(lake / "policy" / "state.db")
    assert store.reserve(charge.session, [replace(count, limit=None) for count in charge.counts]).counts[0].before == (
        2 * MICROUSD
    )
    store.close()
