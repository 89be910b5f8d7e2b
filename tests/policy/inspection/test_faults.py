"""Whatever an inspector throws, `on_error` decides: nothing passes silently, and the fault is reported once."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcpobs.policy import file
from mcpobs.policy.conditions import CallFacts
from mcpobs.policy.inspect.inspector import Finding, View
from mcpobs.policy.inspect.inspectors import Inspectors
from mcpobs.policy.inspect.texts import texts
from tests.policy.test_judge import Shop

FACTS = CallFacts("tools/call", kind="tool", target="read")
SECRET = "ann@example.com"
THROWN = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    RecursionError,
    MemoryError,
    UnicodeError,
    AssertionError,
    OSError,
)
RESULTS = st.recursive(
    st.text(max_size=6) | st.integers() | st.floats() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=10,
)


class Broken:
    """An inspector that fails, with the secret in its error."""

    def __init__(self, error: type[Exception]) -> None:
        self._error = error

    def inspect(self, view: View) -> Sequence[Finding]:
        raise self._error(SECRET)


def broken(words: str, error: type[Exception], reported: list[Exception]) -> Inspectors:
    policy = file.of_texts([(f"version: 1\ninspect: [{{id: a, find: email, {words}}}]".encode(), "policy.yaml")])
    found = Inspectors(policy, "shop", lambda: b"key", report=reported.append)
    found._bound = [bound._replace(inspectors=[Broken(error)]) for bound in found._bound]
    return found


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(THROWN),
    st.sampled_from(["pass", "flag", "mask", "block"]),
    st.sampled_from([None, "block", "flag", "deny", "allow"]),
    RESULTS,
)
def test_on_error_decides_whatever_is_thrown(
    error: type[Exception], action: str, on_error: str | None, result: object
) -> None:
    words = f"action: {action}" + (f", on_error: {on_error}" if on_error else "")
    reported: list[Exception] = []
    inspectors = broken(words, error, reported)
    entries = inspectors.about("result", FACTS, frozenset({"write"}))
    found = inspectors.inspect("result", FACTS, {"result": result}, entries)
    strict = action in ("mask", "block") if on_error is None else on_error in ("block", "deny")
    assert found.action == ("block" if strict else "flag")
    assert found.degraded
    assert found.verdicts == {}  # a replay must not take it for an answer
    assert SECRET not in json.dumps(found.recorded())
    assert [type(one) for one in reported] == [error]


class Cyclic(dict[str, object]):
    """A message that cannot be walked over."""

    def items(self) -> object:  # type: ignore[override]  # broken on purpose
        raise RuntimeError("changed while it was read")


@pytest.mark.parametrize(("action", "expected"), [("flag", "flag"), ("block", "block")])
def test_a_message_that_cannot_be_walked_over_is_a_fault_of_every_entry(action: str, expected: str) -> None:
    reported: list[Exception] = []
    policy = (
        f"version: 1\ninspect: [{{id: a, find: email, action: {action}}}, {{id: b, find: phone, action: {action}}}]"
    )
    inspectors = Inspectors(
        file.of_texts([(policy.encode(), "policy.yaml")]), "shop", lambda: b"key", report=reported.append
    )
    entries = inspectors.about("result", FACTS, frozenset())
    found = inspectors.inspect("result", FACTS, {"result": Cyclic(a="b")}, entries)
    assert (found.action, {noted.id for noted in found.noted}) == (expected, {"a", "b"})
    assert len(reported) == 2


@settings(max_examples=40, deadline=None)
@given(RESULTS)
def test_any_result_is_inspected_and_a_mask_leaves_it_json(result: object) -> None:
    shop = Shop("inspect: [{id: o, find: injection, action: flag}, {id: p, find: [personal, secrets], action: mask}]")
    assert shop.ask("tools/call", name="read", arguments={}) is None
    try:
        raw = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"structuredContent": result}}, allow_nan=False).encode()
    except ValueError:  # no JSON
        return
    sent = shop.connection.server(raw)
    if sent.onward is not None:
        json.loads(sent.onward)
    assert not any(row.get("error_type") in ("judge_error", "judge_timeout") for row in shop.connection.rows)
    assert not shop.last.get("policy_degraded")


def test_a_value_with_more_than_can_be_walked_over_says_so() -> None:
    found, is_cut = texts("result", {"result": {"structuredContent": ["x"] * 210_000}})
    assert is_cut
    assert len(found) < 210_000
