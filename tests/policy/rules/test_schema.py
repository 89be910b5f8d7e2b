"""`args_schema`: arguments by a JSON Schema, in linear time, without a look at anything outside the file."""

from __future__ import annotations

import http.server
import threading
from typing import Any

import pytest

from mcpobs.errors import UsageError
from mcpobs.policy.conditions import UNKNOWN, RuleError, UndecidableError
from tests.policy.rules.made import call, condition, holds

REFUND: dict[str, Any] = {
    "type": "object",
    "required": ["order_id", "amount"],
    "additionalProperties": False,
    "properties": {
        "order_id": {"type": "string", "pattern": "^o-[0-9]+$"},
        "amount": {"type": "number", "exclusiveMinimum": 0, "maximum": 50},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}}},
        "why": {"enum": ["late", "broken"]},
        "to": {"anyOf": [{"type": "string", "const": "secret-account"}, {"type": "null"}]},
    },
}
RIGHT = {"order_id": "o-1", "amount": 5}
WRONG: list[tuple[object, str]] = [
    ({}, "the argument order_id is missing"),
    ({"order_id": "o-1"}, "the argument amount is missing"),
    ({**RIGHT, "amount": "5"}, "the argument amount must be of the type number"),
    ({**RIGHT, "amount": True}, "the argument amount must be of the type number"),
    ({**RIGHT, "amount": None}, "the argument amount must be of the type number"),
    ({**RIGHT, "amount": [5]}, "the argument amount must be of the type number"),
    ({**RIGHT, "amount": 51}, "the argument amount has a value that is not allowed here"),
    ({**RIGHT, "amount": 0}, "the argument amount has a value that is not allowed here"),
    ({**RIGHT, "amount": -1}, "the argument amount has a value that is not allowed here"),
    ({**RIGHT, "amount": 1e308}, "the argument amount has a value that is not allowed here"),
    ({**RIGHT, "amount": 2**64}, "the argument amount has a value that is not allowed here"),
    ({**RIGHT, "order_id": "1"}, "the argument order_id has a value that is not allowed here"),
    ({**RIGHT, "Amount": 5}, "the argument Amount is not allowed"),
    ({**RIGHT, "x" * 500: 5}, "the argument " + "x" * 80 + "… is not allowed"),
    ({**RIGHT, "a\nb\x1b[0m": 5}, "is not allowed"),
    ({**RIGHT, "lines": [{"sku": "a"}, {"sku": 5}]}, "the argument lines.1.sku must be of the type string"),
    ({**RIGHT, "why": "because"}, "the argument why has a value that is not allowed here"),
    ({**RIGHT, "to": "me"}, "the argument to has a value that is not allowed here"),
    ([], "its arguments must be of the type object"),
    ("x", "its arguments must be of the type object"),
    (None, "its arguments must be of the type object"),
]


def test_arguments_of_the_form_hold() -> None:
    assert holds(condition("args_schema", REFUND), call(RIGHT))


@pytest.mark.parametrize(("arguments", "needs"), WRONG, ids=[needs[:60] for _, needs in WRONG])
def test_a_denial_names_the_argument_and_nothing_of_the_policy(arguments: object, needs: str) -> None:
    schema = condition("args_schema", REFUND)
    facts = call({})
    facts = type(facts)("tools/call", arguments=arguments)
    assert not holds(schema, facts)
    said = schema.needs(facts)
    assert needs in said
    assert not any(inside in said for inside in ("secret-account", "50", "^o-", "late", "\n", "\x1b"))


@pytest.mark.parametrize("value", [object(), {1: 2}, {"a": object()}, {"a": "\ud800"}, {"a": {1, 2}}])
def test_what_is_no_json_is_refused_and_has_words(value: object) -> None:
    for schema in ({"type": "object"}, {"properties": {"a": {"maxLength": 500}}}, {"minProperties": 1}):
        found = condition("args_schema", schema)
        facts = call(value)
        try:
            held = found.holds(facts)
        except RuleError:
            held = False
        if held:  # it did not need to look at it
            assert isinstance(value, dict)
        assert found.needs(facts)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_does_not_have_is_in_no_range(number: float) -> None:
    schema = condition("args_schema", {"properties": {"a": {"type": "number", "maximum": 5}}})
    assert not holds(schema, call({"a": number}))


def test_a_replay_cannot_decide() -> None:
    with pytest.raises(UndecidableError):
        condition("args_schema", REFUND).holds(call(UNKNOWN))


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*$", "^([a-z]+)*$", "(.*)*(.*)*x$", "^(a?){30}a{30}$"])
def test_a_pattern_that_stalls_other_validators_takes_linear_time(pattern: str) -> None:
    schema = condition("args_schema", {"properties": {"a": {"pattern": pattern}}})
    assert not holds(schema, call({"a": "a" * 20_000 + "!"}))


@pytest.mark.parametrize("pattern", ["(", "^(?!b)a", "(a)\\1", "((a{1000}){1000}){100}", "(?<=x)y"])
def test_a_pattern_that_needs_more_than_linear_time_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError, match="not a JSON Schema"):
        condition("args_schema", {"properties": {"a": {"pattern": pattern}}})


class _Noting(http.server.BaseHTTPRequestHandler):
    seen: list[str]

    def do_GET(self) -> None:
        self.seen.append(self.path)
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass


def test_no_schema_is_fetched() -> None:
    seen: list[str] = []
    handler = type("Noting", (_Noting,), {"seen": seen})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_port}/schema.json"
            for schema in (
                {"$ref": address},
                {"properties": {"a": {"$ref": address}}},
                {"$schema": address},
                {"$id": address, "properties": {"a": {"$ref": "other.json"}}},
                {"$dynamicRef": address},
                {"$ref": "file:///etc/passwd"},
            ):
                with pytest.raises(UsageError, match=r"policy:1: args_schema: not a JSON Schema"):
                    condition("args_schema", schema)
        finally:
            server.shutdown()
            thread.join()
    assert seen == []


def test_a_schema_may_refer_to_its_own_parts() -> None:
    schema = condition(
        "args_schema", {"$defs": {"id": {"type": "string"}}, "properties": {"a": {"$ref": "#/$defs/id"}}}
    )
    assert holds(schema, call({"a": "x"}))
    assert not holds(schema, call({"a": 5}))


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ([], "a JSON Schema is a mapping"),
        ("string", "a JSON Schema is a mapping"),
        ({"typ": "object"}, "args_schema.typ: unknown key"),
        ({"properties": {"a": {"maxLenght": 5}}}, "args_schema.properties.a.maxLenght: unknown key"),
        ({"items": [{"requird": ["a"]}]}, "args_schema.items[0].requird: unknown key"),
        ({"anyOf": [{"not": {"minimun": 5}}]}, "args_schema.anyOf[0].not.minimun: unknown key"),
        ({"$defs": {"a": {"tpye": "object"}}}, "args_schema.$defs.a.tpye"),
        ({"type": "objekt"}, "not a JSON Schema"),
        ({"required": "a"}, "not a JSON Schema"),
        ({"minimum": "5"}, "not a JSON Schema"),
        ({"minimum": 10**30}, "not a JSON Schema"),
        ({"$ref": "#/nowhere"}, "not a JSON Schema"),
        ({"enum": ["x" * 1_000] * 300}, "is larger than 256 KiB"),
    ],
)
def test_a_schema_with_a_mistake_is_refused_when_the_file_is_read(schema: object, problem: str) -> None:
    with pytest.raises(UsageError, match="policy:1: args_schema") as refused:
        condition("args_schema", schema)
    assert problem.replace("$defs", "'$defs'") in refused.value.message or problem in refused.value.message


def test_names_of_arguments_are_no_keywords() -> None:
    schema = condition("args_schema", {"properties": {"typ": {"type": "string"}}, "required": ["typ"]})
    assert holds(schema, call({"typ": "x"}))
    assert not holds(schema, call({}))


def test_a_large_schema_is_checked_and_works() -> None:
    names = [f"argument_{number}" for number in range(2_000)]
    properties = {name: {"type": "string", "maxLength": 9} for name in names}
    schema = condition("args_schema", {"properties": properties, "additionalProperties": False})
    assert holds(schema, call(dict.fromkeys(names, "x")))
    assert not holds(schema, call({**dict.fromkeys(names, "x"), "argument_7": "x" * 10}))
