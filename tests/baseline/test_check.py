"""The lake against the limits: what went over is named, with the session, the measure and the limit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mcpobs.baseline.breaches import COLUMNS, NEW_SHAPE, Breach, Broken, Checked, check
from mcpobs.baseline.evidence import further_over
from mcpobs.baseline.learn import learn
from mcpobs.baseline.rules import Rules
from mcpobs.cli.check import broken_lines, sentence, tool_lines
from mcpobs.limits.file import read_text, write
from mcpobs.prices.book import Book
from mcpobs.queries.plan import Plan
from mcpobs.reports.window import EVERYTHING, Window
from mcpobs.settings import Config
from tests.baseline.plays import DAY_NS, START_NS, Call, Play, ordinary, rows
from tests.baseline.test_learn import ODD
from tests.queries.recorded import in_memory


def _check(
    limits: str, plays: list[Play], config: Config | None = None, window: Window = EVERYTHING, server: str | None = None
) -> Checked:
    return check(Plan(in_memory(rows(plays))), read_text("version: 1\n" + limits), window, server, config or Config())


def _facts(found: Checked) -> list[tuple[Any, ...]]:
    return [(one.limit, one.tool, one.session, one.measured, one.allowed) for one in found.breaches]


def test_a_session_over_its_calls_is_a_breach():
    plays = [Play("long", [Call("a"), Call("b"), Call("a")]), Play("short", [Call("a")] * 2)]
    found = _check("session: {calls: 2}", plays)
    assert found.breaches == [
        Breach("session.calls", None, "long", 3, 2, 3, START_NS + 2_000_000_000),
    ]
    assert (found.sessions, found.calls) == (2, 5)


def test_a_limit_is_the_largest_value_that_is_allowed():
    assert _check("session: {calls: 3}", [Play("s", [Call("a")] * 3)]).breaches == []


def test_a_session_over_its_cost_is_a_breach_by_recorded_cost_and_by_price():
    plays = [Play("a", [Call("get", cost_microusd=300_000), Call("put")]), Play("b", [Call("put")])]
    assert _facts(_check("session: {cost_usd: 0.3}", plays)) == []
    found = _check("session: {cost_usd: 0.3}", plays, Config(Book.a_call({"put": 100_000})))
    assert _facts(found) == [("session.cost_usd", None, "a", 0.4, 0.3)]


def test_a_cost_that_equals_the_cap_is_no_breach():
    plays = [Play("a", [Call("get", cost_microusd=140_000)] * 3)]
    assert _check("session: {cost_usd: 0.42}", plays).breaches == []
    assert len(_check("session: {cost_usd: 0.419999}", plays).breaches) == 1


def test_each_tool_is_held_to_its_own_number_and_else_to_that_of_any_tool():
    plays = [Play("s", [*[Call("a")] * 3, *[Call("b")] * 5, *[Call("c")] * 4])]
    found = _check('tools: {a: {calls_per_session: 2}, b: {latency_ms: 9}, "*": {calls_per_session: 4}}', plays)
    assert _facts(found) == [
        ("calls_per_session", "a", "s", 3, 2),
        ("calls_per_session", "b", "s", 5, 4),
    ]


def test_two_callers_with_one_session_id_are_counted_apart():
    plays = [Play("same", [Call("a")] * 2, key="p1"), Play("same", [Call("a")] * 2, key="p2")]
    found = _check("session: {calls: 2}", plays)
    assert found.breaches == []
    assert found.sessions == 2


def test_a_p95_over_the_budget_is_a_breach_from_sixty_calls_on():
    plays = [Play("s", [Call("slow", ms=100)] * 59)]
    limits = "tools: {slow: {latency_ms: 99.5}}"
    assert _check(limits, plays).breaches == []
    found = _check(limits, [*plays, Play("t", [Call("slow", ms=100)])])
    assert found.breaches == [Breach("latency_ms", "slow", None, 100, 99.5, 60, None)]


def test_arguments_and_results_over_their_size_are_breaches():
    plays = [Play("s", [Call("a", args_bytes=11, result_bytes=21), Call("a", args_bytes=None, result_bytes=None)])]
    found = _check("tools: {a: {arguments: {max_bytes: 10}, result: {max_bytes: 20}}}", plays)
    assert _facts(found) == [
        ("arguments.max_bytes", "a", "s", 11, 10),
        ("result.max_bytes", "a", "s", 21, 20),
    ]


def test_a_shape_that_is_not_listed_is_a_breach():
    plays = [Play("s", [Call("a", shape="{q:string}"), Call("a", shape="{evil:string}")])]
    found = _check('tools: {a: {arguments: {shapes: ["{q:string}"]}}}', plays)
    assert found.breaches == [
        Breach("arguments.shapes", "a", "s", None, None, 1, START_NS + 1_000_000_000, "{evil:string}", NEW_SHAPE)
    ]
    assert len(_check("tools: {a: {arguments: {shapes: []}}}", plays).breaches) == 2


def test_a_breach_is_a_broken_limit_or_something_new():
    made = "baseline: {from: 2026-11-01, to: 2026-11-02, sessions: 1, calls: 1}\n"
    limits = made + 'tools: {a: {calls_per_session: 1, arguments: {shapes: ["{q:string}"]}}}'
    found = _check(limits, [Play("s", [Call("a"), Call("a", shape="{x:string}"), Call("b")])])
    assert [(one.limit, one.finding) for one in found.breaches] == [
        ("calls_per_session", "limit broken"),
        ("arguments.shapes", "new shape"),
        ("tools", "new tool"),
    ]
    assert sentence(found) == "3 breaches (1 limit broken, 1 new tool, 1 new shape): 1 session, 3 calls checked"


def test_a_broken_limit_has_the_number_of_sessions_that_the_file_expects_over_it():
    plays = [Play(f"s{n}", [Call("a")] * (30 if n < 3 else 2)) for n in range(50)]
    found = _check("session: {calls: {limit: 21, n: 80, n_all: 83, would_have_cut: 2}}", plays)
    low, high = further_over(83, 2, 50)
    assert found.broken == [Broken("session.calls", None, 21, 3, 50, low, high)]
    assert [one.expected for one in found.breaches] == [f"{low} to {high} of 50"] * 3
    assert broken_lines(found) == [f"  session.calls: 3 of 50 sessions over 21, {low} to {high} expected"]
    bare = _check("session: {calls: 21}", plays)
    assert broken_lines(bare) == ["  session.calls: 3 of 50 sessions over 21"]


def test_more_sessions_over_a_limit_than_expected_are_said_so():
    plays = [Play(f"s{n}", [Call("a")] * (30 if n < 20 else 2)) for n in range(50)]
    found = _check("session: {calls: {limit: 21, n: 80, n_all: 83, would_have_cut: 2}}", plays)
    assert broken_lines(found)[0].endswith("expected: more than that")


@pytest.mark.parametrize(
    ("limits", "notes"),
    [
        ("tools: {serach: {calls_per_session: 9}}", ["no such tool in the lake; did you mean `search`?"]),
        ("tools: {zzz: {calls_per_session: 9}}", ["no such tool in the lake"]),
        (
            "roles: {dev: {tools: {serch: {calls_per_session: 9}}}}",
            ["no such tool in the lake; did you mean `search`?"],
        ),
        ('tools: {search: {calls_per_session: 9}, "*": {calls_per_session: 9}}', []),
        ("tools: {dreamt: {calls_per_session: 9}}", ["no such tool in the lake"]),  # the server refused it
    ],
)
def test_a_tool_in_a_file_by_hand_that_the_lake_does_not_know_is_a_breach(limits: str, notes: list[str]):
    plays = [Play("s", [Call("search"), Call("dreamt", outcome="protocol_error")])]
    found = _check(limits, plays)
    assert [one.note for one in found.breaches] == notes
    assert [line.split(": ", 1)[1] for line in tool_lines(found)] == notes
    assert {one.finding for one in found.breaches} <= {"unknown tool"}


def test_a_tool_name_cannot_write_to_the_terminal():
    evil = "x\x1b[2J\nfine: no breach"
    plays = [Play("s", [Call(evil)] * 9)]
    made = "baseline: {from: 2026-11-01, to: 2026-11-02, sessions: 1, calls: 1}\n"
    found = _check(made + 'tools: {"*": {calls_per_session: 2}}', plays)
    shown = "\n".join([*broken_lines(found), *tool_lines(found)])
    assert len(shown.splitlines()) == 2
    assert "\x1b" not in shown


def test_a_learned_tool_that_is_not_in_the_lake_any_more_is_no_breach():
    made = "baseline: {from: 2026-11-01, to: 2026-11-02, sessions: 1, calls: 1}\n"
    learned = "calls_per_session: {limit: 9, observed_max: 3, n: 80}"
    plays = [Play("s", [Call("search")])]
    assert _check(f"{made}tools: {{search: {{}}, old: {{{learned}}}, rare: {{}}}}", plays).breaches == []
    by_hand = _check(f"{made}tools: {{search: {{}}, old: {{calls_per_session: 9}}}}", plays)
    assert [one.tool for one in by_hand.breaches] == ["old"]


def test_a_tool_that_was_called_before_the_window_is_known():
    plays = [Play("s", [Call("search")]), Play("t", [Call("get")], start_ns=START_NS + DAY_NS)]
    window = Window(START_NS + DAY_NS, EVERYTHING.until, "")
    assert _check("tools: {search: {calls_per_session: 9}}", plays, window=window).breaches == []


def test_a_tool_that_came_after_the_baseline_is_a_breach():
    made = "baseline: {from: 2026-11-01, to: 2026-11-02, sessions: 1, calls: 1}\n"
    plays = [Play("s", [Call("old"), Call("new"), Call("dreamt", outcome="protocol_error")]), Play("t", [Call("new")])]
    assert _facts(_check("tools: {old: {}}", plays)) == []
    found = _check(made + "tools: {old: {}}", plays)
    assert _facts(found) == [("tools", "new", "s", None, None)]
    assert found.breaches[0].calls == 2


def test_the_worst_comes_first():
    plays = [Play(f"s{n}", [Call("a")] * n) for n in (3, 9, 5)]
    assert [one.session for one in _check("session: {calls: 2}", plays).breaches] == ["s9", "s5", "s3"]


def test_only_sessions_that_were_active_in_the_window_are_checked():
    plays = [Play("old", [Call("a")] * 9), Play("new", [Call("a")] * 5, start_ns=START_NS + DAY_NS)]
    found = _check("session: {calls: 2}", plays, window=Window(START_NS + DAY_NS, 2**63 - 1, "today"))
    assert _facts(found) == [("session.calls", None, "new", 5, 2)]
    assert found.sessions == 1


def test_another_server_is_not_checked():
    plays = [Play("a", [Call("a")] * 9), Play("b", [Call("a")] * 9, service="mail")]
    assert [one.session for one in _check("session: {calls: 2}", plays, server="mail").breaches] == ["b"]


@pytest.mark.parametrize("count", [30, 80])
def test_the_traffic_that_a_file_was_made_from_breaches_it_only_where_it_was_left_out(count: int):
    plays = ordinary(count) + ODD
    plan = Plan(in_memory(rows(plays)))
    config = Config(Book.a_call({"*": 1000}))
    lesson = learn(plan, EVERYTHING, None, config, replace(Rules(), min_sessions=20))
    assert lesson.limits.baseline is not None
    limits = read_text(write(lesson.limits, lesson.comments))
    found = check(plan, limits, EVERYTHING, "shop", config)
    left_out = {one.session for one in lesson.limits.baseline.excluded}
    of_sessions = [one for one in found.breaches if not one.limit.endswith("calls_per_hour")]
    assert {one.session for one in of_sessions} == {"looping", "heavy", "odd"} == left_out
    assert {one.note for one in found.breaches if one not in of_sessions} <= {"process-1 2026-11-01"}  # their day
    assert {one.limit for one in found.breaches} >= {"session.calls", "session.cost_usd", "calls_per_session"}


def test_a_breach_has_the_columns_that_are_documented():
    fields = ["session" if column.name == "session_id" else column.name for column in COLUMNS]
    assert list(Breach._fields) == fields


FEATURES = '{"depth":1,"flags":[],"keys":2,"longest":31,"values":{"n":"n2-","q":"s7-a","tags":"l52"}}'
BREACHES: dict[str, tuple[str, Play, list[tuple[Any, ...]]]] = {
    "a session that lasts too long": (
        "session: {duration_s: 2}",
        Play("s", [Call("a", ms=500)] * 3),
        [("session.duration_s", None, "s", 2.5, 2)],
    ),
    "a session that lasts as long as it may": ("session: {duration_s: 2.5}", Play("s", [Call("a", ms=500)] * 3), []),
    "too many tools": (
        "session: {distinct_tools: 1}",
        Play("s", [Call("a"), Call("b"), Call("a")]),
        [("session.distinct_tools", None, "s", 2, 1)],
    ),
    "too many failures": (
        "tools: {a: {error_rate: 0.2}}",
        Play("s", [Call("a", outcome="tool_error")] * 3 + [Call("a")] * 2),
        [("error_rate", "a", "s", 0.3, 0.2)],
    ),
    "failures among enough calls": (
        "tools: {a: {error_rate: 0.2}}",
        Play("s", [Call("a", outcome="tool_error")] * 3 + [Call("a")] * 12),
        [],
    ),
    "a caller's hour": (
        "key: {calls_per_hour: 2}\ntools: {a: {calls_per_hour: 1}}",
        Play("s", [Call("a"), Call("a"), Call("b")], key="k"),
        [("key.calls_per_hour", None, None, 3, 2), ("calls_per_hour", "a", None, 2, 1)],
    ),
    "values beyond their limits": (
        "tools: {a: {argument_values: {q: {max_length: 63}, tags: {max_items: 15}, n: {min: -63, max: 9}}}}",
        Play("s", [Call("a", features=FEATURES)]),
        [
            ("argument_values", "a", "s", 64, 63),
            ("argument_values", "a", "s", -64, -63),
            ("argument_values", "a", "s", 16, 15),
        ],
    ),
    "values that may be within": (
        "tools: {a: {argument_values: {q: {max_length: 64}, tags: {max_items: 16}, n: {min: -64}, r: {max: 0}}}}",
        Play("s", [Call("a", features=FEATURES)]),
        [],
    ),
    "the number of the tenant": (
        "session: {calls: 1}\ntenants: {t: {session: {calls: 3}}}",
        Play("s", [Call("a")] * 3, tenant="t"),
        [],
    ),
    "the lower one of tenant and role": (
        "session: {calls: 9}\ntenants: {t: {session: {calls: 5}}}\nroles: {r: {session: {calls: 4}}}",
        Play("s", [Call("a")] * 5, tenant="t", role="r"),
        [("session.calls", None, "s", 5, 4)],
    ),
    "the tool's number of the role": (
        "tools: {a: {calls_per_session: 9}}\nroles: {r: {tools: {a: {calls_per_session: 1}}}}",
        Play("s", [Call("a")] * 2, role="r"),
        [("calls_per_session", "a", "s", 2, 1)],
    ),
}


@pytest.mark.parametrize("name", BREACHES)
def test_each_number_is_held(name: str):
    limits, play, breaches = BREACHES[name]
    found = _facts(_check(limits, [play]))
    assert sorted(found, key=str) == sorted(breaches, key=str)
