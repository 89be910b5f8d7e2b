"""A policy file is read to its last key, and what is wrong with it is named with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.errors import UsageError
from mcpobs.limits.model import VERSION
from mcpobs.policy import file
from mcpobs.policy.codes import Code
from mcpobs.policy.file import load, of_texts
from mcpobs.policy.model import Budget, CallLimit, Cap, Control, Layer, What, Who
from mcpobs.policy.rules import IN_DENY, KINDS
from mcpobs.policy.windows import FOREVER

EXAMPLE = """\
version: 1
mode: enforce            # or log_only; per rule too; `share: 0.1` of sessions
default: deny            # a call that no `allow` matches
on_error: deny           # error, missing attribute, store down; per rule too
rules:
- {id: readers, effect: allow, tools: [search, lookup_order]}
- {id: billing, effect: allow, tools: [refund_payment], roles: [billing]}
- id: refund-after-lookup
  effect: require
  tools: [refund_payment]
  when: "session.ok.lookup_order > 0 && session.last_ok.lookup_order.order_id == args.order_id"
- {id: refund-small, effect: require, tools: [refund_payment], when: "args.amount <= 50.0"}
- id: refund-schema
  effect: require
  tools: [refund_payment]
  args_schema:
    type: object
    required: [order_id, amount]
    additionalProperties: false
    properties: {order_id: {type: string}, amount: {type: number, exclusiveMinimum: 0}}
- id: sql-read-only
  effect: require
  tools: [database_query]
  sql: {arg: sql, dialect: postgres, read_only: true, tables: [orders, customers]}
- {id: files, effect: require, tools: [read_file], path: {arg: path, under: [/data/tenant-a]}}
- id: web
  effect: require
  tools: [fetch_url]
  url: {arg: url, schemes: [https], hosts: [api.example.com], ports: [443]}
- id: office-hours
  effect: require
  tools: [refund_payment]
  window: {days: [mon, tue, wed, thu, fri], hours: "08:00-18:00", zone: Europe/Berlin}
- {id: tenant, effect: require, tools: [list_rows], tenant: {arg: customer_id}}
- {id: tenant-result, effect: require, tools: [get_row], tenant: {result: tenant, on_missing: block}}
limits:
- {id: searches, tools: [search], per_session: 15, per_principal: 200, per_tenant: 2000, window: 1h, on_exceed: deny}
- {id: transfers, tools: [transfer], sum: args.amount, per_principal: 1000, window: 1d}
budgets:
  session: {usd: 0.42, on_exceed: halt}
  principal: {usd: 20, window: 1d}
server_requests: {sampling: deny, elicitation: form, roots: allow}
"""
HOUR, DAY = 3_600 * 10**9, 86_400 * 10**9


INSPECT = """\
version: 1
inspect:
- {id: injection, tools: ["*"], find: injection, rate: 0.005, action: block}
- {id: pii, tools: [crm_lookup], find: [email, card, email], action: mask, where: [result, arguments], max_bytes: 65536}
- {id: notes, find: secrets}
- {id: open, find: phone, action: block, over: flag, on_error: allow, mode: log_only, share: 0.5}
"""


def test_entries_of_inspect_are_read_with_defaults_that_fit_their_actions() -> None:
    found = _layer(INSPECT).inspect
    assert [(one.find, one.action, one.where) for one in found] == [
        (("injection",), "block", ("result", "listing")),
        (("email", "card"), "mask", ("result", "arguments")),
        (("secrets",), "flag", ("result",)),
        (("phone",), "block", ("result",)),
    ]
    assert [(one.rate, one.max_bytes, one.over, one.on_error) for one in found] == [
        (0.005, 1 << 20, "block", "block"),
        (0.01, 65_536, "block", "block"),
        (0.01, 1 << 20, "flag", "flag"),
        (0.01, 1 << 20, "flag", "flag"),
    ]
    assert found[3].control == Control("log_only", None, 0.5)
    assert found[1].what == What(tools=("crm_lookup",))


def test_a_file_that_allows_on_error_flags_what_could_not_be_inspected() -> None:
    (found,) = _layer("version: 1\non_error: allow\ninspect: [{id: a, find: email, action: block}]").inspect
    assert found.on_error == "flag"


def _layer(text: str) -> Layer:
    (found,) = of_texts([(text.encode(), "policy")]).layers
    return found


def test_the_example_is_read_whole() -> None:
    found = _layer(EXAMPLE)
    assert [rule.id for rule in found.rules] == [
        "readers", "billing", "refund-after-lookup", "refund-small", "refund-schema", "sql-read-only", "files", "web",
        "office-hours", "tenant", "tenant-result",
    ]  # fmt: skip
    codes = [condition.code for rule in found.rules for condition in rule.conditions]
    assert codes == [
        Code.REQUIREMENT, Code.REQUIREMENT, Code.ARGUMENTS, Code.ARGUMENTS, Code.ARGUMENTS, Code.ARGUMENTS,
        Code.SCHEDULE, Code.TENANT, Code.TENANT,
    ]  # fmt: skip
    assert found.rules[1].who == Who(roles=("billing",))
    assert found.limits == (
        CallLimit(
            "searches",
            What(tools=("search",)),
            (Cap("session", 15, FOREVER), Cap("principal", 200, HOUR), Cap("tenant", 2_000, HOUR)),
        ),
        CallLimit(
            "transfers", What(tools=("transfer",)), (Cap("principal", 10**9, DAY),), counts="sum", argument=("amount",)
        ),
    )
    assert found.budgets == (
        Budget("budgets.session", Cap("session", 420_000, FOREVER), "halt"),
        Budget("budgets.principal", Cap("principal", 20_000_000, DAY)),
    )
    assert found.server_requests == {"sampling": "deny", "elicitation": "form", "roots": "allow"}
    assert (found.mode, found.default, found.on_error) == ("enforce", "deny", "deny")


def test_a_file_with_rules_denies_the_rest_and_one_without_allows_it() -> None:
    assert _layer("version: 1\nrules: [{id: a, effect: allow, tools: [x]}]").default == "deny"
    assert _layer("version: 1\nlimits: [{id: a, tools: [x], per_session: 3}]").default == "allow"
    assert _layer("version: 1\ndefault: deny").default == "deny"


def test_rules_and_limits_have_controls_of_their_own() -> None:
    found = _layer(
        "version: 1\nshare: 0.5\n"
        "rules: [{id: a, effect: deny, tools: x, mode: log_only, on_error: allow, share: 0.1}]\n"
        "limits: [{id: b, tools: x, per_session: 1, mode: enforce, share: 1}]"
    )
    assert found.share == 0.5
    assert found.rules[0].control == Control("log_only", "allow", 0.1)
    assert found.limits[0].control == Control("enforce", None, 1)


RULE = "{id: a, effect: require, tools: [x]"
LIMIT = "{id: a, tools: [x]"
REFUSED: dict[str, tuple[str, str]] = {
    # the whole file
    "": ("policy is empty", "mcpobs baseline"),
    "rules: []": ("policy:1: no version", "write `version: 1`"),
    "version: 2": ("policy:1: version: 2 is not known", "update mcpobs"),
    "version: one": ("policy:1: version: 'one' is not a number", ""),
    "- version: 1": ("policy:1: a list is not a mapping", ""),
    "version: 1\nrule: []": ("policy:2: rule: unknown key", "did you mean `rules`?"),
    "version: 1\nmode: enforced": ("policy:2: mode: 'enforced' is not known", "did you mean `enforce`?"),
    "version: 1\nmode: off": ("policy:2: mode: 'off' is not known", "known here: enforce, log_only"),
    "version: 1\nmode: log_only\nmode: enforce": ("policy:3: mode is repeated", "keep one"),
    "version: 1\ndefault: denied": ("policy:2: default: 'denied' is not known", "did you mean `deny`?"),
    "version: 1\ndefault: ": ("policy:2: default: has no value", ""),
    "version: 1\non_error: fail": ("policy:2: on_error: 'fail' is not known", ""),
    "version: 1\non_exceed: stop": ("policy:2: on_exceed: 'stop' is not known", ""),
    "version: 1\nshare: 2": ("policy:2: share: 2 is not a share", "0.1"),
    "version: 1\nshare: -1": ("policy:2: share: -1 is negative", ""),
    "version: 1\nhalt_for: 1y": ("policy:2: halt_for: '1y' is not a duration", ""),
    "version: 1\nhalt_for: 0s": ("policy:2: halt_for: '0s' must be from 1s", ""),
    "version: 1\nhalt_after_denials: -1": ("policy:2: halt_after_denials: -1 is negative", ""),
    "version: 1\nhalt_after_denials: 1.5": ("policy:2: halt_after_denials: 1.5 is not a whole number", ""),
    "version: 1\nsensitive: []": ("policy:2: sensitive: an empty list matches nothing", "leave the key out"),
    "version: 1\nsensitive: {a: b}": ("policy:2: sensitive: a mapping is not a list", ""),
    "version: 1\nsensitive: ['']": ("policy:2: sensitive[0]: is empty", ""),
    "version: 1\nserver_requests: {samplng: deny}": ("server_requests.samplng: unknown key", "`sampling`"),
    "version: 1\nserver_requests: {sampling: form}": ("server_requests.sampling: 'form' is not known", "allow, deny"),
    "version: 1\nrules: {a: b}": ("policy:2: rules: a mapping is not a list", ""),
    "version: 1\nrules: [a]": ("policy:2: rules[0]: 'a' is not a mapping", ""),
    # later versions
    "version: 1\napprovals: {}": ("policy:2: approvals: is not supported by this version yet", ""),
    f"version: 1\nrules: [{RULE}, or_approval: {{expires: 15m}}}}]": (
        "policy:2: rules[0].or_approval: is not supported by this version yet",
        "",
    ),
    "version: 1\non_exceed: ask": ("on_exceed: ask is not supported by this version yet", "deny, halt or warn"),
    f"version: 1\nlimits: [{LIMIT}, per_session: 1, on_exceed: ask}}]": (
        "policy:2: limits[0].on_exceed: ask is not supported by this version yet",
        "",
    ),
    "version: 1\nbudgets: {session: {usd: 1, on_exceed: ask}}": (
        "budgets.session.on_exceed: ask is not supported by this version yet",
        "",
    ),
    # rules
    "version: 1\nrules:\n- {effect: deny, tools: [x]}": ("policy:3: rules[0]: no `id`", "{id: readers"),
    "version: 1\nrules:\n- {id: a, tools: [x]}": ("policy:3: rules[0]: no `effect`", ""),
    "version: 1\nrules:\n- {id: a, effect: allow}": ("rules[0]: names no tools", 'tools: ["*"]'),
    "version: 1\nrules:\n- {id: a, effect: allows, tools: x}": ("rules[0].effect: 'allows'", "did you mean `allow`?"),
    "version: 1\nrules:\n- {id: a, effect: allow, tool: x}": ("rules[0].tool: unknown key", "did you mean `tools`?"),
    "version: 1\nrules:\n- {id: a, effect: allow, tools: x, role: b}": ("rules[0].role: unknown key", "`roles`"),
    "version: 1\nrules:\n- {id: a, effect: allow, tools: x, args_shema: {}}": ("args_shema", "`args_schema`"),
    "version: 1\nrules:\n- {id: a, effect: allow, tools: x, whem: a}": ("rules[0].whem: unknown key", "`when`"),
    "version: 1\nrules:\n- {id: a b, effect: allow, tools: x}": ("rules[0].id: 'a b' is not an id", "letters"),
    "version: 1\nrules:\n- {id: '', effect: allow, tools: x}": ("rules[0].id: '' is not an id", ""),
    "version: 1\nrules:\n- {id: default, effect: allow, tools: x}": ("'default' means something else", "another id"),
    "version: 1\nrules:\n- {id: session.calls, effect: allow, tools: x}": ("'session.calls' means something", ""),
    "version: 1\nrules:\n- {id: a.reopened, effect: allow, tools: x}": ("'a.reopened' means something else", ""),
    "version: 1\nrules:\n- {id: a, effect: allow, tools: []}": ("rules[0].tools: an empty list matches nothing", ""),
    "version: 1\nrules:\n- {id: a, effect: allow, tools: [[x]]}": ("rules[0].tools[0]: a list is not a text", ""),
    "version: 1\nrules:\n- {id: a, effect: allow, tools: {x: y}}": ("rules[0].tools: a mapping is not a list", ""),
    "version: 1\nrules:\n- {id: a, effect: allow, tools: ~}": ("rules[0].tools: has no value", ""),
    "version: 1\nrules:\n- {id: a, effect: allow, resources: x, unless_tools: y}": ("`unless_tools` without", ""),
    "version: 1\nrules:\n- {id: a, effect: allow, resources: x, kinds: read}": ("`kinds` without `tools`", ""),
    "version: 1\nrules:\n- {id: a, effect: allow, tools: x, kinds: reads}": ("'reads' is not known", "`read`"),
    "version: 1\nrules:\n- {id: a, effect: allow, tools: x, share: 1.5}": ("rules[0].share: 1.5 is not a share", ""),
    "version: 1\nrules:\n- {id: a, effect: allow, tools: x, mode: shadow}": ("rules[0].mode: 'shadow'", ""),
    "version: 1\nrules:\n- {id: a, effect: allow, tools: x, id: b}": ("policy:3: rules[0].id is repeated", ""),
    "version: 1\nrules:\n- {id: a, effect: deny, tools: x, path: {arg: p, under: /x}}": (
        "policy:3: rules[0].path: cannot deny",
        "effect: require",
    ),
    "version: 1\nrules:\n- {id: a, effect: deny, tools: x, sql: {arg: p, dialect: mysql}}": ("sql: cannot deny", ""),
    "version: 1\nrules:\n- {id: a, effect: deny, tools: x, url: {arg: p, hosts: a.b}}": ("url: cannot deny", ""),
    "version: 1\nrules:\n- {id: a, effect: deny, tools: x, tenant: {arg: p}}": ("tenant: cannot deny", ""),
    "version: 1\nrules:\n- {id: a, effect: allow, tools: x, tenant: {result: p}}": ("`result` looks at results", ""),
    "version: 1\nrules:\n- {id: a, effect: log_only, tools: x, tenant: {ids: p}}": ("`ids` looks at results", ""),
    "version: 1\nrules:\n- {id: a, effect: allow, tools: x}\n- {id: a, effect: deny, tools: y}": (
        "policy:4: rules[1].id: 'a' is used twice, also at rules[0].id",
        "rename one",
    ),
    "version: 1\nrules:\n- {id: a, effect: allow, tools: x}\nlimits:\n- {id: a, tools: x, per_session: 1}": (
        "policy:5: limits[0].id: 'a' is used twice, also at rules[0].id",
        "",
    ),
    "version: 1\nrules:\n- id: a\n  effect: require\n  tools: x\n  when: args.a >\n": (
        "policy:6: rules[0].when: not valid CEL",
        "",
    ),
    "version: 1\nrules:\n- id: a\n  effect: require\n  tools: x\n  args_schema:\n    typ: object\n": (
        "policy:7: rules[0].args_schema.typ: unknown key",
        "`type`",
    ),
    # limits
    "version: 1\nlimits:\n- {tools: x, per_session: 1}": ("limits[0]: no `id`", ""),
    "version: 1\nlimits:\n- {id: a, per_session: 1}": ("limits[0]: names no tools", ""),
    "version: 1\nlimits:\n- {id: a, tools: x}": ("limits[0]: limits nothing", "per_session"),
    "version: 1\nlimits:\n- {id: a, tools: x, per_sesion: 1}": ("per_sesion: unknown key", "`per_session`"),
    "version: 1\nlimits:\n- {id: a, tools: x, per_session: many}": ("per_session: 'many' is not a number", ""),
    "version: 1\nlimits:\n- {id: a, tools: x, per_session: 1.5}": ("per_session: 1.5 is not a whole number", ""),
    "version: 1\nlimits:\n- {id: a, tools: x, per_session: '1'}": ('per_session: "1" is a text', ""),
    "version: 1\nlimits:\n- {id: a, tools: x, per_session: true}": ("per_session: 'true' is not a number", ""),
    "version: 1\nlimits:\n- {id: a, tools: x, per_session: .nan}": ("per_session: '.nan' is not a number", ""),
    "version: 1\nlimits:\n- {id: a, tools: x, per_principal: 1}": ("`per_principal` without `window`", "window: 1h"),
    "version: 1\nlimits:\n- {id: a, tools: x, per_tenant: 1}": ("`per_tenant` without `window`", ""),
    "version: 1\nlimits:\n- {id: a, tools: x, per_session: 1, window: 1h}": ("`window` beside `per_session` alone", ""),
    "version: 1\nlimits:\n- {id: a, tools: x, per_principal: 1, window: 1w}": ("window: '1w' is not a duration", ""),
    "version: 1\nlimits:\n- {id: a, tools: x, per_principal: 1, window: 3651d}": ("must be from 1s to 3650d", ""),
    "version: 1\nlimits:\n- {id: a, tools: x, sum: args.n, same_args: 3}": ("has `sum` and `same_args`", "two limits"),
    "version: 1\nlimits:\n- {id: a, tools: x, same_args: 3, per_session: 1}": ("`same_args` counts in a session", ""),
    "version: 1\nlimits:\n- {id: a, tools: x, distinct_tools: 3, each_tool: true}": ("`each_tool` beside", ""),
    "version: 1\nlimits:\n- {id: a, tools: x, sum: a..b, per_session: 1}": ("sum: 'a..b' is not the path", ""),
    "version: 1\nlimits:\n- {id: a, tools: x, sum: a, per_session: 1e12}": ("per_session: 1e12 is too large", ""),
    "version: 1\nlimits:\n- {id: a, tools: x, per_session: 1, each_tool: 1}": ("each_tool: '1' is not true or", ""),
    "version: 1\nlimits:\n- {id: a, tools: x, per_session: 1, when: a}": ("limits[0].when: unknown key", ""),
    # budgets
    "version: 1\nbudgets: {sesion: {usd: 1}}": ("budgets.sesion: unknown key", "`session`"),
    "version: 1\nbudgets: {session: {}}": ("budgets.session: no `usd`", ""),
    "version: 1\nbudgets: {session: {usd: 1, window: 1d}}": ("a session is counted whole", ""),
    "version: 1\nbudgets: {principal: {usd: 1}}": ("budgets.principal: no `window`", ""),
    "version: 1\nbudgets: {principal: {usd: -1, window: 1d}}": ("budgets.principal.usd: -1 is negative", ""),
    "version: 1\nbudgets: {session: {usd: 1e12}}": ("budgets.session.usd: 1e12 is too large", ""),
    "version: 1\nbudgets: {session: {usd: $1}}": ("budgets.session.usd: '$1' is not a number", ""),
    # inspect
    "version: 1\ninspect: {a: b}": ("policy:2: inspect: a mapping is not a list", "`- `"),
    "version: 1\ninspect:": ("policy:2: inspect: an empty value is not a list", "[first"),
    "version: 1\ninspect:\n- {find: email}": ("policy:3: inspect[0]: no `id`", "find: injection"),
    "version: 1\ninspect:\n- {id: a}": ("policy:3: inspect[0]: no `find`", ""),
    "version: 1\ninspect:\n- {id: a, find: emial}": ("inspect[0].find: 'emial' is not known", "`email`"),
    "version: 1\ninspect:\n- {id: a, find: [email, inject]}": (
        "inspect[0].find[1]: 'inject' is not known",
        "injection",
    ),
    "version: 1\ninspect:\n- {id: a, find: []}": ("inspect[0].find: an empty list matches nothing", ""),
    "version: 1\ninspect:\n- {id: a, find: email, actoin: mask}": ("inspect[0].actoin: unknown key", "`action`"),
    "version: 1\ninspect:\n- {id: a, find: email, action: redact}": (
        "inspect[0].action: 'redact' is not known",
        "mask",
    ),
    "version: 1\ninspect:\n- {id: a, find: email, rate: 0.01}": ("rate: is about `find: injection`", "leave `rate`"),
    "version: 1\ninspect:\n- {id: a, find: injection, rate: 1}": ("rate: 1 is not a rate that is calibrated", "0.01"),
    "version: 1\ninspect:\n- {id: a, find: injection, rate: 0.0001}": ("rate: 0.0001 is not a rate", ""),
    "version: 1\ninspect:\n- {id: a, find: email, where: results}": ("where: 'results' is not known", "`result`"),
    "version: 1\ninspect:\n- {id: a, find: email, max_bytes: 0}": ("max_bytes: 0 bytes hold no result", "1048576"),
    "version: 1\ninspect:\n- {id: a, find: email, over: cut}": ("over: 'cut' is not known", "flag, block, pass"),
    "version: 1\ninspect:\n- {id: a, find: email, on_error: pass}": ("on_error: 'pass' is not known", "block"),
    "version: 1\ninspect:\n- {id: a, find: email, unless_tools: x}": ("`unless_tools` without `tools`", ""),
    "version: 1\ninspect:\n- {id: a, find: email, tools: x, kinds: reads}": ("kinds: 'reads' is not known", "`read`"),
    "version: 1\ninspect:\n- {id: a, find: email}\n- {id: a, find: iban}": (
        "inspect[1].id: 'a' is used twice",
        "rename",
    ),
    "version: 1\nrules:\n- {id: a, effect: allow, tools: x}\ninspect:\n- {id: a, find: iban}": (
        "policy:5: inspect[0].id: 'a' is used twice, also at rules[0].id",
        "",
    ),
    # YAML
    "version: 1\nrules: &a []\nlimits: *a": ("policy:2: anchors and aliases are not read", ""),
    "version: 1\na: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]": ("policy:2: anchors and aliases are not read", ""),
    "version: 1\nrules: !!python/object/apply:os.system ['true']": ("policy:2: tags are not read", ""),
    "version: 1\nrules: " + "[" * 5_000: ("nested deeper than 16 levels", ""),
    "version: 1\nrules: [{<<: {id: a}}]": ("rules[0].'<<': unknown key", ""),
    "version: 1\n---\nversion: 1": ("not valid YAML", ""),
    "version: 1\nrules:\n\t- a": ("policy:3: not valid YAML", "tabs"),
    "version: 1\nrules: {": ("not valid YAML", ""),
    "version: 1\n# \x07": ("policy:2: not valid YAML", ""),
    "version: 1\nrules: [{? [a] : b}]": ("a key must be a text", ""),
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:70])
def test_a_wrong_file_is_refused_with_its_line_and_value(text: str) -> None:
    problem, hint = REFUSED[text]
    with pytest.raises(UsageError) as refused:
        _layer(text)
    assert problem in refused.value.message
    assert hint in (refused.value.hint or "")


def test_bytes_that_are_no_text_are_refused_with_their_line() -> None:
    with pytest.raises(UsageError, match="policy:2: not UTF-8"):
        of_texts([(b"version: 1\n# \xff", "policy")])


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    large = tmp_path / "policy.yaml"
    large.write_bytes(b"version: 1\n#" + b"x" * (8 << 20))
    with pytest.raises(UsageError, match=str(large)):
        load([large])
    with pytest.raises(UsageError, match="larger than 8 MiB"):
        of_texts([(large.read_bytes(), "policy")])


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        load([tmp_path / name])


def test_an_id_is_used_once_in_all_files() -> None:
    one = (b"version: 1\nrules: [{id: a, effect: allow, tools: x}]", "one.yaml")
    two = (b"version: 1\nlimits: [{id: a, tools: x, per_session: 1}]", "two.yaml")
    with pytest.raises(UsageError, match=r"two\.yaml: the id 'a' is used twice, also in one\.yaml"):
        of_texts([one, two])


def test_the_hash_is_of_all_bytes_and_their_order() -> None:
    one, two = (b"version: 1\n", "a"), (b"version: 1\n# x\n", "b")
    texts: list[list[tuple[bytes, str]]] = [[one], [two], [one, two], [two, one], [(one[0] + two[0], "a")][:0]]
    assert len({of_texts(each).hash for each in texts}) == len(texts)
    assert of_texts([one]).hash == of_texts([(one[0], "elsewhere")]).hash


def test_a_limits_file_and_a_policy_are_one_format() -> None:
    found = _layer("version: 1\nsession: {calls: 5}\nrules: [{id: a, effect: deny, tools: [x]}]")
    assert found.learned.session.calls is not None
    assert len(found.rules) == 1


# -- what is written is read ------------------------------------------------------------------------------------

_names = st.lists(st.text("abcXYZ_-*./é ", min_size=1, max_size=8).filter(str.strip), min_size=1, max_size=3)
_ids = st.from_regex(r"r[A-Za-z0-9_-]{0,20}", fullmatch=True)
_whats = st.fixed_dictionaries({"tools": _names}, optional={"unless_tools": _names, "resources": _names})
_WHO = ("roles", "scopes", "principals", "tenants", "clients")
_whos = st.fixed_dictionaries({}, optional=dict.fromkeys(_WHO, _names))
_controls = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from(["enforce", "log_only"]),
        "on_error": st.sampled_from(["allow", "deny"]),
        "share": st.integers(0, 100).map(lambda n: n / 100),
    },
)
_rules = st.builds(
    lambda id_, effect, *parts: {"id": id_, "effect": effect, **parts[0], **parts[1], **parts[2]},
    _ids,
    st.sampled_from(file.EFFECTS),
    _whats,
    _whos,
    _controls,
)


@given(st.lists(_rules, max_size=4, unique_by=lambda rule: rule["id"]))
def test_what_a_rule_says_is_what_is_read(rules: list[dict[str, Any]]) -> None:
    found = _layer(json.dumps({"version": VERSION, "rules": rules}, ensure_ascii=False))
    assert len(found.rules) == len(rules)
    for rule, said in zip(found.rules, rules, strict=True):
        read = {
            "id": rule.id,
            "effect": rule.effect,
            **_said(rule.what, What()),
            **_said(rule.who, Who()),
            **_said(rule.control, Control()),
        }
        assert read == said


def _said(value: object, empty: object) -> dict[str, object]:
    """The fields of a part that are not as in an empty one."""
    names = type(value).__slots__  # type: ignore[attr-defined]
    found = {name: getattr(value, name) for name in names if getattr(value, name) != getattr(empty, name)}
    return {name: list(one) if isinstance(one, tuple) else one for name, one in found.items()}


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
                        [*file.OURS, "id", "effect", "tools", *KINDS, "arg", "per_session", "usd", "session"]), inner,
                        max_size=4), max_leaves=12))  # fmt: skip
def test_any_text_is_read_or_refused(value: object) -> None:
    text = json.dumps({"version": 1, **value} if isinstance(value, dict) else value)
    try:
        _layer(text)
    except UsageError as refused:
        error: UsageError | None = refused
    else:
        error = None
    assert error is None or error.message.startswith("policy")


# -- documents --------------------------------------------------------------------------------------------------


def test_every_key_is_documented() -> None:
    document = Path(__file__).parents[2] / "docs/policy.md"
    if not document.exists():
        pytest.skip("docs/policy.md is not written yet")
    text = document.read_text()
    keys = {*file.OURS, *KINDS, *file.EFFECTS, *file.SIDES, *file.ON_EXCEED}
    assert sorted(key for key in keys if f"`{key}" not in text and f"{key}:" not in text) == []


def test_every_condition_says_what_it_does_why_and_what_to_do() -> None:
    import sys

    for key, read in KINDS.items():
        text = sys.modules[read.__module__].__doc__ or ""  # type: ignore[attr-defined]
        assert text.startswith(f"`{key}`: ")
        for part in ("What it does:", "Why it matters:", "What to do:"):
            assert part in text, key
    assert set(IN_DENY) <= set(KINDS)


def test_a_file_that_is_named_twice_is_refused_because_it_would_count_each_call_twice(tmp_path: Path) -> None:
    named = tmp_path / "limits.yaml"
    named.write_text("version: 1\nsession: {calls: 3}\n")
    for paths in ([named, named], [str(named), named], [named, tmp_path / "other.yaml", named]):
        (tmp_path / "other.yaml").write_text("version: 1\n")
        with pytest.raises(UsageError, match=r"limits\.yaml is named twice"):
            load(paths)
