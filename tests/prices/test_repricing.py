"""History priced anew costs what would have been recorded, had the book been in force."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcpobs.gate.row import Origin, Rows
from mcpobs.prices.book import Book
from mcpobs.prices.rule import MOST_MICROUSD, MOST_TOKENS, MOST_UNITS_MILLI, Measured, Rule
from mcpobs.protocol.facts import Facts
from mcpobs.protocol.operation import Operation, Stamp, ValueFacts
from mcpobs.queries.plan import Plan
from mcpobs.sessions.stdio import StdioSessions
from tests.queries.recorded import Row, ask, call, create_views, in_memory

SESSIONS = StdioSessions("0123456789abcdef", 1_790_000_000_000_000_000)
RECORDER = Origin("files", "0123456789abcdef", "stdio", "pipe", "proxy/stdio")
OUTCOMES = ["ok", "ok", "ok", "tool_error", "server_error", "timeout", "cancelled", "task", "unfinished", "denied"]
OUTCOMES += ["protocol_error", "input_required"]
PATHS: list[tuple[str | int, ...]] = [(), ("pages",), ("_meta", "cost"), ('a"b', 0)]
BODIES = [
    {"pages": 3, "_meta": {"cost": 0.002}},
    {"pages": [1, 2], "_meta": {"cost": 7}},
    {"pages": -1, "_meta": {"cost": "2"}},
    {'a"b': [12.5], "pages": 1e300},
    {},
]


def _rules() -> st.SearchStrategy[Rule]:
    money = st.one_of(st.none(), st.integers(0, 10**7))
    paths = st.sampled_from(PATHS)
    return st.builds(
        _rule,
        money,
        st.one_of(st.none(), st.integers(0, 10**6)),
        paths,
        st.integers(1, 10_000),
        st.one_of(st.none(), paths),
        st.sampled_from(["usd", "microusd"]),
        st.integers(0, 10**6),
        st.one_of(st.none(), st.integers(0, 10**9)),
        st.one_of(st.none(), paths),
        st.integers(1, 2000),
    ).filter(lambda rule: rule.call_microusd is not None or not rule.is_fixed)


def _rule(
    per_call: int | None,
    nano: int | None,
    units: tuple[str | int, ...],
    most_units: int,
    reported: tuple[str | int, ...] | None,
    currency: str,
    most_reported: int,
    per_mtok: int | None,
    tokens: tuple[str | int, ...] | None,
    most_tokens: int,
) -> Rule:
    return Rule(
        call_microusd=per_call,
        unit_nanousd=nano,
        units=units,
        max_units_milli=most_units,
        reported=reported,
        reported_in=currency,
        max_reported_microusd=most_reported,
        microusd_per_mtok=per_mtok,
        tokens=tokens if per_mtok is not None else None,
        max_tokens=most_tokens,
    )


def _books() -> st.SearchStrategy[Book]:
    tools = st.dictionaries(st.sampled_from(["search", "fetch", "*"]), _rules(), max_size=3)
    own = st.dictionaries(st.sampled_from(["files", "other"]), tools, max_size=2)
    return st.builds(Book, tools, own)


def _calls() -> st.SearchStrategy[list[dict[str, Any]]]:
    one = st.fixed_dictionaries(
        {
            "tool": st.sampled_from(["search", "fetch"]),
            "outcome": st.sampled_from(OUTCOMES),
            "body": st.sampled_from(BODIES),
            "size": st.one_of(st.none(), st.integers(0, 5000)),
        }
    )
    return st.lists(one, min_size=1, max_size=12)


def _recorded(calls: list[dict[str, Any]], book: Book) -> list[Row]:
    """The rows that a front records of the calls with a book in force."""
    facts, rows = Facts(b"key", lambda tool: book.of("files", tool)), Rows(RECORDER, book)
    found = []
    for number, one in enumerate(calls):
        operation = Operation(number, "client", "tools/call", Stamp(1_790_000_000_000_000_000 + number, 0))
        operation.request_id, operation.tool, operation.outcome = str(number), one["tool"], one["outcome"]
        if one["size"] is not None:
            operation.result = ValueFacts(None, None, one["size"])
        if one["outcome"] in ("ok", "tool_error"):
            body = {"structuredContent": one["body"], "_meta": one["body"].get("_meta")}
            operation.measured = facts.measured(one["tool"], body)
        shared, own = rows.of(operation, SESSIONS.begin(operation, SESSIONS.caller, True))
        found.append({**shared.columns, **own, "trace_id": f"{number:032x}", "span_id": f"{number:016x}"})
    return found


def _costs(rows: list[Row], book: Book | None) -> list[tuple[Any, ...]]:
    plan = Plan(in_memory(rows))
    if book is not None:
        plan = plan.repriced(book)
    create_views(plan, "tool_calls")
    return plan.connection.execute("select cost_microusd, cost_source from tool_calls order by span_id").fetchall()


@settings(max_examples=40, deadline=None)
@given(_calls(), _books(), _books())
def test_history_priced_by_a_book_is_what_the_book_would_have_recorded(
    calls: list[dict[str, Any]], before: Book, now: Book
) -> None:
    counts = _costs(_recorded(calls, before), now)
    for one, anew, recorded in zip(calls, counts, _costs(_recorded(calls, now), None), strict=True):
        if anew[1] == "unrecorded":
            old, new = before.of("files", one["tool"]), now.of("files", one["tool"])
            assert anew[0] is None
            assert new is not None
            stored = {} if old is None else old.places
            asked = {name: path for name, path in new.places.items() if name != "units" or one["outcome"] == "ok"}
            assert not asked.items() <= stored.items()
        else:
            assert anew == recorded


@settings(max_examples=15, deadline=None)
@given(_calls(), _books())
def test_history_priced_by_the_book_that_was_in_force_stays_as_it_is(calls: list[dict[str, Any]], book: Book) -> None:
    rows = _recorded(calls, book)
    assert _costs(rows, book) == _costs(rows, None)


def test_the_largest_that_can_be_stored_and_priced_fits() -> None:
    rule = Rule(
        call_microusd=MOST_MICROUSD - 1,
        unit_nanousd=10**6,
        units=("n",),
        max_units_milli=MOST_UNITS_MILLI,
        reported=("c",),
        max_reported_microusd=MOST_MICROUSD,
        microusd_per_mtok=10**9,
        tokens=("t",),
    )
    row = call(
        1,
        cost_units_milli=MOST_UNITS_MILLI,
        cost_reported_microusd=MOST_MICROUSD,
        tokens=MOST_TOKENS,
        cost_paths=rule.paths,
    )
    charge = rule.charge("ok", 100, Measured(MOST_UNITS_MILLI, MOST_MICROUSD, MOST_TOKENS))
    assert _costs([row], Book({"*": rule})) == [charge]


def test_a_report_gives_the_number_of_calls_that_cannot_be_repriced() -> None:
    rows = [
        call(1),
        call(2),
        call(3, outcome="denied"),
        call(4, cost_paths='{"units":["pages"]}', cost_units_milli=2000),
    ]
    plan = Plan(in_memory(rows)).repriced(Book({"*": Rule(unit_nanousd=1_000_000, units=("pages",))}))
    (found,) = ask(plan, "cost")
    counts = {name: found[name] for name in ("calls", "priced", "unpriced", "unrecorded", "cost_microusd")}
    assert counts == {"calls": 4, "priced": 1, "unpriced": 2, "unrecorded": 2, "cost_microusd": 2000}
    assert ask(plan, "sessions")[0]["cost_microusd"] == 2000  # every report tells the same


def test_calls_of_a_tool_without_a_price_in_the_book_have_no_cost_by_it() -> None:
    rows = [call(1, cost_microusd=5, cost_source="price"), call(2, tool="fetch", service_name=None)]
    plan = Plan(in_memory(rows)).repriced(Book({"fetch": Rule(call_microusd=7)}))
    assert {row["item"]: row["cost_microusd"] for row in ask(plan, "cost")} == {"search": None, "fetch": 7}


@pytest.mark.parametrize("change", [{}, {"call_microusd": 3}])
def test_two_paths_never_have_the_same_name_in_the_lake(change: dict[str, Any]) -> None:
    sly = replace(Rule(unit_nanousd=1, units=('x","units":["pages',)), **change)
    assert json.loads(sly.paths or "") == {"units": ['x","units":["pages']}
    rows = [call(1, cost_paths=sly.paths, cost_units_milli=1000)]
    assert _costs(rows, Book({"*": Rule(unit_nanousd=1000, units=("pages",))})) == [(None, "unrecorded")]
