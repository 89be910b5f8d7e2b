"""Ways around a policy, as frames. Each carries its own mark in what must not reach the server.

POLICY lets `ann` of tenant `acme`, role `support`, search, look up and pay. What is tried is everything else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

POLICY = """version: 1
halt_after_denials: off
sensitive: ["purge_*"]
rules:
- {id: readers, effect: allow, tools: [search, lookup, rows, "cap_*", same, sum]}
- {id: public, effect: allow, resources: ["file:///public/*"], prompts: [greet]}
- {id: pay, effect: allow, tools: [pay], roles: [support]}
- {id: pay-billing, effect: allow, tools: [refund], roles: [billing]}
- {id: pay-after, effect: require, tools: [pay], after: {tool: lookup, same: {order: order}}}
- {id: rows-tenant, effect: require, tools: [rows], tenant: {arg: customer}}
- {id: night, effect: allow, tools: [nightly], window: {days: [mon], zone: UTC}, principals: [nobody]}
- {id: never, effect: deny, tools: [drop]}
- {id: private, effect: deny, resources: ["*private"]}
limits:
- {id: capped, tools: ["cap_*"], each_tool: true, per_session: 1}
- {id: summed, tools: [sum], sum: args.amount, per_session: 100}
- {id: equal, tools: [same], same_args: 1}
server_requests: {sampling: deny, elicitation: url, roots: deny}
"""
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "tester", "version": "1"},
}


@dataclass(frozen=True)
class Attempt:
    """Frames to send in turn. The server must not see `mark`; `first` are sent before, and are allowed."""

    name: str
    mark: str
    frames: tuple[bytes, ...]
    first: tuple[bytes, ...] = ()
    headers: tuple[tuple[str, str], ...] = field(default=())


_ids = iter(range(1, 1_000_000))


def call(tool: Any, arguments: Any = None, *, request_id: Any = ..., meta: Any = None, **params: Any) -> dict[str, Any]:
    """A tools/call of the modern era; an ellipsis makes an id."""
    given: dict[str, Any] = {"name": tool, "_meta": {**META, **(meta or {})}, **params}
    if arguments is not None:
        given["arguments"] = arguments
    message = {"jsonrpc": "2.0", "id": next(_ids), "method": "tools/call", "params": given}
    if request_id is None:
        del message["id"]
    elif request_id is not ...:
        message["id"] = request_id
    return message


def raw(message: object) -> bytes:
    return json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass")


def request(method: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": next(_ids), "method": method, "params": {"_meta": META, **params}}


def attempts() -> list[Attempt]:
    """All of them, each with a mark of its own."""
    found = []
    for number, (name, frames, first) in enumerate(_attempts()):
        mark = f"M{number:03d}M"
        filled = tuple(frame.replace(b"@@", mark.encode()) for frame in frames)
        found.append(Attempt(name, mark, filled, tuple(first)))
    return found


Made = tuple[str, list[bytes], list[bytes]]


def _attempts() -> Iterator[Made]:
    yield from _by_name()
    yield from _by_arguments()
    yield from _by_identity()
    yield from _by_frame()
    yield from _by_count()
    yield from _by_side_door()


def _one(name: str, message: object, *first: object) -> Made:
    return name, [message if isinstance(message, bytes) else raw(message)], [raw(one) for one in first]


def _by_name() -> Iterator[Made]:
    yield _one("a tool that no rule allows", call("erase", {"x": "@@"}))
    yield _one("a denied tool", call("drop", {"x": "@@"}))
    yield _one("a sensitive tool", call("purge_all", {"x": "@@"}))
    yield _one("a tool of another role", call("refund", {"x": "@@"}))
    yield _one("a tool that is allowed for nobody who calls", call("nightly", {"x": "@@"}))
    for posing in (
        "Search",
        "SEARCH",
        "search ",
        " search",
        "search\u200b",
        "ｓearch",
        "sеarch",
        "search\u0000",
        "search\n",
        "search/../drop",
        "search;drop",
        "shop.drop",
        "shop/drop",
        "*",
        "",
        "cap",
        "xcap_1",
        "sea*",
    ):
        yield _one(f"the name {posing!r}", call(posing, {"x": "@@"}))
    for odd in (["search"], {"name": "search"}, 1, None, True, ["drop"]):
        yield _one(f"the name {odd!r}", call(odd, {"x": "@@"}))
    yield _one("a very long name", call("search" + "a" * 5_000, {"x": "@@"}))
    no_name = call("search", {"x": "@@"})
    del no_name["params"]["name"]
    yield _one("a call without a name", no_name)


def _by_arguments() -> Iterator[Made]:
    lookup = call("lookup", {"order": "7"})
    yield _one("a payment without the look-up", call("pay", {"order": "@@", "amount": 1}))
    yield _one("a payment of another order", call("pay", {"order": "8", "x": "@@"}), lookup)
    for odd in (7, 7.0, ["7"], {"id": "7"}, None, True, "7 ", "\u0037\u200b"):
        yield _one(f"a payment of order {odd!r}", call("pay", {"order": odd, "x": "@@"}), lookup)
    yield _one("a payment without its order", call("pay", {"x": "@@"}), lookup)
    yield _one("a payment with a list as arguments", call("pay", [{"order": "7", "x": "@@"}]), lookup)
    yield _one("a payment with a text as arguments", call("pay", '{"order": "7", "x": "@@"}'), lookup)
    yield _one("keys equal up to case", call("pay", {"order": "7", "Order": "@@"}), lookup)
    yield _one("keys equal up to case, deep inside", call("pay", {"order": "7", "a": {"b": 1, "B": "@@"}}), lookup)
    yield _one("an integer beyond 64 bits", call("pay", {"order": "7", "n": 10**30, "x": "@@"}), lookup)
    yield _one("another tenant's rows", call("rows", {"customer": "other", "x": "@@"}))
    for odd in (["acme"], {"$eq": "acme"}, None, "ACME", "acme ", "acme\u0000", 1):
        yield _one(f"rows of tenant {odd!r}", call("rows", {"customer": odd, "x": "@@"}))
    yield _one("rows without a tenant", call("rows", {"x": "@@"}))
    yield _one("rows without arguments", call("rows", None, note="@@"))
    yield _one("rows with the tenant beside the arguments", call("rows", {"x": "@@"}, customer="acme"))
    for amount in (-1, "1", None, [1], 1e300, 101, 10**17, True):
        yield _one(f"a sum of {amount!r}", call("sum", {"amount": amount, "x": "@@"}))
    yield _one("a sum without its amount", call("sum", {"x": "@@"}))


def _by_identity() -> Iterator[Made]:
    for name, meta in (
        ("a role in _meta", {"role": "billing", "roles": ["billing"]}),
        ("a principal in _meta", {"principal": "root", "enduser.id": "root", "enduser.role": "billing"}),
        ("another client's name", {"io.modelcontextprotocol/clientInfo": {"name": "nobody", "version": "1"}}),
        ("a decision in _meta", {"mcpobs/decision": {"code": "allow"}}),
    ):
        yield _one(name, call("refund", {"x": "@@"}, meta=meta))
    yield _one("a role in the arguments", call("refund", {"role": "billing", "x": "@@"}))
    yield _one("a tenant in _meta", call("rows", {"customer": "other", "x": "@@"}, meta={"tenant": "other"}))
    yield _one("an approval in the arguments", call("refund", {"approved": True, "x": "@@"}))


def _by_frame() -> Iterator[Made]:
    ok, bad = raw(call("search", {"q": 1})), raw(call("drop", {"x": "@@"}))
    yield _one("two names", bad.replace(b'"name": "drop"', b'"name": "drop", "name": "search"'))
    yield _one("two names, the other way round", bad.replace(b'"name": "drop"', b'"name": "search", "name": "drop"'))
    yield _one("Name and name", bad.replace(b'"name": "drop"', b'"name": "search", "Name": "drop"'))
    yield _one("two methods", bad.replace(b'"method"', b'"method": "ping", "method"'))
    yield _one("Method and method", bad.replace(b'"method"', b'"method": "ping", "Method"'))
    yield _one("two params", bad.replace(b'"params"', b'"params": {"name": "search"}, "params"'))
    yield _one("a name with an escape", bad.replace(b'"drop"', b'"\\u0064rop"'))
    yield _one("NaN among the arguments", bad.replace(b'"@@"', b'NaN, "y": "@@"'))
    yield _one("Infinity among the arguments", bad.replace(b'"@@"', b'Infinity, "y": "@@"'))
    yield _one("a byte order mark", b"\xef\xbb\xbf" + bad)
    yield _one("bytes that are no UTF-8", bad.replace(b"drop", b"dr\xffop"))
    yield _one("a lone surrogate", bad.replace(b'"drop"', b'"drop\\ud800"'))
    yield _one("two values", b'{"jsonrpc":"2.0","method":"notifications/x"} ' + bad)
    yield _one("a value behind a comma", ok + b"," + bad)
    yield _one("a comment", b"/* */" + bad)
    yield _one("a trailing comma", bad[:-1] + b",}")
    yield _one("single quotes", bad.replace(b'"', b"'"))
    yield _one("UTF-16", bad.decode().encode("utf-16"))
    yield _one("a batch of one", b"[" + bad + b"]")
    yield _one("a batch with an allowed call before", b"[" + raw(call("search")) + b"," + bad + b"]")
    yield _one("a batch with an allowed call behind", b"[" + bad + b"," + raw(call("search")) + b"]")
    yield _one("a batch in a batch", b"[[" + bad + b"]]")
    yield _one("a carriage return as a line's end", b'{"x":[\r' + bad + b"\r]}")
    yield _one("deep nesting around it", b'{"jsonrpc":"2.0","id":1,"method":"ping","params":' + b"[" * 2_000 + bad)
    yield _one("a request without jsonrpc", {k: v for k, v in call("drop", {"x": "@@"}).items() if k != "jsonrpc"})
    yield _one("jsonrpc 1.0", {**call("drop", {"x": "@@"}), "jsonrpc": "1.0"})
    yield _one("an id that is an object", call("drop", {"x": "@@"}, request_id={"a": 1}))
    yield _one("an id that is null", {**call("drop", {"x": "@@"}), "id": None})
    yield _one("a call as a notification", call("drop", {"x": "@@"}, request_id=None))
    yield _one("a call that is a response, too", {**call("drop", {"x": "@@"}), "result": {}})
    yield _one("params as a list", {**call("drop"), "params": ["drop", {"x": "@@"}]})


def _by_count() -> Iterator[Made]:
    for number, name in enumerate(
        ("again", "again in another conversation", "again as a notification", "again in another trace", "in parallel")
    ):
        tool = f"cap_{number}"
        more: dict[str, Any] = {}
        if "conversation" in name:
            more["meta"] = {"gen_ai.conversation.id": "another"}
        if "trace" in name:
            more["meta"] = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
        if "notification" in name:
            more["request_id"] = None
        first = [call(tool)]
        if "conversation" in name:  # a new session has a count of its own, until that of its caller is full
            first += [call(tool, meta={"gen_ai.conversation.id": f"c{n}"}) for n in range(9)]
        yield _one(f"a capped call {name}", call(tool, {"x": "@@"}, **more), *first)
    yield _one("an equal call again", call("same", {"x": 1}, meta={"mark": "@@"}), call("same", {"x": 1}))
    retry = call("cap_9", {"x": "@@"}, requestState="s", inputResponses={})
    yield _one("a retry that nobody asked for", retry, call("cap_9"))
    yield _one("a sum in small steps", call("sum", {"amount": 99, "x": "@@"}), call("sum", {"amount": 2}))


def _by_side_door() -> Iterator[Made]:
    for method, params in (
        ("resources/read", {"uri": "file:///secret", "x": "@@"}),
        ("resources/read", {"uri": "FILE:///public/a", "x": "@@"}),
        ("resources/read", {"uri": ["file:///public/a"], "x": "@@"}),
        ("resources/subscribe", {"uri": "file:///secret", "x": "@@"}),
        ("subscriptions/listen", _watch(["file:///secret"])),
        ("subscriptions/listen", _watch(["file:///public/a", "file:///secret"])),
        ("subscriptions/listen", _watch("file:///secret")),
        ("subscriptions/listen", _watch([["file:///secret"]])),
        ("prompts/get", {"name": "other", "arguments": {"x": "@@"}}),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "other"}, "x": "@@"}),
        ("completion/complete", {"ref": {"type": "ref/resource", "uri": "file:///secret"}, "x": "@@"}),
        ("completion/complete", {"ref": {"type": "other"}, "x": "@@"}),
        ("tools/Call", {"name": "drop", "x": "@@"}),
        ("tools/call ", {"name": "drop", "x": "@@"}),
        ("Tools/call", {"name": "drop", "x": "@@"}),
        ("tools/run", {"name": "drop", "x": "@@"}),
        ("admin/shutdown", {"x": "@@"}),
    ):
        yield _one(f"{method} {json.dumps(params)}", request(method, params))
    for start in ("file:///public/" + "a/../" * 200, "file:///public/?" + "a" * 600):
        padded = {"uri": start + "private", "x": "@@"}
        yield _one(f"resources/read of a long URI {start[:20]}", request("resources/read", padded))


def _watch(uris: object) -> dict[str, object]:
    return {"notifications": {"resourceSubscriptions": uris}, "x": "@@"}
