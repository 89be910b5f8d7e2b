"""A conversation that meets a policy's limits, and what each call of it comes to: the same over every front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mcp import Client, MCPError

POLICY = """version: 1
rules:
- {id: shop, effect: allow, tools: [search, lookup, pay]}
- {id: pay-after, effect: require, tools: [pay], after: {tool: lookup, same: {order: order}}, reason: Ask the till.}
limits:
- {id: searches, tools: [search], per_session: 2}
- {id: pays, tools: [pay], sum: args.amount, per_session: 50}
- {id: equal, tools: [lookup], same_args: 2}
"""

CALLS: Sequence[tuple[str, Mapping[str, Any], str]] = (
    ("search", {"text": "a"}, "ok"),
    ("search", {"text": "b"}, "ok"),
    ("search", {"text": "c"}, "call_limit"),
    ("pay", {"order": "1", "amount": 5}, "order"),
    ("lookup", {"order": "none"}, "failed"),
    ("pay", {"order": "none", "amount": 5}, "order"),
    ("lookup", {"order": "1"}, "ok"),
    ("pay", {"order": "1", "amount": 5}, "ok"),
    ("pay", {"order": "2", "amount": 5}, "order"),
    ("pay", {"order": "1", "amount": 46}, "sum_limit"),
    ("pay", {"order": "1", "amount": 45}, "ok"),
    ("pay", {"order": "1", "amount": -45}, "arguments"),
    ("lookup", {"order": "1"}, "ok"),
    ("lookup", {"order": "1"}, "repeated"),
    ("lookup", {"order": "2"}, "ok"),
    ("drop", {}, "unknown"),
    ("drop", {}, "unknown"),
    ("missing", {}, "unknown"),
    ("search", {"text": "d"}, "call_limit"),
    ("search", {"text": "e"}, "call_limit"),
    ("search", {"text": "f"}, "halted"),
    ("lookup", {"order": "3"}, "halted"),
)
"""Tool, arguments, and `ok`, `failed` (by the server), or why it is denied."""
RAN = [tool for tool, _, code in CALLS if code in ("ok", "failed")]


async def play(client: Client) -> list[str]:
    """Plays the conversation, and returns what came of each call. The client goes on after each denial."""
    listed = [tool.name for tool in (await client.list_tools()).tools]
    assert listed == ["search", "lookup", "pay"]
    return [await _outcome(client, tool, arguments) for tool, arguments, _ in CALLS]


async def _outcome(client: Client, tool: str, arguments: Mapping[str, Any]) -> str:
    try:
        result = await client.call_tool(tool, dict(arguments))
    except MCPError as error:
        is_unknown = (error.code, error.message) == (-32602, f"Unknown tool: {tool}")
        return "unknown" if is_unknown else str(error)
    if not result.is_error:
        return "ok"
    decided = (result.meta or {}).get("mcpobs/decision")
    if decided is None:
        return "failed"
    assert len(decided["id"]) == 16
    text = result.content[0].text  # type: ignore[union-attr]  # a refusal has one text
    assert ("Ask the till." in text) == (decided["code"] == "order")
    return str(decided["code"])


def check(seen: list[str], ran: list[str], rows: list[dict[str, Any]]) -> None:
    """What the client saw, what the server ran, and what is recorded are the same story."""
    expected = [code for _, _, code in CALLS]
    assert seen == expected
    assert ran == RAN
    calls = [row for row in rows if row.get("method") == "tools/call"]
    outcome = {"ok": "ok", "failed": "tool_error"}
    assert [row["outcome"] for row in calls] == [outcome.get(code, "denied") for code in expected]
    assert [row.get("decision_code") for row in calls] == [None if code in outcome else code for code in expected]
    assert [row["decision"] for row in calls] == ["allow" if code in outcome else "deny" for code in expected]
    assert len({row["policy_hash"] for row in calls}) == 1
    assert {row["policy_mode"] for row in calls} == {"enforce"}
