"""Traffic that a policy cut does not tighten the limits that are learned from it."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from mcpobs.baseline.learn import Baseline, learn
from mcpobs.baseline.rules import Rules
from mcpobs.baseline.update import update
from mcpobs.limits import paths
from mcpobs.limits.file import read_text, write
from mcpobs.limits.model import Limit, Limits
from mcpobs.limits.paths import Path
from mcpobs.queries.plan import Plan
from mcpobs.reports.window import EVERYTHING
from mcpobs.settings import Config
from tests.baseline.plays import Call, Play, rows
from tests.queries.recorded import in_memory
from tests.seeds import seeds

STRATEGIES = pytest.mark.parametrize(
    "rules", [Rules(), Rules(min_sessions=59, strategy="cut-rate", cut_rate=0.05)], ids=["seed", "cut-rate"]
)
ENFORCED = ("calls", "cost_usd", "distinct_tools", "calls_per_session", "calls_per_hour")


def _traffic(seed: int) -> list[Play]:
    """Sessions with heavy tails: a cap of four times the mean cost cuts some, and a runaway is among them."""
    chance = random.Random(seed)
    plays = []
    for n in range(160):
        calls = [
            Call(chance.choice("aaabbc"), cost_microusd=int(chance.lognormvariate(8, 1.2)))
            for _ in range(min(30, int(chance.lognormvariate(1.2, 0.7)) + 1))
        ]
        plays.append(Play(f"s{n}", calls, key=f"k{n % 80}", start_ns=1_793_491_200_000_000_000 + n * 10**12))
    return [*plays, Play("runaway", [Call("a", cost_microusd=100)] * 100, key="r")]


def _learn(plays: list[Play], rules: Rules) -> Baseline:
    return learn(Plan(in_memory(rows(plays))), EVERYTHING, None, Config(), rules)


def _cut(plays: list[Play], limits: Limits, enforced: tuple[str, ...]) -> list[Play]:
    """The same traffic behind a policy with these limits: each call that would go over one is denied."""
    hours: dict[str, list[tuple[int, str]]] = {}
    cut = []
    for play in sorted(plays, key=lambda play: play.start_ns):
        calls: list[Call] = []
        used: Counter[str] = Counter()
        spent = 0
        for place, call in enumerate(play.calls):
            now = play.start_ns + place * 10**9
            last_hour = [tool for at, tool in hours.setdefault(str(play.key), []) if at > now - 3600 * 10**9]
            tool = limits.of(call.tool)
            would: dict[str, tuple[Limit | None, float]] = {
                "calls": (limits.session.calls, used.total() + 1),
                "cost_usd": (limits.session.cost_usd, (spent + (call.cost_microusd or 0)) / 1_000_000),
                "distinct_tools": (limits.session.distinct_tools, len({*used, call.tool})),
                "calls_per_session": (tool.calls_per_session, used[call.tool] + 1),
                "calls_per_hour": (tool.calls_per_hour, last_hour.count(call.tool) + 1),
                "key.calls_per_hour": (limits.key.calls_per_hour, len(last_hour) + 1),
            }
            over = [
                name
                for name, (limit, value) in would.items()
                if name.removeprefix("key.") in enforced and limit is not None and value > limit.value
            ]
            if over:
                calls.append(replace(call, outcome="denied", decision="deny", rule=over[0], cost_microusd=None))
                continue
            calls.append(call)
            used[call.tool] += 1
            spent += call.cost_microusd or 0
            hours[str(play.key)].append((now, call.tool))
        cut.append(replace(play, calls=calls))
    return cut


def _values(limits: Limits) -> dict[Path, float]:
    return {path: limit.value for path, limit in paths.numbers(limits)}


@STRATEGIES
@pytest.mark.parametrize("enforced", ENFORCED)
def test_a_number_that_cut_sessions_does_not_tighten(rules: Rules, enforced: str):
    plays = _traffic(3)
    before = _learn(plays, rules).limits
    again = _learn(_cut(plays, before, (enforced,)), rules)
    old, new = _values(before), _values(again.limits)
    assert {path for path, value in old.items() if path[-1] == enforced and new[path] < value} == set()
    if enforced not in ("distinct_tools", "calls_per_hour") or rules.strategy == "cut-rate":
        assert again.learned.censored or enforced == "distinct_tools"


@STRATEGIES
@pytest.mark.parametrize("seed", seeds(1, 4, start=1))
def test_no_number_of_a_file_tightens_by_what_the_file_itself_cut(rules: Rules, seed: int):
    plays = _traffic(seed)
    found = _learn(plays, rules)
    text = write(found.limits, found.comments)
    for _ in range(2):
        before = read_text(text)
        again = _learn(_cut(plays, before, ENFORCED), rules)
        assert again.learned.censored
        text = update(text, again).text
        old, new = _values(before), _values(read_text(text))
        loose = [path for path, value in old.items() if (new[path] > value if path[-1] == "min" else new[path] < value)]
        assert loose == []


def test_a_cut_session_is_named_and_makes_no_maximum():
    cut = [Call("a")] * 20 + [Call("a", outcome="denied", decision="deny", rule="limits.a")] * 5
    found = _learn([*(Play(f"s{n}", [Call("a")] * (1 + n % 4)) for n in range(40)), Play("cut", cut)], Rules())
    made = found.limits.baseline
    assert made is not None
    assert [(one.session, one.why) for one in made.censored] == [("cut", "5 calls denied by limits.a, after 20")]
    assert made.excluded == ()
    calls = found.limits.session.calls
    assert calls is not None
    assert (calls.evidence.observed_max, calls.evidence.n, calls.evidence.censored) == (4, 40, 1)
    assert (calls.value, calls.evidence.cut_at) == (20, 20)  # 3 × 4 would be tighter than the limit that cut it
    assert calls.evidence.would_have_cut == 1  # it wanted 25


def test_a_runaway_with_a_denied_call_lifts_no_limit():
    runaway = [Call("a")] * 200 + [Call("admin", outcome="denied", decision="deny", rule="roles")]
    found = _learn([*(Play(f"s{n}", [Call("a")] * (1 + n % 4)) for n in range(40)), Play("cut", runaway)], Rules())
    assert found.limits.session.calls is not None
    assert found.limits.session.calls.value == 12
    assert found.limits.baseline is not None
    assert [one.session for one in found.limits.baseline.censored] == ["cut"]


def test_a_denied_tool_is_none_of_the_servers_tools():
    denied = [Call("a"), Call("ghost", outcome="denied", decision="deny")]
    found = _learn([Play(f"s{n}", denied if n == 0 else [Call("a")]) for n in range(40)], Rules())
    assert set(found.limits.tools) == {"*", "a"}
