"""What a replay makes of recorded operations: their order, what was denied then, costs, and what nobody can know."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mcpobs.policy import file
from mcpobs.policy.inspect.entries import fingerprint
from tests.simulate.lakes import decided

SEARCHES = "limits: [{id: l, tools: [search], per_session: 2}]\nhalt_after_denials: off"
DENIED = "call_limit"


def test_a_denied_call_has_not_happened_for_later_limits() -> None:
    policy = "limits: [{id: few, tools: [search], per_session: 1}, {id: all, tools: ['*'], per_session: 2}]"
    found = decided(policy + "\nhalt_after_denials: off", {}, {}, {}, {"tool": "fetch"}, {"tool": "fetch"})
    assert found.codes == [None, DENIED, DENIED, None, DENIED]


def test_sessions_of_two_callers_with_one_id_are_two() -> None:
    other = {"enforcement_key": "principal:bob", "principal": "bob"}
    assert decided(SEARCHES, {}, {}, other, other, {}, other).codes == [None, None, None, None, DENIED, DENIED]


def test_a_session_whose_caller_is_unknown_stands_for_itself() -> None:
    policy = "limits: [{id: l, tools: [search], per_principal: 1, window: 1h}]\nhalt_after_denials: off"
    unknown: dict[str, Any] = {"enforcement_key": None, "principal": None}
    other = unknown | {"session_id": "s2"}
    assert decided(policy, unknown, other, unknown, other).codes == [None, None, "rate_limit", "rate_limit"]


def test_a_window_goes_by_the_time_of_the_calls() -> None:
    policy = "limits: [{id: l, tools: [search], per_principal: 1, window: 1m}]\nhalt_after_denials: off"
    assert decided(policy, {}, {"at_s": 30}, {"at_s": 62}, {"at_s": 63}).codes == [
        None,
        "rate_limit",
        None,
        "rate_limit",
    ]


def test_a_call_counts_as_success_when_it_ended_not_when_it_began() -> None:
    policy = "default: allow\nrules: [{id: r, effect: require, tools: [refund], after: {tool: search}}]"
    lookup = {"at_s": 0, "ms": 5_000}
    refunds = [{"at_s": 1, "tool": "refund"}, {"at_s": 4.999, "tool": "refund"}, {"at_s": 5, "tool": "refund"}]
    assert decided(policy, lookup, *refunds).codes == [None, "order", "order", None]


@pytest.mark.parametrize("outcome", ["tool_error", "server_error", "timeout", "denied", "cancelled", "task"])
def test_only_a_success_counts_as_one(outcome: str) -> None:
    policy = "default: allow\nrules: [{id: r, effect: require, tools: [refund], after: {tool: search}}]"
    assert decided(policy, {"outcome": outcome}, {"tool": "refund"}).codes == [None, "order"]


def test_calls_that_were_denied_when_they_were_recorded_were_calls_too() -> None:
    denied = {"outcome": "denied", "result_bytes": None}
    assert decided(SEARCHES, {}, denied, {}, denied).codes == [None, None, DENIED, DENIED]


def test_rules_are_in_force_whatever_their_mode_and_share() -> None:
    limit = "{id: l, tools: [search], per_session: 1%s}"
    for words in ("", ", mode: log_only", ", share: 0", ", share: 0.5"):
        found = decided(f"mode: log_only\nlimits: [{limit % words}]\nhalt_after_denials: off", {}, {})
        assert found.codes == [None, DENIED]


# -- costs ---------------------------------------------------------------------------------------------------

BUDGET = "budgets: {session: {usd: 0.25}}\nhalt_after_denials: off"
TENTH = {"cost_microusd": 100_000}


def test_a_recorded_cost_is_spent_when_the_call_has_ended() -> None:
    assert decided(BUDGET, TENTH, TENTH, TENTH, TENTH).codes == [None, None, "cost_limit", "cost_limit"]


def test_calls_under_way_are_counted_at_their_estimate() -> None:
    slow = TENTH | {"ms": 60_000}
    found = decided(BUDGET, slow, slow, slow, slow, prices={"search": 90_000})
    assert found.codes == [None, None, "cost_limit", "cost_limit"]


@pytest.mark.parametrize(
    ("outcome", "goes_on"),
    [
        *(("timeout", False), ("unfinished", False), ("cancelled", False), ("task", False)),
        *(("protocol_error", True), ("input_required", True)),
        *(("ok", False), ("tool_error", False), ("server_error", False)),
    ],
)
def test_a_cost_that_nobody_knows_keeps_its_estimate(outcome: str, goes_on: bool) -> None:
    ended = {"outcome": outcome, "args_digest": "same"}
    fetch = {"tool": "fetch", "args_digest": "other"}
    found = decided(BUDGET, ended, ended | {"args_digest": "b"}, fetch, prices={"search": 100_000, "fetch": 100_000})
    assert found.codes == [None, None, None if goes_on else "cost_limit"]


def test_a_price_that_could_not_be_read_then_is_not_made_up_now() -> None:
    unread = {"cost_source": "reported?"}
    assert decided(BUDGET, unread, unread, unread, prices={"search": 100_000}).codes == [None, None, None]


def test_each_process_learns_what_tools_cost_by_itself() -> None:
    policy = "budgets: {principal: {usd: 0.15, window: 1h}}\nhalt_after_denials: off"
    other = {"resource": "process-2"}
    assert decided(policy, TENTH, TENTH | other).codes == [None, None]
    assert decided(policy, TENTH, TENTH).codes == [None, "cost_limit"]


# -- retries of input_required -------------------------------------------------------------------------------

ASKED: dict[str, Any] = {"outcome": "input_required", "args_digest": "same"}
ANSWERED: dict[str, Any] = {"args_digest": "same"}


def test_the_next_equal_call_is_the_retry_and_counts_nothing() -> None:
    assert decided(SEARCHES, ASKED, ANSWERED, ANSWERED, ANSWERED).codes == [None, None, None, DENIED]


def test_a_recorded_policy_says_which_call_was_the_retry() -> None:
    known = {"policy_hash": "p"}
    found = decided(SEARCHES, ASKED, ANSWERED | known, ANSWERED | known | {"policy_retry": True}, ANSWERED)
    assert found.codes == [None, None, None, DENIED]


# -- what the lake does not record ---------------------------------------------------------------------------

SCHEMA = "{id: r, effect: %s, tools: [search], args_schema: {required: [q]}}"


@pytest.mark.parametrize("effect", ["allow", "require", "deny"])
def test_a_rule_on_content_without_a_verdict_neither_allows_nor_denies(effect: str) -> None:
    policy = f"default: {'deny' if effect == 'allow' else 'allow'}\nrules: [{SCHEMA % effect}]"
    found = decided(policy, {}, {"tool": "fetch"})
    assert found.undecidable == [("r",), ()]
    assert found.codes == [None, "unknown" if effect == "allow" else None]


@pytest.mark.parametrize(("effect", "held", "code"), [("require", False, "arguments"), ("deny", True, "denied")])
def test_a_rule_on_content_goes_by_its_recorded_verdict(effect: str, held: bool, code: str) -> None:
    policy = f"default: allow\nrules: [{SCHEMA % effect}]"
    (name,) = _fingerprints(policy)
    verdicts = [f'{{"{name}":{str(one).lower()}}}' for one in (held, not held)]
    found = decided(policy, *({"rule_verdicts": text} for text in (*verdicts, '{"r@00000000":true}', "no json", "[]")))
    assert found.codes[:2] == [code, None]
    assert found.undecidable == [(), (), ("r",), ("r",), ("r",)]


def _fingerprints(policy: str) -> list[str]:
    from mcpobs.policy.compiled import Compiled
    from mcpobs.policy.conditions import CallFacts

    compiled = Compiled(file.of_texts([(f"version: 1\n{policy}".encode(), "p")]), None, shadow=False)
    (plan,) = compiled.plan(CallFacts("tools/call", kind="tool", target="search"), frozenset()).layers
    return [bound.fingerprint for bound in (*plan.denies, *plan.requires)]


@pytest.mark.parametrize("words", ["scopes: [write]", "kinds: [write]"])
@pytest.mark.parametrize("effect", ["allow", "require", "deny"])
def test_scopes_and_kinds_are_not_recorded(words: str, effect: str) -> None:
    rule = f"{{id: r, effect: {effect}, tools: [search], {words}}}"
    found = decided(f"default: {'deny' if effect == 'allow' else 'allow'}\nrules: [{rule}]", {})
    assert (found.codes, found.undecidable) == ([None], [("r",)])


def test_a_limit_on_scopes_or_kinds_counts_nothing() -> None:
    for words in ("scopes: [write]", "kinds: [read]"):
        found = decided(f"limits: [{{id: l, tools: ['*'], {words}, per_session: 1}}]", {}, {})
        assert (found.codes, found.undecidable) == ([None, None], [("l",), ("l",)])
    assert decided("limits: [{id: l, tools: ['*'], kinds: [read, write], per_session: 1}]", {}, {}).codes[1] == DENIED


def test_a_sum_over_an_argument_is_undecidable_and_other_limits_count() -> None:
    policy = (
        "limits: [{id: s, tools: [search], sum: args.amount, per_session: 5}, {id: l, tools: [search], per_session: 1}]"
    )
    found = decided(policy, {}, {})
    assert (found.codes, found.undecidable) == ([None, DENIED], [("s",), ("s",)])


def test_an_order_rule_that_compares_arguments_is_undecidable() -> None:
    rule = "{id: r, effect: require, tools: [refund], after: {tool: search, same: {q: q}}}"
    found = decided(f"default: allow\nrules: [{rule}]", {"tool": "refund"}, {}, {"tool": "refund"})
    assert found.codes == ["order", None, None]
    assert found.undecidable == [(), (), ("r",)]


READ: dict[str, Any] = {"method": "resources/read", "tool": None, "resource_uri": "file"}


@pytest.mark.parametrize(
    ("policy", "codes", "undecidable"),
    [
        ("default: allow\nrules: [{id: r, effect: deny, resources: ['file:///etc/*']}]", [None], [("resources",)]),
        ("default: allow\nrules: [{id: r, effect: deny, resources: ['*']}]", ["unknown"], [()]),
        ("rules: [{id: r, effect: allow, tools: ['*']}]", ["unknown"], [()]),
        ("rules: [{id: r, effect: allow, resources: ['*']}]", [None], [()]),
        ("limits: [{id: l, tools: [search], per_session: 1}]", [None], [()]),
        ("limits: [{id: l, resources: ['*'], per_session: 1, each_tool: true}]", [None], [("resources",)]),
    ],
)
def test_a_resource_is_undecidable_where_its_name_matters(policy: str, codes: Any, undecidable: Any) -> None:
    found = decided(policy, READ)
    assert (found.codes, found.undecidable) == (codes, undecidable)


def test_a_halted_session_reads_no_resource_whatever_its_name() -> None:
    policy = "default: allow\nrules: [{id: r, effect: deny, resources: ['file:*']}]\n"
    policy += "limits: [{id: l, tools: [search], per_session: 1, on_exceed: halt}]"
    assert decided(policy, {}, {}, READ).codes == [None, DENIED, "halted"]


def test_a_name_that_poses_as_a_tool_may_be_one_of_the_server() -> None:
    found = decided(SEARCHES, {"tool": "Search"}, {"tool": "sеarch"}, {"tool": "other"})
    assert found.codes == [None, None, None]
    assert found.undecidable == [("lookalike",), ("lookalike",), ()]


def test_a_result_that_a_rule_looks_at_is_undecidable_or_goes_by_its_verdict() -> None:
    policy = "default: allow\nrules: [{id: t, effect: require, tools: [search], tenant: {result: tenant}}]"
    policy += "\nlimits: [{id: after, tools: [refund], per_session: 9}]"
    whose = {"tenant": "acme"}
    (name,) = _fingerprints(policy)
    found = decided(policy, whose | {"rule_verdicts": json.dumps({name: True})})
    assert (found.codes, found.late, found.results) == ([None], ["t"], [])
    found = decided(policy, whose | {"rule_verdicts": json.dumps({name: True, f"{name}/result": False})})
    assert (found.codes, found.late, found.results) == ([None], [], ["tenant"])


@pytest.mark.parametrize(("words", "code", "undecidable"), [("deny", "server_request", ()), ("allow", None, ())])
def test_what_a_server_asks_of_its_client_is_decided_too(words: str, code: str | None, undecidable: Any) -> None:
    asks = {"method": "sampling/createMessage", "kind": "client", "tool": None}
    found = decided(f"server_requests: {{sampling: {words}}}", asks)
    assert (found.codes, found.undecidable) == ([code], [undecidable])


def test_the_mode_of_an_elicitation_is_not_recorded() -> None:
    asks = {"method": "elicitation/create", "kind": "client", "tool": None}
    found = decided("server_requests: {elicitation: url}", asks)
    assert (found.codes, found.undecidable) == ([None], [("server_requests.elicitation",)])


# -- numbers of a limits file -----------------------------------------------------------------------------------


def test_the_age_of_a_session_goes_by_the_time_of_the_calls() -> None:
    policy = "session: {duration_s: 60}\nhalt_after_denials: off"
    found = decided(policy, {}, {"at_s": 60}, {"at_s": 60.5}, {"at_s": 61, "session_id": "s2"})
    assert found.codes == [None, None, "duration", None]


def test_the_hour_of_a_caller_goes_over_its_sessions() -> None:
    policy = "key: {calls_per_hour: 2}\nroles: {admin: {key: {calls_per_hour: 1}}}\nhalt_after_denials: off"
    admin = {"role": "admin", "enforcement_key": "principal:eve", "principal": "eve"}
    found = decided(policy, {}, {"session_id": "s2"}, {"session_id": "s3"}, admin, admin)
    assert found.codes == [None, None, "rate_limit", None, "rate_limit"]


def _features(word: str) -> dict[str, str]:
    return {"args_features": json.dumps({"depth": 1, "flags": [], "keys": 1, "longest": 1, "values": {"q": word}})}


def test_a_number_of_an_argument_goes_by_the_range_of_its_value_or_the_recorded_verdict() -> None:
    policy = "tools: {search: {argument_values: {q: {max_length: 5}}}}\nhalt_after_denials: off"
    found = decided(policy, _features("s2-a"), _features("s3-a"), _features("s4-a"), {})
    assert found.codes == [None, None, "arguments", None]
    number = ("tools.search.argument_values",)
    assert found.undecidable == [(), number, (), number]


@pytest.mark.parametrize(
    ("policy", "is_undecidable"),
    [
        ("session: {calls: 9}", False),
        ("default: allow\nrules: [{id: r, effect: deny, resources: ['file:///x']}]", True),
        ("default: allow\nlimits: [{id: l, resources: ['*'], per_session: 9}]", True),
        ("rules: [{id: r, effect: allow, tools: ['*']}]", True),
    ],
)
def test_a_subscription_is_undecidable_if_the_policy_may_be_about_its_resources(
    policy: str, is_undecidable: bool
) -> None:
    found = decided(policy, {"method": "subscriptions/listen", "tool": None})
    assert found.codes == [None]
    assert bool(found.undecidable[0]) is is_undecidable


INSPECTED = "inspect: [{id: pii, tools: [search], find: email, action: %s}]"


def verdict(held: bool) -> str:
    """As a front records it: the name does not depend on the action."""
    (entry,) = file.of_texts([(f"version: 1\n{INSPECTED % 'flag'}".encode(), "policy.yaml")]).layers[0].inspect
    return json.dumps({fingerprint(entry): held})


@pytest.mark.parametrize(("action", "results"), [("block", ["inspection"]), ("mask", []), ("flag", []), ("pass", [])])
def test_an_entry_of_inspect_goes_by_its_recorded_verdict_whatever_its_action(action: str, results: list[str]) -> None:
    found = decided(INSPECTED % action, {"rule_verdicts": verdict(False)}, {"rule_verdicts": verdict(True)}, {})
    assert found.findings == [("pii", action)]
    assert found.results == results
    assert found.late == ["pii"]
    assert found.codes == [None, None, None]


def test_a_result_that_is_withheld_is_no_success() -> None:
    policy = INSPECTED % "block" + "\nrules: [{id: r, effect: require, tools: [refund], after: {tool: search}}, "
    policy += "{id: a, effect: allow, tools: ['*']}]"
    assert decided(policy, {"rule_verdicts": verdict(False)}, {"tool": "refund"}).codes == [None, "order"]
    assert decided(policy, {"rule_verdicts": verdict(True)}, {"tool": "refund"}).codes == [None, None]


def test_what_an_entry_is_not_about_is_decided() -> None:
    assert decided(INSPECTED % "block", {"tool": "other"}, {"outcome": "timeout"}).late == []


@pytest.mark.parametrize(
    ("where", "undecidable"),
    [("result", []), ("listing", ["pii"]), ("[result, listing]", ["pii"]), ("arguments", ["pii"])],
)
def test_only_an_entry_about_listings_is_undecidable_for_a_listing(where: str, undecidable: list[str]) -> None:
    policy = f"inspect: [{{id: pii, find: email, action: block, where: {where}}}]"
    for method in ("tools/list", "initialize"):
        assert decided(policy, {"method": method, "tool": None}).late == undecidable


def test_a_notification_of_the_client_has_no_result() -> None:
    policy = "inspect: [{id: pii, find: email, action: block}]"
    assert decided(policy, {"method": "notifications/initialized", "tool": None}).late == []
