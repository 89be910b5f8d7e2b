"""Each number follows its rule, by itself: from hand-counted samples and from a plain count of the same traffic."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.baseline import traffic
from mcpobs.baseline.evidence import allowed_over, difference_p, further_over, sessions_for_rate
from mcpobs.baseline.features import bounds_of, least_of
from mcpobs.baseline.learn import learn
from mcpobs.baseline.numbers import number
from mcpobs.baseline.rules import Rules, follows
from mcpobs.baseline.samples import Sample, error_rate
from mcpobs.errors import LakeError
from mcpobs.limits import paths
from mcpobs.limits.model import Limit, Succession
from mcpobs.limits.paths import Path
from mcpobs.protocol.features import features_of
from mcpobs.queries.plan import Plan
from mcpobs.reports.window import EVERYTHING
from mcpobs.settings import Config
from tests.baseline.plays import DAY_NS, START_NS, Call, Play, ordinary, rows
from tests.queries.recorded import SECOND, START, call, in_memory

SEED = Rules()
CUT = Rules(min_sessions=59, strategy="cut-rate", cut_rate=0.05)

TABLE: dict[Path, tuple[list[float], float | None]] = {
    ("session", "calls"): ([1, 2, 5], 15),
    ("session", "distinct_tools"): ([1, 2], 6),
    ("session", "duration_s"): ([1.5, 12.345], 37.1),
    ("session", "cost_usd"): ([100_000, 300_000], 0.8),
    ("key", "calls_per_hour"): ([10, 40], 120),
    ("tools", "a", "calls_per_session"): ([1, 1], 3),
    ("tools", "a", "error_rate"): ([0, 0], 0.25),
    ("tools", "b", "error_rate"): ([0, 0.2], 0.429),
    ("tools", "c", "error_rate"): ([0, 1], None),
    ("tools", "a", "arguments", "max_bytes"): ([10, 700], 2048),
    ("tools", "a", "argument_values", "q", "max_length"): ([31, 127], 255),
    ("tools", "b", "argument_values", "q", "max_length"): ([0, 7], 63),
    ("tools", "a", "argument_values", "n", "max"): ([15, 63], 255),
    ("tools", "a", "argument_values", "n", "min"): ([0, 0], 0),
    ("tools", "b", "argument_values", "n", "min"): ([0, 63], -255),
    ("tools", "a", "argument_values", "l", "max_items"): ([1, 31], 63),
}


@pytest.mark.parametrize("path", TABLE, ids=".".join)
def test_a_number_follows_the_seeds_rule(path: Path):
    values, limit = TABLE[path]
    found = number(path, Sample(values * 20), SEED)
    assert (None if found is None else found.value) == limit
    if found is not None:
        assert found.evidence.n == 20 * len(values)
        assert found.evidence.would_have_cut == 0
        assert found.evidence.next_1000_cut == further_over(20 * len(values), 0)
        assert follows(path, found, 3)
        assert not follows(path, Limit(found.value + 1, found.evidence), 3)


@given(
    path=st.sampled_from(list(TABLE)),
    values=st.lists(st.integers(0, 200), min_size=60, max_size=90),
    rules=st.sampled_from([SEED, CUT, Rules(factor_calls=1), Rules(factor_calls=2.5)]),
)
def test_every_learned_limit_follows_from_its_evidence_and_counts_what_it_cuts(
    path: Path, values: list[int], rules: Rules
):
    scale = {"error_rate": 1 / 200, "duration_s": 1 / 1000}.get(path[-1], 1)
    sample = Sample([error_rate(value, 200) if path[-1] == "error_rate" else value * scale for value in values])
    found = number(path, sample, rules)
    if found is None:
        return
    assert follows(path, found, rules.factor_calls if rules.strategy == "seed" else None)
    sign = -1 if path[-1] == "min" else 1_000_000 if path[-1] == "cost_usd" else 1
    assert found.evidence.would_have_cut == sum(value > round(found.value * sign, 9) for value in sample.normal)


def test_a_cut_rate_takes_the_smallest_ceiling_whose_prediction_keeps_it():
    for n in (59, 100, 400, 1000):
        sample = Sample(list(range(n)))
        found = number(("session", "calls"), sample, CUT)
        assert found is not None
        assert found.evidence.next_1000_cut is not None
        assert found.evidence.next_1000_cut[1] <= 50
        over = sum(value > found.value - 1 for value in sample.normal)
        assert further_over(n, over)[1] > 50  # one less would cut too many


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.05, 0.5])
def test_a_cut_rate_names_the_sessions_that_it_needs(rate: float):
    least = sessions_for_rate(rate)
    assert allowed_over(least, rate) == 0
    assert allowed_over(least - 1, rate) is None


def test_a_cut_rate_with_too_few_sessions_is_refused_with_their_number():
    rules = Rules(min_sessions=sessions_for_rate(0.01), strategy="cut-rate", cut_rate=0.01)
    with pytest.raises(LakeError) as refused:
        learn(Plan(in_memory(rows(ordinary(80)))), EVERYTHING, None, Config(), rules)
    assert f"it needs at least {rules.min_sessions}: {rules.min_sessions - 80} more" in refused.value.message
    assert "a cut rate of 0.01 needs so many" in (refused.value.hint or "")


@given(st.dictionaries(st.sampled_from("abcd"), st.text(max_size=40) | st.integers(-(10**6), 10**6), max_size=4))
def test_the_bounds_of_features_hold_the_values(arguments: dict[str, str | int]):
    found = {(name, measure): bound for name, measure, bound in bounds_of(features_of(arguments, lambda name: name))}
    for name, value in arguments.items():
        if isinstance(value, str):
            bound = found[name, "max_length"]
            assert least_of("max_length", bound) <= len(value) <= bound
        else:
            assert -found[name, "min"] <= value <= found[name, "max"]
            side = "max" if value >= 0 else "min"
            assert least_of(side, found[name, side]) <= abs(value)


@pytest.mark.parametrize("features", ["", "[]", "{}", '{"values":3}', '{"values":{"q":"s"}}', '{"values":{"q":"nq"}}'])
def test_features_of_other_senders_give_no_bound(features: str):
    assert bounds_of(features) == ()


def test_an_argument_that_the_schema_does_not_declare_has_no_number():
    assert bounds_of('{"values":{"#0a1b2c":"s3-a"}}') == ()


@pytest.mark.parametrize("seed", range(3))
def test_the_busiest_hour_is_that_of_a_plain_count(seed: int):
    chance = random.Random(seed)
    found = [
        call(
            n,
            at_s=chance.randrange(0, 3 * 86_400, 300),
            enforcement_key=chance.choice(["a", "b", None]),
            tenant=chance.choice([None, "t"]),
            tool=chance.choice(["x", "y"]),
            outcome=chance.choice(["ok", "ok", "denied"]),
        )
        for n in range(200)
    ]
    counted: dict[tuple[object, ...], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for row in found:
        start = row["start_unix_nano"]
        if row["enforcement_key"] is None:
            continue
        for tool in (None, row["tool"]):
            hour = [
                one
                for one in found
                if (one["enforcement_key"], one["tenant"]) == (row["enforcement_key"], row["tenant"])
                and start - 3600 * SECOND < one["start_unix_nano"] <= start
                and tool in (None, one["tool"])
            ]
            at = (row["enforcement_key"], row["tenant"], start // DAY_NS, tool)
            used = sum(one["outcome"] != "denied" for one in hour)
            counted[at] = max(counted[at][0], used), max(counted[at][1], len(hour))
    hours = traffic.hours(Plan(in_memory(found)), EVERYTHING, None)
    assert {(one.key, one.tenant, one.day, one.tool): (one.calls, one.wanted) for one in hours} == counted
    assert min(one.day for one in hours) >= START // DAY_NS


def test_many_sessions_of_one_caller_do_not_become_the_rule():
    usual = [Play(f"s{n}", [Call("a")] * 3, key=f"k{n}", start_ns=START_NS + n * DAY_NS) for n in range(40)]
    washed = [Play(f"w{n}", [Call("a")] * 3, key="washer") for n in range(200)]
    limits = learn(Plan(in_memory(rows([*usual, *washed]))), EVERYTHING, None, Config(), SEED).limits
    assert limits.key.calls_per_hour is not None
    assert limits.key.calls_per_hour.value == 9
    assert limits.key.calls_per_hour.evidence.would_have_cut == 1


def test_a_tenant_and_a_role_have_numbers_of_their_own_where_they_differ():
    plays = [
        Play(
            f"s{n}",
            [Call("a")] * (1 + n % 3 + (20 if n % 2 else 0)),
            key=f"k{n}",
            tenant="big" if n % 2 else "small",
            role="r" if n % 4 < 2 else "q",
        )
        for n in range(120)
    ]
    limits = learn(Plan(in_memory(rows(plays))), EVERYTHING, None, Config(), SEED).limits
    assert limits.baseline is not None
    assert limits.baseline.counted_on == ("tenant", "enforcement_key", "session_id")
    assert limits.session.calls is not None
    big, small = limits.session_of("big", "r").calls, limits.session_of("small", None).calls
    assert (big and big.value, small and small.value, limits.session.calls.value) == (69, 9, 69)
    assert limits.roles == {}


def test_groups_that_are_alike_rarely_get_numbers_of_their_own():
    """400 pairs of samples from one distribution: at 0.01 a comparison, 4 by chance; more than 12 is 1 in 1,000."""
    chance = random.Random(5)
    alarms = 0
    for _ in range(400):
        one, other = ([int(chance.lognormvariate(1.5, 1)) for _ in range(n)] for n in (40, 200))
        alarms += difference_p(one, other) <= 0.01
    assert alarms <= 12
    assert difference_p([1, 2, 3] * 20, [9, 10] * 30) < 1e-6


def test_the_file_says_which_tool_follows_which():
    found = learn(Plan(in_memory(rows(ordinary(80)))), EVERYTHING, None, Config(), SEED)
    assert Succession("get", "list", 0.53, 100) in found.limits.sequences
    assert all(one.share >= 0.1 for one in found.limits.sequences)


def test_a_baseline_of_a_labelled_run_sees_nothing_else():
    nightly = [Play(f"n{n}", [Call("a")] * 2, run="nightly") for n in range(35)]
    plan = Plan(in_memory(rows([*nightly, *ordinary(40)])))
    found = learn(plan, EVERYTHING, None, Config(), SEED, "nightly").limits
    assert found.baseline is not None
    assert (found.baseline.run, found.baseline.sessions, set(found.tools)) == ("nightly", 35, {"*", "a"})
    with pytest.raises(LakeError, match="with the label 'no such'"):
        learn(plan, EVERYTHING, None, Config(), SEED, "no such")


def test_numbers_that_drift_do_not_keep_their_prediction():
    still = learn(Plan(in_memory(rows(ordinary(120)))), EVERYTHING, None, Config(), SEED).limits
    grown = [Play(f"g{n}", [Call("search")] * (4 + n // 4), start_ns=START_NS + n * DAY_NS) for n in range(120)]
    drifting = learn(Plan(in_memory(rows(grown))), EVERYTHING, None, Config(), Rules(factor_calls=1)).limits
    assert still.baseline is not None
    assert drifting.baseline is not None
    assert still.baseline.drift is not None
    assert drifting.baseline.drift is not None
    assert still.baseline.drift.held == still.baseline.drift.numbers
    assert drifting.baseline.drift.cut_more >= 2


def test_every_number_of_a_file_has_the_evidence_of_the_others():
    found = learn(Plan(in_memory(rows(ordinary(80)))), EVERYTHING, None, Config(), SEED).limits
    for path, limit in paths.numbers(found):
        evidence = limit.evidence
        assert evidence.n is not None, path
        assert evidence.p50 is not None, path
        if path[-1] != "latency_ms":
            assert evidence.would_have_cut is not None, path
            assert evidence.next_1000_cut is not None, path
