"""`baseline --update`: learned numbers move, and what a person wrote stays, byte by byte where nothing moves."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mcpobs.baseline.comment_kinds import kind_of
from mcpobs.baseline.learn import Baseline, learn
from mcpobs.baseline.rules import Rules
from mcpobs.baseline.update import update
from mcpobs.cli.baseline_diff import difference
from mcpobs.errors import UsageError
from mcpobs.limits import paths
from mcpobs.limits.file import read_text, write
from mcpobs.limits.model import Limit
from mcpobs.prices.book import Book
from mcpobs.queries.plan import Plan
from mcpobs.reports.window import EVERYTHING
from mcpobs.settings import Config
from tests.baseline.plays import DAY_NS, Call, Play, ordinary, rows
from tests.baseline.test_learn import ODD, PRICES
from tests.queries.recorded import in_memory

RULES = {"seed": Rules(), "cut-rate": Rules(min_sessions=59, strategy="cut-rate", cut_rate=0.05)}


def _tenants(plays: list[Play]) -> list[Play]:
    """Two tenants; one calls `search` four times as often."""
    return [
        replace(
            play,
            tenant="acme" if n % 2 else "b: c",
            key=f"key-{n % 40}",
            calls=[*play.calls, *[Call("search")] * (9 if n % 2 else 0)],
        )
        for n, play in enumerate(plays)
    ]


@lru_cache
def _found(traffic: str, strategy: str = "seed") -> Baseline:
    plays = {
        "plain": ordinary(80) + ODD,
        "more": ordinary(150) + [replace(one, calls=[*one.calls, *one.calls]) for one in ordinary(40, start=150)],
        "tenants": _tenants(ordinary(160)),
        "fewer": ordinary(60),
    }[traffic]
    config = Config(PRICES if traffic != "tenants" else Book.a_call({"*": 10}))
    return learn(Plan(in_memory(rows(plays))), EVERYTHING, None, config, RULES[strategy])


def _text(found: Baseline) -> str:
    return write(found.limits, found.comments)


def _commented(lines: list[str], at: int, indent: int) -> list[str]:
    return [*lines[:at], " " * indent + "# mine: {not: a key}", *lines[at:]]


def _trailing(lines: list[str], at: int, indent: int) -> list[str]:
    return [*lines[:at], lines[at] + " " * (indent + 1) + "# because", *lines[at + 1 :]]


def _changed(lines: list[str], at: int, by: int) -> list[str]:
    changed = re.sub(
        r"(limit|budget|max_bytes): (\d+)", lambda match: f"{match[1]}: {int(match[2]) + 1 + by}", lines[at]
    )
    return [*lines[:at], changed, *lines[at + 1 :]]


def _bare(lines: list[str], at: int, value: int) -> list[str]:
    bare = re.sub(r"^( +(?:calls|calls_per_session|distinct_tools): +)\{.*\}$", rf"\g<1>{value}", lines[at])
    return [*lines[:at], bare, *lines[at + 1 :]]


def _spaced(lines: list[str], at: int, indent: int) -> list[str]:
    return [*lines[:at], re.sub(r"^( +\w+:) +\{", rf"\1{' ' * (indent + 1)}{{ ", lines[at]), *lines[at + 1 :]]


def _deleted(lines: list[str], at: int, _: int) -> list[str]:
    whole = re.match(r" +\w+: +\{.+\}$", lines[at])
    return [*lines[:at], *lines[at + 1 :]] if whole else lines


EDITS = [_commented, _trailing, _changed, _bare, _spaced, _deleted]
edits = st.lists(st.tuples(st.sampled_from(EDITS), st.integers(0, 10_000), st.integers(0, 9)), max_size=8)


def _edited(text: str, chosen: list[tuple[object, int, int]]) -> str:
    lines = text.split("\n")
    for edit, at, number in chosen:
        lines = edit(lines, at % len(lines), number)  # type: ignore[operator]  # one of EDITS
    return "\n".join(lines)


@pytest.mark.parametrize("strategy", RULES)
@pytest.mark.parametrize("traffic", ["plain", "tenants"])
@settings(deadline=None, max_examples=25)
@given(chosen=edits)
def test_the_same_traffic_changes_no_byte(traffic: str, strategy: str, chosen: list[tuple[object, int, int]]):
    found = _found(traffic, strategy)
    text = _edited(_text(found), chosen)
    assume(_is_valid(text))
    assert update(text, found).text == text


@pytest.mark.parametrize("other", ["more", "tenants", "fewer"])
@settings(deadline=None, max_examples=25)
@given(chosen=edits)
def test_other_traffic_moves_learned_numbers_alone(other: str, chosen: list[tuple[object, int, int]]):
    before, found = _found("plain"), _found(other)
    text = _edited(_text(before), chosen)
    assume(_is_valid(text))
    done = update(text, found)
    assert done.text.count("# mine: {not: a key}") == text.count("# mine: {not: a key}")
    assert done.text.count("# because") == text.count("# because")
    old, new, given_ = (
        dict(paths.numbers(limits)) for limits in (before.limits, read_text(done.text), read_text(text))
    )
    learned = dict(paths.numbers(found.limits))
    for path, limit in given_.items():
        kept = limit != old[path] or path not in learned
        assert new[path].value == (limit if kept else learned[path]).value, path
    again = update(done.text, found)
    assert again.text == done.text
    assert not [one for one in again.changes if one.kind in ("moved", "same", "added")]


def _is_valid(text: str) -> bool:
    try:
        read_text(text)
    except UsageError:
        return False
    return True


def test_a_number_that_moved_is_shown_with_its_evidence():
    done = update(_text(_found("plain")), _found("more"))
    lines = difference(done.changes).splitlines()
    assert lines[0] == (
        "session.calls: 21 → 42 (observed_max 7 → 14, n 80 → 190, would_have_cut 2 → 0, "
        "next_1000_cut [0, 38] → [0, 17], next_1000_all [4, 75] → [0, 17])"
    )
    assert any(line.startswith("tools.refund.calls_per_session: added 6 (") for line in lines)
    moved = read_text(done.text)
    assert moved == replace(_found("more").limits, sequences=moved.sequences)
    assert "more for numbers of its own" not in done.text


@pytest.mark.parametrize("strategy", RULES)
def test_a_comment_of_an_entry_that_a_person_deleted_stays(strategy: str):
    found = _found("plain", strategy)
    text = _text(found).replace("  refund: {}\n", "")
    assert update(text, found).text == text


@pytest.mark.parametrize("traffic", ["plain", "tenants", "more", "fewer"])
def test_every_comment_of_ours_is_known_as_ours(traffic: str):
    comments = _found(traffic).comments
    ours = [*comments.session, *comments.key, *(words for tool in comments.tools.values() for words in tool)]
    assert [words for words in ours if kind_of(words) is None] == []
    assert kind_of("agreed with the team: 10 more for numbers of its own") is None


def test_a_number_that_a_person_changed_is_kept_and_named():
    text = _text(_found("plain")).replace("{limit: 21, observed_max: 7", "{limit: 100, observed_max: 7")
    done = update(text, _found("more"))
    assert read_text(done.text).session.calls is not None
    assert read_text(done.text).session.calls.value == 100
    assert "session.calls: 100 kept, changed by hand; the traffic gives 42 (observed_max 14, n 190, " in difference(
        done.changes
    )


def test_a_number_that_a_person_deleted_is_not_added_again_but_named():
    lines = _text(_found("plain")).splitlines(keepends=True)
    text = "".join(line for line in lines if not line.startswith("  duration_s:"))
    done = update(text, _found("more"))
    assert read_text(done.text).session.duration_s is None
    assert "session.duration_s: not in the file; the traffic gives " in difference(done.changes)


def test_a_new_tool_is_added_and_a_deleted_one_is_not():
    later = [
        replace(one, session=f"n{one.session}", start_ns=one.start_ns + 40 * DAY_NS, calls=[*one.calls, Call("new: {")])
        for one in ordinary(40)
    ]
    found = learn(Plan(in_memory(rows(ordinary(80) + later))), EVERYTHING, None, Config(), Rules())
    text = _text(_found("fewer"))
    at = text.index("  get:\n")
    without_get = text[:at] + text[text.index("  list:\n") :]
    done = update(without_get, found)
    limits = read_text(done.text)
    assert limits.tools["new: {"] == found.limits.tools["new: {"]
    assert "get" not in limits.tools


def test_a_file_of_an_earlier_version_gets_the_numbers_that_it_did_not_know():
    text = """\
# our limits
version: 1
baseline: {server: shop, from: 2026-11-01, to: 2026-11-20, sessions: 83, calls: 523}
session:
  calls:    {limit: 15, observed_max: 5, n: 80, would_have_cut: 2, next_1000_cut: [0, 38]}  # agreed in May
tools:
  get: {calls_per_session: 8}
  search:
    calls_per_session: {limit: 9, observed_max: 3, p50: 2, p95: 3, n: 80, would_have_cut: 1, next_1000_cut: [0, 38]}
"""
    found = _found("plain")
    done = update(text, found)
    limits = read_text(done.text)
    assert "# our limits\n" in done.text
    assert "# agreed in May\n" in done.text
    assert limits.tools["get"].calls_per_session == Limit(8)
    wanted, has = dict(paths.numbers(found.limits)), dict(paths.numbers(limits))
    assert {path for path in wanted if has.get(path) != wanted[path]} == {("tools", "get", "calls_per_session")}


def test_a_file_by_hand_keeps_its_numbers_and_gets_the_others():
    done = update("version: 1\ntools: {search: {calls_per_session: 4}}\n", _found("plain"))
    limits = read_text(done.text)
    assert limits.tools["search"].calls_per_session == Limit(4)
    assert limits.session == _found("plain").limits.session
    assert limits.baseline == _found("plain").limits.baseline
