"""The same judge over every front, era and transport: the client sees the same, and the record is right."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mcpobs.gate.judge import OnError
from mcpobs.instrument import entry
from tests.gate import table
from tests.gate.fronts import over_stdio, reached
from tests.gate.judged_server import new_server
from tests.gate.judges import ByName
from tests.instrument.recorded import rows_of

SERVER = [sys.executable, str(Path(__file__).with_name("judged_server.py")), "stdio"]
ROOT = Path(__file__).parents[2]
ERAS = pytest.mark.parametrize("mode", ["legacy", "auto"])
ON_ERROR = pytest.mark.parametrize("on_error", ["allow", "deny"])


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@ON_ERROR
@ERAS
@pytest.mark.anyio
async def test_behind_the_stdio_wrapper(home: Path, mode: str, on_error: OnError) -> None:
    lake, ran = home / "lake", home / "ran"
    wrapper = [sys.executable, "-m", "tests.gate.judged_wrapper", str(lake), on_error, "--", *SERVER]
    async with over_stdio(wrapper, mode, {"MCPOBS_TEST_RAN": str(ran)}) as client:
        seen = await table.play(client)
    table.check(seen, ran.read_text().split(), rows_of(lake), on_error)


@ON_ERROR
@ERAS
@pytest.mark.anyio
async def test_in_the_servers_own_process_on_stdio(home: Path, mode: str, on_error: OnError) -> None:
    lake, ran = home / "lake", home / "ran"
    env = {"MCPOBS_TEST_RAN": str(ran), "MCPOBS_TEST_JUDGE": on_error, "MCPOBS_LAKE": str(lake)}
    async with over_stdio(SERVER, mode, env) as client:
        seen = await table.play(client)
    table.check(seen, ran.read_text().split(), rows_of(lake), on_error)


@pytest.mark.parametrize("transport", ["memory", "http", "sse"])
@ON_ERROR
@ERAS
@pytest.mark.anyio
async def test_in_this_process(home: Path, transport: str, mode: str, on_error: OnError) -> None:
    ran: list[str] = []
    entry.instrument(lake=home / "lake", name="judged", judge=ByName(on_error))
    try:
        async with reached(new_server(ran.append), transport, mode) as client:
            seen = await table.play(client)
    finally:
        entry.uninstrument()
    table.check(seen, ran, rows_of(home / "lake"), on_error)
