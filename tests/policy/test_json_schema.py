"""The JSON Schema for editors knows what the reader knows: the same keys, and whatever it accepts is valid."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema_rs import validator_for

from mcpobs.errors import UsageError
from mcpobs.limits.document import Place
from mcpobs.policy import file
from mcpobs.policy.json_schema import json_schema
from mcpobs.policy.keys import SECTIONS, Section
from mcpobs.policy.rules import KINDS

VALIDATOR = validator_for(json_schema())
FULL = """
version: 1
mode: enforce
share: 0.5
default: deny
on_error: deny
on_exceed: halt
halt_for: resume
halt_after_denials: "off"
sensitive: refund
rules:
- id: everything
  effect: require
  tools: [refund, 42, yes]
  unless_tools: [refund_all]
  resources: "file:///*"
  prompts: [hello]
  methods: [logging/setLevel]
  servers: [shop]
  kinds: [read, write]
  roles: [billing]
  scopes: ["orders:write"]
  principals: ["*@example.com"]
  tenants: [acme]
  clients: [cursor]
  args_schema: {type: object}
  after: {tool: login, within: 10m, same: {args.user.id: id}}
  window: {days: [mon, Tuesday], hours: "22:00-06:00", zone: Europe/Berlin}
  tenant: {arg: tenant, result: tenant, on_missing: pass, ids: "rows[*].id", ttl: 7d, on_unseen: block}
  path: {arg: path, under: [/srv]}
  url: {arg: url, hosts: ["*.example.com"], schemes: [https], ports: 443}
  when: {expression: "args.amount <= 50.0", zone: Europe/Berlin}
  sql: {arg: sql, dialect: postgres, read_only: false, tables: [orders], functions: lower}
  mode: log_only
  on_error: allow
  share: 1
  reason: Ask billing.
limits:
- {id: all, tools: "*", per_session: 1_000, per_principal: 2e3, per_tenant: 5, window: 1h, each_tool: true}
- {id: warns, tools: "*", per_session: 1, on_exceed: warn}
- {id: sum, tools: [pay], sum: args.amount, per_session: 1.5, share: 0}
- {id: same, tools: [pay], same_args: 3}
- {id: distinct, tools: ["*"], distinct_tools: 3.0}
budgets:
  session: {usd: 0.42, on_exceed: halt, mode: log_only, on_error: deny, share: .5}
  principal: {usd: 20, window: 1d}
  tenant: {usd: 20, window: 90S}
inspect:
- {id: injection, find: injection, rate: 0.005, action: block, over: flag, max_bytes: 1_000, on_error: deny}
- {id: pii, tools: "*", unless_tools: [x], resources: [y], prompts: z, methods: m, servers: s, kinds: read,
   find: [email, secrets], where: [result, arguments], action: mask, mode: log_only, share: 0.5, on_error: flag}
server_requests: {sampling: deny, elicitation: url, roots: allow}
baseline:
  {server: shop, from: 2026-11-01, to: 20261121, sessions: 3, calls: 9, excluded: [{session: 9f2c, why: a loop}],
   more_excluded: 1, run: nightly, strategy: cut-rate, cut_rate: 0.001, factor_calls: 3, counted_on: [tenant],
   drift: {first: 8, last: 4, numbers: 12, held: 11, cut_more: 1}, censored: [{session: 9f2c, why: cut}],
   more_censored: 2}
key: {calls_per_hour: 600}
tenants: {acme: {session: {calls: 9}, key: {calls_per_hour: {limit: 9, cut_at: 15}}, tools: {search: {}}}}
roles: {clerk: {tools: {"*": {calls_per_hour: 3}}}}
sequences: [{after: search, then: get, share: 0.7, n: 812}]
session:
  duration_s: 900
  distinct_tools: 8
  calls: 150
  cost_usd: {limit: 0.42, mean: 0.1, factor: 4, n: 9, would_have_cut: 0, next_1000_cut: [0, 3]}
tools:
  search:
    calls_per_session: {limit: 15, observed_max: 5, p50: 1, p95: 3, n: 812}
    calls_per_hour: {limit: 60, order_statistic: 12, censored: 0}
    error_rate: {limit: 0.2, observed_min: -1}
    argument_values: {q: {max_length: 200, max_items: 3, min: {limit: -5}, max: 50}}
    latency_ms: {budget: 930, rule: 3 × p95}
    arguments: {max_bytes: 2048, n: 3, shapes: ["{q:string}"]}
    result: {max_bytes: 65536}
  "*": {calls_per_session: 5, latency_ms: 1}
"""


class CoreLoader(yaml.SafeLoader):
    """YAML 1.2 as editors read it: `yes` and a day are texts, `1_000` is no number."""


CoreLoader.yaml_implicit_resolvers = {}
for _tag, _pattern in {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?",
}.items():
    CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), None)


def _float(loader: CoreLoader, node: yaml.ScalarNode) -> float:
    return float(node.value)


def _int(loader: CoreLoader, node: yaml.ScalarNode) -> int:
    return int(node.value)


CoreLoader.add_constructor("tag:yaml.org,2002:float", _float)
CoreLoader.add_constructor("tag:yaml.org,2002:int", _int)


def as_an_editor_reads(text: str) -> Any:
    return json.loads(json.dumps(yaml.load(text, CoreLoader)))


def is_accepted(text: str) -> bool:
    try:
        file.of_texts([(text.encode(), "policy.yaml")])
    except UsageError:
        return False
    return True


def faults(text: str) -> list[str]:
    return [f"{error.instance_path}: {error.message}" for error in VALIDATOR.iter_errors(as_an_editor_reads(text))]


def test_the_reader_and_the_schema_know_the_same_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    read: dict[str, list[frozenset[str]]] = defaultdict(list)
    fields = Place.fields

    def noted(place: Place, known: Collection[str]) -> dict[str, Place]:
        read[place.path].append(frozenset(known))
        return fields(place, known)

    monkeypatch.setattr(Place, "fields", noted)
    file.of_texts([(FULL.encode(), "policy.yaml")])
    assert {frozenset.intersection(*known) for known in read.values()} == {
        frozenset(key.name for key in section.keys)
        for section in SECTIONS
        if section.name != "session_budget"  # a budget, and its `window` is refused
    }


def test_a_file_with_every_key_is_accepted_by_both() -> None:
    assert is_accepted(FULL)
    assert faults(FULL) == []


RULE = "version: 1\nrules:\n- {id: a, effect: allow, tools: [x]%s}"
LIMIT = "version: 1\nlimits:\n- {id: a, tools: [x]%s}"


@pytest.mark.parametrize(
    "text",
    [
        "rules: []",
        "version: 2",
        'version: "1"',
        "version: 1\nrule: []",
        "version: 1\nmode: shadow",
        "version: 1\ndefault: never",
        "version: 1\non_exceed: ask",
        "version: 1\nhalt_for: 1 hour",
        "version: 1\nshare: 2",
        "version: 1\nrules: {}",
        "version: 1\nrules:\n- {effect: allow, tools: [x]}",
        "version: 1\nrules:\n- {id: a, tools: [x]}",
        "version: 1\nrules:\n- {id: a, effect: allow}",
        "version: 1\nrules:\n- {id: a b, effect: allow, tools: [x]}",
        "version: 1\nrules:\n- {id: a, effect: permit, tools: [x]}",
        "version: 1\nrules:\n- {id: a, effect: allow, tools: []}",
        "version: 1\nrules:\n- {id: a, effect: allow, resources: [x], unless_tools: [y]}",
        RULE % ", role: billing",
        RULE % ", kinds: [reads]",
        RULE % ", after: login",
        RULE % ", after: {}",
        RULE % ", after: {tool: login, within: 10}",
        RULE % ", window: {zone: UTC}",
        RULE % ', window: {hours: "8-18"}',
        RULE % ", window: {days: [funday]}",
        RULE % ", tenant: {}",
        RULE % ", tenant: {arg: a, on_missing: pass}",
        RULE % ", tenant: {result: a, on_missing: allow}",
        RULE % ", on_error: fail",
        RULE % ", args_schema: [a]",
        RULE % ", share: ten",
        LIMIT % "",
        LIMIT % ", per_session: many",
        LIMIT % ", per_session: -1",
        LIMIT % ", per_principal: 5",
        LIMIT % ", per_session: 5, window: 1h",
        LIMIT % ", per_session: 5, same_args: 3",
        LIMIT % ", same_args: 3, distinct_tools: 3",
        LIMIT % ", sum: a, distinct_tools: 3",
        LIMIT % ", sum: a",
        LIMIT % ", per_sesion: 5",
        LIMIT % ", per_session: 5, each_tool: yes",
        "version: 1\nbudgets: {session: 0.42}",
        "version: 1\nbudgets: {session: {}}",
        "version: 1\nbudgets: {session: {usd: 1, window: 1d}}",
        "version: 1\nbudgets: {principal: {usd: 1}}",
        "version: 1\nbudgets: {user: {usd: 1, window: 1d}}",
        "version: 1\ninspect: {}",
        "version: 1\ninspect: [{id: a}]",
        "version: 1\ninspect: [{id: a, find: emial}]",
        "version: 1\ninspect: [{id: a, find: [email, mail]}]",
        "version: 1\ninspect: [{id: a, find: injection, rate: 0.5}]",
        "version: 1\ninspect: [{id: a, find: email, action: redact}]",
        "version: 1\ninspect: [{id: a, find: email, where: results}]",
        "version: 1\ninspect: [{id: a, find: email, unless_tools: [x]}]",
        "version: 1\nserver_requests: {sampling: form}",
        "version: 1\nserver_requests: deny",
        "version: 1\nbaseline: {from: 2026-11-01}",
        "version: 1\nsession: {calls: {observed_max: 5}}",
        "version: 1\nsession: {calls: 1.5}",
        "version: 1\ntools: {x: {calls: 5}}",
        "version: 1\ntools: {x: {latency_ms: 0}}",
        "version: 1\ntools: {x: {result: {n: 5}}}",
        "version: 1\ntools: [x]",
    ],
)  # fmt: skip
def test_a_usual_mistake_is_refused_by_both(text: str) -> None:
    assert not is_accepted(text)
    assert faults(text)


SCALARS = st.sampled_from(
    [
        *("x", "yes", "off", "~", "null", "true", "1e3", "-1", "0", "1", "5", "1.5", ".5", "5.", "+5", "1_000"),
        *("2026-11-01", "allow", "deny", "require", "log_only", "enforce", "halt", "warn", "read", "write", "resume"),
        *("form", "block", "1h", "90S", "mon", '"08:00-18:00"', "UTC", "args.a.b", "a..b", '"15"', '"1_0"', '""'),
        *("'x'", '"a b"', "acme.x-1:2", "{}", "[]", "[x, 1]", "[mon]", "[0, 3]", "{type: object}", "{a: b}"),
    ]
)
BY_NAME = {section.name: section for section in SECTIONS}


@st.composite
def values(draw: st.DrawFn, schema: Any, depth: int) -> str:
    """A value that a key may have: often of its schema, sometimes any."""
    if depth > 4 or draw(st.integers(0, 19)) == 0:
        return draw(SCALARS)
    match schema:
        case {"$ref": str(ref)}:
            return draw(mappings(BY_NAME[ref.rpartition("/")[2]], depth + 1))
        case {"anyOf": list(choices)}:
            return draw(values(draw(st.sampled_from(choices)), depth))
        case {"enum": list(choices)}:
            return str(draw(st.sampled_from(choices))).lower()
        case {"const": constant}:
            return str(constant)
        case {"type": "array", "items": items}:
            size = draw(st.integers(1, 2))
            return f"[{', '.join(draw(values(items, depth + 1)) for _ in range(size))}]"
        case {"type": "object", "additionalProperties": inner}:
            return f"{{x: {draw(values(inner, depth + 1))}}}"
        case {"type": "object"}:
            return draw(st.sampled_from(["{}", "{type: object}", "{type: wrong}"]))
        case {"type": ["string", "integer"]}:
            return draw(st.sampled_from(["2026-11-01", "20261121", "2026-11-01T10:00", "soon"]))
        case {"type": "string", "pattern": str(pattern)} if pattern.startswith("^("):
            return draw(st.sampled_from(["mon", "Tuesday", '"08:00-18:00"', '"22:00-06:00"', "8-18"]))
        case {"type": "string"} if "pattern" not in schema:
            return draw(st.sampled_from(["UTC", "Europe/Berlin", "Mars", "postgres", "x"]))
        case {"pattern": str(pattern)} if pattern.startswith(r"^\s*[0-9]"):
            return draw(st.sampled_from(["1h", "15M", "0s", "7d", "soon"]))
        case {"minimum": 0}:
            return draw(st.sampled_from(["0", "1", "3", "0.5", "1_000", "1e3", "5.", "+5", "-0", "9007199254740993"]))
        case _:
            return draw(SCALARS)


@st.composite
def mappings(draw: st.DrawFn, section: Section, depth: int = 0) -> str:
    needed: Any = section.rules.get("required", ["version"] if section.name == "file" else [])
    keys = {key.name: key for key in section.keys}
    names = [name for name in needed if draw(st.integers(0, 19))]
    names += draw(st.lists(st.sampled_from(sorted(keys)), max_size=4))
    if section.name in ("rule", "limit"):
        names.append("tools")
    if section.name == "limit":  # few keys go together there
        names = ["id", "tools", "per_session", *names[-3:-1]]
    members = [f"{name}: {draw(values(keys[name].schema, depth))}" for name in dict.fromkeys(names)]
    return "{" + ", ".join(members) + "}"


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.name)
def test_whatever_the_reader_accepts_is_valid(section: Section) -> None:
    accepted: list[str] = []

    @settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def is_valid(data: st.DataObject) -> None:
        text = _whole(section.name, data.draw(mappings(section, 1)))
        if is_accepted(text):
            accepted.append(text)
            assert faults(text) == [], text

    is_valid()
    assert accepted


WRAPPED = {
    "file": "$",
    "rule": "{version: 1, rules: [$]}",
    "limit": "{version: 1, limits: [$]}",
    "inspection": "{version: 1, inspect: [$]}",
    "tool": "{version: 1, tools: {x: $}}",
    "arguments": "{version: 1, tools: {x: {arguments: $}}}",
    "result": "{version: 1, tools: {x: {result: $}}}",
    "budget": "{version: 1, budgets: {tenant: $}}",
    "session_budget": "{version: 1, budgets: {session: $}}",
    "whole_limit": "{version: 1, session: {calls: $}}",
    "number_limit": "{version: 1, session: {cost_usd: $}}",
    "latency_limit": "{version: 1, tools: {x: {latency_ms: $}}}",
    "ratio_limit": "{version: 1, tools: {x: {error_rate: $}}}",
    "signed_limit": "{version: 1, tools: {x: {argument_values: {a: {min: $}}}}}",
    "value": "{version: 1, tools: {x: {argument_values: {a: $}}}}",
    "drift": "{version: 1, baseline: {from: 2026-11-01, to: 2026-11-02, sessions: 1, calls: 1, drift: $}}",
    "succession": "{version: 1, sequences: [$]}",
    "group": "{version: 1, tenants: {x: $}}",
    "excluded": "{version: 1, baseline: {from: 2026-11-01, to: 2026-11-02, sessions: 1, calls: 1, excluded: [$]}}",
    **{name: f"{{version: 1, rules: [{{id: a, effect: require, tools: x, {name}: $}}]}}" for name in KINDS},
}


def _whole(name: str, inner: str) -> str:
    """A file with a section at its place."""
    return WRAPPED.get(name, f"{{version: 1, {name}: $}}").replace("$", inner)
