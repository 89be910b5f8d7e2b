"""What is recorded of an odd answer is what clients make of it: answer_lines.json, which `make interop` writes."""

from __future__ import annotations

import json

import pytest

from mcpobs.protocol.lines import Lines

from .answer_lines import FALLBACK, LINES, RECORDED, line_of
from .talk import Talk, response, text_result

TABLE: dict[str, dict[str, str]] = json.loads(RECORDED.read_text())
OURS = {"ok": "ok", "tool_error": "tool_error", "server_error": "error"}
REJECTED = "rejected"
"""The client takes the line for the answer, and its caller gets an error of the SDK's own."""

CHOSEN = {
    "id_float_error": "error",
    "result_empty": "ok",  # clients in Python want `content`, which only a newer revision requires
    "is_error_string": "tool_error",
    "is_error_string_capital": "tool_error",
    "is_error_string_yes": "tool_error",
    "is_error_string_1": "tool_error",
    "is_error_string_false": "ok",
    "is_error_1": "tool_error",
    "is_error_float": "tool_error",
    "is_error_0": "ok",
    "batch_of_one": "ok",  # revision 2025-03-26 has batches; clients of that time took them
}
"""Where clients differ in more than whether they take the answer, or where all ignore what an older revision has."""


def _expected(case: str) -> str:
    """Answered if any client takes the answer; of several readings the one that is chosen."""
    if case in CHOSEN:
        return CHOSEN[case]
    made = set(TABLE[case].values()) - {"ignored"}
    if not made:
        return "ignored"
    if made == {REJECTED}:
        return "ok"  # the server answered; what the client's caller gets is not on the wire
    assert len(made) == 1, f"clients differ on {case}: choose"
    return made.pop()


def test_each_line_has_its_record() -> None:
    assert set(TABLE) == set(LINES)
    assert set(CHOSEN) <= set(LINES)


@pytest.mark.parametrize("case", LINES)
def test_a_line_is_recorded_as_clients_take_it(case: str) -> None:
    talk, lines = Talk(), Lines(skips_marks=True)
    talk.ask("tools/call", {"name": case}, 7)

    ended = [call for line in lines.feed(line_of(case, 7) + b"\n") for call in talk.server(line)]
    made = OURS[str(ended[0].outcome)] if ended else "ignored"

    assert made == _expected(case)
    assert len(talk.server(response(text_result(FALLBACK), 7))) == (made == "ignored")
    assert [call for call in talk.close() if call.sender == "client"] == []
