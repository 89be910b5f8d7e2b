"""CPU of one decision under 20 typed rules, with and without a limit, beside cedarpy with 20 policies, in one run.

    python -m bench.policy [--rounds 7] [--calls 2000]

All decide the same call, interleaved call by call: 15 of the 20 rules are about it. cedarpy counts nothing.
cedarpy (`pip install cedarpy`) is
left out where it is not installed; its policies and entities are parsed beforehand.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from mcpobs.policy import file
from mcpobs.policy.conditions import CallFacts
from mcpobs.policy.engine import Engine
from mcpobs.policy.memory import MemoryStore
from mcpobs.protocol.session import Identity

ARGUMENTS = {"order": "1", "amount": 5, "customer": "acme", **{f"field_{n}": f"value {n}" for n in range(27)}}
RULES = [
    "{id: readers, effect: allow, tools: [search, lookup, pay], roles: [billing, support]}",
    *[
        f"{{id: after-{n}, effect: require, tools: [pay], after: {{tool: lookup, same: {{order: order}}}}}}"
        for n in range(5)
    ],
    *[f"{{id: tenant-{n}, effect: require, tools: [pay], tenant: {{arg: customer}}}}" for n in range(5)],
    *[
        f'{{id: hours-{n}, effect: require, tools: [pay], window: {{hours: "00:00-24:00", zone: UTC}}}}'
        for n in range(4)
    ],
    *[f"{{id: other-{n}, effect: deny, tools: [drop_{n}]}}" for n in range(5)],
]
LIMIT = "limits: [{id: few, tools: ['*'], per_session: 1000000000, per_principal: 1000000000, window: 1h}]\n"
RULES_ALONE = "version: 1\nrules:\n" + "".join(f"- {rule}\n" for rule in RULES)
POLICY = RULES_ALONE + LIMIT
"""What `bench.wrapper` enforces too: its calls are of `search`."""


CEDAR = "cedarpy: decide"


def ours(policy: str = POLICY) -> Callable[[], None]:
    engine = Engine(file.of_texts([(policy.encode(), "policy.yaml")]), MemoryStore(), "shop")
    who = Identity("ann", "acme", "billing")

    def facts(tool: str) -> CallFacts:
        return CallFacts(
            method="tools/call",
            kind="tool",
            target=tool,
            arguments=ARGUMENTS,
            args_digest="1f2e3d",
            identity=who,
            enforcement_key="principal:ann",
            session_id="s1",
            at_unix_nano=time.time_ns(),
        )

    def call(tool: str) -> None:
        about = facts(tool)
        decision = engine.begin(about)
        assert not decision.lane.denies
        engine.settle(decision, about, succeeded=True, forwarded=True, cost_microusd=0)

    call("lookup")
    return lambda: call("pay")


def cedar() -> Callable[[], None] | None:
    try:
        import cedarpy
    except ImportError:
        return None
    conditions = [
        "context.done.contains(context.order)",
        "context.customer == principal.tenant",
        "context.hour >= 0 && context.hour < 24",
    ]
    text = 'permit(principal, action == Action::"pay", resource) when { principal.roles.contains("billing") };\n'
    for n in range(14):
        text += f'forbid(principal, action == Action::"pay", resource) unless {{ {conditions[n % 3]} }};\n'
    for n in range(5):
        text += f'forbid(principal, action == Action::"drop_{n}", resource);\n'
    entities = [
        {
            "uid": {"type": "User", "id": "ann"},
            "attrs": {"roles": ["billing"], "tenant": "acme"},
            "parents": [],
        }
    ]
    policies = cedarpy.PolicySet.from_str(text)
    known = cedarpy.Entities.from_json_str(json.dumps(entities))

    def decide() -> None:
        asked = {
            "principal": 'User::"ann"',
            "action": 'Action::"pay"',
            "resource": 'Tool::"pay"',
            "context": {**ARGUMENTS, "hour": time.gmtime().tm_hour, "done": ["1"]},
        }
        assert cedarpy.is_authorized(asked, policies, known).allowed

    return decide


def measure(ways: dict[str, Callable[[], None]], calls: int) -> dict[str, list[float]]:
    """Microseconds of CPU of each call, interleaved."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(calls):
        for name, call in ways.items():
            begun = time.thread_time_ns()
            call()
            found[name].append((time.thread_time_ns() - begun) / 1e3)
    return found


def run(rounds: int, calls: int) -> str:
    ways = {
        "mcpobs: decide, count and settle": ours(),
        "mcpobs: decide and settle, rules alone": ours(RULES_ALONE),
    }
    ours_alone = list(ways)
    rival = cedar()
    if rival is not None:
        ways[CEDAR] = rival
    measure(ways, calls // 10)
    p50: dict[str, list[float]] = {name: [] for name in ways}
    p99: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, took in measure(ways, calls).items():
            p50[name].append(statistics.median(took))
            p99[name].append(statistics.quantiles(took, n=100)[98])
    lines = [
        f"CPU of the deciding thread; median of {rounds} rounds of {calls} calls, interleaved. "
        f"Load average {os.getloadavg()[0]:.1f}.",
        "",
        "| way | p50 µs | p99 µs |",
        "|---|---|---|",
        *[f"| {name} | {statistics.median(p50[name]):.1f} | {statistics.median(p99[name]):.1f} |" for name in ways],
    ]
    if rival is not None:
        for name in ours_alone:
            ratio = statistics.median(a / b for a, b in zip(p50[name], p50[CEDAR], strict=True))
            lines += ["", f"{name}: {ratio:.2f} × of cedarpy's p50."]
    return "\n".join(lines)


def policy_file(folder: str) -> str:
    """The policy as a file, for a wrapper."""
    path = Path(folder) / "policy.yaml"
    path.write_text(POLICY.replace(", roles: [billing, support]", ""))
    return str(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=2_000)
    given = parser.parse_args()
    print(run(given.rounds, given.calls))


if __name__ == "__main__":
    main()
