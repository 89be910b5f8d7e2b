"""`after`: an earlier call that succeeded, with the same arguments."""

from __future__ import annotations

import itertools

import pytest

from mcpobs.errors import UsageError
from mcpobs.policy.conditions import UNKNOWN, RuleError, UndecidableError
from tests.policy.rules.made import call, condition, holds

S = 1_000_000_000
SAME = {"tool": "lookup", "same": {"id": "order_id"}}
VALUES = [
    1,
    "1",
    1.0,
    1.5,
    True,
    "true",
    0,
    False,
    "",
    [],
    [1],
    [True],
    {},
    {"a": 1},
    {"a": True},
    {"a": [1.0]},
    "é",
    "É",
]


def test_only_a_call_that_came_back_without_an_error_counts() -> None:
    after = condition("after", {"tool": "lookup"})
    assert holds(after, call(done={"lookup": (1, {})}))
    assert not holds(after, call(done={}))
    assert not holds(after, call(done={"Lookup": (1, {}), "lookup2": (1, {})}))


def test_a_session_that_is_not_known_has_done_nothing() -> None:
    with pytest.raises(RuleError):
        condition("after", {"tool": "lookup"}).holds(call())


@pytest.mark.parametrize(("earlier", "now"), list(itertools.product(VALUES, VALUES)), ids=repr)
def test_the_same_is_the_same_value_of_the_same_type(earlier: object, now: object) -> None:
    facts = call({"order_id": now}, done={"lookup": (1, {"id": earlier})})
    same = type(earlier) is type(now) and repr(earlier) == repr(now)
    assert holds(condition("after", SAME), facts) is same


@pytest.mark.parametrize(
    ("arguments", "remembered"),
    [
        ({}, {"id": "o-1"}),
        ({"Order_id": "o-1"}, {"id": "o-1"}),
        ({"order_id": "o-1"}, {}),
        ({"order_id": None}, {"id": None}),
        ({"order_id": None}, {"id": "o-1"}),
        ({"order_id": "o-1"}, {"id": None}),
        ({"order_id": object()}, {"id": "o-1"}),
        ({"order_id": "\ud800"}, {"id": "\ud800"}),
        ([], {"id": "o-1"}),
    ],
)
def test_what_is_missing_is_the_same_as_nothing(arguments: object, remembered: dict[str, object]) -> None:
    facts = call(arguments, done={"lookup": (1, remembered)})
    with pytest.raises(RuleError):
        condition("after", SAME).holds(facts)


def test_several_arguments_have_to_be_the_same() -> None:
    after = condition("after", {"tool": "lookup", "same": {"id": "order.id", "shop": "shop"}})
    done = {"lookup": (1, {"id": 7, "shop": "b"})}
    assert holds(after, call({"order": {"id": 7}, "shop": "b"}, done=done))
    assert not holds(after, call({"order": {"id": 7}, "shop": "c"}, done=done))
    assert not holds(after, call({"order": {"id": 8}, "shop": "b"}, done=done))
    assert after.remembers == {"lookup": (("id",), ("shop",))}


def test_within_goes_by_the_clock_of_the_store() -> None:
    after = condition("after", {"tool": "lookup", "within": "5m"})
    done = {"lookup": (1, {}, 1_000 * S)}
    assert holds(after, call(done=done, store_ns=1_300 * S))
    assert not holds(after, call(done=done, store_ns=1_300 * S + 1))
    assert not holds(after, call(done=done, store_ns=1_400 * S, at_unix_nano=1_000 * S))  # the system's clock went back
    assert holds(after, call(done=done, store_ns=1_010 * S, at_unix_nano=9_000 * S))


def test_a_replay_cannot_compare_arguments() -> None:
    done = {"lookup": (1, {})}
    with pytest.raises(UndecidableError):
        condition("after", SAME).holds(call(UNKNOWN, done=done))
    assert holds(condition("after", {"tool": "lookup"}), call(UNKNOWN, done=done))
    assert not holds(condition("after", SAME), call(UNKNOWN, done={}))


def test_the_denial_says_what_to_do_first() -> None:
    assert condition("after", SAME).needs(call()) == (
        "it needs a successful call of lookup with the same order_id before it"
    )


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({}, "no `tool`"),
        ({"tool": ["a"]}, "is not a text"),
        ({"tool": "a", "within": "soon"}, "is not a duration"),
        ({"tool": "a", "within": "0s"}, "must be from 1s"),
        ({"tool": "a", "same": {}}, "names no arguments"),
        ({"tool": "a", "same": ["id"]}, "is not a mapping"),
        ({"tool": "a", "same": {"a..b": "c"}}, "is not the path of a member"),
        ({"tool": "a", "wihtin": "5m"}, "did you mean `within`"),
    ],
)
def test_a_wrong_rule_is_refused(value: object, problem: str) -> None:
    with pytest.raises(UsageError, match="policy:1: after") as refused:
        condition("after", value)
    assert problem in f"{refused.value.message} {refused.value.hint}"
