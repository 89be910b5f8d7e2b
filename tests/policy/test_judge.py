"""A policy on a connection: what a client is shown, what a server may ask, and what a retry counts."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mcpobs.gate.policing import judge
from mcpobs.gate.policy_judge import PolicyJudge
from mcpobs.policy import file
from mcpobs.policy.engine import MAX_ROUNDS
from mcpobs.policy.sqlite import SqliteStore
from mcpobs.policy.state import Halt, Store
from mcpobs.prices.book import Book
from mcpobs.protocol.pending import MAX_GIVEN_UP, MAX_PENDING
from mcpobs.protocol.session import Identity
from tests.gate.connection import WAIT_S, Connection
from tests.policy.evasions import META

HEAD = "version: 1\nhalt_after_denials: off\n"


class Shop:
    """A connection under a policy. The test is client and server."""

    def __init__(self, policy: str, prices: dict[str, int] | None = None, store: Store | None = None) -> None:
        texts = [((HEAD + policy).encode(), "policy.yaml")]
        self.judge: PolicyJudge = judge(file.of_texts(texts), "shop", Book.a_call(prices or {}), store)
        self.connection = Connection(self.judge)
        self._id = 0

    def ask(self, method: str, sender: Any = "client", modern: bool = True, **params: Any) -> dict[str, Any] | None:
        """Sends a request. Returns the answer in its receiver's place; None if it went on."""
        self._id += 1
        given = {**({"_meta": META} if modern else {}), **params}
        message = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": given}
        sent = self.connection.pass_on(sender, message)
        assert (sent.onward is None) is (sent.back is not None)
        return None if sent.back is None else json.loads(sent.back)

    def answer(self, result: Any, sender: Any = "server") -> dict[str, Any]:
        """Answers the last request. Returns the response as its requester gets it."""
        sent = self.connection.pass_on(sender, {"jsonrpc": "2.0", "id": self._id, "result": result})
        assert sent.onward is not None
        return dict(json.loads(sent.onward))

    def call(self, tool: str, result: Any = None, **params: Any) -> str:
        """A whole call of a tool: `ok`, or why it was denied."""
        arguments = params.pop("arguments", {})
        refused = self.ask("tools/call", name=tool, arguments=arguments, **params)
        if refused is None:
            got = self.answer({"content": [], "resultType": "complete"} if result is None else result)
            refused = got
        decided = refused.get("result", {}).get("_meta", {}).get("mcpobs/decision")
        if decided is not None:
            return str(decided["code"])
        return "unknown" if "error" in refused else "ok"

    @property
    def last(self) -> dict[str, Any]:
        return self.connection.rows[-1]


# -- what a client is shown ------------------------------------------------------------------------------------


def test_a_list_holds_what_the_caller_may_call_page_by_page() -> None:
    shop = Shop("rules: [{id: a, effect: allow, tools: [search, 'get_*']}, {id: d, effect: deny, tools: [get_secret]}]")
    tools = [{"name": name, "inputSchema": {}} for name in ("search", "drop", "get_one", "get_secret")]
    assert shop.ask("tools/list") is None
    shown = shop.answer({"tools": tools, "nextCursor": "more", "other": 1})
    assert [tool["name"] for tool in shown["result"]["tools"]] == ["search", "get_one"]
    assert (shown["result"]["nextCursor"], shown["result"]["other"]) == ("more", 1)


def test_prompts_and_resources_are_filtered_alike() -> None:
    shop = Shop("rules: [{id: a, effect: allow, prompts: [greet], resources: ['file:///pub/*']}]")
    shop.ask("prompts/list")
    assert shop.answer({"prompts": [{"name": "greet"}, {"name": "x"}]})["result"]["prompts"] == [{"name": "greet"}]
    shop.ask("resources/list")
    shown = shop.answer({"resources": [{"uri": "file:///pub/a"}, {"uri": "file:///x"}, {"uri": 3}, "odd"]})
    assert shown["result"]["resources"] == [{"uri": "file:///pub/a"}]
    shop.ask("resources/templates/list")
    shown = shop.answer({"resourceTemplates": [{"uriTemplate": "file:///pub/{x}"}, {"uriTemplate": "db://{x}"}]})
    assert shown["result"]["resourceTemplates"] == [{"uriTemplate": "file:///pub/{x}"}]


def test_a_list_of_which_all_is_allowed_passes_byte_for_byte() -> None:
    shop = Shop("rules: [{id: a, effect: allow, tools: ['*']}]")
    shop.ask("tools/list")
    frame = b'{ "jsonrpc" : "2.0","id":1, "result":{"tools":[ {"name":"b"} ]} }'
    sent = shop.connection.pass_on("server", frame)
    assert sent.onward == frame


def test_a_policy_that_is_only_logged_filters_nothing() -> None:
    shop = Shop("mode: log_only\nrules: [{id: a, effect: allow, tools: [search]}]")
    shop.ask("tools/list")
    assert len(shop.answer({"tools": [{"name": "search"}, {"name": "drop"}]})["result"]["tools"]) == 2
    assert shop.call("drop") == "ok"
    assert (shop.last["decision"], shop.last["shadow_code"], shop.last["policy_mode"]) == (
        "warn",
        "unknown",
        "log_only",
    )


def test_annotations_say_what_writes_and_what_says_nothing_writes() -> None:
    shop = Shop("limits: [{id: writes, tools: ['*'], kinds: [write], per_session: 0}]")
    shop.ask("tools/list")
    shop.answer({"tools": [{"name": "get", "annotations": {"readOnlyHint": True}}, {"name": "put"}]})
    assert [shop.call(tool) for tool in ("get", "put", "new")] == ["ok", "call_limit", "call_limit"]


@pytest.mark.parametrize(
    "answer",
    [
        {"error": {"code": -32602, "message": "Tool nope not found"}},
        {"error": {"code": -32601, "message": "MCP error: nope", "data": {"tool": "nope"}}},
        {"result": {"content": [{"type": "text", "text": "Unknown tool: nope"}], "isError": True}},
    ],
)
def test_a_hidden_tool_is_answered_as_this_server_answers_for_one_that_it_does_not_have(answer: dict[str, Any]) -> None:
    shop = Shop("default: allow\nrules: [{id: no, effect: deny, tools: [drop]}]")
    first = shop.ask("tools/call", modern=False, name="drop", arguments={})
    assert first is not None
    assert first["error"] == {"code": -32602, "message": "Unknown tool: drop"}
    shop.ask("tools/list", modern=False)
    shop.answer({"tools": [{"name": "search"}, {"name": "drop"}]})
    assert shop.ask("tools/call", modern=False, name="nope", arguments={}) is None
    shop.connection.pass_on("server", {"jsonrpc": "2.0", "id": shop._id, **answer})
    hidden = shop.ask("tools/call", modern=False, name="drop", arguments={})
    assert hidden is not None
    expected = json.loads(json.dumps(answer).replace("nope", "drop"))
    assert {key: hidden[key] for key in expected} == expected
    assert (shop.last["outcome"], shop.last["decision_code"]) == ("denied", "unknown")


@pytest.mark.parametrize(
    "name", [",", ":", '"', "o", "tool", "Unknown", "error", "nknown tool", "text", "complete", " ", "0"]
)
def test_no_name_that_a_caller_makes_up_shows_which_tools_are_hidden(name: str) -> None:
    """The answer for a name of the caller's choice is the pattern of later ones, so it must not garble them."""
    shop = Shop("default: allow\nrules: [{id: no, effect: deny, tools: [drop]}]")
    shop.ask("tools/list", modern=False)
    shop.answer({"tools": [{"name": "search"}, {"name": "drop"}]})
    assert shop.ask("tools/call", modern=False, name=name, arguments={}) is None
    shop.answer(
        {"content": [{"type": "text", "text": f"Unknown tool: {name}"}], "isError": True, "resultType": "complete"}
    )
    hidden = shop.ask("tools/call", modern=False, name="drop", arguments={})
    shown = json.dumps(hidden)
    assert "Unknown tool: drop" in shown
    assert shown.count("drop") == 1


# -- what a server asks ----------------------------------------------------------------------------------------

SAMPLING = {"method": "sampling/createMessage", "params": {"messages": []}}
FORM = {"method": "elicitation/create", "params": {"message": "?", "requestedSchema": {}}}
URL = {"method": "elicitation/create", "params": {"mode": "url", "url": "https://x", "message": "?"}}
ROOTS = {"method": "roots/list", "params": {}}


@pytest.mark.parametrize(
    ("policy", "request_", "passes"),
    [
        ("sampling: deny", SAMPLING, False),
        ("sampling: allow", SAMPLING, True),
        ("elicitation: url", FORM, False),
        ("elicitation: url", URL, True),
        ("elicitation: form", FORM, True),
        ("elicitation: form", URL, False),
        ("elicitation: deny", URL, False),
        ("roots: deny", ROOTS, False),
        ("roots: deny", SAMPLING, True),
    ],
)
def test_a_servers_request_has_rules_of_its_own_also_inside_of_a_result(
    policy: str, request_: dict[str, Any], passes: bool
) -> None:
    shop = Shop(f"server_requests: {{{policy}}}")
    refused = shop.ask(request_["method"], "server", modern=False, **request_["params"])
    assert (refused is None) is passes
    shop = Shop(f"server_requests: {{{policy}}}")
    result = {"resultType": "input_required", "inputRequests": {"a": request_}, "requestState": "s"}
    assert (shop.call("search", result) == "ok") is passes
    assert shop.last["outcome"] == ("input_required" if passes else "denied")


# -- retries that a result asks for ------------------------------------------------------------------------------


def test_a_retry_that_was_asked_for_counts_nothing_and_only_once() -> None:
    shop = Shop("limits: [{id: few, tools: [book], per_session: 1}]")
    asked = {"resultType": "input_required", "inputRequests": {"a": FORM}, "requestState": "s1"}
    retry = {"requestState": "s1", "inputResponses": {"a": {"action": "accept"}}}
    assert shop.call("book", asked) == "ok"
    assert shop.call("book", None, requestState="forged", inputResponses={}) == "call_limit"
    assert shop.call("book", None, arguments={"other": 1}, **retry) == "call_limit"
    assert shop.call("book", None, **retry) == "ok"
    assert shop.last["policy_retry"] is True
    assert shop.call("book", None, **retry) == "call_limit"


ASKS = {"resultType": "input_required", "inputRequests": {"a": FORM}}
ANSWERS: dict[str, Any] = {"inputResponses": {"a": {"action": "accept"}}}


def test_an_equal_call_that_answers_nothing_is_no_retry() -> None:
    shop = Shop("limits: [{id: few, tools: [book], per_session: 1}]")
    assert [shop.call("book", ASKS) for _ in range(3)] == ["ok", "call_limit", "call_limit"]
    assert shop.call("book", **ANSWERS) == "ok"


@pytest.mark.parametrize("state", [{}, {"requestState": "s"}])
def test_a_server_that_asks_again_and_again_washes_no_limit_away(state: dict[str, str]) -> None:
    shop = Shop("limits: [{id: few, tools: [book], per_session: 2}]")
    went_on = [shop.call("book", {**ASKS, **state}, **ANSWERS, **state) for _ in range(40)].count("ok")
    assert went_on == 2 * (1 + MAX_ROUNDS)


def test_what_a_retry_costs_counts_because_the_call_before_it_cost_nothing() -> None:
    shop = Shop("budgets: {session: {usd: 1}}", {"ocr": 400_000})
    outcomes = []
    for _ in range(3):
        outcomes += [shop.call("ocr", ASKS), shop.call("ocr", **ANSWERS)]
    assert outcomes == ["ok", "ok", "ok", "ok", "cost_limit", "cost_limit"]


# -- tasks -------------------------------------------------------------------------------------------------------

OTHERS = {"content": [], "structuredContent": {"tenant": "other", "name": "secret"}}
OURS = {"content": [], "structuredContent": {"tenant": "acme", "name": "mine"}}
TENANT = """default: allow
rules: [{id: t, effect: require, tools: [rows], tenant: {result: tenant, on_missing: MISSING}}]
"""


def _as(shop: Shop, tenant: str) -> Shop:
    conversation = shop.connection.conversation
    conversation.caller = replace(conversation.caller, identity=Identity("ann", tenant))
    return shop


@pytest.mark.parametrize("method", ["tasks/result", "tasks/get"])
@pytest.mark.parametrize(
    ("result", "asker", "passes"), [(OURS, "acme", True), (OTHERS, "acme", False), (OURS, "x", False)]
)
def test_what_a_task_came_to_is_judged_as_the_result_of_its_call(
    method: str, result: dict[str, Any], asker: str, passes: bool
) -> None:
    shop = _as(Shop(TENANT.replace("MISSING", "pass")), "acme")
    began = {"task": {"taskId": "t1", "status": "working", "createdAt": "", "lastUpdatedAt": "", "ttl": None}}
    assert shop.call("rows", began, modern=False, task={}) == "ok"
    _as(shop, asker)
    assert shop.ask(method, modern=False, taskId="t1") is None
    got = shop.answer(result if method == "tasks/result" else {"taskId": "t1", "status": "completed", "result": result})
    assert ("result" in got) is passes
    assert ("secret" in json.dumps(got) or "mine" in json.dumps(got)) is passes
    assert shop.last["outcome"] == ("ok" if passes else "denied")


@pytest.mark.parametrize(("mode", "passes"), [("enforce", False), ("log_only", True)])
def test_the_result_of_a_task_that_nobody_began_here_is_withheld_if_results_are_judged(mode: str, passes: bool) -> None:
    shop = _as(Shop(f"mode: {mode}\n" + TENANT.replace("MISSING", "block")), "acme")
    began = {"task": {"taskId": "t1", "status": "working"}}
    assert shop.call("rows", began, modern=False, task={}) == ("ok" if passes else "tenant")
    assert shop.ask("tasks/list", modern=False) is None
    shop.answer({"tasks": [{"taskId": "t2", "status": "completed"}]})
    assert shop.ask("tasks/result", modern=False, taskId="t2") is None
    assert ("secret" in json.dumps(shop.answer(OTHERS))) is passes


@pytest.mark.parametrize("is_error", [False, True])
def test_a_result_that_says_it_failed_shows_no_other_tenants_data_either(is_error: bool) -> None:
    shop = _as(Shop(TENANT.replace("MISSING", "block")), "acme")
    assert shop.call("rows", {**OTHERS, "isError": is_error}, modern=False) == "tenant"
    plain = {"content": [{"type": "text", "text": "no such row"}], "isError": is_error}
    assert shop.call("rows", plain, modern=False) == ("ok" if is_error else "tenant")


@pytest.mark.parametrize(("is_cancelled", "number"), [(True, MAX_GIVEN_UP), (False, MAX_PENDING)])
def test_no_flood_of_requests_has_a_result_judged_as_that_of_another_call(is_cancelled: bool, number: int) -> None:
    """The answer to a call still comes after so many others that there was no room left for it."""
    talk = _as(Shop(TENANT.replace("MISSING", "block")), "acme").connection

    def send(message: dict[str, Any], sender: Any = "client") -> bytes | None:
        return talk.pass_on(sender, {"jsonrpc": "2.0", **message}).onward

    def cancel(request_id: object) -> None:
        if is_cancelled:
            send({"method": "notifications/cancelled", "params": {"requestId": request_id}})

    assert send({"id": "x", "method": "tools/call", "params": {"name": "rows"}}) is not None
    cancel("x")
    for request_id in range(number):
        send({"id": request_id, "method": "ping"})
        cancel(request_id)
    assert send({"id": "x", "method": "tools/call", "params": {"name": "search"}}) is None
    assert b"secret" not in (send({"id": "x", "result": OTHERS}, "server") or b"")


# -- the end of calls --------------------------------------------------------------------------------------------


def test_a_result_that_comes_after_a_halt_by_name_is_withheld() -> None:
    shop = Shop("limits: [{id: few, tools: [x], per_session: 9}]")
    assert shop.ask("tools/call", name="search", arguments={}) is None
    shop.judge.engine.store.halt(Halt("tool", "search", by="ann"))
    got = shop.answer({"content": [{"type": "text", "text": "secret"}], "resultType": "complete"})
    assert got["result"]["_meta"]["mcpobs/decision"]["code"] == "halted"
    assert "secret" not in json.dumps(got)
    assert (shop.last["outcome"], shop.last["decision_code"]) == ("denied", "halted")
    assert shop.call("search") == "halted"
    assert shop.call("other") == "ok"


def test_a_call_that_the_server_never_saw_gives_back_what_it_reserved() -> None:
    shop = Shop("limits: [{id: few, tools: [search], per_session: 1}]")
    message = {"jsonrpc": "2.0", "id": 99, "method": "tools/call", "params": {"name": "search", "_meta": META}}
    held = shop.connection.take("client", message)
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 99}}
    shop.connection.take("client", cancel).release()
    assert held.release().onward is None
    assert shop.call("search") == "ok"


def test_a_call_that_is_cancelled_before_it_is_decided_gives_back_what_it_reserved(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    shop = Shop("limits: [{id: few, tools: [search], per_session: 1}]", store=SqliteStore(path, WAIT_S))
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 99}}
    message = {"jsonrpc": "2.0", "id": 99, "method": "tools/call", "params": {"name": "search", "_meta": META}}
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        held = shop.connection.take("client", message)
        shop.connection.take("client", cancel).release()
        assert held.release().onward is None
    assert [shop.call("search"), shop.call("search")] == ["ok", "call_limit"]
    shop.connection.gate.close()


def test_a_failed_call_costs_its_price_and_one_that_was_refused_does_not() -> None:
    shop = Shop("budgets: {session: {usd: 1}}", {"ocr": 400_000})
    assert shop.call("ocr", {"content": [], "isError": True, "resultType": "complete"}) == "ok"
    assert shop.ask("tools/call", name="ocr", arguments={}) is None
    error = {"code": -32602, "message": "no"}
    shop.connection.pass_on("server", {"jsonrpc": "2.0", "id": shop._id, "error": error})
    assert shop.call("ocr") == "ok"
    assert shop.call("ocr") == "cost_limit"


def test_the_answer_of_a_denied_resource_is_an_error_with_the_decision() -> None:
    shop = Shop("limits: [{id: few, resources: ['*'], per_session: 1}]")
    assert shop.ask("resources/read", uri="file:///a") is None
    shop.answer({"contents": [], "resultType": "complete"})
    refused = shop.ask("resources/read", uri="file:///b")
    assert refused is not None
    assert refused["error"]["code"] == -32010
    assert refused["error"]["data"]["mcpobs/decision"]["code"] == "call_limit"


def test_the_row_of_a_decision_has_no_content() -> None:
    shop = Shop(
        "rules: [{id: a, effect: allow, tools: ['*']}, {id: t, effect: require, tools: [x], tenant: {arg: customer}}]"
    )
    assert shop.call("x", arguments={"customer": "a-secret-tenant"}) == "tenant"
    assert "a-secret-tenant" not in json.dumps(shop.connection.rows)


RESOURCES = """default: allow
rules:
- {id: secret, effect: deny, resources: ["file:///secret"]}
- {id: mine, effect: require, resources: ["file:///acme/*"], tenants: [acme]}
"""


@pytest.mark.parametrize(
    ("uris", "passes"),
    [
        (["file:///a", "file:///b"], True),
        (["file:///a", "file:///secret"], False),
        (["file:///secret", "file:///a"], False),
        (["file:///a", "file:///acme/x", "file:///b"], False),
        (["file:///a"] * 300, True),
        ([f"file:///{number}" for number in range(257)], False),
        ([], True),
    ],
)
def test_each_resource_of_a_subscription_is_judged(uris: list[str], passes: bool) -> None:
    shop = Shop(RESOURCES)
    answer = shop.ask("subscriptions/listen", notifications={"resourceSubscriptions": uris})
    assert (answer is None) is passes


def test_each_resource_of_a_subscription_counts_and_none_if_one_is_denied() -> None:
    shop = Shop(RESOURCES + "limits: [{id: reads, resources: ['file:///*'], per_session: 3}]\n")
    for uris in (["file:///a", "file:///secret"], ["file:///a", "file:///b"], ["file:///c"]):
        denied = shop.ask("subscriptions/listen", notifications={"resourceSubscriptions": uris}) is not None
        assert denied is ("file:///secret" in uris)
    refused = shop.ask("subscriptions/listen", notifications={"resourceSubscriptions": ["file:///d"]})
    assert refused is not None
    assert refused["error"]["data"]["mcpobs/decision"]["code"] == "call_limit"


PAGES = [({}, "2"), ({"cursor": "2"}, "3"), ({"cursor": "3"}, None)]


@pytest.mark.parametrize(
    ("pages", "known"),
    [(PAGES, True), (PAGES[:2], False), (PAGES[2:], False), ([PAGES[0], PAGES[2]], False), ([({}, None)], True)],
)
def test_names_share_a_count_only_once_the_list_of_tools_was_seen_whole(
    pages: list[tuple[dict[str, str], str | None]], known: bool
) -> None:
    shop = Shop("tools: {'*': {calls_per_session: 2}}\n")
    for params, following in pages:
        assert shop.ask("tools/list", **params) is None
        more = {} if following is None else {"nextCursor": following}
        shop.answer({"tools": [{"name": f"real{params}"}], "resultType": "complete", **more})
    codes = [shop.call(f"made up {number}") for number in range(3)]
    assert codes == ["ok", "ok", "call_limit" if known else "ok"]


@pytest.mark.parametrize(("one", "other"), [(1, "1"), ("1", 1), ("1.0", 1), (7, "07"), (1, 1)])
def test_ids_that_some_server_takes_for_the_same_are_not_open_at_once(one: object, other: object) -> None:
    shop = Shop("session: {calls: 9}\n")

    def sent(request_id: object) -> Any:
        params = {"name": "search", "arguments": {}, "_meta": META}
        message = {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}
        return shop.connection.pass_on("client", message)

    assert sent(one).onward is not None
    assert sent("another").onward is not None
    assert sent(other).onward is None
    answer = {"jsonrpc": "2.0", "id": one, "result": {"content": [], "resultType": "complete"}}
    assert shop.connection.pass_on("server", answer).onward is not None
    assert sent(other).onward is not None
