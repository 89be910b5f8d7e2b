"""What is volatile in arguments and results, and what is news."""

from __future__ import annotations

from typing import Any

import pytest

from mcpobs.protocol.facts import Facts

UUIDS = ("3f2b7a10-1111-4222-8333-444455556666", "9c1d7a10-1111-4222-8333-444455556666")


def _facts() -> Facts:
    return Facts(b"k" * 32)


def _asked(value: Any) -> str | None:
    found = _facts().arguments(value, None)[0]
    return found.stable or found.digest


def _answered(text: str) -> str | None:
    found = _facts().result({"content": [{"type": "text", "text": text}]}, again=True)[0]
    return found.stable or found.digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"nonce": "a1"}, {"nonce": "b2"}),
        ({"requestId": 1}, {"requestId": 2}),
        ({"x-request-id": UUIDS[0]}, {"x-request-id": UUIDS[1]}),
        ({"attempt": 1}, {"attempt": 2}),
        ({"retry_count": 1}, {"retry_count": 2}),
        ({"_": 17}, {"_": 18}),
        ({"cursor": "abc"}, {"cursor": "abd"}),
        ({"pageToken": "abc"}, {"pageToken": "abd"}),
        ({"page": 1}, {"page": 2}),
        ({"when": 1_790_000_000}, {"when": 1_790_000_007}),
        ({"when": "2026-11-30T12:00:01Z"}, {"when": "2026-11-30T12:00:09.5+01:00"}),
        ({"text": "again (attempt 1)"}, {"text": "again (attempt 12)"}),
        ({"tag": UUIDS[0]}, {"tag": UUIDS[1]}),
        ({"meta": {"nonce": 1}}, {"meta": {"nonce": 2}}),
    ],
)
def test_a_volatile_argument_changes_nothing(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = {"q": "x", "limit": 5}
    assert _asked(same | one) == _asked(same | other)
    assert _asked(same | one) != _asked({"q": "y", "limit": 5} | one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"id": 1}, {"id": 2}),
        ({"order_id": UUIDS[0]}, {"order_id": UUIDS[1]}),
        ({"file_key": UUIDS[0]}, {"file_key": UUIDS[1]}),
        ({"date": "2026-11-30"}, {"date": "2026-12-01"}),
        ({"q": "issue 4"}, {"q": "issue 5"}),
        ({"limit": 10}, {"limit": 20}),
        ({"path": "a/1.md"}, {"path": "a/2.md"}),
    ],
)
def test_what_names_a_thing_is_not_volatile(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert _asked(one) != _asked(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"rows": [1], "request_id": "a1"}', '{"rows": [1], "request_id": "b2"}'),
        ('{"requestId": "a1", "rows": []}', '{"requestId": "b2", "rows": []}'),
        ('{"rows": [1], "took": 3}', '{"rows": [1], "took": 14}'),
        ('{"rows": [1], "elapsed_ms": 3.25}', '{"rows": [1], "elapsed_ms": 14.5}'),
        ('{"rows": [1], "nextCursor": "ab"}', '{"rows": [1], "nextCursor": "cd"}'),
        ("2 rows (3 ms)", "2 rows (14.5 ms)"),
        ("nothing found, took 0.25s", "nothing found, took 1.5s"),
        ("no match (request 7f3a01)", "no match (request 9b2c44)"),
        ("[req-17] no change", "[req-18] no change"),
        ("as of 2026-11-30T12:00:01Z: 2 orders", "as of 2026-11-30T12:00:09Z: 2 orders"),
        ("12:00:01 idle", "12:00:09 idle"),
    ],
)
def test_an_answer_that_differs_in_nothing_else_is_the_same(one: str, other: str) -> None:
    assert _answered(one) == _answered(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("40 % done", "50 % done"),
        ("ETA: 40 s", "ETA: 30 s"),
        ("40 s remaining", "30 s remaining"),
        ('{"rows": [1], "took": 3}', '{"rows": [2], "took": 3}'),
        ('{"job": "7f3a01"}', '{"job": "9b2c44"}'),
        ("3 failed, 10 passed", "2 failed, 11 passed"),
        ("version 1.2.3", "version 1.2.4"),
        ("issue 17", "issue 18"),
    ],
)
def test_news_stays_news(one: str, other: str) -> None:
    assert _answered(one) != _answered(other)


def test_a_value_without_volatile_parts_has_no_second_digest() -> None:
    facts = _facts()
    assert facts.arguments({"q": "x", "limit": 5}, None)[0].stable is None
    assert facts.result({"content": [{"type": "text", "text": "two rows"}]}, again=True)[0].stable is None


def test_a_result_is_searched_only_if_its_question_is_asked_again() -> None:
    facts = _facts()
    arguments, _ = facts.arguments({"q": "x", "nonce": 1}, None)
    assert facts.asks_again("tools/call", "search", arguments) is False
    again, _ = facts.arguments({"q": "x", "nonce": 2}, None)
    assert facts.asks_again("tools/call", "search", again) is True
    assert facts.asks_again("tools/call", "find", again) is False


def test_an_error_is_always_searched() -> None:
    facts = _facts()
    one = facts.error({"code": -32603, "message": "down (request 7f3a01)"})
    assert one.stable == facts.error({"code": -32603, "message": "down (request 9b2c44)"}).stable is not None


def test_a_long_result_is_searched_at_its_ends() -> None:
    rows = "row " * 2_000
    assert _answered(f"took 3 ms {rows} took 4 ms") == _answered(f"took 9 ms {rows} took 8 ms")
    assert _answered(f"{rows} took 3 ms {rows}") != _answered(f"{rows} took 4 ms {rows}")
