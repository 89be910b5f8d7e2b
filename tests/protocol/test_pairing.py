"""Random talk on both sides, held against a model that is a plain dict of lists."""

from __future__ import annotations

import json
from collections import Counter

from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mcpobs.protocol.conversation import Conversation
from mcpobs.protocol.facts import Facts
from mcpobs.protocol.lifecycle import Lifecycle
from mcpobs.protocol.operation import Operation, Stamp
from mcpobs.protocol.registry import Registry
from mcpobs.protocol.session import Caller, Session
from mcpobs.sessions.remote import RemoteSessions

from .json_values import wild_values
from .talk import Talk, failure, notification, request, response

SIDES = st.sampled_from(["client", "server"])
IDS = st.sampled_from([1, "1", 1.0, 2**70, 2**70 + 1])  # few, so that they meet again
NO_IDS = st.sampled_from([None, True, False, [], {}])
MESSAGES = st.recursive(
    wild_values
    | st.fixed_dictionaries(
        {},
        optional={
            "jsonrpc": st.sampled_from(["2.0", 5]),
            "id": IDS | NO_IDS,
            "method": st.sampled_from(
                [
                    "initialize",
                    "tools/call",
                    "tools/list",
                    "prompts/list",
                    "notifications/cancelled",
                    "notifications/progress",
                ]
            )
            | wild_values,
            "params": wild_values
            | st.fixed_dictionaries(
                {},
                optional=dict.fromkeys(
                    ("_meta", "name", "arguments", "requestId", "progressToken", "uri", "clientInfo"), wild_values | IDS
                ),
            ),
            "result": wild_values
            | st.fixed_dictionaries(
                {}, optional=dict.fromkeys(("content", "structuredContent", "tools", "_meta"), wild_values)
            ),
            "error": wild_values | st.fixed_dictionaries({}, optional={"code": wild_values, "message": wild_values}),
        },
    ),
    lambda below: st.lists(below, max_size=4),
    max_leaves=4,
)


def _other(side: str) -> str:
    return "server" if side == "client" else "client"


def _key(request_id: object) -> str:
    return f"{type(request_id).__name__} {request_id!r}"


ALIKE = [_key(1), _key("1"), _key(1.0)]  # what clients take for one id, the likeliest first


class Pairing(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.talk = Talk()
        self.waiting: dict[tuple[str, str], list[str]] = {}  # (who asked, id): the methods in flight, the oldest first
        self.late: set[tuple[str, str]] = set()
        self.sent = 0
        self.sequences: list[int] = []
        self.unmatched = 0
        self.unparsed = 0
        self.batch: list[tuple[object, list[tuple[str, str, str | None]]]] | None = None
        self.batch_side = "client"

    def _found(self, asked_by: str, request_id: object) -> tuple[str, str]:
        """The request that an id finds: with exactly that id, else with one alike, else one that was cancelled."""
        exact = asked_by, _key(request_id)
        if self.waiting.get(exact) or exact in self.late or exact[1] not in ALIKE:
            return exact
        alike = [(asked_by, key) for key in ALIKE]
        waiting = [key for key in alike if self.waiting.get(key)]
        return next(iter(waiting + [key for key in alike if key in self.late]), exact)

    def _say(self, side: str, message: object, expected: list[tuple[str, str, str | None]]) -> None:
        """Says it now, or with others in one frame."""
        if self.batch is not None and side == self.batch_side:
            self.batch.append((message, expected))
            return
        self._end_batch()
        self._feed(side, message, expected)

    def _feed(self, side: str, message: object, expected: list[tuple[str, str, str | None]]) -> None:
        done = self.talk.client(message) if side == "client" else self.talk.server(message)
        assert [(op.sender, op.method, op.outcome) for op in done] == expected
        self.sequences += [op.sequence for op in done]

    def _end_batch(self) -> None:
        batch, self.batch = self.batch, None
        if batch:
            self._feed(
                self.batch_side,
                [message for message, _ in batch],
                [one for _, operations in batch for one in operations],
            )

    @rule(side=SIDES)
    def begin_batch(self, side: str) -> None:
        self._end_batch()
        self.batch, self.batch_side = [], side

    @rule(side=SIDES, request_id=IDS)
    def ask(self, side: str, request_id: object) -> None:
        method = f"method {self.sent}"
        self.sent += 1
        key = side, _key(request_id)
        self.waiting.setdefault(key, []).append(method)
        self.late.discard(key)
        self._say(side, request(method, None, request_id), [])

    @rule(side=SIDES, request_id=NO_IDS)
    def ask_without_an_id(self, side: str, request_id: object) -> None:
        self.unparsed += 1
        self._say(side, request("x", None, request_id), [])

    @rule(side=SIDES, request_id=IDS, failed=st.booleans())
    def answer(self, side: str, request_id: object, failed: bool) -> None:
        asked_by = _other(side)
        key = self._found(asked_by, request_id)
        message = failure(-1, request_id) if failed else response({}, request_id)
        if self.waiting.get(key):
            method = self.waiting[key].pop(0)
            self._say(side, message, [(asked_by, method, "server_error" if failed else "ok")])
            return
        if key in self.late:
            self.late.remove(key)
        else:
            self.unmatched += 1
        self._say(side, message, [])

    @rule(side=SIDES, request_id=IDS)
    def cancel(self, side: str, request_id: object) -> None:
        key = self._found(side, request_id)
        expected: list[tuple[str, str, str | None]] = []
        if self.waiting.get(key):
            expected.append((side, self.waiting[key].pop(0), "cancelled"))
            self.late.add(key)
        self.sent += 1
        message = notification("notifications/cancelled", {"requestId": request_id})
        self._say(side, message, [*expected, (side, "notifications/cancelled", "ok")])

    @rule(side=SIDES, token=IDS)
    def notify(self, side: str, token: object) -> None:
        self.sent += 1
        message = notification("notifications/x", {"progressToken": token})
        self._say(side, message, [(side, "notifications/x", "ok")])

    @rule()
    def close(self) -> None:
        self._end_batch()
        left = self.talk.close()
        assert [op.sequence for op in left] == sorted(op.sequence for op in left)
        expected = Counter((side, method) for (side, _), methods in self.waiting.items() for method in methods)
        assert Counter((op.sender, op.method) for op in left) == expected
        self.sequences += [op.sequence for op in left]
        self.waiting.clear()
        self.late.clear()

    @invariant()
    def the_counts_agree(self) -> None:
        if not self.batch:
            assert self.talk.seen.in_flight == sum(map(len, self.waiting.values()))
            assert (self.talk.seen.unmatched, self.talk.seen.unparsed) == (self.unmatched, self.unparsed)

    def teardown(self) -> None:
        """Each request and notification was recorded exactly once."""
        self.close()
        assert sorted(self.sequences) == list(range(self.sent))


Pairing.TestCase.settings = settings(max_examples=100, stateful_step_count=40)
TestPairing = Pairing.TestCase


@given(st.lists(st.tuples(SIDES, MESSAGES), max_size=12))
def test_any_messages_in_any_order_give_whole_operations(talk_of):
    talk = Talk()
    done = []
    for side, message in talk_of:
        done += talk.client(message) if side == "client" else talk.server(message)
    done += talk.close()
    assert len({operation.sequence for operation in done}) == len(done)
    for operation in done:
        assert operation.outcome is not None
        assert operation.duration_ns >= 0
        for text in (operation.method, operation.request_id, operation.tool, operation.prompt, operation.error_type):
            assert text is None or len(text.encode()) <= 4 * 256
        for peer in (operation.client, operation.server):
            assert "\0" not in f"{peer.name}{peer.version}"
            f"{peer.name}{peer.version}".encode()


@given(st.lists(st.tuples(SIDES, st.binary(max_size=60)), max_size=8))
def test_any_bytes_are_counted_or_read(frames):
    talk = Talk()
    done = []
    for side, frame in frames:
        done += talk.client(frame) if side == "client" else talk.server(frame)
    done += talk.close()
    assert len(done) + talk.seen.unparsed + talk.seen.unmatched >= len(frames)


class Counting(RemoteSessions):
    """Sessions that note which operations have begun and are not settled."""

    def __init__(self) -> None:
        super().__init__("p")
        self.open: list[Operation] = []

    def begin(self, operation: Operation, caller: Caller, legacy: bool = False) -> Session:
        self.open.append(operation)
        return super().begin(operation, caller, legacy)

    def settle(self, operation: Operation, session: Session, caller: Caller) -> Session:
        self.open = [one for one in self.open if one is not operation]
        return super().settle(operation, session, caller)


@given(st.lists(st.tuples(SIDES, MESSAGES), max_size=12))
@example([("client", {"id": 1, "method": "tools/call"})])
@example(
    [
        ("client", {"id": 1, "method": "ping"}),
        ("client", {**notification("notifications/cancelled"), "params": {"requestId": 1}}),
    ]
)
def test_each_operation_that_begins_is_settled_whether_it_leaves_a_row_or_not(talk_of):
    """Otherwise a sender decides how many operations a session has under way, and how much is kept of them."""
    sessions = Counting()
    caller = Caller("10.0.0.1:4000", "http", peer="10.0.0.1")
    conversation = Conversation(Lifecycle(Facts(b"k" * 32), Registry(), sessions), caller)
    for place, (side, message) in enumerate(talk_of):
        conversation.feed(side, json.dumps(message).encode(), Stamp(place, place))
    conversation.close(Stamp(99, 99), "client_disconnect")
    assert sessions.open == []
