"""Random policies on recorded facts, and random traffic that meets their limits."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TOOLS = ("search", "fetch", "refund", "fail", "broken")
PEOPLE = (("ann", "acme", "admin"), ("bob", "acme", "user"), ("eve", "evil", "user"))
CONFIG = """
[prices]
fetch = 0.01
refund = { per_call = 0.002, reported = "cost", max_reported = 5.0 }
search = { reported = "cost", max_reported = 5.0 }
fail = 0.003
broken = 0.004
"""


@dataclass(frozen=True)
class Step:
    """What a client asks: who (an index of PEOPLE), in which conversation, what."""

    person: int
    conversation: str
    method: str
    name: str
    arguments: dict[str, Any] = field(default_factory=dict)

    def params(self) -> dict[str, Any]:
        if self.method == "resources/read":
            return {"uri": self.name}
        return {"name": self.name, "arguments": self.arguments} if self.name else {}


def steps(chance: random.Random, count: int = 90) -> list[Step]:
    """Calls that repeat each other now and then, and now and then for long."""
    found: list[Step] = []
    while len(found) < count:
        person, conversation = chance.randrange(len(PEOPLE)), f"c{chance.randrange(2)}"
        kind = chance.random()
        if kind < 0.08:
            found.append(Step(person, conversation, "prompts/get", chance.choice(["greet", "bye"])))
        elif kind < 0.14:
            found.append(Step(person, conversation, "resources/read", f"shop://{chance.randrange(3)}"))
        elif kind < 0.2:
            found.append(Step(person, conversation, "tools/list", ""))
        else:
            arguments = {"q": chance.choice("abc") * chance.choice([1, 1, 1, 40]), "cost": chance.randrange(4) / 100}
            step = Step(person, conversation, "tools/call", chance.choice(TOOLS), arguments)
            found += [step] * chance.choice([1, 1, 1, 2, 6])
    return found[:count]


def write_policy(chance: random.Random, folder: Path) -> list[str]:
    """One or two files, which are JSON and so YAML."""
    found = [policy(chance)]
    if chance.random() < 0.5:
        found.append(limits(chance))
    names = []
    for number, content in enumerate(found):
        path = folder / f"policy{number}.yaml"
        path.write_text(json.dumps(content))
        names.append(str(path))
    return names


def policy(chance: random.Random) -> dict[str, Any]:
    found: dict[str, Any] = {"version": 1, "halt_after_denials": chance.choice(["off", "off", "off", 2, 3, 5])}
    if chance.random() < 0.3:
        found["halt_for"] = chance.choice(["1h", "resume"])
    if rules := [_rule(chance, f"r{number}") for number in range(chance.randrange(4))]:
        found["rules"] = rules
        found["default"] = "allow" if chance.random() < 0.7 else "deny"
        if found["default"] == "deny":
            rules.append({"id": "rest", "effect": "allow", "tools": list(chance.sample(TOOLS, 3)), "prompts": ["*"]})
    if chance.random() < 0.8:
        found["limits"] = [_limit(chance, f"l{number}") for number in range(chance.randrange(1, 5))]
    if chance.random() < 0.6:
        found["budgets"] = {by: _budget(chance, by) for by in chance.sample(["session", "principal", "tenant"], 2)}
    return found


def limits(chance: random.Random) -> dict[str, Any]:
    """What `mcpobs baseline` writes, in short."""
    found: dict[str, Any] = {"version": 1, "on_exceed": chance.choice(["deny", "deny", "halt", "warn"])}
    found["session"] = {"calls": chance.randrange(8, 40), "cost_usd": chance.choice([0.05, 0.1, 0.3])}
    found["tools"] = {
        "search": {"calls_per_session": chance.randrange(3, 12), "arguments": {"max_bytes": chance.choice([30, 100])}},
        "*": {"calls_per_session": chance.randrange(4, 15)},
    }
    if chance.random() < 0.5:
        found["key"] = {"calls_per_hour": chance.randrange(10, 40)}
        found["tools"]["search"]["calls_per_hour"] = chance.randrange(4, 15)
    if chance.random() < 0.5:
        found["session"] |= {"distinct_tools": chance.randrange(2, 6), "duration_s": 3_600}
    if chance.random() < 0.5:
        lower = {"session": {"calls": chance.randrange(5, 20)}, "tools": {"fetch": {"calls_per_session": 3}}}
        found |= chance.choice([{"tenants": {"acme": lower}}, {"roles": {"user": lower, "admin": {"key": {}}}}])
    return found


def on_content(chance: random.Random) -> dict[str, Any]:
    """A policy with rules that read arguments, beside limits on recorded facts."""
    found = policy(chance)
    schema = {"type": "object", "properties": {"q": {"maxLength": chance.choice([1, 10])}}}
    dear = {"properties": {"cost": {"minimum": 0.02}}}
    rules: list[dict[str, Any]] = [
        {"id": "schema", "effect": "require", "tools": ["search", "fetch"], "args_schema": schema},
        {"id": "same", "effect": "require", "tools": ["refund"], "after": {"tool": "search", "same": {"q": "q"}}},
        {"id": "dear", "effect": "deny", "tools": ["fail"], "args_schema": dear},
    ]
    found["rules"] = chance.sample(rules, chance.randrange(1, 4)) + found.get("rules", [])
    if chance.random() < 0.5:
        found["tools"] = {"search": {"argument_values": {"q": {"max_length": chance.choice([1, 50])}}}}
    return found | {"default": found.get("default", "allow")}


def _rule(chance: random.Random, id_: str) -> dict[str, Any]:
    rule: dict[str, Any] = {"id": id_, "effect": chance.choice(["deny", "require", "allow", "log_only"])}
    rule["tools"] = chance.choice([["*"], ["refund"], ["search", "f*"], ["fetch"]])
    match chance.randrange(4):
        case 0:
            rule["roles"] = ["admin"]
        case 1:
            rule["tenants"] = ["acme"]
        case 2:
            rule["principals"] = chance.choice([["ann"], ["b*"]])
    if rule["effect"] == "require" or chance.random() < 0.3:
        if chance.random() < 0.7:
            within = {"within": "1h"} if chance.random() < 0.5 else {}
            rule["after"] = {"tool": chance.choice(["search", "fetch"]), **within}
        else:
            days = chance.choice([["mon", "tue", "wed"], ["thu", "fri", "sat", "sun"]])
            rule["window"] = {"days": days, "zone": "UTC"}
    return rule


def _limit(chance: random.Random, id_: str) -> dict[str, Any]:
    limit: dict[str, Any] = {"id": id_, "tools": chance.choice([["*"], ["search"], ["f*"], list(TOOLS)])}
    limit["on_exceed"] = chance.choice(["deny"] * 5 + ["halt", "warn"])
    kind = chance.random()
    if kind < 0.2:
        limit["same_args"] = chance.randrange(2, 5)
        return limit | ({"window": "1h"} if chance.random() < 0.5 else {})
    if kind < 0.35:
        return limit | {"distinct_tools": chance.randrange(1, 4)}
    caps = chance.sample(["per_session", "per_principal", "per_tenant"], chance.choice([1, 1, 2]))
    limit |= {cap: chance.randrange(2, 16) for cap in caps}
    if caps != ["per_session"]:
        limit["window"] = chance.choice(["1h", "1d"])
    if chance.random() < 0.3:
        limit["each_tool"] = True
    if chance.random() < 0.2:
        limit["roles"] = ["user"]
    return limit


def _budget(chance: random.Random, by: str) -> dict[str, Any]:
    budget: dict[str, Any] = {
        "usd": chance.choice([0.1, 0.2, 0.4]),
        "on_exceed": chance.choice(["deny", "deny", "halt"]),
    }
    return budget if by == "session" else budget | {"window": "1h"}
