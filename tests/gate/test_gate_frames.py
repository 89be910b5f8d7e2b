"""Frames of one connection through the gate: what passes, what is answered, and what is recorded."""

from __future__ import annotations

import json

import pytest

from mcpobs.gate.decisions import DENIED_CODE, UNDECIDED, Answer, Forward, Pending
from mcpobs.gate.judge import OnError
from mcpobs.protocol.call import Error
from mcpobs.protocol.floods import FIRST_ROWS

from .connection import Connection, call, dumped, result
from .judges import DENIED, ByName, text


def back(frame: bytes | None) -> dict[str, object]:
    assert frame is not None
    return dict(json.loads(frame))


def test_an_allowed_call_goes_on_byte_for_byte_and_so_does_its_result() -> None:
    seen = Connection(ByName())
    asked = b'{ "jsonrpc":"2.0", "id" : 12345678901234567890, "method":"tools/call","params":{"name":"echo"} }'
    assert seen.client(asked) == (asked, None)
    answer = b'{"result" : {"content":[]},"id":12345678901234567890,"jsonrpc":"2.0"}'
    assert seen.server(answer) == (answer, None)
    (row,) = seen.rows
    assert (row["outcome"], row["decision"], row["tool"]) == ("ok", "allow", "echo")


@pytest.mark.parametrize("request_id", [b'"7"', b"7.0", b'"7.0"', b"7e0"])
def test_a_response_with_an_id_of_another_type_is_judged_as_that_of_its_call_and_passes(request_id: bytes) -> None:
    seen = Connection(ByName())
    seen.client(call("echo", 7))
    answer = b'{"jsonrpc":"2.0","id":%b,"result":{"content":[]}}' % request_id
    assert seen.server(answer) == (answer, None)
    (row,) = seen.rows
    assert (row["outcome"], row["decision"], row["tool"]) == ("ok", "allow", "echo")


@pytest.mark.parametrize("method", ["notifications/progress", "notifications/message"])
def test_a_flood_passes_and_costs_a_few_rows(method: str) -> None:
    seen = Connection(ByName())
    note = dumped({"jsonrpc": "2.0", "method": method, "params": {"progressToken": 1}})
    for _ in range(100):
        assert seen.server(note) == (note, None)
    assert len(seen.rows) == FIRST_ROWS


def test_a_denied_call_never_reaches_the_server_and_is_answered_with_its_own_id() -> None:
    seen = Connection(ByName())
    onward, answer = seen.client(call("deny", "a-1", order="42"))
    assert onward is None
    assert back(answer) == {"jsonrpc": "2.0", "id": "a-1", "error": {"code": DENIED_CODE, "message": DENIED}}
    (row,) = seen.rows
    assert (row["outcome"], row["decision"], row["rule"], row["status_code"], row["tool"]) == (
        "denied",
        "deny",
        "fridays",
        str(DENIED_CODE),
        "deny",
    )
    assert "args_digest" in row
    assert "error_type" not in row


def test_the_answer_of_a_judge_is_recorded_as_the_judge_says() -> None:
    seen = Connection(ByName())
    onward, answer = seen.client(call("answer"))
    assert onward is None
    assert back(answer)["result"] == text("answered by the judge")
    assert [(row["outcome"], row["decision"]) for row in seen.rows] == [("ok", "allow")]


def test_a_rewritten_call_keeps_every_byte_but_its_params() -> None:
    seen = Connection(ByName())
    asked = b'{ "jsonrpc":"2.0", "id" : 1.0e1, "method":"tools/call" }'.replace(b"1.0e1", b"10")
    asked = asked.replace(b" }", b',  "params": {"name":"rewrite","arguments":{"text":"mine"}} }')
    onward, _ = seen.client(asked)
    changed = b'{ "jsonrpc":"2.0", "id" : 10, "method":"tools/call",  "params": %b }'
    assert onward == changed % dumped({"name": "echo", "arguments": {"text": "rewritten"}})
    seen.server(result(10))
    assert [row["tool"] for row in seen.rows] == ["rewrite"]


@pytest.mark.parametrize("tool", ["throw", "hang"])
@pytest.mark.parametrize("on_error", ["allow", "deny"])
def test_a_judge_that_fails_or_takes_too_long_does_what_its_on_error_says(tool: str, on_error: OnError) -> None:
    seen = Connection(ByName(on_error))
    onward, answer = seen.client(call(tool))
    if on_error == "allow":
        assert (onward, answer) == (dumped(call(tool)), None)
        seen.server(result())
        assert [(row["outcome"], row["decision"]) for row in seen.rows] == [("ok", "warn")]
    else:
        assert onward is None
        assert back(answer)["error"] == {"code": DENIED_CODE, "message": UNDECIDED}
        why = "judge_timeout" if tool == "hang" else "judge_error"
        assert [(row["outcome"], row["error_type"]) for row in seen.rows] == [("denied", why)]
    assert len(seen.said) == 1
    assert "a secret" not in seen.said[0]


@pytest.mark.parametrize("tool", ["end_throw", "end_hang"])
@pytest.mark.parametrize("on_error", ["allow", "deny"])
def test_the_same_holds_for_a_response(tool: str, on_error: OnError) -> None:
    seen = Connection(ByName(on_error))
    seen.client(call(tool))
    onward, _ = seen.server(result())
    if on_error == "allow":
        assert onward == dumped(result())
    else:
        assert back(onward) == {"jsonrpc": "2.0", "id": 1, "error": {"code": DENIED_CODE, "message": UNDECIDED}}
    assert [row["outcome"] for row in seen.rows] == ["ok" if on_error == "allow" else "denied"]


def test_a_masked_result_keeps_its_outcome_and_the_size_that_the_server_sent() -> None:
    seen = Connection(ByName())
    seen.client(call("mask"))
    onward, _ = seen.server(result(words="secret" * 100))
    assert back(onward)["result"] == text("***")
    (row,) = seen.rows
    assert (row["outcome"], row["decision"], row["rule"]) == ("ok", "warn", "pii")
    assert row["result_bytes"] > 600


def test_a_blocked_result_is_an_error_for_the_client_and_denied_in_the_record() -> None:
    seen = Connection(ByName())
    seen.client(call("block"))
    onward, _ = seen.server(result())
    assert back(onward)["error"] == {"code": DENIED_CODE, "message": "blocked"}
    assert [(row["outcome"], row["rule"]) for row in seen.rows] == [("denied", "injection")]


@pytest.mark.parametrize(("tool", "denied"), [("later", False), ("later_deny", True)])
def test_a_decision_may_come_from_another_thread(tool: str, denied: bool) -> None:
    seen = Connection(ByName())
    onward, answer = seen.client(call(tool))
    assert (onward is None, answer is None) == (denied, not denied)


def test_others_go_on_while_a_call_is_held_and_it_keeps_its_place_in_the_record() -> None:
    judge = ByName()
    seen = Connection(judge)
    held = seen.take("client", call("held", 1))
    assert not held.ready
    assert seen.client(call("echo", 2)).onward == dumped(call("echo", 2))
    seen.server(result(2))
    judge.release()
    assert held.ready
    assert held.release() == (dumped(call("held", 1)), None)
    seen.server(result(1))
    assert [(row["request_id"], row["sequence"]) for row in seen.rows] == [("2", 1), ("1", 0)]


def test_a_cancel_of_a_held_call_drops_it_and_the_server_sees_neither() -> None:
    judge = ByName()
    seen = Connection(judge)
    held = seen.take("client", call("held", 1))
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    assert seen.client(cancel) == (None, None)
    judge.release()
    assert held.release() == (None, None)
    assert [(row["method"], row["outcome"]) for row in seen.rows] == [
        ("tools/call", "cancelled"),
        ("notifications/cancelled", "ok"),
    ]


def test_a_response_to_a_call_that_the_server_has_not_seen_does_not_pass() -> None:
    judge = ByName()
    seen = Connection(judge)
    held = seen.take("client", call("held", 1))
    assert seen.server(result(1)) == (None, None)
    judge.release()
    assert held.release().onward is not None
    assert seen.server(result(1)).onward == dumped(result(1))


def test_what_the_server_asks_goes_through_the_gate_as_well() -> None:
    seen = Connection(ByName())
    asked = {"jsonrpc": "2.0", "id": "s", "method": "sampling/createMessage", "params": {"messages": []}}
    onward, answer = seen.server(asked)
    assert onward is None
    assert back(answer)["id"] == "s"
    assert [(row["kind"], row["outcome"], row["rule"]) for row in seen.rows] == [("client", "denied", "sampling")]


def test_a_batch_passes_whole_or_without_what_was_denied() -> None:
    seen = Connection(ByName())
    whole = dumped([call("echo", 1), call("echo", 2)]).replace(b",{", b" , {")
    assert seen.client(whole) == (whole, None)
    onward, answer = seen.client(dumped([call("echo", 3), call("deny", 4)]))
    assert onward == b"[" + dumped(call("echo", 3)) + b"]"
    assert back(answer)["id"] == 4
    assert seen.client(dumped([call("deny", 5)])).onward is None


def test_calls_open_at_the_end_are_recorded_once() -> None:
    judge = ByName()
    seen = Connection(judge)
    seen.take("client", call("held", 1))
    seen.client(call("end_later", 2))
    seen.client(call("echo", 3))
    seen.take("server", result(2))
    seen.close()
    assert sorted((row["request_id"], row["outcome"]) for row in seen.rows) == [
        ("1", "unfinished"),
        ("2", "ok"),
        ("3", "unfinished"),
    ]
    assert len(judge.over) == 3


def test_without_a_judge_everything_is_forwarded() -> None:
    seen = Connection(None)
    assert seen.client(call("deny")).onward == dumped(call("deny"))
    assert seen.server(result()).onward == dumped(result())
    assert "decision" not in seen.rows[0]


def test_an_id_that_is_under_way_cannot_be_used_again() -> None:
    """Else the server's response to one call would be judged as that of the other."""
    seen = Connection(ByName())
    assert seen.client(call("mask", 1)).onward is not None
    onward, answer = seen.client(call("echo", 1))
    assert onward is None
    assert back(answer)["error"] == {"code": -32600, "message": "refused: id in use"}
    assert back(seen.server(result(1)).onward)["result"] == text("***")
    assert seen.client(dumped([call("echo", 2), call("mask", 2)])).onward is None
    assert seen.client(call("echo", 1)).onward is not None


def test_an_id_that_was_cancelled_is_free_again_after_its_late_response() -> None:
    seen = Connection(ByName())
    seen.client(call("mask", 1))
    seen.client({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})
    assert seen.client(call("echo", 1)).onward is None
    assert seen.server(result(1)) == (None, None)
    assert seen.client(call("echo", 1)).onward is not None


@pytest.mark.parametrize(
    "line",
    [
        b"Server started",
        b'{"level":"info","id":7,"method":"GET"}',
        b"[1,2]",
        b'"text"',
        b"{broken",
        b"progress 10%\rprogress 20%",
    ],
)
def test_a_line_that_no_client_takes_for_a_message_passes(line: bytes) -> None:
    seen = Connection(ByName())
    assert seen.server(line) == (line, None)
    assert seen.rows == []


def test_a_message_that_hides_behind_a_carriage_return_does_not_pass() -> None:
    seen = Connection(ByName())
    seen.client(call("block", 1))
    assert seen.server(b"log\r" + dumped(result(1))).onward is None
    assert [row["name"] for row in seen.rows] == ["mcpobs.frame.refused"]


def test_a_judge_that_returns_no_decision_denies() -> None:
    class Mute(ByName):
        def begin(self, call):
            return None

    seen = Connection(Mute())
    assert seen.client(call("echo")).onward is None
    assert [(row["outcome"], row["error_type"]) for row in seen.rows] == [("denied", "judge_error")]


def test_a_judge_that_cannot_even_say_what_to_do_on_error_denies() -> None:
    class Broken(ByName):
        @property
        def on_error(self):
            raise RuntimeError

        @on_error.setter
        def on_error(self, value):
            pass

        def begin(self, call):
            raise RuntimeError

    seen = Connection(Broken())
    assert seen.client(call("echo")).onward is None


def test_a_notification_that_is_denied_is_dropped_and_not_answered() -> None:
    class NoNotes(ByName):
        def begin(self, call):
            return Answer(error=Error(DENIED_CODE, "no")) if call.operation.is_notification else super().begin(call)

    seen = Connection(NoNotes())
    assert seen.client({"jsonrpc": "2.0", "method": "notifications/x"}) == (None, None)
    assert [(row["method"], row["outcome"]) for row in seen.rows] == [("notifications/x", "denied")]


def test_what_a_judge_sees_of_content_is_in_no_row() -> None:
    judge = ByName()
    seen = Connection(judge)
    seen.client(call("echo", 1, word="a secret of the client"))
    seen.server(result(1, "a secret of the server"))
    assert "a secret of the client" in repr(judge.seen)
    assert "a secret of the server" in repr(judge.seen)
    assert "secret" not in json.dumps(seen.rows)


def test_a_connection_of_the_modern_era_takes_no_batch() -> None:
    seen = Connection(ByName())
    modern = call("echo", 1)
    modern["params"]["_meta"] = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
    assert seen.client(modern).onward is not None
    onward, answer = seen.client(dumped([call("echo", 2)]))
    assert onward is None
    assert back(answer)["error"] == {"code": -32600, "message": "refused: batch of the modern era"}


def test_a_cancel_wakes_the_front_that_holds_the_call() -> None:
    seen = Connection(ByName())
    held = seen.take("client", call("held", 1))
    woken: list[bool] = []
    held.when_ready(lambda: woken.append(held.ready))
    assert woken == []
    seen.client({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})
    assert woken == [True]


def test_params_that_a_judge_gives_a_meta_of_their_own_keep_that_one() -> None:
    class Traced(ByName):
        def begin(self, call):
            return Forward(params={"name": "echo", "_meta": {"a": "judge"}})

    seen = Connection(Traced())
    sent = call("echo", 1)
    sent["params"]["_meta"] = {"a": "client"}
    assert back(seen.client(sent).onward)["params"] == {"name": "echo", "_meta": {"a": "judge"}}


def test_the_first_decision_counts() -> None:
    pending: Pending[int] = Pending(1)
    woken: list[int] = []
    pending.when_done(lambda done: woken.append(done.result()))
    assert pending.complete(1)
    assert not pending.complete(2)
    assert not pending.fail(TimeoutError())
    assert (pending.result(), woken) == (1, [1])
