"""What a client sees of each thing that the test judge does, and what is recorded: the same for every front."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from mcp import Client
from mcp.shared.exceptions import MCPError

from mcpobs.gate.decisions import DENIED_CODE, UNDECIDED
from mcpobs.gate.judge import OnError
from tests.gate.judged_server import TOOLS
from tests.gate.judges import DENIED


class Case(NamedTuple):
    seen: str | tuple[int, str]  # the text of the result, or the error
    ran: str | None  # the tool that really ran
    outcome: str
    decision: str
    error_type: str | None = None


def expected(tool: str, on_error: OnError) -> Case:
    allows = on_error == "allow"
    undecided = (DENIED_CODE, UNDECIDED)
    match tool:
        case "deny" | "later_deny":
            return Case((DENIED_CODE, DENIED), None, "denied", "deny")
        case "answer":
            return Case("answered by the judge", None, "ok", "allow")
        case "rewrite":
            return Case("echo rewritten", "echo", "ok", "allow")
        case "throw" | "hang":
            why = "judge_error" if tool == "throw" else "judge_timeout"
            return Case(f"{tool} hi", tool, "ok", "warn") if allows else Case(undecided, None, "denied", "deny", why)
        case "mask":
            return Case("***", tool, "ok", "warn")
        case "block":
            return Case((DENIED_CODE, "blocked"), tool, "denied", "deny")
        case "end_throw" | "end_hang":
            why = "judge_error" if tool == "end_throw" else "judge_timeout"
            return Case(f"{tool} hi", tool, "ok", "warn") if allows else Case(undecided, tool, "denied", "deny", why)
    return Case(f"{tool} hi", tool, "ok", "allow")


async def play(client: Client) -> dict[str, str | tuple[int, str]]:
    """Calls each tool once, and says what the client saw."""
    return {tool: await _call(client, tool) for tool in TOOLS}


async def _call(client: Client, tool: str) -> str | tuple[int, str]:
    try:
        result: Any = await client.call_tool(tool, {"text": "hi"})
    except MCPError as error:
        return error.error.code, error.error.message
    return str(result.content[0].text)


def check(
    seen: dict[str, str | tuple[int, str]], ran: Iterable[str], rows: list[dict[str, Any]], on_error: OnError
) -> None:
    cases = {tool: expected(tool, on_error) for tool in TOOLS}
    assert seen == {tool: case.seen for tool, case in cases.items()}
    assert list(ran) == [case.ran for case in cases.values() if case.ran is not None]
    calls = {row["tool"]: row for row in rows if row.get("method") == "tools/call"}
    assert {tool: (row["outcome"], row["decision"], row.get("error_type")) for tool, row in calls.items()} == {
        tool: (case.outcome, case.decision, case.error_type) for tool, case in cases.items()
    }
    assert len(calls) == len([row for row in rows if row.get("method") == "tools/call"])
    denied = [row["status_code"] for row in calls.values() if row["outcome"] == "denied"]
    assert set(denied) == {str(DENIED_CODE)}
