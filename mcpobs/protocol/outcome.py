"""How a response ends its request: outcome, error.type and status code. Judges by the message alone."""

from __future__ import annotations

from typing import NamedTuple

from mcpobs.protocol.answer import code_of, is_true
from mcpobs.protocol.operation import Sender
from mcpobs.semconv import CALLER_FAULTS, REQUEST_TIMEOUT_CODE, TOOL_ERROR, Outcome

OTHER = "_OTHER"
TIMEOUT = "timeout"
_CAN_BE_TASKS = frozenset({"tools/call", "sampling/createMessage", "elicitation/create"})


class Verdict(NamedTuple):
    outcome: Outcome
    error_type: str | None = None
    status_code: str | None = None


OK = Verdict("ok")
MALFORMED = Verdict("server_error", OTHER)


def of_error(error: object, asked_by: Sender) -> Verdict:
    """The verdict on a response with `error`.

    A caller's fault is an error of the span only where the server asked: that span is the CLIENT's, for which the
    conventions count all codes (semantic-conventions-genai, model/mcp/common.yaml, error.type).
    """
    code = code_of(error.get("code")) if isinstance(error, dict) else None
    if code is None:
        return MALFORMED
    text = str(code)
    if code == REQUEST_TIMEOUT_CODE:
        return Verdict("timeout", text, text)
    if code in CALLER_FAULTS:
        return Verdict("protocol_error", None if asked_by == "client" else text, text)
    return Verdict("server_error", text, text)


def of_result(method: str, result: object) -> Verdict:
    """The verdict on a response with `result`."""
    if not isinstance(result, dict):
        return OK
    if method == "tools/call" and is_true(result.get("isError")):
        return Verdict("tool_error", TOOL_ERROR)
    match result.get("resultType"):
        case "input_required":
            return Verdict("input_required")
        case "task":
            return Verdict("task")
    task = result.get("task")  # CreateTaskResult of 2025-11-25
    if method in _CAN_BE_TASKS and isinstance(task, dict) and isinstance(task.get("taskId"), str):
        return Verdict("task")
    return OK


def of_cancellation(reason: object) -> Verdict:
    """The verdict on a request that `notifications/cancelled` gave up; SDKs name a timeout only in its reason."""
    if isinstance(reason, str):
        words = reason[:1_000].lower()
        if "timed out" in words or "timeout" in words:
            return Verdict("timeout", TIMEOUT)
    return Verdict("cancelled")
