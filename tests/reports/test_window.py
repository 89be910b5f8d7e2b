"""The window of a report: what --since and --until say, and which one is taken where they say nothing."""

from __future__ import annotations

import pytest

from mcpobs.errors import UsageError
from mcpobs.queries.plan import Plan
from mcpobs.reports import window
from mcpobs.reports.filters import Filters
from mcpobs.reports.kinds.p95 import Ranking, rank
from mcpobs.reports.window import HOUR, SECOND, parse_time
from tests.queries.recorded import START, Row, call, in_memory

NOW = START


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("15m", NOW - 900 * SECOND),
        ("2h", NOW - 2 * HOUR),
        ("7d", NOW - 168 * HOUR),
        ("1w", NOW - 168 * HOUR),
        ("30s", NOW - 30 * SECOND),
        (" 2 H ", NOW - 2 * HOUR),
        ("999999w", 0),
        ("2026-09-21", 1_789_948_800 * SECOND),
        ("2026-09-21T13:00", 1_789_995_600 * SECOND),
        ("2026-09-21 13:00", 1_789_995_600 * SECOND),
        ("2026-09-21T13:00:00Z", 1_789_995_600 * SECOND),
        ("2026-09-21T15:00:00+02:00", 1_789_995_600 * SECOND),
        ("2026-09-21T13:00:00.000001Z", 1_789_995_600 * SECOND + 1000),
    ],
)
def test_a_time_is_a_span_back_from_now_or_an_iso_date_or_time(text: str, expected: int) -> None:
    assert parse_time(text, NOW) == expected


@pytest.mark.parametrize(
    "text", ["", "yesterday", "5", "5y", "-5m", "1.5h", "2026-13-01", "0001-01-01", "9999-01-01", "15 m h"]
)
def test_an_invalid_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match="--until") as caught:
        parse_time(text, NOW, "--until")
    assert caught.value.hint is not None
    assert "15m, 2h, 7d" in caught.value.hint


@pytest.mark.parametrize(
    ("since", "until", "words"),
    [
        (None, None, "all time"),
        ("1h", None, "the last hour"),
        ("90m", None, "the last 90 minutes"),
        ("2026-09-21", None, "since 2026-09-21 00:00:00 UTC"),
        (None, "2026-09-21", "up to 2026-09-21 00:00:00 UTC"),
        ("2026-09-20", "2026-09-21", "from 2026-09-20 00:00:00 UTC to 2026-09-21 00:00:00 UTC"),
    ],
)
def test_a_window_has_its_words(since: str | None, until: str | None, words: str) -> None:
    assert window.given(since, until, NOW).words == words


def test_a_window_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(UsageError, match="--since 1h is not before --until 2h"):
        window.given("1h", "2h", NOW)


def _rank(rows: list[Row], **filters: str) -> Ranking:
    return rank(Plan(in_memory(rows)), Filters(**filters), None, NOW, 20)


def _calls(count: int, hours_ago: float, **columns: object) -> list[Row]:
    """Calls within a minute before a time."""
    start = NOW - int(hours_ago * HOUR)
    return [call(n, start_unix_nano=start - n * SECOND, **columns) for n in range(count)]


@pytest.mark.parametrize(
    ("hours_ago", "words"),
    [
        (0.1, "the last hour"),
        (3, "the hour up to 2026-09-21 11:13:20 UTC"),
        (24 * 400, "the hour up to 2025-08-17 14:13:20 UTC"),
    ],
)
def test_the_last_hour_counts_if_it_has_enough_calls_else_the_newest_hour(hours_ago: float, words: str) -> None:
    found = _rank(_calls(25, hours_ago))
    assert found.window.words == words
    assert found.winner is not None
    assert found.winner["calls"] == 25


@pytest.mark.parametrize(
    ("apart_hours", "words"),
    [
        (2, "the 6 hours up to"),
        (12, "the 24 hours up to"),
        (100, "the 7 days up to"),
        (500, "the 30 days up to"),
        (2000, "all time"),
    ],
)
def test_the_window_grows_until_one_tool_has_enough(apart_hours: float, words: str) -> None:
    found = _rank(_calls(10, 2) + _calls(10, 2 + apart_hours))
    assert found.window.words.startswith(words)
    assert found.winner is not None
    assert found.winner["calls"] == 20


def test_no_window_is_enough_for_few_calls() -> None:
    found = _rank(_calls(19, 2))
    assert (found.window.words, found.winner) == ("all time", None)
    assert [row["calls"] for row in found.result.records()] == [19]


def test_an_empty_lake_has_no_winner() -> None:
    found = _rank([])
    assert (found.window.words, found.winner, found.result.rows) == ("all time", None, [])


def test_one_slow_call_does_not_win() -> None:
    found = _rank(_calls(30, 0.1, tool="fast", ms=5) + _calls(19, 0.1, tool="slow", ms=90_000))
    records = found.result.records()
    assert [(row["tool"], row["ranked"]) for row in records] == [("fast", True), ("slow", False)]
    assert found.winner is not None
    assert found.winner["tool"] == "fast"


def test_another_tool_with_enough_calls_makes_the_last_hour_enough() -> None:
    """What is slow right now is not what was slow last week."""
    rows = _calls(20, 0.1, tool="now", ms=5) + _calls(500, 100, tool="then", ms=900)
    assert [row["tool"] for row in _rank(rows).result.records()] == ["now"]


def test_a_filter_narrows_what_the_window_must_hold() -> None:
    rows = _calls(30, 0.1, tool="other") + _calls(30, 50, tool="mine")
    assert _rank(rows, tool="mine").window.words.startswith("the hour up to")


def test_a_call_that_begins_this_very_moment_is_in_the_last_hour() -> None:
    assert _rank(_calls(20, 0)).window.words == "the last hour"


@pytest.mark.parametrize(
    ("since", "until", "before"),
    [
        ("1h", None, NOW - 2 * HOUR),
        ("3h", "2h", NOW - 4 * HOUR),
        ("2h", "2100-01-01", NOW - 4 * HOUR),  # what lies ahead is not part of the length
        (None, None, None),
        (None, "1h", None),
        ("999999w", None, None),  # nothing lies before the beginning of time
        ("2100-01-01", None, None),
    ],
)
def test_a_window_knows_the_one_before_it(since: str | None, until: str | None, before: int | None) -> None:
    assert window.given(since, until, NOW).before == before
