"""What is written is read back the same, for any names, and stays readable for people and for git."""

from __future__ import annotations

from dataclasses import replace

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mcpobs.limits.file import read_text, write
from mcpobs.limits.layout import Comments
from mcpobs.limits.model import (
    ArgumentLimits,
    Baseline,
    Drift,
    Evidence,
    Excluded,
    GroupLimits,
    KeyLimits,
    Limit,
    Limits,
    SessionLimits,
    Succession,
    ToolLimits,
    ValueLimits,
)

texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.from_regex(r"[0-9a-fxo.:_-]{1,8}", fullmatch=True),
    st.sampled_from(
        ["yes", "Null", "~", "9f2c", "12e4", "0x1f", "0o7", "<<", "=", "2026-11-01", "a\nversion: 2", "3 × p95"]
    ),
)
counts = st.integers(0, 2**53)
numbers = st.one_of(counts, st.floats(0, 1e12, allow_subnormal=False))
positive = numbers.filter(lambda number: number > 0)
evidence = st.builds(
    Evidence,
    factor=st.none() | numbers,
    rule=st.none() | texts,
    order_statistic=st.none() | numbers,
    observed_min=st.none() | numbers.map(lambda number: -number),
    censored=st.none() | counts,
    cut_at=st.none() | numbers,
    observed_max=st.none() | numbers,
    mean=st.none() | numbers,
    p50=st.none() | numbers,
    p95=st.none() | numbers,
    n=st.none() | counts,
    would_have_cut=st.none() | counts,
    next_1000_cut=st.none() | st.tuples(st.integers(0, 500), st.integers(500, 1000)),
)
counted = st.none() | st.builds(Limit, counts, evidence)
tools = st.builds(
    ToolLimits,
    calls_per_session=counted,
    latency_ms=st.none() | st.builds(Limit, positive, evidence),
    arguments=st.builds(ArgumentLimits, counted, st.none() | st.lists(texts, max_size=12).map(tuple)),
    result_max_bytes=counted,
    calls_per_hour=counted,
    error_rate=st.none() | st.builds(Limit, st.floats(0, 1, allow_subnormal=False), evidence),
    argument_values=st.dictionaries(
        texts,
        st.builds(
            ValueLimits,
            max_length=counted,
            max_items=counted,
            min=st.none() | st.builds(Limit, counts.map(lambda number: -number), evidence),
            max=counted,
        ),
        max_size=3,
    ),
)
excluded_lists = st.lists(st.builds(Excluded, texts, texts), max_size=4).map(tuple)
baselines = st.builds(
    Baseline,
    first=st.dates().map(str),
    last=st.datetimes().map(str),
    sessions=counts,
    calls=counts,
    server=st.none() | texts,
    run=st.none() | texts,
    strategy=st.sampled_from([None, "seed", "cut-rate"]),
    cut_rate=st.none() | st.floats(0, 1, allow_subnormal=False),
    factor_calls=st.none() | numbers,
    counted_on=st.lists(texts, max_size=3).map(tuple),
    drift=st.none() | st.builds(Drift, counts, counts, counts, counts, counts),
    excluded=excluded_lists,
    more_excluded=counts,
    censored=excluded_lists,
    more_censored=counts,
)
sessions = st.builds(
    SessionLimits,
    calls=counted,
    cost_usd=st.none() | st.builds(Limit, numbers, evidence),
    duration_s=st.none() | st.builds(Limit, numbers, evidence),
    distinct_tools=counted,
)
tools_of = st.dictionaries(texts, tools, max_size=3)
keys = st.builds(KeyLimits, calls_per_hour=counted)
groups = st.dictionaries(texts, st.builds(GroupLimits, sessions, keys, tools_of), max_size=2)
limits_files = st.builds(
    Limits,
    baseline=st.none() | baselines,
    session=sessions,
    key=keys,
    tools=tools_of,
    tenants=groups,
    roles=groups,
    sequences=st.lists(
        st.builds(Succession, texts, texts, st.floats(0, 1, allow_subnormal=False), counts), max_size=3
    ).map(tuple),
)


@settings(deadline=None)
@given(limits_files)
def test_written_limits_are_read_back_the_same(limits: Limits):
    assert read_text(write(limits)) == limits


@settings(deadline=None)
@given(limits_files, texts)
def test_no_name_reaches_out_of_its_place_into_the_file(limits: Limits, name: str):
    """Another YAML reader sees the same tools: a quoted name is quoted for all of them."""
    value = {name: ValueLimits(Limit(3))}
    mine = ToolLimits(argument_values=value)
    text = write(replace(limits, tools={**limits.tools, name: mine}, tenants={name: GroupLimits(tools={name: mine})}))
    loaded = yaml.safe_load(text)
    assert set(loaded) <= {"version", "baseline", "session", "key", "tools", "tenants", "roles", "sequences"}
    assert set(loaded["tools"]) == {*limits.tools, name}
    assert loaded["tenants"] == {name: {"tools": {name: {"argument_values": {name: {"max_length": 3}}}}}}


WRITTEN = """\
# made by hand
version: 1
baseline: {server: time, from: 2026-11-01, to: 2026-11-21, sessions: 1204, calls: 18231, excluded: [
  {session: 9f2c, why: "loop: search × 100"},
  {session: "a b", why: "400 calls, far more than the others"}]}
session:
  calls:    {limit: 150, observed_max: 50, p95: 31, n: 1203, would_have_cut: 1, next_1000_cut: [0, 3]}
  cost_usd: {limit: 0.42, mean: 0.105, factor: 4, n: 1203, would_have_cut: 3, next_1000_cut: [0, 8]}
  # no price: fetch
tools:
  "*":
    calls_per_session: 20
  fetch: {}
    # 12 sessions
  search:
    calls_per_session: {limit: 15, observed_max: 5, p95: 3, n: 812, would_have_cut: 1, next_1000_cut: [0, 5]}
    latency_ms:        {budget: 930, rule: 3 × p95, p50: 84, p95: 310, n: 2411}
    arguments:         {max_bytes: 2048, observed_max: 700, shapes: [5d1e, "{q:string}"]}
    result:            {max_bytes: 65536}
"""


def test_the_layout_is_one_line_a_limit():
    limits = Limits(
        baseline=Baseline(
            "2026-11-01",
            "2026-11-21",
            1204,
            18231,
            server="time",
            excluded=(Excluded("9f2c", "loop: search × 100"), Excluded("a b", "400 calls, far more than the others")),
        ),
        session=SessionLimits(
            Limit(150, Evidence(observed_max=50, p95=31, n=1203, would_have_cut=1, next_1000_cut=(0, 3))),
            Limit(0.42, Evidence(factor=4, mean=0.105, n=1203, would_have_cut=3, next_1000_cut=(0, 8))),
        ),
        tools={
            "search": ToolLimits(
                Limit(15, Evidence(observed_max=5, p95=3, n=812, would_have_cut=1, next_1000_cut=(0, 5))),
                Limit(930, Evidence(rule="3 × p95", p50=84, p95=310, n=2411)),
                ArgumentLimits(Limit(2048, Evidence(observed_max=700)), ("5d1e", "{q:string}")),
                Limit(65536),
            ),
            "fetch": ToolLimits(),
            "*": ToolLimits(Limit(20)),
        },
    )
    comments = Comments(("made by hand",), ("no price: fetch",), {"fetch": ("12 sessions",)})
    assert write(limits, comments) == WRITTEN
    assert read_text(WRITTEN) == limits


def test_one_changed_number_is_one_changed_line():
    changed = WRITTEN.replace("limit: 15,", "limit: 18,")
    after = write(read_text(changed)).splitlines()
    before = write(read_text(WRITTEN)).splitlines()
    assert len(after) == len(before)
    assert sum(a != b for a, b in zip(after, before, strict=True)) == 1


def test_shapes_that_do_not_fit_on_a_line_have_one_each():
    shapes = tuple(f"{{key_{n}:string,limit:integer}}" for n in range(9))
    text = write(Limits(tools={"search": ToolLimits(arguments=ArgumentLimits(None, shapes))}))
    assert text.count("\n      ") == 9
    assert read_text(text).tools["search"].arguments.shapes == shapes
