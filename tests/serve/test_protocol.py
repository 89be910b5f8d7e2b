"""The server's side of MCP, in both eras, as a conversation of lines."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.protocol.meta import PROTOCOL_VERSION
from mcpobs.serve.protocol import CLIENT_CAPABILITIES, LEGACY, MAX_OPEN, MODERN, Call, Conversation, Say, Stop
from tests.serve.frames import META, Frame, initialize, line, modern, notification, request

TOOLS: list[dict[str, object]] = [
    {"name": name, "description": "d", "inputSchema": {"type": "object"}} for name in ("report", "sql")
]
RESULT = {"content": [{"type": "text", "text": "{}"}], "structuredContent": {}, "isError": False}


def conversation() -> Conversation:
    return Conversation(TOOLS, {"name": "mcpobs", "version": "1"}, "ask")


def agreed(version: str = "2025-11-25") -> Conversation:
    begun = conversation()
    begun.feed(line(initialize(version=version)))
    begun.feed(line(notification("notifications/initialized")))
    return begun


def reply(talk: Conversation, frame: Any) -> Frame:
    (step,) = talk.feed(line(frame))
    assert isinstance(step, Say)
    assert isinstance(step.message, dict)
    return step.message


def error(talk: Conversation, frame: Any) -> tuple[Any, int, str]:
    said = reply(talk, frame)
    assert set(said) == {"jsonrpc", "id", "error"}
    return said["id"], said["error"]["code"], said["error"]["message"]


def called(talk: Conversation, frame: Frame) -> Call:
    (step,) = talk.feed(line(frame))
    assert isinstance(step, Call)
    return step


@pytest.mark.parametrize("version", LEGACY)
def test_a_legacy_client_gets_the_version_that_it_asks_for(version: str) -> None:
    talk = conversation()
    said = reply(talk, initialize("a", version))
    assert said["id"] == "a"
    assert said["result"] == {
        "protocolVersion": version,
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "mcpobs", "version": "1"},
        "instructions": "ask",
    }
    assert talk.feed(line(notification("notifications/initialized"))) == []
    assert reply(talk, request(1, "ping"))["result"] == {}
    assert reply(talk, request(2, "tools/list"))["result"] == {"tools": TOOLS}


@pytest.mark.parametrize("version", ["2026-07-28", "1999-01-01", ""])
def test_a_legacy_client_with_a_version_that_we_do_not_know_is_offered_the_newest(version: str) -> None:
    assert reply(conversation(), initialize(version=version))["result"]["protocolVersion"] == "2025-11-25"


def test_an_initialize_without_a_version_is_refused() -> None:
    assert error(conversation(), request(1, "initialize"))[:2] == (1, -32602)


def test_a_modern_client_needs_no_handshake() -> None:
    talk = conversation()
    discovered = reply(talk, modern(1, "server/discover"))["result"]
    assert discovered["supportedVersions"] == list(MODERN)
    assert discovered["resultType"] == "complete"
    assert discovered["cacheScope"] == "public"
    assert discovered["ttlMs"] > 0
    assert discovered["_meta"] == {"io.modelcontextprotocol/serverInfo": {"name": "mcpobs", "version": "1"}}
    listed = reply(talk, modern(2, "tools/list"))["result"]
    assert listed["tools"] == TOOLS
    assert (listed["resultType"], listed["cacheScope"]) == ("complete", "public")
    call = called(talk, modern(3, "tools/call", name="sql", arguments={"query": "select 1"}))
    assert (call.tool, call.arguments) == ("sql", {"query": "select 1"})
    (said,) = talk.answered(call, RESULT)
    assert isinstance(said, Say)
    assert said.message == {
        "jsonrpc": "2.0",
        "id": 3,
        "result": {"resultType": "complete", **RESULT, "_meta": discovered["_meta"]},
    }


def test_a_legacy_result_is_not_dressed_as_a_modern_one() -> None:
    talk = agreed()
    call = called(talk, request(1, "tools/call", name="sql"))
    (said,) = talk.answered(call, RESULT)
    assert isinstance(said, Say)
    assert said.message == {"jsonrpc": "2.0", "id": 1, "result": RESULT}


def test_both_eras_may_come_over_one_connection() -> None:
    talk = agreed()
    assert "resultType" in reply(talk, modern(1, "tools/list"))["result"]
    assert "resultType" not in reply(talk, request(2, "tools/list"))["result"]


def test_an_error_about_an_unsupported_version_lists_the_supported_ones() -> None:
    talk = conversation()
    said = reply(talk, request(1, "tools/list", _meta=META | {PROTOCOL_VERSION: "2031-01-01"}))["error"]
    assert said["code"] == -32022
    assert said["data"] == {"supported": [*MODERN, *LEGACY], "requested": "2031-01-01"}
    said = reply(talk, request(2, "tools/list", _meta=META | {PROTOCOL_VERSION: "2025-11-25"}))["error"]
    assert (said["code"], said["data"]["supported"]) == (-32022, list(MODERN))


@pytest.mark.parametrize(
    "meta",
    [
        {PROTOCOL_VERSION: MODERN[0]},
        {PROTOCOL_VERSION: MODERN[0], CLIENT_CAPABILITIES: None},
        {PROTOCOL_VERSION: 20260728, CLIENT_CAPABILITIES: {}},
    ],
)
def test_a_modern_request_that_lacks_what_it_must_say_is_refused(meta: Frame) -> None:
    assert error(conversation(), request(1, "tools/list", _meta=meta))[:2] == (1, -32602)


@pytest.mark.parametrize("method", ["tools/list", "tools/call", "server/discover"])
def test_a_request_of_neither_era_is_refused_so_that_a_client_falls_back(method: str) -> None:
    assert error(conversation(), request(1, method, name="sql"))[:2] == (1, -32602)


@pytest.mark.parametrize("method", ["resources/list", "subscriptions/listen", "nonsense"])
def test_a_method_that_there_is_not(method: str) -> None:
    assert error(agreed(), request(1, method))[:2] == (1, -32601)
    assert error(conversation(), modern(1, method))[:2] == (1, -32601)


def test_a_modern_client_has_no_ping() -> None:
    assert error(conversation(), modern(1, "ping"))[1] == -32601


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, "names a tool"),
        ({"name": 7}, "names a tool"),
        ({"name": "reprot"}, "did you mean report?"),
        ({"name": "\x1b[2J" * 1000}, "the tools are report, sql"),
        ({"name": "sql", "arguments": []}, "arguments is an object"),
    ],
)
def test_a_wrong_call_is_refused_with_what_helps(params: Frame, expected: str) -> None:
    _, code, message = error(agreed(), request(1, "tools/call", **params))
    assert (code, expected in message) == (-32602, True), message
    assert message.isprintable()
    assert len(message) < 700


def test_a_cursor_of_ours_was_never_given_out() -> None:
    assert error(agreed(), request(1, "tools/list", cursor="2"))[1] == -32602


def test_a_cancelled_call_is_stopped_and_its_answer_dropped() -> None:
    talk = agreed()
    call = called(talk, request("x", "tools/call", name="sql"))
    other = called(talk, request("y", "tools/call", name="sql"))
    assert talk.feed(line(notification("notifications/cancelled", requestId="x", reason="r"))) == [Stop(call)]
    assert talk.feed(line(notification("notifications/cancelled", requestId="x"))) == []
    assert talk.answered(call, RESULT) == []
    assert len(talk.answered(other, RESULT)) == 1
    assert talk.answered(other, RESULT) == []


def test_an_id_may_be_used_again_only_when_it_was_answered() -> None:
    talk = agreed()
    call = called(talk, request(1, "tools/call", name="sql"))
    assert error(talk, request(1, "ping"))[:2] == (1, -32600)
    assert "result" in reply(talk, request("1", "ping"))
    talk.answered(call, RESULT)
    again = called(talk, request(1, "tools/call", name="sql"))
    assert talk.answered(call, RESULT) == []
    assert len(talk.answered(again, RESULT)) == 1


def test_more_calls_than_can_wait_are_refused() -> None:
    talk = agreed()
    for number in range(MAX_OPEN):
        called(talk, request(number, "tools/call", name="sql"))
    assert error(talk, request("more", "tools/call", name="sql"))[:2] == ("more", -32603)


@pytest.mark.parametrize(
    ("text", "id", "code"),
    [
        (b"{", None, -32700),
        (b"\xff\xfe", None, -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"\\ud800"}', None, -32700),
        (b"[" * 100_000, None, -32700),
        (b"7", None, -32600),
        (b"[]", None, -32600),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', None, -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', 1, -32600),
        (b'{"jsonrpc":"2.0","id":1}', 1, -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', None, -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', None, -32600),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', None, -32600),
        (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', None, -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', 1, -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}', 1, -32602),
    ],
)
def test_an_invalid_message_gets_an_error(text: bytes, id: Any, code: int) -> None:
    (step,) = agreed().feed(text)
    assert isinstance(step, Say)
    assert isinstance(step.message, dict)
    assert (step.message["id"], step.message["error"]["code"]) == (id, code)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"  \r",
        line(notification("notifications/initialized")),
        line(notification("nonsense")),
        line({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": [1]}),
        line(notification("notifications/cancelled", requestId={"a": 1})),
        line({"jsonrpc": "2.0", "id": 1, "result": {}}),
        line({"jsonrpc": "2.0", "id": None, "error": {"code": 1, "message": "m"}}),
    ],
)
def test_what_needs_no_answer_gets_none(text: bytes) -> None:
    assert agreed().feed(text) == []


def test_a_batch_is_answered_as_one_if_the_version_has_batches() -> None:
    talk = agreed("2025-03-26")
    frames = [
        request(1, "ping"),
        request(2, "tools/call", name="sql"),
        request(3, "tools/call", name="sql"),
        notification("notifications/progress"),
        request(4, "nonsense"),
    ]
    first, second = talk.feed(line(frames))
    assert isinstance(first, Call)
    assert isinstance(second, Call)
    assert talk.answered(second, RESULT) == []
    (said,) = talk.feed(line(notification("notifications/cancelled", requestId=2)))[1:]
    assert isinstance(said, Say)
    assert isinstance(said.message, list)
    assert [(part["id"], "error" in part) for part in said.message] == [(1, False), (4, True), (3, False)]
    assert talk.feed(line([notification("x"), notification("y")])) == []


def test_a_call_may_be_cancelled_in_the_batch_that_it_came_in() -> None:
    talk = agreed("2025-03-26")
    cancelled = notification("notifications/cancelled", requestId=1)
    call, stop, said = talk.feed(line([request(1, "tools/call", name="sql"), cancelled, request(2, "ping")]))
    assert isinstance(call, Call)
    assert stop == Stop(call)
    assert said == Say([{"jsonrpc": "2.0", "id": 2, "result": {}}])
    assert talk.answered(call, RESULT) == []


_WORDS = ["2.0", "id", "name", "sql", "report", "arguments", *MODERN, *LEGACY]
_METHODS = [
    *("initialize", "ping", "server/discover", "tools/list", "tools/call"),
    *("notifications/cancelled", "notifications/initialized"),
]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(_WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_WORDS) | st.text(), inner, max_size=4),
    max_leaves=8,
)
_PARAMS = _JSON | st.fixed_dictionaries(
    {},
    optional={
        "_meta": _JSON | st.just(META) | st.fixed_dictionaries({PROTOCOL_VERSION: _JSON}),
        "name": _JSON | st.just("sql"),
        "arguments": _JSON,
        "requestId": st.integers(0, 3),
        "protocolVersion": st.sampled_from(LEGACY) | _JSON,
        "cursor": _JSON,
    },
)
_FRAMES = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | _JSON,
        "id": st.integers(0, 3) | _JSON,
        "method": st.sampled_from(_METHODS) | _JSON,
        "params": _PARAMS,
    },
)
_WHOLE = [
    initialize(version="2025-03-26"),
    initialize(),
    *(request(id, "tools/call", name="sql", arguments={}) for id in range(3)),
    *(modern(id, "tools/call", name="report") for id in range(3)),
    *(notification("notifications/cancelled", requestId=id) for id in range(3)),
    [request(1, "tools/call", name="sql"), request(2, "ping"), notification("notifications/cancelled", requestId=1)],
]
_LINES = (
    st.sampled_from(_WHOLE).map(line)
    | st.binary(max_size=40)
    | _JSON.map(lambda value: json.dumps(value).encode())
    | _FRAMES.map(lambda value: json.dumps(value).encode())
    | st.lists(_FRAMES, max_size=3).map(lambda value: json.dumps(value).encode())
)


def _is_reply(message: Any) -> bool:
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0" or "id" not in message:
        return False
    id = message["id"]
    if "result" in message:
        return set(message) == {"jsonrpc", "id", "result"} and isinstance(id, str | int) and not isinstance(id, bool)
    expected = message["error"]
    fits = (
        isinstance(expected["code"], int) and isinstance(expected["message"], str) and expected["message"].isprintable()
    )
    return fits and (id is None or isinstance(id, str | int)) and not isinstance(id, bool)


@given(st.sampled_from([None, *LEGACY]), st.lists(st.tuples(_LINES, st.booleans()), max_size=12))
def test_whatever_comes_in_is_answered_in_json_rpc_or_not_at_all(
    version: str | None, lines: list[tuple[bytes, bool]]
) -> None:
    talk = conversation() if version is None else agreed(version)
    waiting: list[Call] = []
    for text, answer_now in lines:
        steps = talk.feed(text)
        for step in steps:
            match step:
                case Call():
                    waiting.append(step)
                case Stop():
                    assert step.call in waiting
                case Say():
                    said = json.loads(json.dumps(step.message, allow_nan=False))
                    replies = said if isinstance(said, list) else [said]
                    assert replies
                    assert all(map(_is_reply, replies)), said
        if answer_now and waiting:
            talk.answered(waiting.pop(0), RESULT)
    for call in waiting:
        for step in talk.answered(call, RESULT):
            assert isinstance(step, Say)
    assert all(talk.answered(call, RESULT) == [] for call in waiting)
