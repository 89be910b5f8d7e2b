import json

import pytest

from mcpobs.protocol.cut import Cut, Ends
from mcpobs.protocol.facts import Facts
from mcpobs.protocol.operation import Operation, Peer, TraceContext
from mcpobs.protocol.pending import MAX_GIVEN_UP, MAX_PENDING
from mcpobs.protocol.text import MAX_NAME

from .talk import KEY, STEP_NS, Talk, failure, notification, request, response, text_result

TRACEPARENT = "00-" + "a" * 32 + "-" + "b" * 16 + "-00"
VERSION = "io.modelcontextprotocol/protocolVersion"
CLIENT = "io.modelcontextprotocol/clientInfo"
SERVER = "io.modelcontextprotocol/serverInfo"


# -- the beginning ----------------------------------------------------------------------------------------


def test_initialize_gives_the_peers_and_the_protocol_version():
    talk = Talk()
    assert talk.seen.legacy is None
    talk.ask("initialize", {"protocolVersion": "2025-11-25", "clientInfo": {"name": "cli", "version": "1"}}, 0)
    assert talk.seen.legacy is True
    assert talk.seen.protocol_version == "2025-11-25"
    (first,) = talk.server(
        response({"protocolVersion": "2025-06-18", "serverInfo": {"name": "srv", "version": "2"}}, 0)
    )
    assert (first.protocol_version, first.client, first.server) == ("2025-06-18", Peer("cli", "1"), Peer("srv", "2"))
    call = talk.call("read", {}, text_result("x"))
    assert (call.protocol_version, call.client, call.server) == ("2025-06-18", Peer("cli", "1"), Peer("srv", "2"))


def test_a_modern_request_says_for_itself_who_asks():
    talk = Talk()
    meta = {VERSION: "2026-07-28", CLIENT: {"name": "cli", "version": "3"}}
    talk.ask("tools/list", {"_meta": meta}, 1)
    (listing,) = talk.server(response({"tools": [], "_meta": {SERVER: {"name": "srv", "version": "4"}}}, 1))
    assert talk.seen.legacy is False
    assert (listing.protocol_version, listing.client, listing.server) == (
        "2026-07-28",
        Peer("cli", "3"),
        Peer("srv", "4"),
    )
    talk.ask("tools/list", {"_meta": {VERSION: "2026-07-28", CLIENT: {"name": "other"}}}, 2)
    (again,) = talk.server(response({"tools": []}, 2))
    assert (again.client, again.server) == (Peer("other"), Peer("srv", "4"))


def test_a_client_that_probes_and_falls_back_is_legacy():
    talk = Talk()
    talk.ask("server/discover", {"_meta": {VERSION: "2026-07-28"}}, 1)
    (probe,) = talk.server(failure(-32601, 1))
    assert (probe.outcome, probe.error_type, probe.status_code) == ("protocol_error", None, "-32601")
    assert talk.seen.legacy is False
    talk.ask("initialize", {"protocolVersion": "2025-11-25"}, 2)
    assert talk.seen.legacy is True


@pytest.mark.parametrize("params", [None, [], "x", {}, {"protocolVersion": 5, "clientInfo": []}], ids=repr)
def test_an_initialize_that_says_nothing_is_still_legacy(params):
    talk = Talk()
    talk.ask("initialize", params)
    (first,) = talk.server(response({"serverInfo": 5, "protocolVersion": None}))
    assert talk.seen.legacy is True
    assert (first.protocol_version, first.client, first.server) == (None, Peer(), Peer())


# -- a call -----------------------------------------------------------------------------------------------


def test_a_call_is_one_operation_with_its_facts():
    talk = Talk()
    call = talk.call("read", {"path": "x"}, text_result("hello"), "id-1")
    facts, features = Facts(KEY).arguments({"path": "x"}, None)
    assert (call.sequence, call.sender, call.method, call.request_id) == (0, "client", "tools/call", "id-1")
    assert (call.tool, call.target, call.prompt, call.is_notification) == ("read", "read", None, False)
    assert (call.outcome, call.error_type, call.status_code) == ("ok", None, None)
    assert (call.duration_ns, call.start.mono_ns) == (STEP_NS, STEP_NS)
    assert (call.arguments, call.arguments_features) == (facts, features)
    assert call.result is not None
    assert (call.result.shape, call.result_items, call.result_empty) == ("text", 1, False)


def test_calls_are_numbered_in_the_order_of_the_wire_and_finish_in_that_of_their_responses():
    talk = Talk()
    for number in range(3):
        talk.ask("tools/call", {"name": f"t{number}"}, number)
    done = [talk.server(response({}, number))[0] for number in (2, 0, 1)]
    assert [(call.tool, call.sequence) for call in done] == [("t2", 2), ("t0", 0), ("t1", 1)]
    assert [call.duration_ns // STEP_NS for call in done] == [1, 4, 4]


def test_a_clock_that_goes_backwards_gives_no_negative_duration():
    talk = Talk()
    late, early = talk.stamp(), talk.stamp()
    talk.seen.feed("client", json.dumps(request("ping")).encode(), early)
    (ping,) = talk.seen.feed("server", json.dumps(response({})).encode(), late)
    assert ping.operation.duration_ns == 0


def test_missing_arguments_are_equal_to_no_arguments():
    talk = Talk()
    talk.ask("tools/call", {"name": "now"}, 1)
    (missing,) = talk.server(response({}, 1))
    given = talk.call("now", {}, {}, 2)
    assert missing.arguments == given.arguments
    assert missing.arguments is not None
    assert (missing.arguments.shape, missing.arguments.size_bytes) == ("{}", 2)


def test_the_meta_of_a_call_is_no_argument():
    talk = Talk()
    talk.ask("tools/call", {"name": "now", "arguments": {"a": 1}, "_meta": {"progressToken": 5}}, 1)
    (one,) = talk.server(response({}, 1))
    assert one.arguments == talk.call("now", {"a": 1}, {}, 2).arguments


@pytest.mark.parametrize(
    "params", [None, [], "x", 5, {"name": 5}, {"name": None}, {"_meta": "x"}, {"_meta": []}], ids=repr
)
def test_params_of_any_kind_give_an_operation(params):
    talk = Talk()
    talk.ask("tools/call", params)
    (call,) = talk.server(response({}))
    assert (call.outcome, call.tool) == ("ok", None)
    assert (call.arguments is not None) == isinstance(params, dict)


def test_only_tools_and_prompts_have_arguments():
    talk = Talk()
    for method, given in [("prompts/get", True), ("completion/complete", False), ("sampling/createMessage", False)]:
        talk.ask(method, {"name": "x", "arguments": {"a": "b"}})
        (operation,) = talk.server(response({}))
        assert (operation.arguments is not None) == given, method


def test_the_callers_trace_and_conversation_are_kept():
    talk = Talk()
    talk.ask(
        "tools/call", {"name": "x", "_meta": {"traceparent": TRACEPARENT, "baggage": "gen_ai.conversation.id=c-1"}}
    )
    (call,) = talk.server(response({}))
    assert call.parent == TraceContext("a" * 32, "b" * 16, 0)
    assert call.conversation_id == "c-1"
    talk.ask("tools/call", {"name": "x", "_meta": {"traceparent": 5, "gen_ai.conversation.id": []}})
    (call,) = talk.server(response({}))
    assert (call.parent, call.conversation_id) == (None, None)


def test_a_span_that_was_settled_before_is_the_operations_own_and_of_no_element_of_a_batch():
    talk = Talk()
    span = TraceContext("e" * 32, "f" * 16, 1)
    talk.seen.feed("client", json.dumps(request("ping")).encode(), talk.stamp(), span)
    (ping,) = talk.server(response({}))
    assert ping.span == span
    talk.seen.feed(
        "client", json.dumps([request("ping", None, 1), request("ping", None, 2)]).encode(), talk.stamp(), span
    )
    assert [operation.span for operation in talk.server([response({}, 1), response({}, 2)])] == [None, None]


def test_texts_of_the_peer_are_bounded_and_can_be_written_as_utf_8():
    talk = Talk()
    talk.client(b'{"jsonrpc":"2.0","id":"\\ud800%b","method":"\\udfff\\u0000%b"}' % (b"i" * 500, b"m" * 500))
    (operation,) = talk.server(b'{"jsonrpc":"2.0","id":"\\ud800%b","result":{}}' % (b"i" * 500))
    assert operation.method.startswith("\ufffd\0" + "m" * 237 + "…")
    assert operation.request_id is not None
    assert operation.request_id.startswith("\ufffd" + "i" * 238 + "…")
    assert len(operation.method) == len(operation.request_id) == MAX_NAME


# -- what the server declares -----------------------------------------------------------------------------


def test_keys_are_named_once_the_tools_were_listed():
    talk = Talk()
    before = talk.call("read", {"path": "x"}, {}, 1)
    talk.ask("tools/list", None, 2)
    talk.server(
        response({"tools": [{"name": "read", "inputSchema": {"properties": {"path": {}}}}], "nextCursor": "2"}, 2)
    )
    talk.ask("tools/list", {"cursor": "2"}, 3)
    talk.server(response({"tools": [{"name": "write", "inputSchema": {"properties": {"text": {}}}}, 5, {}]}, 3))
    asked = [("read", "path"), ("write", "text"), ("write", "path")]
    calls = [talk.call(tool, {key: "x"}, {}, 4) for tool, key in asked]
    assert "path" not in _shape(before)
    assert [_shape(call) for call in calls] == ["{path:string}", "{text:string}", _shape(before)]


def test_keys_of_a_prompt_are_named_once_the_prompts_were_listed():
    talk = Talk()
    talk.ask("prompts/list", None, 1)
    talk.server(response({"prompts": [{"name": "ask", "arguments": [{"name": "topic"}]}]}, 1))
    talk.ask("prompts/get", {"name": "ask", "arguments": {"topic": "x"}}, 2)
    (prompt,) = talk.server(response({"messages": []}, 2))
    assert (prompt.prompt, _shape(prompt)) == ("ask", "{topic:string}")


def test_a_list_of_tools_that_the_client_sends_declares_nothing():
    talk = Talk()
    talk.server(request("tools/list", None, 1))
    talk.client(response({"tools": [{"name": "read", "inputSchema": {"properties": {"path": {}}}}]}, 1))
    assert "path" not in _shape(talk.call("read", {"path": "x"}, {}, 2))


def _shape(operation: Operation) -> str:
    assert operation.arguments is not None
    assert operation.arguments.shape is not None
    return operation.arguments.shape


# -- how it ends ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "answer", "outcome", "error_type", "status_code"),
    [
        ("tools/call", {"result": {"isError": True, "content": []}}, "tool_error", "tool_error", None),
        ("tools/call", {"result": {"isError": "true"}}, "tool_error", "tool_error", None),
        ("tools/call", {"result": {"isError": 1}}, "tool_error", "tool_error", None),
        ("tools/call", {"result": {"isError": False}}, "ok", None, None),
        ("prompts/get", {"result": {"isError": True}}, "ok", None, None),
        ("tools/call", {"result": {"resultType": "complete"}}, "ok", None, None),
        ("tools/call", {"result": {"resultType": "input_required", "inputRequests": {}}}, "input_required", None, None),
        ("prompts/get", {"result": {"resultType": "input_required"}}, "input_required", None, None),
        ("tools/call", {"result": {"resultType": "task"}}, "task", None, None),
        ("tools/call", {"result": {"resultType": ["task"]}}, "ok", None, None),
        ("tools/call", {"result": {"task": {"taskId": "t-1"}}}, "task", None, None),
        ("tools/call", {"result": {"task": {"taskId": 5}}}, "ok", None, None),
        ("tools/call", {"result": {"task": "t-1"}}, "ok", None, None),
        ("resources/read", {"result": {"task": {"taskId": "t-1"}}}, "ok", None, None),
        ("tools/call", {"result": {}, "error": None}, "ok", None, None),
        (
            "tools/call",
            {"result": None, "error": {"code": -32603, "message": "no"}},
            "server_error",
            "-32603",
            "-32603",
        ),
        ("tools/call", {"result": {}, "error": {"code": -32602, "message": "no"}}, "protocol_error", None, "-32602"),
        *[
            ("tools/call", {"error": {"code": code, "message": "no"}}, "protocol_error", None, str(code))
            for code in (-32700, -32600, -32601, -32602, -32002, -32020, -32021, -32022)
        ],
        ("tools/call", {"error": {"code": -32603, "message": "no"}}, "server_error", "-32603", "-32603"),
        ("tools/call", {"error": {"code": 0, "message": "no"}}, "server_error", "0", "0"),
        ("tools/call", {"error": {"code": 42, "message": "no"}}, "server_error", "42", "42"),
        ("tools/call", {"error": {"code": -32001, "message": "no"}}, "timeout", "-32001", "-32001"),
        ("tools/call", {"error": {"code": "-32602", "message": "no"}}, "protocol_error", None, "-32602"),
        ("tools/call", {"error": {"code": -32602.0, "message": "no"}}, "protocol_error", None, "-32602"),
        ("tools/call", {"error": {"code": 10**30, "message": "no"}}, "server_error", "_OTHER", None),
        ("tools/call", {"error": {"code": True, "message": "no"}}, "server_error", "_OTHER", None),
        ("tools/call", {"method": None, "result": {}}, "ok", None, None),
    ],
    ids=repr,
)
def test_a_response_ends_its_request(method, answer, outcome, error_type, status_code):
    talk = Talk()
    talk.ask(method, {"name": "x"})
    (operation,) = talk.server({"jsonrpc": "2.0", "id": 1, **answer})
    assert (operation.outcome, operation.error_type, operation.status_code) == (outcome, error_type, status_code)
    assert talk.seen.in_flight == 0


def test_a_tool_that_fails_is_not_empty_and_one_that_needs_input_has_no_items():
    talk = Talk()
    failed = talk.call("x", {}, {"isError": True, "content": []})
    assert (failed.result_items, failed.result_empty) == (0, False)
    asking = talk.call("x", {}, {"resultType": "input_required", "inputRequests": {}})
    assert (asking.result_items, asking.result_empty) == (None, None)
    assert asking.result is not None
    refused = Talk()
    refused.ask("tools/call", {"name": "x"})
    (error,) = refused.server(failure(-32602))
    assert (error.result_items, error.result_empty) == (None, None)
    assert error.result is not None
    assert error.result.digest


def test_the_size_of_a_result_is_what_was_sent():
    talk = Talk()
    for request_id in (7, "seven", 10**25):
        talk.ask("tools/call", {"name": "x"}, request_id)
        result = text_result("é" * 10, _meta={"a": "b"})
        sent = json.dumps(result, separators=(",", ":"))
        (call,) = talk.server(
            b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (json.dumps(request_id).encode(), sent.encode())
        )
        assert call.result is not None
        assert call.result.size_bytes == len(sent)
        talk.ask("tools/call", {"name": "x"}, request_id)
        (failed,) = talk.server(failure(-32603, request_id))
        assert failed.result is not None
        assert failed.result.size_bytes == len('{"code":-32603,"message":"no"}')


# -- the server asks --------------------------------------------------------------------------------------


def test_the_server_asks_too_and_both_number_their_requests_alike():
    talk = Talk()
    talk.ask("tools/call", {"name": "x"}, 1)
    assert talk.server(request("sampling/createMessage", {"messages": []}, 1)) == []
    (sampling,) = talk.client(response({"role": "assistant", "content": {"type": "text", "text": "yes"}}, 1))
    assert (sampling.sender, sampling.method, sampling.outcome) == ("server", "sampling/createMessage", "ok")
    assert talk.seen.in_flight == 1
    (call,) = talk.server(response({}, 1))
    assert (call.sender, call.tool) == ("client", "x")
    assert call.duration_ns == 3 * STEP_NS


@pytest.mark.parametrize(("code", "outcome"), [(-32601, "protocol_error"), (-1, "server_error"), (-32001, "timeout")])
def test_every_error_that_the_client_answers_with_has_a_type(code, outcome):
    talk = Talk()
    talk.server(request("roots/list"))
    (roots,) = talk.client(failure(code))
    assert (roots.outcome, roots.error_type, roots.status_code) == (outcome, str(code), str(code))


def test_a_side_does_not_answer_itself():
    talk = Talk()
    talk.ask("ping")
    assert talk.client(response({})) == []
    assert (talk.seen.unmatched, talk.seen.in_flight) == (1, 1)


# -- notifications ----------------------------------------------------------------------------------------


def test_a_notification_is_an_operation_of_its_own():
    talk = Talk()
    (note,) = talk.server(notification("notifications/resources/updated", {"uri": "file:///x"}))
    assert (note.sender, note.request_id, note.is_notification) == ("server", None, True)
    assert (note.outcome, note.duration_ns, note.resource_scheme) == ("ok", 0, "file")
    assert note.arguments is None
    assert note.result is None


def test_progress_is_counted_on_the_request_that_it_belongs_to():
    talk = Talk()
    talk.ask("tools/call", {"name": "a", "_meta": {"progressToken": "p"}}, 1)
    talk.ask("tools/call", {"name": "b", "_meta": {"progressToken": 1}}, 2)
    for token in ("p", "p", 1, "2", "unknown", None, True, []):
        (note,) = talk.server(notification("notifications/progress", {"progressToken": token, "progress": 1}))
        assert note.outcome == "ok"
    talk.client(notification("notifications/progress", {"progressToken": "p"}))
    done = talk.server(response({}, 1)) + talk.server(response({}, 2))
    talk.server(notification("notifications/progress", {"progressToken": "p"}))
    assert [(call.tool, call.progress) for call in done] == [("a", 2), ("b", 1)]


@pytest.mark.parametrize(
    ("reason", "outcome", "error_type"),
    [
        (None, "cancelled", None),
        ("the user changed their mind", "cancelled", None),
        ("McpError: MCP error -32001: Request timed out", "timeout", "timeout"),
        ("Timeout of 5 s", "timeout", "timeout"),
        ({"timeout": 1}, "cancelled", None),
        ("x" * 2_000_000 + "timeout", "cancelled", None),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_a_cancelled_request_ends_at_once(reason, outcome, error_type):
    talk = Talk()
    talk.ask("tools/call", {"name": "slow"}, 1)
    call, note = talk.client(notification("notifications/cancelled", {"requestId": 1, "reason": reason}))
    assert (call.outcome, call.error_type, call.cancelled_by, call.duration_ns) == (
        outcome,
        error_type,
        "client",
        STEP_NS,
    )
    assert (note.method, note.outcome) == ("notifications/cancelled", "ok")
    assert talk.seen.in_flight == 0


def test_a_late_response_to_a_cancelled_request_is_swallowed_once():
    talk = Talk()
    talk.ask("tools/call", {"name": "slow"}, 1)
    talk.client(notification("notifications/cancelled", {"requestId": 1}))
    assert talk.server(failure(0, 1, "Request cancelled")) == []
    assert talk.seen.unmatched == 0
    assert talk.server(response({}, 1)) == []
    assert talk.seen.unmatched == 1


def test_an_id_that_is_used_again_after_a_cancellation_belongs_to_the_new_request():
    talk = Talk()
    talk.ask("tools/call", {"name": "slow"}, 1)
    talk.client(notification("notifications/cancelled", {"requestId": 1}))
    call = talk.call("again", {}, {}, 1)
    assert (call.tool, call.outcome) == ("again", "ok")
    assert talk.server(response({}, 1)) == []
    assert talk.seen.unmatched == 1


@pytest.mark.parametrize("request_id", ["2", 2, 1.5, True, None, [], {}], ids=repr)
def test_a_cancellation_of_nothing_cancels_nothing(request_id):
    talk = Talk()
    talk.ask("tools/call", {"name": "slow"}, 1)
    (note,) = talk.client(notification("notifications/cancelled", {"requestId": request_id}))
    assert note.outcome == "ok"
    assert talk.seen.in_flight == 1


@pytest.mark.parametrize("request_id", [1, "1", 1.0, "1.0"], ids=repr)
def test_a_cancellation_and_progress_find_their_request_by_an_id_of_another_type(request_id):
    talk = Talk()
    talk.ask("tools/call", {"name": "slow", "_meta": {"progressToken": 1}}, 1)
    talk.server(notification("notifications/progress", {"progressToken": request_id}))
    call, _ = talk.client(notification("notifications/cancelled", {"requestId": request_id}))
    assert (call.outcome, call.progress) == ("cancelled", 1)
    assert talk.server(response({}, 1)) == []
    assert (talk.seen.in_flight, talk.seen.unmatched) == (0, 0)


def test_one_side_cannot_cancel_what_the_other_asked():
    talk = Talk()
    talk.ask("tools/call", {"name": "slow"}, 1)
    assert len(talk.server(notification("notifications/cancelled", {"requestId": 1}))) == 1
    talk.server(request("ping", None, 2))
    assert len(talk.client(notification("notifications/cancelled", {"requestId": 2}))) == 1
    assert talk.seen.in_flight == 2


def test_a_server_ends_a_subscription_by_cancelling_it():
    talk = Talk()
    talk.ask("subscriptions/listen", {}, 1)
    listen, _ = talk.server(notification("notifications/cancelled", {"requestId": 1}))
    assert (listen.method, listen.outcome, listen.cancelled_by) == ("subscriptions/listen", "cancelled", "server")


# -- ids --------------------------------------------------------------------------------------------------

IDS = [
    "1",
    '"1"',
    "1.0",
    "1.5",
    "0",
    "-1",
    '""',
    "1" + "0" * 29 + "1",
    "1" + "0" * 29 + "2",
    "1e30",
    "1e400",
    "9" * 5000,
    "9" * 4999 + "8",
    '"' + "x" * 200 + '1"',
    '"' + "x" * 200 + '2"',
    '"\\ud800"',
]


def test_ids_pair_by_type_and_value():
    talk = Talk()
    for number, request_id in enumerate(IDS):
        assert talk.client(f'{{"jsonrpc":"2.0","id":{request_id},"method":"m{number}"}}'.encode()) == []
    assert (talk.seen.in_flight, talk.seen.unparsed) == (len(IDS), 0)
    for number, request_id in reversed(list(enumerate(IDS))):
        (operation,) = talk.server(f'{{"jsonrpc":"2.0","result":{{}},"id": {request_id} }}'.encode())
        assert operation.method == f"m{number}"
        assert operation.request_id is not None
        assert len(operation.request_id) <= MAX_NAME
    assert (talk.seen.in_flight, talk.seen.unmatched) == (0, 0)


@pytest.mark.parametrize("request_id", ["null", "true", "false", "[]", "{}", "[1]"])
def test_an_invalid_id_makes_no_request_and_answers_none(request_id):
    talk = Talk()
    talk.ask("ping", None, 1)
    assert talk.client(f'{{"jsonrpc":"2.0","id":{request_id},"method":"ping"}}'.encode()) == []
    assert (talk.seen.unparsed, talk.seen.in_flight) == (1, 1)
    assert talk.server(f'{{"jsonrpc":"2.0","id":{request_id},"result":{{}}}}'.encode()) == []
    assert (talk.seen.unmatched, talk.seen.in_flight) == (1, 1)


def test_an_id_that_is_used_twice_at_a_time_is_answered_first_in_first_out():
    talk = Talk()
    for name in "abc":
        talk.ask("tools/call", {"name": name}, 1)
    assert [talk.server(response({}, 1))[0].tool for _ in range(3)] == ["a", "b", "c"]
    assert talk.server(response({}, 1)) == []
    assert talk.seen.unmatched == 1


# -- batches ----------------------------------------------------------------------------------------------


def test_each_element_of_a_batch_is_an_operation_both_ways():
    talk = Talk()
    batch = [
        request("ping", None, 1),
        notification("notifications/initialized"),
        request("tools/call", {"name": "x"}, 2),
    ]
    (note,) = talk.client(batch)
    assert (note.method, note.sequence) == ("notifications/initialized", 1)
    done = talk.server([response(text_result("x"), 2), failure(-1, 1), request("roots/list", None, 1)])
    assert [(operation.method, operation.outcome) for operation in done] == [
        ("tools/call", "ok"),
        ("ping", "server_error"),
    ]
    assert done[0].result is not None
    assert done[0].result.size_bytes == len(json.dumps(text_result("x"), separators=(",", ":")))
    (roots,) = talk.client([response({"roots": []}, 1)])
    assert roots.method == "roots/list"


def test_an_invalid_message_in_a_batch_is_counted_and_the_rest_is_read():
    talk = Talk()
    assert talk.client([]) == []
    assert talk.seen.unparsed == 1
    (note,) = talk.client([5, None, [], [request("ping")], {}, notification("notifications/x")])
    assert note.method == "notifications/x"
    assert talk.seen.unparsed == 6
    assert talk.seen.in_flight == 0


# -- what is no conversation ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"Server listening on stdio",
        b'{"level":"info","msg":"started"}',
        b'{"method":"GET","path":"/health"}',
        b'{"jsonrpc":"2.0"}',
        b'{"jsonrpc":"2.0","method":5}',
        b'{"jsonrpc":"2.0","id":1,"method":{}}',
        b'{"jsonrpc":"2.0","id":1,"method":"x"',
        b"null",
        b"5",
        b'"x"',
        b"\xff\xfe\x00",
    ],
    ids=repr,
)
def test_a_frame_that_is_no_json_rpc_is_counted(frame):
    talk = Talk()
    assert talk.server(frame) == []
    assert (talk.seen.unparsed, talk.seen.unmatched, talk.seen.in_flight) == (1, 0, 0)


def test_a_response_without_a_request_is_counted():
    talk = Talk()
    for frame in (response({}, 5), failure(-32700, None)):
        assert talk.server(frame) == []
    assert (talk.seen.unmatched, talk.seen.unparsed) == (2, 0)


@pytest.mark.parametrize(
    "answer", [{"id": 1, "result": {}}, {"jsonrpc": "2.0", "id": 1, "result": {}}, {"id": "1", "result": {}}]
)
def test_a_clients_request_without_jsonrpc_is_an_operation_if_it_is_answered(answer):
    talk = Talk()
    talk.client({"id": 1, "method": "ping"})
    (ping,) = talk.server(answer)
    assert ping.outcome == "ok"


def test_a_clients_request_without_jsonrpc_that_nobody_answers_is_no_operation():
    talk = Talk()
    for number in range(3):
        assert talk.client({"id": number, "method": "ping"}) == []
    (note,) = talk.client(notification("notifications/cancelled", {"requestId": 0}))
    assert note.method == "notifications/cancelled"
    assert talk.server({"id": 1, "level": "info", "method": "ping"}) == []
    assert talk.close() == []


def test_a_line_without_jsonrpc_ends_no_call_and_begins_none():
    talk = Talk()
    talk.ask("tools/call", {"name": "x"})
    for line in ({"id": 1, "result": {}}, {"id": 1, "method": "GET"}, {"id": 1, "error": {"code": 1, "message": "no"}}):
        assert talk.server(line) == []
    assert (talk.seen.in_flight, talk.seen.unparsed) == (1, 3)


# -- hostile frames ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        b'{"a":"\\ud800"}',
        b'{"\\udfff":1}',
        b'{"a":NaN,"b":-Infinity}',
        b'{"a":1e308,"b":1e400}',
        b'{"a":%b}' % (b"9" * 5000),
        b'{"a":1,"a":2}',
        b'{"a":"\xff\xfe\xc3"}',
        b'{"a":' + b"[" * 800 + b"]" * 800 + b"}",
        b'{"a":' + b"[" * 1020 + b"]" * 1020 + b"}",
        b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"a":"' + b"x" * (10 << 20) + b'"}',
        b"[" + b"0," * 1_000_000 + b"0]",
        b"{" + b",".join(b'"%d":0' % number for number in range(100_000)) + b"}",
    ],
    ids=lambda arguments: repr(arguments[:24]),
)
def test_a_call_with_hostile_arguments_is_recorded_and_paired(arguments):
    talk = Talk()
    frame = b'{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"dig","arguments":%b}}' % arguments
    assert talk.client(frame) == []
    (call,) = talk.server(b'{"jsonrpc":"2.0","id":3,"result":{"isError":true,"content":%b}}' % arguments)
    assert (call.tool, call.request_id, call.outcome) == ("dig", "3", "tool_error")
    assert call.arguments is not None
    assert call.result is not None
    assert call.arguments.size_bytes > 0
    assert call.result.size_bytes == len('{"isError":true,"content":}') + len(arguments)
    assert (call.arguments.digest is None) == (len(arguments) == 400_006)
    json.dumps([call.arguments.shape, call.arguments_features]).encode()
    assert (talk.seen.unparsed, talk.seen.unmatched) == (0, 0)


def test_a_byte_order_mark_before_a_frame_is_no_part_of_it():
    talk = Talk()
    talk.client(b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"ping"}')
    assert talk.seen.in_flight == 1


def test_an_info_object_that_is_very_deep_harms_nothing():
    talk = Talk()
    deep = "[" * 1015 + "]" * 1015
    for _ in range(2):
        meta = f'{{"{VERSION}":"2026-07-28","{CLIENT}":{{"name":"c","icons":{deep}}}}}'
        talk.client(f'{{"id":1,"method":"x","params":{{"_meta":{meta}}}}}'.encode())
    assert talk.seen.client == Peer("c")


# -- the end ----------------------------------------------------------------------------------------------


def test_requests_pending_at_the_end_are_unfinished_in_their_order():
    talk = Talk()
    talk.ask("tools/call", {"name": "a", "_meta": {"progressToken": 1}}, 1)
    talk.server(request("ping", None, 1))
    talk.ask("tools/call", {"name": "b"}, 1)
    talk.ask("tools/call", {"name": "gone"}, 9)
    talk.client(notification("notifications/cancelled", {"requestId": 9}))
    left = talk.close("server_exit")
    assert [(operation.sequence, operation.method, operation.tool) for operation in left] == [
        (0, "tools/call", "a"),
        (1, "ping", None),
        (2, "tools/call", "b"),
    ]
    assert {(operation.outcome, operation.error_type) for operation in left} == {("unfinished", "server_exit")}
    assert left[0].duration_ns == 5 * STEP_NS
    assert talk.seen.in_flight == 0
    assert talk.close() == []
    assert talk.server(response({}, 9)) == []
    assert talk.seen.unmatched == 1


def test_pending_requests_are_bounded_and_dropped_ones_are_recorded():
    talk = Talk()
    for number in range(MAX_PENDING):
        assert talk.client(b'{"jsonrpc":"2.0","id":%d,"method":"x"}' % number) == []
    (dropped,) = talk.client(b'{"jsonrpc":"2.0","id":-1,"method":"x"}')
    assert (dropped.request_id, dropped.outcome, dropped.error_type) == ("0", "unfinished", "_OTHER")
    assert talk.seen.in_flight == MAX_PENDING
    assert len(talk.close()) == MAX_PENDING


def test_the_memory_of_cancelled_ids_is_bounded():
    talk = Talk()
    for number in range(MAX_GIVEN_UP + 1):
        talk.ask("ping", None, number)
        talk.client(notification("notifications/cancelled", {"requestId": number}))
    talk.server(response({}, MAX_GIVEN_UP))
    assert talk.seen.unmatched == 0
    talk.server(response({}, 0))
    assert talk.seen.unmatched == 1


# -- messages that are too long to be kept ----------------------------------------------------------------

_LONG = b"A" * 200_000
_CONTENT = b'{"content":[{"type":"image","data":"%b"}]%b}'


def _cut(message: bytes) -> Cut:
    ends = Ends()
    ends.add(message)
    return ends.cut()


@pytest.mark.parametrize(
    ("message", "outcome"),
    [
        (b'{"jsonrpc":"2.0","id":1,"result":%b}' % (_CONTENT % (_LONG, b"")), "ok"),
        (b'{"jsonrpc":"2.0","id":1,"result":%b}' % (_CONTENT % (_LONG, b',"isError":true')), "tool_error"),
        (b'{"jsonrpc":"2.0","id":1,"result":{"isError":true,"content":["%b"]}}' % _LONG, "tool_error"),
        (b'{"jsonrpc":"2.0","result":%b,"id":1}' % (_CONTENT % (_LONG, b"")), "ok"),
        (b'{"result":%b,"id":1,"jsonrpc":"2.0"}\r' % (_CONTENT % (_LONG, b',"isError":true')), "tool_error"),
        (b'{"jsonrpc":"2.0","id":"1","error":{"code":-32603,"message":"no","data":"%b"}}' % _LONG, "server_error"),
        (b'{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"%b"}}' % _LONG, "server_error"),
        (b'{"id":1,"level":"info","result":%b}' % (_CONTENT % (_LONG, b"")), None),
        (b'INFO "%b"' % _LONG, None),
    ],
    ids=lambda value: value[:60] if isinstance(value, bytes) else value,
)
def test_a_message_that_is_too_long_ends_its_request_by_its_envelope(message, outcome):
    talk = Talk()
    talk.ask("tools/call", {"name": "x"})
    ended = talk.server(_cut(message))
    assert [call.outcome for call in ended] == ([outcome] if outcome else [])
    for call in ended:
        assert call.result is not None
        assert abs(call.result.size_bytes - len(message)) < 60
