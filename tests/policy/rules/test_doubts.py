"""What a rule probably does not mean is found, and nothing is said of a rule that is as it should be."""

from __future__ import annotations

import pytest

from mcpobs.policy.file import of_texts
from mcpobs.policy.rules.doubts import doubts

CASES = {
    "effect: deny, when: args.a > 5": ["a deny that compares an argument"],
    "effect: deny, when: 'args.a > 5 || args.b == 1'": ["a deny that compares an argument"],
    "effect: deny, when: args.a == 'x'": [],
    "effect: deny, when: call.local.hour > 18": [],
    "effect: require, when: args.a <= 5": [],
    "effect: require, when: session.calls.x < 5": ["session.calls is no limit"],
    "effect: require, when: args.a <= 5, on_error: allow": ["on_error: allow"],
    "effect: allow, on_error: allow": [],
    "effect: require, sql: {arg: q, dialect: mysql}": ["sql without `tables`"],
    "effect: require, sql: {arg: q, dialect: mysql, tables: [a]}": [],
    "effect: require, path: {arg: p, under: /}": ["path below /"],
    "effect: require, path: {arg: p, under: /data}": [],
    "effect: deny, args_schema: {properties: {a: {minimum: 5}}}": ["a deny by args_schema"],
    "effect: require, args_schema: {properties: {a: {minimum: 5}}}": [
        "args_schema lets unknown arguments through",
        "args_schema lets a call without arguments through",
    ],
    "effect: require, args_schema: {properties: {a: {}}, required: [a], additionalProperties: false}": [],
}


@pytest.mark.parametrize("text", CASES)
def test_a_rule_that_lets_more_through_than_it_seems_to_is_found(text: str) -> None:
    ((rule,),) = (of_texts([(f"version: 1\nrules: [{{id: a, tools: x, {text}}}]".encode(), "p")]).layers[0].rules,)
    found = list(doubts(rule))
    assert len(found) == len(CASES[text])
    for said, expected in zip(found, CASES[text], strict=True):
        assert said.startswith(expected)
