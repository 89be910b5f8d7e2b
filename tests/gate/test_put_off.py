"""What a front puts off until a call has gone on: its row says the same, and a judge that asks for it gets it."""

from __future__ import annotations

from typing import Any

import pytest

from mcpobs.gate.judge import AllowAll, Judge
from mcpobs.gate.policing import judge
from mcpobs.policy import file
from mcpobs.protocol.call import Call

from .connection import Connection, result

COLUMNS = (
    *("args_bytes", "args_digest", "args_shape", "args_features", "outcome", "decision", "tool"),
    *("policy_hash", "policy_mode", "policy_counters", "rules", "rule_verdicts", "shadow_code", "shadow_rules"),
)
ARGUMENTS: list[Any] = [
    {},
    {"q": "x"},
    {"n": 1, "deep": {"a": [1, {"b": None}]}},
    {"big": 1 << 80},
    {"é": "\ud83d\ude00"},
    [1],
    None,
    "text",
]
POLICIES = {
    "digest": "limits: [{id: same, tools: ['*'], same_args: 1}]",
    "size": "tools: {t: {arguments: {max_bytes: 9}}}",
    "shape": "tools: {t: {arguments: {shapes: ['{}']}}}",
    "nothing": "limits: [{id: few, tools: ['*'], per_session: 3}]",
    "notes": "rules: [{id: noted, effect: log_only, tools: [t]}, {id: soon, effect: deny, tools: [t], mode: log_only}]",
    "content": "rules: [{id: wanted, effect: require, tools: [t], args_schema: {type: object}}]",
}


def request(number: int, method: str, arguments: object) -> dict[str, Any]:
    params: dict[str, Any] = {"name": "t"} | ({} if arguments is None else {"arguments": arguments})
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def rows(by: Judge, arguments: object, *, puts_off: bool, how: str) -> list[dict[str, Any]]:
    """The rows of two equal calls and a prompt, that are answered, cancelled or cut off."""
    seen = Connection(by, puts_off)
    for number, method in enumerate(["tools/call", "tools/call", "prompts/get"]):
        held = seen.take("client", request(number, method, arguments))
        onward, _ = held.release()
        if how == "caught up":
            seen.frames.catch_up()
        if how == "cancelled":
            params = {"requestId": number}
            seen.client({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
        elif how != "cut off" and onward is not None:
            seen.server({"jsonrpc": "2.0", "id": number, "result": {"content": [], "resultType": "complete"}})
    seen.close()
    return [{name: row.get(name) for name in COLUMNS} for row in seen.rows if "args_bytes" in row]


@pytest.mark.parametrize("how", ["answered", "caught up", "cancelled", "cut off"])
@pytest.mark.parametrize("arguments", ARGUMENTS, ids=repr)
def test_the_row_of_a_call_is_the_same_whenever_its_arguments_were_described(arguments: object, how: str) -> None:
    put_off = rows(AllowAll(), arguments, puts_off=True, how=how)
    assert len(put_off) == 3
    assert put_off == rows(AllowAll(), arguments, puts_off=False, how=how)


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize("arguments", ARGUMENTS, ids=repr)
def test_a_rule_that_reads_what_is_put_off_decides_the_same(arguments: object, policy: str) -> None:
    found = [
        rows(
            judge(file.of_texts([(f"version: 1\n{policy}\n".encode(), "policy.yaml")]), "s"),
            arguments,
            puts_off=puts_off,
            how=how,
        )
        for puts_off, how in ((False, "answered"), (True, "answered"), (True, "caught up"))
    ]
    assert found[0][0]["policy_hash"] is not None
    assert found[1:] == found[:1] * 2


class Follower(AllowAll):
    """Follows calls that have gone on, and fails at it."""

    def __init__(self) -> None:
        self.followed: list[object] = []

    def passed_on(self, call: Call) -> None:
        self.followed.append(call.operation.request_id)
        raise RuntimeError("no columns")


def test_a_judge_follows_a_call_until_its_response_is_there() -> None:
    follower = Follower()
    seen = Connection(follower)
    for number in range(3):
        assert seen.client(request(number, "tools/call", {})).onward is not None
        if number == 1:
            seen.server(result(number))
        seen.frames.catch_up()
    assert follower.followed == ["0", "2"]
    assert seen.server(result(0)).onward is not None
    assert len(seen.said) == 1  # a fault of the judge is a warning, and decides nothing
