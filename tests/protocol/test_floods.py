"""Floods of progress and log notifications cost a few rows, and each is counted once."""

from __future__ import annotations

import pytest

from mcpobs.protocol.floods import BURST_GAP_NS, FIRST_ROWS, LOG, PROGRESS
from mcpobs.protocol.operation import Operation

from .talk import STEP_NS, Talk, notification, response

FLOOD = 20_000 // 10


def _notes(ended: list[Operation]) -> list[Operation]:
    return [call for call in ended if call.is_notification]


@pytest.mark.parametrize(("method", "token"), [(PROGRESS, 1), (PROGRESS, "1"), (LOG, None)])
def test_a_request_counts_its_notifications_and_the_first_few_have_rows(method: str, token: object) -> None:
    talk = Talk()
    talk.ask("tools/call", {"name": "x", "_meta": {"progressToken": 1}})
    ended = [call for _ in range(FLOOD) for call in talk.server(notification(method, {"progressToken": token}))]
    (call,) = talk.server(response({}))
    assert len(ended) == FIRST_ROWS
    assert (call.progress, call.log_messages) == ((FLOOD, 0) if method == PROGRESS else (0, FLOOD))
    assert talk.close() == []


@pytest.mark.parametrize("method", [PROGRESS, LOG])
def test_notifications_of_no_request_have_one_more_row_a_burst(method: str) -> None:
    talk = Talk()
    ended: list[Operation] = []
    for _ in range(3):
        for _ in range(FLOOD):
            ended += talk.server(notification(method, {"progressToken": "unknown"}))
        talk.pass_time(2 * BURST_GAP_NS)
    ended += talk.close()
    stands_for = [call.progress + call.log_messages for call in ended]
    assert stands_for == [*[0] * FIRST_ROWS, FLOOD - FIRST_ROWS] * 3
    assert all(call.outcome == "ok" for call in ended)
    assert max(call.duration_ns for call in ended) <= FLOOD * STEP_NS


def test_the_rest_of_a_burst_is_recorded_as_soon_as_something_comes_after_it() -> None:
    talk = Talk()
    for _ in range(FLOOD):
        talk.server(notification(LOG))
    talk.pass_time(2 * BURST_GAP_NS)
    (rest,) = talk.ask("tools/call", {"name": "x"})
    assert (rest.method, rest.sender, rest.log_messages) == (LOG, "server", FLOOD - FIRST_ROWS)


def test_log_messages_belong_to_no_request_if_several_are_in_flight() -> None:
    talk = Talk()
    talk.ask("tools/call", {"name": "a"}, 1)
    talk.ask("tools/call", {"name": "b"}, 2)
    for _ in range(FLOOD):
        talk.server(notification(LOG))
    done = talk.server(response({}, 1)) + talk.server(response({}, 2))
    assert [call.log_messages for call in done] == [0, 0]
    (rest,) = talk.close()
    assert rest.log_messages == FLOOD - FIRST_ROWS


def test_log_messages_on_the_stream_of_a_request_are_counted_on_it() -> None:
    talk = Talk()
    for number in range(3):
        talk.ask("tools/call", {"name": str(number)}, number)
    talk.seen.stream = (1, 2)
    for _ in range(FLOOD):
        talk.server(notification(LOG))
    talk.seen.stream = (0, 0)  # a standing stream
    talk.server(notification(LOG))
    done = [call for number in range(3) for call in talk.server(response({}, number))]
    assert [call.log_messages for call in done] == [0, FLOOD, 0]


def test_other_notifications_all_have_rows() -> None:
    talk = Talk()
    ended = [call for _ in range(50) for call in talk.server(notification("notifications/tools/list_changed"))]
    assert len(_notes(ended)) == 50
