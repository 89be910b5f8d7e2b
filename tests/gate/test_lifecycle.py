"""Random talk through the gate: each call is recorded once, and nothing passes that the judge has not let pass."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mcpobs.gate.frames import Held

from .connection import Connection, call, result
from .judges import ByName

TOOLS = st.sampled_from(["echo", "deny", "answer", "held", "mask", "block"])
ANSWERED_HERE = {"deny": "denied", "answer": "ok"}
IDS = st.integers(1, 4)  # few, so that they meet again


class Gated(RuleBasedStateMachine):
    """The model: what the server has seen and not answered, and what waits for the judge."""

    def __init__(self) -> None:
        super().__init__()
        self.judge = ByName()
        self.seen = Connection(self.judge)
        self.at_server: list[tuple[int, str]] = []
        self.waiting: list[tuple[int, Held]] = []
        self.sent = self.notes = 0
        self.expected: list[str] = []

    @rule(tool=TOOLS, request_id=IDS)
    def the_client_calls(self, tool: str, request_id: int) -> None:
        self.sent += 1
        held = self.seen.take("client", call(tool, request_id))
        if tool == "held":
            self.waiting.append((request_id, held))
            return
        onward, back = held.release()
        assert (onward is None) == (tool in ANSWERED_HERE)
        assert (back is not None) == (tool in ANSWERED_HERE)
        if tool in ANSWERED_HERE:
            self.expected.append(ANSWERED_HERE[tool])
        else:
            self.at_server.append((request_id, tool))

    @rule()
    def the_judge_decides(self) -> None:
        self.judge.release()
        for request_id, held in self.waiting:
            assert held.ready
            if held.release().onward is not None:
                self.at_server.append((request_id, "held"))
        self.waiting = []

    @rule(request_id=IDS)
    def the_server_answers(self, request_id: int) -> None:
        """With one id in use twice, only that one of the calls was answered is known."""
        pending = [one for one in self.at_server if one[0] == request_id]
        in_flight = self.seen.conversation.in_flight
        onward, back = self.seen.server(result(request_id))
        assert back is None
        if not pending:
            assert onward is None
        if onward is not None:
            assert self.seen.conversation.in_flight == in_flight - 1
            answered = self.seen.rows[-1]["tool"]
            self.at_server.remove(next(one for one in pending if one[1] == answered))
            self.expected.append("denied" if answered == "block" else "ok")
            words = json.dumps(json.loads(onward))
            assert ("fine" in words) == (answered not in ("mask", "block"))

    @rule(request_id=IDS)
    def the_client_cancels(self, request_id: int) -> None:
        params = {"requestId": request_id}
        in_flight = self.seen.conversation.in_flight
        self.seen.client({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
        self.notes += 1
        if self.seen.conversation.in_flight < in_flight:
            self.expected.append("cancelled")
            cancelled = self.seen.rows[-2]["tool"]
            if cancelled != "held" or (request_id, "held") in self.at_server:
                self.at_server.remove((request_id, cancelled))
            for one in [one for one in self.waiting if one[0] == request_id and one[1].ready]:
                assert one[1].release() == (None, None)
                self.waiting.remove(one)

    @invariant()
    def each_call_is_recorded_once_or_is_in_flight(self) -> None:
        calls = [row for row in self.seen.rows if row.get("method") == "tools/call"]
        assert len(calls) + self.seen.conversation.in_flight == self.sent
        assert [row["outcome"] for row in calls] == self.expected
        assert len(self.judge.over) == len(calls) + self.notes

    def teardown(self) -> None:
        self.seen.close()
        rows: list[dict[str, Any]] = [row for row in self.seen.rows if row.get("method") == "tools/call"]
        assert len(rows) == self.sent
        assert {row["outcome"] for row in rows[len(self.expected) :]} <= {"unfinished"}
        assert len({row["sequence"] for row in rows}) == self.sent


TestGated = Gated.TestCase
