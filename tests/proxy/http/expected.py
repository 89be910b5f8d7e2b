"""The outcomes that agree with what clients make of odd answers."""

from __future__ import annotations

import json

from mcpobs.semconv import CALLER_FAULTS
from tests.proxy.http.answers import ANSWERS, RECORDED

TABLE: dict[str, dict[str, str]] = json.loads(RECORDED.read_text())
FAILED = {"server_error", "protocol_error", "unfinished"}
CHOSEN = {
    "zstd": "ok",  # newer releases of fetch and httpx undo it, and the front cannot
    "is_error_null": "ok",  # the server answered; what the client's caller gets is not on the wire
    "events_batch": "ok",  # revision 2025-03-26 has batches
}
"""Cases in which clients other than those of the table take another answer."""


def expected(case: str) -> set[str]:
    """The outcomes that agree with what clients make of it: answered if any client takes the answer."""
    if case in CHOSEN:
        return {CHOSEN[case]}
    made = set(TABLE[case].values()) - {"rejected", "hangs"}
    if not made:
        return FAILED
    assert len(made) == 1, f"clients differ on {case}: choose"
    (meaning,) = made
    if not meaning.startswith("error "):
        return {meaning}
    answer, code = ANSWERS[case], int(meaning.removeprefix("error "))
    if "timed out" in answer.text or "Timeout" in answer.text:
        return {"timeout"}
    is_callers = code in (*CALLER_FAULTS, -32001) or 400 <= answer.status < 500
    return {"protocol_error" if is_callers else "server_error"}
