"""A curve is what each cap does by itself, for every kind of limit; and a limit has the name that decisions give it."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from mcpobs.errors import UsageError
from mcpobs.policy import file
from mcpobs.policy.model import Policy
from mcpobs.queries.plan import Plan
from mcpobs.reports.window import FOREVER
from mcpobs.simulate import caps
from mcpobs.simulate.findings import Findings
from mcpobs.simulate.recorded import Recorded, extent, operations
from mcpobs.simulate.replay import Replay
from mcpobs.simulate.sweep import Sweep, read
from tests.queries.recorded import call, in_memory
from tests.seeds import seeds
from tests.simulate import traffic

PRICES = {"fetch": 10_000, "fail": 3_000}


def _recorded(chance: random.Random, calls: int) -> list[Recorded]:
    """Calls of many callers of few tenants: most are modest, some go far."""
    rows = []
    for number in range(calls):
        caller = min(int(chance.expovariate(0.3)), 11)
        ms = chance.choice([1, 10, 3_000])
        rows.append(
            call(
                number,
                at_s=number / 2,
                ms=ms,
                session_id=f"s{caller}-{chance.randrange(2)}",
                enforcement_key=f"principal:{caller}",
                principal=f"p{caller}",
                tenant=(None, "acme", "evil", "good")[caller % 4],
                role=("admin", "user")[caller % 2],
                resource=f"process-{caller % 5}",
                tool=chance.choice(traffic.TOOLS),
                args_digest=f"a{chance.randrange(3)}",
                outcome=chance.choice(["ok"] * 6 + ["tool_error", "timeout", "denied"]),
                cost_microusd=chance.choice([None, 1_000, 20_000]),
            )
        )
    plan = Plan(in_memory(rows))
    return list(operations(plan, extent(plan, 0, FOREVER, None), None))


def _price(server: str | None, tool: str) -> int | None:
    return PRICES.get(tool)


@pytest.mark.parametrize("seed", seeds(3, 40))
def test_a_curve_is_what_each_cap_does_by_itself(seed: int) -> None:
    chance = random.Random(seed)
    contents = [traffic.policy(chance), traffic.limits(chance)][: chance.choice([1, 2, 2])]
    policy = file.of_texts([(json.dumps(content).encode(), f"{place}.yaml") for place, content in enumerate(contents)])
    recorded = _recorded(chance, 400)
    for name in chance.sample(sorted(caps.known(policy)), min(3, len(caps.known(policy)))):
        swept, values = read(name, policy)
        normal = {pair for pair in {(one.session_id, one.enforcement_key) for one in recorded} if hash(pair[0]) % 2}
        sweep = Sweep(name, policy, 0, _price)
        for one in recorded:
            sweep.probe(one)
        if sweep.probed():
            for one in recorded:
                sweep.take(one)
        sweep.close()
        found = [tuple(point) for point in map(_members, sweep.curve(normal).points)]
        assert found == [_alone(policy, swept, cap, recorded, normal) for cap in values], name


def _members(point: Any) -> tuple[Any, ...]:
    return point.cap, point.cut, point.cut_normal, point.denied, point.saved_microusd


def _alone(policy: Policy, swept: caps.Swept, cap: float, recorded: list[Recorded], normal: Any) -> tuple[Any, ...]:
    findings = Findings(0, _price)
    replay = Replay(caps.with_cap(policy, swept, cap), findings, _price)
    for one in recorded:
        replay.take(one)
    replay.close()
    cut = findings.cut
    return cap, len(cut), sum(one.pair in normal for one in cut), findings.denied, findings.saved_microusd


POLICY = """
version: 1
limits:
- {id: few, tools: [search], per_session: 5, per_principal: 20, window: 1h}
- {id: same, tools: ["*"], same_args: 3}
- {id: paid, tools: [pay], sum: args.amount, per_tenant: 100.5, window: 1d}
budgets: {session: {usd: 0.25}}
session: {calls: 40, cost_usd: 0.5}
tools: {search: {calls_per_session: 7}, "*": {calls_per_session: 9}}
"""


@pytest.mark.parametrize(
    ("name", "cap", "most"),
    [
        ("few", 5, 8),
        ("few/session", 5, 8),
        ("few/principal", 20, 8),
        ("same", 3, 8),
        ("paid", 100.5, 8_000_000),
        ("budgets.session", 0.25, 8_000_000),
        ("session.calls", 40, 8),
        ("session.cost_usd", 0.5, 8_000_000),
        ("tools.search.calls_per_session", 7, 8),
        ("tools.*.calls_per_session", 9, 8),
    ],
)
def test_a_limit_has_the_name_that_decisions_give_it(name: str, cap: float, most: int) -> None:
    policy = file.of_texts([(POLICY.encode(), "policy.yaml")])
    swept = caps.find(policy, name)
    assert (swept.cap, swept.most(8)) == (cap, most)
    other = caps.with_cap(policy, swept, 8)
    assert caps.find(other, name).cap == 8
    changed = {one for one, now in caps.known(other).items() if now.cap != caps.known(policy)[one].cap}
    assert name in changed
    assert {one.partition("/")[0] for one in changed} == {name.partition("/")[0]}


def test_caps_without_a_range_lie_around_the_policys_own() -> None:
    policy = file.of_texts([(POLICY.encode(), "policy.yaml")])
    assert read("session.calls", policy)[1] == [20, 30, 40, 50, 60, 80, 120, 160]
    assert read("few=2:6", policy)[1] == [2, 3, 4, 5, 6]
    assert read("budgets.session=0.1:0.3:0.1", policy)[1] == [0.1, 0.2, 0.3]


def test_an_unknown_limit_is_refused_with_those_there_are() -> None:
    policy = file.of_texts([(POLICY.encode(), "policy.yaml")])
    with pytest.raises(UsageError) as refused:
        read("nothing.like.it", policy)
    assert "budgets.session" in str(refused.value.hint)
