"""From a lake to limits: the whole way, and what the numbers are worth."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from mcpobs.baseline import normal
from mcpobs.baseline.comments import kinds_words, left_out_words, wide_words
from mcpobs.baseline.derive import derive
from mcpobs.baseline.learn import Baseline, learn
from mcpobs.baseline.learned import Learned, LeftOut
from mcpobs.baseline.rules import Rules
from mcpobs.baseline.traffic import Pair, Session, Use
from mcpobs.errors import LakeError, UsageError
from mcpobs.limits.file import read_text, write
from mcpobs.limits.model import ANY_TOOL, ArgumentLimits, Evidence, Excluded, Limit, ToolLimits
from mcpobs.prices.book import Book
from mcpobs.prices.rule import Rule
from mcpobs.queries.plan import Plan
from mcpobs.reports.window import EVERYTHING, Window
from mcpobs.settings import Config
from tests.baseline.plays import DAY_NS, START_NS, Call, Play, ordinary, rows
from tests.golden import check
from tests.queries.recorded import in_memory

GOLDEN = Path(__file__).parent / "golden" / "limits.yaml"
PRICES = Book.a_call({"search": 2000, "get": 500})

ODD = [
    Play("looping", [Call("search", args="same", result="same")] * 24),
    Play("heavy", [Call("get", shape="{id:string}")] * 120),
    Play("odd", [Call("get", shape="{debug:integer,id:string}", args_bytes=3000)]),
]


def _learn(
    plays: list[Play],
    server: str | None = None,
    config: Config | None = None,
    window: Window = EVERYTHING,
    **rules: float,
) -> Baseline:
    return learn(Plan(in_memory(rows(plays))), window, server, config or Config(), replace(Rules(), **rules))


def test_a_fixed_lake_gives_this_very_file():
    lesson = _learn(ordinary(80) + ODD, config=Config(PRICES))
    check(GOLDEN, write(lesson.limits, lesson.comments))


def test_the_golden_file_is_read_back_as_the_limits_that_were_derived():
    lesson = _learn(ordinary(80) + ODD, config=Config(PRICES))
    assert read_text(GOLDEN.read_bytes()) == lesson.limits


def test_the_loop_the_runaway_and_the_odd_arguments_are_left_out_and_named():
    limits = _learn(ordinary(80) + ODD).limits
    assert limits.baseline is not None
    assert limits.baseline.excluded == (
        Excluded("looping", "loop: search × 24"),
        Excluded("heavy", "120 calls of get; three of four sessions make at most 2"),
        Excluded("odd", "arguments of get in a shape that no other session used"),
    )
    assert (limits.baseline.sessions, limits.baseline.calls) == (83, 523)
    assert (limits.baseline.first, limits.baseline.last) == ("2026-11-01", "2026-11-20")
    assert limits.session.calls == Limit(
        21,
        Evidence(
            observed_max=7, p50=5, p95=7, n=80, would_have_cut=2, next_1000_cut=(0, 38), n_all=83, next_1000_all=(4, 75)
        ),
    )


def test_a_runaway_of_a_hundred_does_not_become_a_ceiling_of_three_hundred():
    runaway = [Play("runaway", [Call("get", shape="{id:string}")] * 100)]  # never the same call: no loop
    limits = _learn(ordinary(40) + runaway).limits
    assert limits.tools["get"].calls_per_session is not None
    assert limits.tools["get"].calls_per_session.value == 6
    assert limits.tools["get"].calls_per_session.evidence.would_have_cut == 1


def test_numbers_follow_their_rules():
    limits = _learn(ordinary(80), factor_calls=2.5).limits
    search = limits.tools["search"]
    assert search.calls_per_session is not None
    assert search.calls_per_session.value == 8  # 2.5 × 3, rounded up
    assert search.latency_ms is not None
    assert search.latency_ms.evidence.p95 == 35.1
    assert search.latency_ms.value == 106  # 3 × 35.1, rounded up to three digits
    assert search.latency_ms.evidence.n == 159
    assert search.arguments.shapes == ("{q:string}",)
    assert search.result_max_bytes is not None
    assert search.result_max_bytes.evidence.observed_max == 864
    assert search.result_max_bytes.value == 2048
    assert search.arguments.max_bytes is not None
    assert search.arguments.max_bytes.value == 1024  # never less


def test_a_tool_with_too_little_traffic_is_listed_with_its_shortfall_and_without_numbers():
    lesson = _learn(ordinary(80))
    assert lesson.limits.tools["refund"] == ToolLimits()
    assert lesson.comments.tools["refund"] == (
        '20 normal sessions: 10 more for numbers of its own, until then those of "*"',
        "20 answered calls: 40 more for a latency budget of its own",
    )
    assert lesson.limits.of("refund").calls_per_session == lesson.limits.tools[ANY_TOOL].calls_per_session


def test_the_number_for_any_tool_is_that_of_the_most_used_the_largest_and_the_slowest():
    any_tool = _learn(ordinary(80)).limits.tools[ANY_TOOL]
    assert any_tool.calls_per_session is not None
    assert (any_tool.calls_per_session.value, any_tool.calls_per_session.evidence.n) == (9, 80)
    assert any_tool.latency_ms is not None
    assert any_tool.latency_ms.evidence.rule == "3 × p95 of the slowest tool"
    assert any_tool.result_max_bytes is not None
    assert any_tool.result_max_bytes.evidence.observed_max == 900


def test_only_answered_calls_are_timed():
    slow = [Play(f"t{n}", [Call("get", ms=9000, outcome="cancelled", shape="{id:string}")]) for n in range(30)]
    budget = _learn(ordinary(80) + slow).limits.tools["get"].latency_ms
    assert budget is not None
    assert budget.evidence.n == 120
    assert budget.value == 15


def test_a_session_that_is_left_out_does_not_set_the_latency_budget():
    loop = [Play(f"loop{n}", [Call("search", args="x", result="y", ms=900)] * 40) for n in range(9)]
    budget = _learn(ordinary(80) + loop).limits.tools["search"].latency_ms
    assert budget is not None
    assert budget.value == 106


def test_too_few_sessions_are_refused_with_the_shortfall():
    with pytest.raises(LakeError) as refused:
        _learn(ordinary(12))
    assert refused.value.message == "too little traffic for a baseline: 12 sessions, and it needs at least 30: 18 more"
    assert refused.value.exit_code == 3
    assert "at most 9.5% of further sessions" in (refused.value.hint or "")


def test_sessions_that_are_left_out_do_not_count_towards_the_least_number():
    with pytest.raises(LakeError, match="31 sessions, 29 of them normal, and it needs at least 30: 1 more"):
        _learn(ordinary(29) + ODD[:2])


def test_a_baseline_that_refuses_names_the_sessions_that_were_left_out():
    with pytest.raises(LakeError) as refused:
        _learn(ordinary(29) + ODD[:2])
    assert (refused.value.hint or "").startswith(
        "WARNING: left out 2 of 31 sessions (6.5%): 1 with a loop, 1 of an extreme size; look at them in "
        "`mcpobs report sessions` before you enforce the numbers; they are looping (loop: search × 24), "
        "heavy (120 calls of get; three of four sessions make at most 2); "
    )


def test_loops_leave_the_baseline_up_to_a_fifth_and_the_others_stay_with_a_warning():
    loops = [Play(f"loop{n:02d}", [Call("search", args="x", result="y")] * (9 + n % 9)) for n in range(60)]
    lesson = _learn(loops)
    assert lesson.learned.left_out == LeftOut(60, loops=12, sizes=0, shapes=0, more_loops=48)
    assert len(lesson.learned.normal) == 48
    assert left_out_words(lesson.learned.left_out) == (
        "WARNING: left out 12 of 60 sessions (20.0%): 12 with a loop; look at them in `mcpobs report sessions` before "
        "you enforce the numbers; 48 more have a loop and stay, because more than a fifth loop"
    )
    assert lesson.limits.baseline is not None
    assert lesson.limits.baseline.excluded_share == 0.2


def test_two_kinds_of_sessions_are_named_with_their_sizes():
    sizes = [2 + n % 4 for n in range(60)] + [40 + n for n in range(20)]
    lesson = _learn([Play(f"s{n}", [Call("get")] * size) for n, size in enumerate(sizes)])
    assert lesson.learned.excluded == []
    assert kinds_words(lesson.learned) == (
        "sessions are of 2 kinds by size: 60 sessions of 2 to 5 calls, 20 sessions of 40 to 59 calls; "
        "session.calls allows for the largest"
    )
    assert kinds_words(_learn(ordinary(80)).learned) is None


def test_a_cap_far_above_usual_sizes_is_said_with_the_cap_of_a_cut_rate():
    sizes = [2] * 70 + [4] * 6 + [14] * 4
    lesson = _learn([Play(f"s{n}", [Call("get")] * size) for n, size in enumerate(sizes)])
    assert wide_words(lesson.limits, lesson.learned) == (
        "session.calls: the cap of 42 is 9.3 × the 95th percentile (4.5), because session sizes vary widely; "
        "--cut-rate 0.05 gives 14"
    )
    plain = _learn(ordinary(80))
    assert wide_words(plain.limits, plain.learned) is None


def test_no_traffic_at_all_is_refused():
    with pytest.raises(LakeError, match="no tool calls of any session in all time"):
        _learn([])


def test_the_least_number_may_be_lowered_and_the_file_says_so():
    lesson = _learn(ordinary(12), min_sessions=10)
    assert lesson.comments.head[-1] == (
        "WARNING: 12 normal sessions are few (--min-sessions 10): up to 22% of further sessions may lie beyond the "
        "largest of them"
    )
    assert lesson.limits.session.calls is not None
    assert lesson.limits.session.calls.evidence.next_1000_cut == (0, 222)


def test_one_file_is_of_one_server():
    plays = ordinary(40) + [replace(play, session=f"o{play.session}", service="mail") for play in ordinary(40)]
    with pytest.raises(UsageError) as refused:
        _learn(plays)
    assert refused.value.message == "the lake holds 2 servers, and a limits file is of one: mail, shop"
    assert refused.value.hint == "name one: --server mail"
    made = _learn(plays, server="mail").limits.baseline
    assert made is not None
    assert (made.server, made.sessions) == ("mail", 40)
    with pytest.raises(UsageError, match="the lake has no server 'mial'"):
        _learn(plays, server="mial")


def test_the_window_takes_the_sessions_that_were_active_in_it():
    made = _learn(ordinary(100), window=Window(START_NS + 10 * DAY_NS, 2**63 - 1, "late")).limits.baseline
    assert made is not None
    assert (made.first, made.last, made.sessions) == ("2026-11-11", "2026-11-20", 50)


def test_without_a_price_there_is_no_cost_cap_and_the_file_says_why():
    lesson = _learn(ordinary(40))
    assert lesson.limits.session.cost_usd is None
    assert lesson.comments.session[0].startswith("cost_usd: left out, for no price is known; write US dollars a call")


def test_the_cost_cap_is_four_times_the_mean_of_recorded_cost():
    plays = [Play(f"s{n}", [Call("get", cost_microusd=100_000)] * (1 + n % 2)) for n in range(40)]
    lesson = _learn(plays)
    assert lesson.limits.session.cost_usd == Limit(
        0.6,
        Evidence(
            mean=0.15,
            factor=4,
            p50=0.15,
            p95=0.2,
            n=40,
            would_have_cut=0,
            next_1000_cut=(0, 73),
            n_all=40,
            next_1000_all=(0, 73),
        ),
    )
    assert lesson.comments.session == ()


def test_a_call_without_recorded_cost_has_the_configured_price():
    plays = [Play(f"s{n}", [Call("get", cost_microusd=100_000), Call("get"), Call("put")]) for n in range(40)]
    lesson = _learn(plays, config=Config(Book.a_call({"get": 50_000})))
    assert lesson.limits.session.cost_usd is not None
    assert lesson.limits.session.cost_usd.evidence.mean == 0.15
    assert lesson.comments.session[0].startswith("cost_usd: without put, which no price is known of")


def test_a_server_with_prices_of_its_own_has_those():
    server = next(iter(rows(ordinary(1))))["service_name"]
    own = Book({"*": Rule(call_microusd=1)}, {server: {"*": Rule(call_microusd=1000)}})
    limited, plain = (
        _learn(ordinary(40), config=Config(own)),
        _learn(ordinary(40), config=Config(Book.a_call({"*": 1000}))),
    )
    assert limited.limits.session.cost_usd == plain.limits.session.cost_usd
    assert limited.limits.session.cost_usd is not None


def test_a_call_that_the_tool_never_ran_for_costs_nothing():
    calls = [Call("get"), Call("get", outcome="protocol_error"), Call("get", outcome="input_required")]
    lesson = _learn([Play(f"s{n}", calls) for n in range(40)], config=Config(Book.a_call({"get": 100_000})))
    assert lesson.limits.session.cost_usd is not None
    assert lesson.limits.session.cost_usd.evidence.mean == 0.1


def test_free_calls_give_no_cost_cap():
    lesson = _learn(ordinary(40), config=Config(Book.a_call({"*": 0})))
    assert lesson.limits.session.cost_usd is None
    assert lesson.comments.session == ("cost_usd: left out, for no call costs anything",)


def test_a_tool_that_the_server_always_refuses_is_not_listed():
    plays = [*ordinary(40), Play("dreamer", [Call("no_such_tool", outcome="protocol_error")])]
    assert "no_such_tool" not in _learn(plays).limits.tools


def test_a_tool_name_cannot_write_into_the_file():
    evil = 'x\nversion: 9\ntools: {"*": {calls_per_session: 0}}\n# '
    plays = ordinary(40) + [Play(f"e{n}", [Call(evil), Call(ANY_TOOL)]) for n in range(3)]
    lesson = _learn(plays, config=Config(PRICES))
    assert read_text(write(lesson.limits, lesson.comments)) == lesson.limits
    assert lesson.limits.tools[evil] == ToolLimits()


def test_the_file_names_twenty_excluded_sessions_and_counts_the_others():
    loops = [Play(f"loop{n:02d}", [Call("search", args="x", result="y")] * 9) for n in range(33)]
    made = _learn(ordinary(140) + loops).limits.baseline
    assert made is not None
    assert len(made.excluded) == 20
    assert made.more_excluded == 13


def test_values_that_were_not_recorded_give_no_number():
    plays = [Play(f"s{n}", [Call("get", args_bytes=None, result_bytes=None, shape=None)]) for n in range(40)]
    get = _learn(plays).limits.tools["get"]
    assert get.arguments == ArgumentLimits()
    assert get.result_max_bytes is None
    assert get.calls_per_session is not None


def _heavy_tailed(chance: random.Random) -> tuple[int, int, int]:
    """Calls, cost and size of arguments, with tails such that a cost cap of four times the mean does cut."""
    lognormal = chance.lognormvariate
    return int(lognormal(1.5, 0.9)) + 1, int(lognormal(9, 1.3)), int(lognormal(5, 1))


def _session(number: int, calls: int, cost: int, size: int) -> Session:
    return Session(
        Pair(f"s{number}", "p"),
        (
            Use(
                "shop",
                "search",
                None,
                calls,
                calls,
                0,
                calls,
                cost,
                size,
                10,
                0,
                None,
                None,
                START_NS,
                START_NS,
                START_NS,
            ),
        ),
    )


def test_further_sessions_are_cut_as_often_as_the_file_says():
    """Derived from 400 sessions and held against 1,000 others, 200 times: inside the stated 90 % intervals."""
    chance = random.Random(11)
    inside = [0, 0, 0, 0]
    cut = 0
    for _ in range(200):
        past = [_session(n, *_heavy_tailed(chance)) for n in range(400)]
        further = [_heavy_tailed(chance) for _ in range(1_000)]
        out = normal.far_out(past)
        kept = [session for session in past if session.pair not in out]
        limits = derive(Learned(past, kept, [], [], {}, {}), Rules())
        search = limits.tools["search"]
        for place, (limit, column, unit) in enumerate(
            [
                (limits.session.calls, 0, 1),
                (limits.session.cost_usd, 1, 1_000_000),
                (search.calls_per_session, 0, 1),
                (search.arguments.max_bytes, 2, 1),
            ]
        ):
            assert limit is not None
            assert limit.evidence.next_1000_cut is not None
            low, high = limit.evidence.next_1000_cut
            count = sum(values[column] > limit.value * unit for values in further)
            inside[place] += low <= count <= high
            cut += count
    assert min(inside) >= 0.85 * 200, inside
    assert cut > 1_000  # the cost cap cuts: a test of nothing would pass too


@pytest.mark.parametrize("share", [0.04, 0.13])
def test_further_sessions_of_all_kinds_are_cut_as_often_as_the_file_says(share: float):
    """Honest sessions and runaways: from 300 of both, held against 1,000 others, 60 times."""
    chance = random.Random(13)
    inside = 0
    for _ in range(60):
        past, further = ([_honest_or_not(chance, share) for _ in range(count)] for count in (300, 1_000))
        sessions = [_session(n, calls, 0, 10) for n, calls in enumerate(past)]
        out = normal.far_out(sessions)
        kept = [session for session in sessions if session.pair not in out]
        limit = derive(Learned(sessions, kept, [], [], {}, {}), Rules()).session.calls
        assert limit is not None
        assert limit.value <= 90, "runaways have raised the limit"
        assert limit.evidence.next_1000_all is not None
        low, high = limit.evidence.next_1000_all
        inside += low <= sum(calls > limit.value for calls in further) <= high
    assert inside >= 0.85 * 60, inside  # 54 are expected


def _honest_or_not(chance: random.Random, share: float) -> int:
    return chance.randint(200, 3_000) if chance.random() < share else chance.randint(2, 30)
