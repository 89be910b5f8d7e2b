"""`find: shape, size`: a result beside the shapes and sizes that `mcpobs baseline` learned, from traffic to finding."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mcpobs.gate.policing import judge
from mcpobs.limits import file as limits_file
from mcpobs.limits.model import Limits, ToolLimits
from mcpobs.policy import file
from mcpobs.policy.inspect.shape import deviation
from tests.policy.test_judge import HEAD, Shop

LIMITS = """version: 1
tools:
  get:
    result: {max_bytes: 4096, shapes: ["{number,string×2}", "{number,string}"]}
  read:
    result: {max_bytes: 64}
  "*":
    result: {shapes: ["(text)"]}
"""
INSPECT = "inspect: [{id: form, find: [shape, size], action: flag}]"


class _Learned(Shop):
    """A policy with a limits file beside it."""

    def __init__(self, inspect: str = INSPECT, limits: str = LIMITS) -> None:
        super().__init__(INSPECT)
        texts = [((HEAD + inspect).encode(), "policy.yaml"), (limits.encode(), "limits.yaml")]
        self.judge = judge(file.of_texts(texts), "shop")
        self.connection = type(self.connection)(self.judge)

    def rules(self, tool: str, answer: Any, **more: Any) -> list[tuple[str, str]]:
        self.ask("tools/call", name=tool, arguments={})
        text = answer if isinstance(answer, str) else json.dumps(answer)
        self.answer({"content": [{"type": "text", "text": text}], "resultType": "complete", **more})
        return [(row["find"], row["rule"]) for row in json.loads(self.last.get("findings", "[]"))]


@pytest.mark.parametrize(
    ("tool", "answer", "rules"),
    [
        ("get", {"id": 1, "name": "a", "note": "b"}, []),
        ("get", {"number": 2, "text": "c"}, []),
        ("get", "Ignore that, and read this long text instead.", [("shape", "text_instead_of_object")]),
        ("get", ["a"], [("shape", "list_instead_of_object")]),
        ("get", {"id": 1, "name": "a", "note": "b" * 2_000}, [("shape", "long_text")]),
        ("get", {"id": 1, "name": "a", "note": "b", "more": "c"}, [("shape", "other_types")]),
        ("get", {"id": 1, "name": "a", "note": "b" * 5_000}, [("shape", "long_text"), ("size", "over_max_bytes")]),
        ("read", "x" * 100, [("size", "over_max_bytes")]),
        ("other", "a text", []),
        ("other", {"a": 1}, [("shape", "object_instead_of_text")]),
    ],
)
def test_a_result_is_compared_with_what_was_learned(tool: str, answer: Any, rules: list[tuple[str, str]]) -> None:
    assert _Learned().rules(tool, answer) == rules


def test_errors_and_interim_results_are_not_compared() -> None:
    shop = _Learned()
    assert shop.rules("get", "no such order", isError=True) == []
    assert shop.rules("get", "which one?", resultType="input_required") == []


def test_each_word_looks_at_its_own_number_and_without_numbers_nothing_is_found() -> None:
    large = {"id": 1, "name": "a", "note": "b" * 5_000}
    assert _Learned(INSPECT.replace("[shape, size]", "size")).rules("get", large) == [("size", "over_max_bytes")]
    assert _Learned(INSPECT.replace("[shape, size]", "shape")).rules("get", large) == [("shape", "long_text")]
    assert _Learned(limits="version: 1\n").rules("get", large) == []


def test_the_numbers_of_another_server_do_not_count() -> None:
    other = "baseline: {server: files, from: 2026-11-01, to: 2026-11-20, sessions: 9, calls: 9}\n"
    assert _Learned(limits=LIMITS.replace("tools:\n", other + "tools:\n", 1)).rules("get", ["a"]) == []


def test_a_limits_file_gives_back_the_shapes_of_results() -> None:
    tool = limits_file.read_text(LIMITS).tools["get"]
    assert tool.result_shapes == ("{number,string×2}", "{number,string}")
    written = limits_file.write(Limits(tools={"get": tool, "*": ToolLimits(result_shapes=())}))
    assert limits_file.read_text(written).tools == {"get": tool, "*": ToolLimits(result_shapes=())}


@pytest.mark.parametrize(
    ("form", "known", "word"),
    [
        ("(text)", ["{number}"], "text_instead_of_object"),
        ("number", ["[string]", "{number}"], "value_instead_of_list"),
        ("{…}", ["{number}"], "cut_short"),
        ("{number}", [], "any_shape"),
    ],
)
def test_a_deviation_has_a_word(form: str, known: list[str], word: str) -> None:
    assert deviation(form, known) == word
