"""What `mcpobs policy check` finds: each kind by the smallest policy that has it, and by one beside it that has not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mcpobs.policy import file
from mcpobs.policy.inspect.entries import fingerprint
from mcpobs.policy.lint import lint
from mcpobs.policy.lint.finding import Finding, Known
from mcpobs.policy.traffic import History, Traffic
from mcpobs.protocol.session import Identity

HEAD = "version: 1\n"
ANN = Identity("ann", "acme", "billing")
TRAFFIC = (
    Traffic("tools/call", "search", "shop", "cursor", ANN, 30),
    Traffic("tools/call", "refund", "shop", "cursor", ANN, 5),
    Traffic("prompts/get", "hello", "shop", "cursor", ANN, 1),
)


def findings(text: str, traffic: Sequence[Traffic] | None = None, *, verifies: bool | None = None) -> list[Finding]:
    policy = file.of_texts([((text if text.startswith("version") else HEAD + text).encode(), "policy.yaml")])
    history = None if traffic is None else History(policy, traffic)
    return lint(policy, Known(history, None if history is None else frozenset(history.tools), verifies))


def named(found: Sequence[Finding]) -> list[tuple[str, int, str]]:
    return [(one.check, one.line, one.about) for one in found]


ALLOW = "rules:\n- {id: all, effect: allow, tools: ['*']}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # another rule leaves nothing to it
        (ALLOW + "- {id: a, effect: allow, tools: [x], args_schema: {type: object}}", ("shadowed", 4, "a")),
        (ALLOW + "- {id: a, effect: allow, tools: [x]}", ("shadowed", 4, "a")),
        ("rules:\n- {id: d, effect: deny, tools: [x*]}\n- {id: a, effect: allow, tools: [xy]}", ("shadowed", 4, "a")),
        ("rules:\n- {id: a, effect: allow, tools: [xy]}\n- {id: d, effect: deny, tools: [x*]}", ("shadowed", 3, "a")),
        ("rules:\n- {id: d, effect: deny, tools: [x]}\n- {id: e, effect: deny, tools: [x], roles: [r]}",
         ("shadowed", 4, "e")),
        # it can be about nothing
        ("rules:\n- {id: a, effect: allow, tools: [x], unless_tools: [x]}", ("never-matches", 3, "a")),
        ("limits:\n- {id: a, tools: [x, y], unless_tools: ['*'], per_session: 1, per_tenant: 9, window: 1h}",
         ("never-matches", 3, "a")),
        ("baseline: {server: shop, from: 2026-11-01, to: 2026-11-02, sessions: 1, calls: 1}\nrules:\n"
         "- {id: a, effect: allow, tools: [x], servers: [bank]}", ("never-matches", 4, "a")),
        ("rules:\n- {id: a, effect: allow, tools: [x], share: 0}", ("never-enforced", 3, "a")),
        ("rules:\n- {id: a, effect: allow, tools: [x], after: {tool: login}}", ("unreachable", 3, "a")),
        ("sensitive: [refund]", ("sensitive-denied", 2, "sensitive")),
        # it lets calls pass
        ("default: allow\nrules:\n- {id: d, effect: deny, tools: [x]}", ("default-allow", 2, "default")),
        ("default: allow\nrules:\n- {id: a, effect: allow, tools: [x]}", ("useless-allow", 4, "a")),
        ("on_error: allow", ("fails-open", 2, "on_error")),
        ("rules:\n- {id: a, effect: require, tools: [x], on_error: allow}", ("fails-open", 3, "a")),
        ("budgets:\n  tenant: {usd: 1, window: 1d, on_error: allow}", ("fails-open", 3, "budgets.tenant")),
        ("rules:\n- {id: d, effect: deny, tools: [x], args_schema: {properties: {n: {minimum: 9}}}}",
         ("fails-open", 3, "d")),
        ("rules:\n- {id: a, effect: require, tools: [x], args_schema: {properties: {n: {maximum: 9}}}}",
         ("open-schema", 3, "a")),
        ("rules:\n- {id: a, effect: allow, tools: [x], clients: [cursor]}", ("self-declared", 3, "a")),
        ("limits:\n- {id: a, tools: [x], per_session: 5}", ("reopened", 3, "a")),
        ("budgets:\n  session: {usd: 5}", ("reopened", 3, "budgets.session")),
        ("mode: log_only", ("not-enforced", 2, "mode")),
    ],
)  # fmt: skip
def test_a_finding_names_its_kind_line_and_rule(text: str, expected: tuple[str, int, str]) -> None:
    found = findings(text)
    assert expected in named(found)
    for one in found:
        assert one.source == "policy.yaml"
        assert all((one.problem, one.meaning, one.fix))


@pytest.mark.parametrize(
    "text",
    [
        "rules:\n- {id: a, effect: allow, tools: [x]}",
        "rules:\n- {id: d, effect: deny, tools: [x]}\n- {id: a, effect: allow, tools: [x*]}",
        "rules:\n- {id: d, effect: deny, tools: ['*'], unless_tools: [x]}\n- {id: a, effect: allow, tools: [x]}",
        "rules:\n- {id: d, effect: deny, tools: [x], mode: log_only}\n- {id: a, effect: allow, tools: [x]}",
        "rules:\n- {id: d, effect: deny, tools: [x], roles: [guest]}\n- {id: a, effect: allow, tools: [x]}",
        "rules:\n- {id: d, effect: deny, tools: [x], kinds: [write]}\n- {id: a, effect: allow, tools: [x]}",
        "rules:\n- {id: d, effect: deny, tools: [x], servers: [a]}\n- {id: a, effect: allow, tools: [x]}",
        "rules:\n- {id: d, effect: deny, tools: [a*b]}\n- {id: a, effect: allow, tools: [a*c]}",
        "rules:\n- {id: a, effect: allow, tools: [x], resources: [y], unless_tools: [x]}",
        "rules:\n- {id: a, effect: allow, tools: [login, x]}\n"
        "- {id: b, effect: require, tools: [x], after: {tool: login}}",
        "rules:\n- {id: d, effect: deny, tools: [x], window: {days: [sat]}}",
        "default: allow\nsensitive: [x]\nlimits:\n- {id: l, tools: [x], per_tenant: 5, window: 1h}\nrules: []",
        "limits:\n- {id: l, tools: [x], per_session: 5, per_principal: 9, window: 1h}",
        "budgets:\n  session: {usd: 5}\n  principal: {usd: 9, window: 1d}",
        "rules:\n- {id: a, effect: allow, tools: [x], args_schema: {properties: {n: {}}, required: [n]}}",
    ],
)
def test_a_policy_without_faults_has_no_warning(text: str) -> None:
    assert [one for one in findings(text) if one.level == "warning"] == []


@pytest.mark.parametrize(
    ("text", "expected", "level"),
    [
        ("rules:\n- {id: a, effect: allow, tools: [serch]}",
         "no tool `serch` was seen; did you mean `search`?", "warning"),
        ("rules:\n- {id: a, effect: allow, tools: [qqqq]}", "no tool `qqqq` was seen", "note"),
        ("rules:\n- {id: a, effect: allow, tools: ['ref*', 'x*']}", "no tool `x*` was seen", "note"),
        ("sensitive: [refnud]", "no tool `refnud` was seen; did you mean `refund`?", "warning"),
        (ALLOW + "- {id: r, effect: require, tools: [search], after: {tool: refnd}}",
         "no tool `refnd` was seen; did", "warning"),
        ("limits:\n- {id: a, tools: [search], servers: [shopp], per_tenant: 1, window: 1h}",
         "no server `shopp` was", "warning"),
        (ALLOW + "- {id: r, effect: deny, tools: [search], roles: [biling]}",
         "no recorded caller is of roles `biling`", "warning"),
        (ALLOW + "- {id: r, effect: deny, tools: [search], tenants: [zzz]}",
         "no recorded caller is of tenants `zzz`", "note"),
    ],
)  # fmt: skip
def test_a_name_that_the_lake_does_not_know_is_found_with_the_nearest(text: str, expected: str, level: str) -> None:
    assert [one.level for one in findings(text, TRAFFIC) if one.problem.startswith(expected)] == [level]
    assert [one for one in findings(text) if one.problem.startswith(expected)] == []


@pytest.mark.parametrize(
    ("text", "about"),
    [
        (ALLOW + "- {id: d, effect: deny, tools: ['*'], prompts: ['*']}", "d"),
        (ALLOW + "- {id: r, effect: require, tools: [refund], roles: [clerk]}", "r"),
        ("rules:\n- {id: a, effect: allow, tools: [other]}", "rules"),
        ("default: allow\nrules:\n- {id: s, effect: require, tools: [refund], args_schema: {required: [n]}}", "s"),
    ],
)
def test_a_rule_that_denies_all_recorded_calls_is_found(text: str, about: str) -> None:
    policy = file.of_texts([((HEAD + text).encode(), "policy.yaml")])
    fingerprint = _fingerprint(text)
    traffic = [
        *TRAFFIC[:1],
        Traffic("tools/call", "refund", "shop", "cursor", ANN, 5, {} if fingerprint is None else {fingerprint: False}),
        TRAFFIC[2],
    ]
    found = lint(policy, Known(History(policy, traffic)))
    assert about in [one.about for one in found if one.check == "denies-everything"]


def _fingerprint(text: str) -> str | None:
    """How a rule on content is named in verdicts."""
    from mcpobs.policy.compiled import Compiled

    if "args_schema" not in text:
        return None
    policy = file.of_texts([((HEAD + text).encode(), "policy.yaml")])
    plan = Compiled(policy, "shop", shadow=True).plan(TRAFFIC[1].facts, frozenset({"write"}))
    return plan.layers[0].requires[0].fingerprint


@pytest.mark.parametrize(
    "text",
    [
        ALLOW + "- {id: d, effect: deny, tools: [refund]}",
        ALLOW + "- {id: r, effect: require, tools: [refund], roles: [billing]}",
        ALLOW + "- {id: r, effect: require, tools: [refund], args_schema: {required: [n]}}",
        "rules:\n- {id: a, effect: allow, tools: [search]}",
        "limits:\n- {id: l, tools: [search], per_tenant: 1, window: 1h}",
    ],
)
def test_a_rule_that_some_recorded_calls_pass_is_not_said_to_deny_all(text: str) -> None:
    assert [one.about for one in findings(text, TRAFFIC) if one.check == "denies-everything"] == []


def test_rules_about_verified_callers_are_found_where_nobody_is_verified() -> None:
    text = "rules:\n- {id: a, effect: allow, tools: [x], roles: [billing]}\n- {id: b, effect: allow, tools: [y]}"
    assert ("nobody-verified", 3, "a") in named(findings(text, verifies=False))
    assert [one for one in findings(text, verifies=True) if one.check == "nobody-verified"] == []
    assert [one for one in findings(text) if one.check == "nobody-verified"] == []


def test_findings_stand_in_the_order_of_files_and_lines() -> None:
    contents = [
        (b"version: 1\nmode: log_only\nlimits:\n- {id: l, tools: [x], per_session: 5}\n", "z.yaml"),
        (b"version: 1\non_error: allow\n", "a.yaml"),
    ]
    found = lint(file.of_texts(contents))
    assert [(one.source, one.line) for one in found] == [("z.yaml", 2), ("z.yaml", 4), ("a.yaml", 2)]


# -- inspection ------------------------------------------------------------------------------------------------------

ENTRY = "inspect:\n- {id: pii, tools: [search], find: email, action: %s}"


def inspected(text: str, *verdicts: bool | None) -> tuple[Traffic, ...]:
    """Calls of `search`, with what the only entry of a file found in each."""
    (entry,) = file.of_texts([((HEAD + text).encode(), "policy.yaml")]).layers[0].inspect
    name = fingerprint(entry)
    return tuple(
        Traffic("tools/call", "search", "shop", "cursor", ANN, 7, {} if one is None else {name: one})
        for one in verdicts
    )


@pytest.mark.parametrize(
    ("action", "verdicts", "problem"),
    [
        ("mask", (True, True), "masked nothing in 14 recorded calls"),
        ("mask", (None,), "inspected no recorded call, so it masked nothing"),
        ("block", (True,), "blocked nothing in 7 recorded calls"),
        ("mask", (True, False), None),
        ("flag", (True,), None),
    ],
)
def test_an_entry_that_never_found_anything_is_named(
    action: str, verdicts: tuple[bool | None, ...], problem: str | None
) -> None:
    text = ENTRY % action
    found = [one for one in findings(text, inspected(text, *verdicts)) if one.check == "never-found"]
    assert [(one.level, one.line, one.about) for one in found] == ([("note", 3, "pii")] if problem else [])
    assert all(str(problem) in one.problem for one in found)


def test_verdicts_of_another_text_of_an_entry_are_not_its_own() -> None:
    other = ENTRY.replace("email", "phone") % "mask"
    found = findings(ENTRY % "mask", inspected(other, False))
    assert "no recorded call" in next(one.problem for one in found if one.check == "never-found")


@pytest.mark.parametrize(
    ("more", "level"),
    [(", on_error: flag", "warning"), (", over: flag", "note"), (", over: pass", "note"), ("", None)],
)
def test_an_entry_that_lets_pass_what_it_cannot_look_at_is_named(more: str, level: str | None) -> None:
    found = [one for one in findings(ENTRY % f"block{more}") if one.check == "fails-open"]
    assert [one.level for one in found] == ([level] if level else [])


def test_tools_that_an_entry_names_and_nobody_has_seen_are_named() -> None:
    assert ("unknown-tool", 3, "pii") in named(findings(ENTRY.replace("search", "serch") % "flag", TRAFFIC))
