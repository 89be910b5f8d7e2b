"""The scripted plan: what every client does with every server. Data only: the drivers carry it out.

A plan is a list of connections, each one server process. A step is one of
- {"call": tool, "arguments": {…}} with, as wanted, "conversation", "progress": true, "cancel_ms", "timeout_ms"
- {"request": method, "params": {…}}
- {"together": [steps]}: all at once, as fast as the client can write them
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Step = dict[str, Any]

PROCESSES = 5
CONVERSATIONS = 8


@dataclass(frozen=True)
class Server:
    """A real server: how to start it, and what to ask it."""

    name: str
    command: list[str]
    good: Callable[[int], tuple[str, dict[str, Any]]]
    """The n-th of the calls that succeed, each with arguments of its own."""
    failing: tuple[str, dict[str, Any]]
    incomplete: tuple[str, dict[str, Any]]
    """A call without an argument that the tool requires."""
    opening: list[Step] = field(default_factory=list)
    """What every connection begins with."""
    extras: list[Step] = field(default_factory=list)
    """What only this server can do; the first connection does it."""


def plan_of(server: Server) -> list[dict[str, Any]]:
    numbers = iter(range(1_000_000))

    def good(**more: Any) -> Step:
        tool, arguments = server.good(next(numbers))
        return {"call": tool, "arguments": arguments, **more}

    def call(of: tuple[str, dict[str, Any]], **more: Any) -> Step:
        return {"call": of[0], "arguments": of[1], **more}

    connections = []
    for place in range(PROCESSES):
        steps: list[Step] = [*server.opening, {"request": "tools/list"}]
        steps += [good() for _ in range(4 + 3 * place)]
        steps += [call(server.failing), {"call": f"no_such_tool_{place}", "arguments": {}}, call(server.incomplete)]
        steps += [{"request": "mcpobs/no-such-method"}, {"request": "ping"}]
        steps += [{"together": [*(good() for _ in range(10)), call(server.failing)]}]
        steps += server.extras if place == 0 else []
        connections.append({"name": f"{server.name}-{place}", "steps": steps})
    conversations = [f"{server.name}-conversation-{place}" for place in range(CONVERSATIONS)]
    steps = [*server.opening, {"request": "tools/list"}]
    for _ in range(5):  # in turn: neighbours on the wire are of different sessions
        steps += [good(conversation=name) for name in conversations]
    steps += [{"together": [good(conversation=name) for name in conversations for _ in range(4)]}]
    steps += [call(server.failing, conversation=name) for name in conversations]
    steps += [good(), {"together": [good(), good(conversation=conversations[0]), good()]}]
    connections.append({"name": f"{server.name}-shared", "steps": steps})
    return connections
