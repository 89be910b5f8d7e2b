"""`tenant`: calls, results and ids of one tenant never reach another."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mcpobs.errors import UsageError
from mcpobs.policy.conditions import UNKNOWN, RuleError, UndecidableError
from mcpobs.policy.rules.tenant import MAX_IDS, Tenant
from tests.policy.rules.made import call, condition, holds

ACME = {"principal": "ann", "tenant": "acme"}


def _tenant(**value: object) -> Tenant:
    found = condition("tenant", value)
    assert isinstance(found, Tenant)
    return found


# -- an argument ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "caller"),
    [
        ({"t": "other"}, ACME),
        ({"t": "ACME"}, ACME),
        ({"t": "acme "}, ACME),
        ({"t": "acme\x00"}, ACME),
        ({"t": "аcme"}, ACME),
        ({"t": ""}, ACME),
        ({"t": None}, ACME),
        ({"t": ["acme"]}, ACME),
        ({"t": ["acme", "other"]}, ACME),
        ({"t": {"$ne": "acme"}}, ACME),
        ({"t": True}, {"principal": "ann", "tenant": "True"}),
        ({"t": 7.0}, {"principal": "ann", "tenant": "7.0"}),
        ({"t": "*"}, ACME),
        ({}, ACME),
        ({"T": "acme"}, ACME),
        ({"x": {"t": "acme"}}, ACME),
        ([{"t": "acme"}], ACME),
        ("acme", ACME),
        (None, ACME),
        ({"t": "acme"}, {"principal": "ann"}),
        ({"t": None}, {"principal": "ann"}),
        ({"t": "None"}, {}),
    ],
)
def test_an_argument_that_is_not_the_verified_tenant_is_refused(arguments: object, caller: dict[str, Any]) -> None:
    assert not holds(_tenant(arg="t"), call(arguments, caller=caller))


def test_the_tenant_itself_is_let_through() -> None:
    assert holds(_tenant(arg="t"), call({"t": "acme"}, caller=ACME))
    assert holds(_tenant(arg="args.of.t"), call({"of": {"t": "acme"}}, caller=ACME))
    assert holds(_tenant(arg="t"), call({"t": 7}, caller={"principal": "ann", "tenant": "7"}))


def test_a_replay_cannot_decide_on_an_argument() -> None:
    with pytest.raises(UndecidableError):
        _tenant(arg="t").holds(call(UNKNOWN, caller=ACME))
    assert _tenant(result="t").holds(call(UNKNOWN, caller=ACME))


# -- a result ---------------------------------------------------------------------------------------------------

OWN: list[object] = [
    {"tenant": "acme", "total": 5},
    [{"tenant": "acme"}, {"tenant": "acme"}],
    {"rows": [{"tenant": "acme"}], "total": 1, "next": "abc"},
    {"result": [{"tenant": "acme", "lines": [{"sku": "x"}, {"sku": "y"}]}]},
    {"tenant": "acme", "lines": [{"sku": "x"}], "note": "hello"},
    {"page": {"rows": [{"tenant": "acme"}]}},
    [[{"tenant": "acme"}], []],
    {"rows": [], "total": 0, "next": None, "more": False},
    {"tenant": "acme", "note": "[draft] of {x}", "more": "{"},
    {"tenant": "acme", "payload": json.dumps([{"tenant": "acme"}, {"name": "x"}])},
    [],
    {},
    None,
]
FOREIGN: list[object] = [
    {"tenant": "other"},
    {"tenant": "ACME"},
    {"tenant": ["acme"]},
    {"tenant": {"id": "acme"}},
    {"tenant": True},
    {"tenant": ""},
    [{"tenant": "acme"}, {"tenant": "other"}],
    {"rows": [{"tenant": "acme"}, {"tenant": "other"}]},
    {"tenant": "acme", "linked": [{"tenant": "other"}]},
    {"tenant": "acme", "linked": {"deep": [{"x": {"tenant": "other"}}]}},
    {"a": [{"tenant": "acme"}], "b": [{"tenant": "other"}]},
    {"tenant": "other", "rows": [{"tenant": "acme"}]},
    [[{"tenant": "acme"}], [{"tenant": "other"}]],
    {"tenant": "acme", "payload": json.dumps({"tenant": "other"})},
    {"tenant": "acme", "payload": " \n" + json.dumps([{"x": {"tenant": "other"}}])},
    {"tenant": "acme", "payload": json.dumps({"inner": json.dumps([{"tenant": "other"}])})},
    {"tenant": "acme", "payload": '{"tenant": "other", "tenant": "acme"}'},
    {"tenant": "acme", "payload": ["x", json.dumps({"tenant": "other"})]},
]
SILENT: list[object] = [
    {"total": 5},
    {"name": "x"},
    {"tenant": None, "name": "x"},
    [{"tenant": "acme"}, {"name": "x"}],
    [{"tenant": "acme"}, "x"],
    ["x"],
    "x",
    5,
    True,
    {"rows": [{"tenant": "acme"}], "other": {"name": "x"}},
    {"rows": [{"tenant": "acme"}], "others": [{"name": "x"}]},
    {"Tenant": "acme", "name": "x"},
    {"rows": [], "total": 5},
    {"rows": [{"tenant": "acme"}, {}, {"name": "x"}]},
]


def _results(value: object) -> list[dict[str, object]]:
    """All ways in which a server may answer with a value."""
    text = json.dumps(value)
    return [
        {"structuredContent": value, "content": []},
        {"structuredContent": value, "content": [{"type": "text", "text": text}]},
        {"content": [{"type": "text", "text": text}]},
        {"content": [{"type": "resource", "resource": {"uri": "x", "text": text}}]},
        {"contents": [{"uri": "x", "text": text}]},
        {"messages": [{"role": "user", "content": {"type": "text", "text": text}}]},
    ]


@pytest.mark.parametrize("value", OWN, ids=str)
@pytest.mark.parametrize("on_missing", ["block", "pass"])
def test_a_result_of_the_own_tenant_goes_on(value: object, on_missing: str) -> None:
    for result in _results(value):
        assert _tenant(result="tenant", on_missing=on_missing).passes(result, call(caller=ACME)), result


@pytest.mark.parametrize("value", FOREIGN, ids=str)
@pytest.mark.parametrize("on_missing", ["block", "pass"])
def test_a_result_with_another_tenant_anywhere_is_withheld(value: object, on_missing: str) -> None:
    for result in _results(value):
        assert not _tenant(result="tenant", on_missing=on_missing).passes(result, call(caller=ACME)), result


OWN_ANSWER = {"structuredContent": {"tenant": "acme"}, "content": []}
BESIDE: list[dict[str, object]] = [
    {"_meta": {"rows": [{"tenant": "other"}]}},
    {"rows": [{"tenant": "other"}]},
    {"content": [{"type": "text", "text": "{}", "_meta": {"tenant": "other"}}]},
    {"content": [{"type": "text", "text": '{"tenant": "other", "tenant": "acme", "name": "secret"}'}]},
    {"content": [{"type": "text", "text": '[{"a": {"tenant": "acme", "x": 1, "x": 2}, "tenant": "acme"}]'}]},
]


@pytest.mark.parametrize("beside", BESIDE, ids=str)
def test_rows_beside_an_answer_and_members_that_come_twice_are_withheld(beside: dict[str, object]) -> None:
    assert not _tenant(result="tenant").passes({**OWN_ANSWER, **beside}, call(caller=ACME))


def test_what_the_protocol_says_beside_an_answer_is_no_row() -> None:
    meta = {"io.modelcontextprotocol/serverInfo": {"tenant": "shop"}, "progress": {"name": "x"}}
    assert _tenant(result="tenant").passes({**OWN_ANSWER, "_meta": meta}, call(caller=ACME))


@pytest.mark.parametrize("value", SILENT, ids=str)
def test_a_result_that_does_not_say_whose_it_is_goes_by_on_missing(value: object) -> None:
    for result in _results(value):
        assert not _tenant(result="tenant").passes(result, call(caller=ACME)), result
        assert _tenant(result="tenant", on_missing="pass").passes(result, call(caller=ACME)), result


OPAQUE: list[object] = [
    {"content": [{"type": "text", "text": "Orders of all tenants: …"}]},
    {"content": [{"type": "image", "data": "AAAA", "mimeType": "image/png"}]},
    {"content": [{"type": "resource_link", "uri": "file:///x"}]},
    {"content": [{"type": "resource", "resource": {"uri": "x", "blob": "AAAA"}}]},
    {"structuredContent": {"tenant": "acme"}, "content": [{"type": "text", "text": "of another"}]},
    {"content": [{"type": "text", "text": '{"tenant": "acme"}'}, {"type": "text", "text": "of another"}]},
    {"content": [{"type": "text", "text": '{"tenant": "acme"} {"tenant": "other"}'}]},
    {"content": [{"type": "text", "text": '{"tenant": NaN}'}]},
    {"content": ["x"]},
    {"content": "x"},
    {"contents": [{"uri": "x", "blob": "AAAA"}]},
    {"toolResult": {"name": "x"}},
    "x",
    ["x"],
    5,
]


@pytest.mark.parametrize("result", OPAQUE, ids=str)
def test_a_result_that_cannot_be_looked_into_is_withheld(result: object) -> None:
    assert not _tenant(result="tenant").passes(result, call(caller=ACME))


def test_a_caller_without_a_tenant_gets_no_result() -> None:
    for value in (*OWN, *SILENT):
        assert not _tenant(result="tenant", on_missing="pass").passes({"structuredContent": value}, call())


def test_a_result_that_is_nested_deep_is_withheld() -> None:
    value: object = {"tenant": "other"}
    for _ in range(500):
        value = [value]
    for on_missing in ("block", "pass"):
        rule = _tenant(result="tenant", on_missing=on_missing)
        assert not rule.passes({"structuredContent": value}, call(caller=ACME))
        assert not rule.passes({"structuredContent": {"tenant": "acme", "rows": value}}, call(caller=ACME))
        assert not rule.passes_error({"rows": value}, call(caller=ACME))


def test_the_member_may_lie_below_another() -> None:
    rule = _tenant(result="owner.tenant")
    own = {"structuredContent": [{"owner": {"tenant": "acme"}, "name": "x"}]}
    assert rule.passes(own, call(caller=ACME))
    assert not rule.passes({"structuredContent": [{"owner": {"tenant": "b"}}]}, call(caller=ACME))
    assert not rule.passes({"structuredContent": [{"tenant": "acme", "name": "x"}]}, call(caller=ACME))


# -- ids --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "ids"),
    [
        ("rows[*].id", {"rows": [{"id": "a"}, {"id": 7}]}, ["7", "a"]),
        ("$.rows[*].id", {"rows": [{"id": "a"}]}, ["a"]),
        ("[*].id", [{"id": "a"}, {"id": "b"}], ["a", "b"]),
        ("$[*].id", [{"id": "a"}], ["a"]),
        ("id", {"id": "a"}, ["a"]),
        ("ids", {"ids": ["a", "b"]}, ["a", "b"]),
        ("ids[*]", {"ids": ["a", "b"]}, ["a", "b"]),
        ("a[*][*].id", {"a": [[{"id": 1}], [{"id": 2}]]}, ["1", "2"]),
        ("rows[*].id", {"rows": {"id": "a"}}, []),
        ("rows[*].id", {"rows": [{"ID": "a"}, "x", None]}, []),
        ("id", {"id": None}, []),
        ("id", {"id": True}, []),
        ("id", {"id": {"x": 1}}, []),
        ("id", {"id": ""}, []),
        ("id", {"id": "x" * 5_000}, []),
    ],
)
def test_ids_are_found_at_their_path(path: str, value: object, ids: list[str]) -> None:
    for result in _results(value):
        assert _tenant(ids=path).shown(result) == ids


def test_ids_may_have_several_paths() -> None:
    assert _tenant(ids=["rows[*].id", "id"]).shown({"structuredContent": {"id": 1, "rows": [{"id": 2}]}}) == ["1", "2"]


def test_a_result_with_too_many_ids_is_known_as_such() -> None:
    assert _tenant(ids="ids").shown({"structuredContent": {"ids": list(range(MAX_IDS + 1))}}) is None


@pytest.mark.parametrize("value", ["o-1", "O-1", " o-1 ", "\uff4f-1", "o-1\n"])
def test_an_id_is_known_however_it_is_written(value: str) -> None:
    assert _tenant(ids="x", arg="id").used(call({"id": value})) == ["o-1"]


@pytest.mark.parametrize("value", [7, 7.0, "7", "07", "+7", "7.0", " 7"])
def test_a_number_is_known_however_it_is_written(value: object) -> None:
    assert _tenant(ids="x", arg="id").used(call({"id": value})) == ["7"]


def test_all_ids_of_a_list_are_used() -> None:
    assert _tenant(ids="x", arg="id").used(call({"id": ["a", "b"]})) == ["a", "b"]


@pytest.mark.parametrize("arguments", [{}, {"id": None}, {"id": []}])
def test_a_call_without_an_id_uses_none(arguments: object) -> None:
    assert _tenant(ids="x", arg="id").used(call(arguments)) == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"id": ["a"] * 300},
        {"id": {"a": 1}},
        {"id": [["a"]]},
        {"id": True},
        {"id": ""},
        {"ID": "a"},
        {"Id": "a"},
        {"id": [None]},
    ],
)
def test_what_is_no_id_is_an_error(arguments: object) -> None:
    with pytest.raises(RuleError):
        _tenant(ids="x", arg="id").used(call(arguments))


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({}, "no `arg`, `result` or `ids`"),
        ({"on_missing": "pass"}, "no `arg`, `result` or `ids`"),
        ({"arg": "a", "on_missing": "pass"}, "`on_missing` without `result`"),
        ({"result": "a", "on_missing": "allow"}, "'allow' is not known"),
        ({"arg": "a", "ttl": "1d"}, "`ttl` without `ids`"),
        ({"ids": "a", "on_unseen": "block"}, "`on_unseen` without `arg`"),
        ({"ids": "a", "ttl": "1y"}, "is not a duration"),
        ({"ids": "a[0].b"}, "is not the path of ids"),
        ({"ids": "a..b"}, "is not the path of ids"),
        ({"ids": ""}, "is empty"),
        ({"ids": "$"}, "is not the path of ids"),
        ({"arg": "a..b"}, "is not the path of a member"),
        ({"args": "a", "arg": "b"}, "tenant.args: unknown key"),
    ],
)
def test_a_wrong_rule_is_refused(value: object, problem: str) -> None:
    with pytest.raises(UsageError, match="policy:1: tenant") as refused:
        condition("tenant", value)
    assert problem in refused.value.message
