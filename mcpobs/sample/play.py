"""Runs agents that use the sample server through `mcpobs instrument`: ordinary ones, and four that go wrong."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from mcpobs import interpreter

ORDINARY = 60
AT_ONCE = 5
LOOP_CALLS = 100
BURST_CALLS = 9
HEAVY_CALLS = 120

LOOP = "agent-stuck-in-a-loop"
BURST = "agent-in-an-error-burst"
ODD = "agent-with-an-odd-argument"
HEAVY = "agent-heavy-user"

Arguments = dict[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Call:
    tool: str
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class Script:
    """The calls of one agent in its session."""

    session: str
    calls: Sequence[Call]


def clients() -> list[list[Script]]:
    """Returns the sessions of the demo by client. Each client starts a server process of its own, and a policy counts
    unverified callers by their process. So the runaway's halt refuses no other agent's new session, and no client has
    so many ordinary sessions that they reach a caller's limits in an hour."""
    ordinary = [_ordinary(n) for n in range(ORDINARY)]
    half = ORDINARY // 2
    return [[_loop()], [_burst(), _odd(), _heavy()], ordinary[:half], ordinary[half:]]


def _ordinary(n: int) -> Script:
    order = f"A{1000 + n}"
    calls = [
        Call("search_orders", {"query": f"customer {n}"}),
        Call("get_order", {"order_id": order}),
    ]
    if n % 2:
        calls.append(Call("list_products", {"page": 1 + n % 7}))
    if n % 3 == 0:
        calls += [Call("get_order", {"order_id": f"B{1000 + n}"}), Call("list_products", {"page": 2})]
    if n % 4 == 0:
        calls.append(Call("refund", {"order_id": order, "amount": 9.5 + n}))
    calls.append(
        Call("send_mail", {"to": f"customer{n}@example.com", "subject": f"Order {order}", "body": "On its way."})
    )
    return Script(f"agent-{n + 1:02d}", calls)


def _loop() -> Script:
    return Script(LOOP, [Call("search_orders", {"query": "unknown customer"})] * LOOP_CALLS)


def _burst() -> Script:
    calls = [Call("search_orders", {"query": "open refunds"}), Call("get_order", {"order_id": "A7-DOWN"})]
    calls += [Call("refund", {"order_id": f"A{n}-DOWN", "amount": 20.0 + n}) for n in range(BURST_CALLS)]
    return Script(BURST, calls)


def _odd() -> Script:
    return Script(
        ODD,
        [
            Call("search_orders", {"query": "customer 7"}),
            Call("get_order", {"order_id": "../../../../etc/passwd; cat /root/.ssh/id_rsa " + "A" * 3000, "debug": 1}),
        ],
    )


def _heavy() -> Script:
    return Script(
        HEAVY,
        [
            Call("get_order", {"order_id": f"C{n}"}) if n % 3 else Call("list_products", {"page": n})
            for n in range(HEAVY_CALLS)
        ],
    )


def play(lake: Path, env: dict[str, str], report: Callable[[int, int], None], policy: Path | None = None) -> int:
    """Plays all sessions through real server processes, with a policy in force if one is given; returns the number of
    calls. `report(done, all)` receives the progress."""
    return anyio.run(_play, _wrapped(lake, policy), env, report)


async def _play(wrapped: Sequence[str], env: dict[str, str], report: Callable[[int, int], None]) -> int:
    todo = clients()
    total, done = sum(len(script.calls) for scripts in todo for script in scripts), 0

    async def one(client: Client, script: Script, gate: anyio.Semaphore) -> None:
        nonlocal done
        async with gate:
            for call in script.calls:
                meta: Any = {"gen_ai.conversation.id": script.session}  # the SDK's type has only the keys that it knows
                await client.call_tool(call.tool, dict(call.arguments), meta=meta)
                done += 1
                report(done, total)

    async def process(scripts: list[Script]) -> None:
        program, *arguments = wrapped
        own = interpreter.environment(os.environ) | env
        server = StdioServerParameters(command=program, args=arguments, env=own)
        gate = anyio.Semaphore(AT_ONCE)
        async with Client(stdio_client(server)) as client:
            await client.list_tools()
            async with anyio.create_task_group() as sessions:
                for script in scripts:
                    sessions.start_soon(one, client, script, gate)

    async with anyio.create_task_group() as processes:
        for scripts in todo:
            processes.start_soon(process, scripts)
    return done


def _wrapped(lake: Path, policy: Path | None) -> list[str]:
    """Returns the server's command with mcpobs in front of it, as in a client's configuration."""
    limits = [] if policy is None else ["--policy", str(policy)]
    front = interpreter.command("mcpobs", "instrument", "--lake", str(lake), "--name", "shop", *limits, "--")
    return [*front, *interpreter.command("mcpobs.sample.server")]
