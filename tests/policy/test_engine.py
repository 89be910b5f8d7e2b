"""What the engine decides: rules, limits, budgets, halts, and what runs in shadow."""

from __future__ import annotations

import pytest

from mcpobs.policy.codes import Code, Said, text
from mcpobs.policy.conditions import UNKNOWN
from mcpobs.policy.memory import MemoryStore
from mcpobs.policy.model import REOPENED_FACTOR
from mcpobs.policy.state import Count, Reserved, SessionKey, StoreError, Under
from mcpobs.protocol.session import Identity
from tests.policy.deciding import SECOND_NS, Desk

BILLING = Identity("ann", "acme", "billing", ("refunds",))
SUPPORT = Identity("bob", "acme", "support")
OTHER = Identity("eve", "other", "billing")


def desk(text: str, **more: object) -> Desk:
    return Desk("version: 1\n" + text, **more)  # type: ignore[arg-type]


# -- rules -------------------------------------------------------------------------------------------------


def test_without_rules_everything_is_allowed_and_with_rules_only_what_they_allow() -> None:
    assert desk("limits: [{id: a, tools: [x], per_session: 1}]").code("search") is None
    ruled = desk("rules: [{id: readers, effect: allow, tools: [search]}]")
    assert ruled.code("search") is None
    assert ruled.code("delete") == "unknown"


def test_a_tool_that_the_caller_may_not_see_is_as_one_that_does_not_exist() -> None:
    ruled = desk("rules: [{id: billing, effect: allow, tools: [refund], roles: [billing]}]")
    assert ruled.ask("refund", BILLING).lane.denies is False
    hidden, missing = ruled.ask("refund", SUPPORT), ruled.ask("nothing", SUPPORT)
    assert (hidden.lane.hidden, hidden.lane.code) == (missing.lane.hidden, missing.lane.code) == (True, Code.UNKNOWN)
    assert ruled.engine.sees("refund", ruled.facts(who=BILLING))
    assert not ruled.engine.sees("refund", ruled.facts(who=SUPPORT))


def test_names_are_compared_exactly() -> None:
    ruled = desk("default: allow\nrules: [{id: no, effect: deny, tools: [delete_all]}]")
    assert ruled.code("delete_all") == "unknown"
    for posing in ("Delete_All", "delete_all ", "ｄelete_all", "delete_all\u200b", "dеlete_all"):
        assert ruled.code(posing) == "unknown", posing
    assert ruled.code("delete_some") is None


def test_a_real_tool_that_resembles_a_named_one_is_no_lookalike() -> None:
    ruled = desk("default: allow\nrules: [{id: no, effect: deny, tools: [delete_all]}]")
    ruled.engine.listed = {"Delete_All", "délete"}
    assert ruled.code("Delete_All") is None
    assert ruled.code("délete") is None


@pytest.mark.parametrize(
    ("who", "keys", "holds"),
    [
        (BILLING, "roles: [billing]", True),
        (SUPPORT, "roles: [billing]", False),
        (BILLING, "scopes: [refunds, other]", True),
        (SUPPORT, "scopes: [refunds]", False),
        (BILLING, "principals: ['an*']", True),
        (BILLING, "tenants: [acme]", True),
        (OTHER, "tenants: [acme]", False),
        (Identity(), "principals: ['*']", False),
        (Identity(), "tenants: ['*']", False),
    ],
)
def test_who_may_call(who: Identity, keys: str, holds: bool) -> None:
    allow = desk(f"rules: [{{id: a, effect: allow, tools: [x], {keys}}}]")
    assert (allow.code("x", who) is None) is holds
    require = desk(f"rules: [{{id: a, effect: allow, tools: [x]}}, {{id: r, effect: require, tools: [x], {keys}}}]")
    assert (require.code("x", who) is None) is holds


def test_a_later_file_narrows_an_earlier_one() -> None:
    from mcpobs.policy import file
    from mcpobs.policy.engine import Engine

    first = b"version: 1\nrules: [{id: a, effect: allow, tools: [x, y]}]"
    second = b"version: 1\nrules: [{id: b, effect: allow, tools: [y, z]}]"
    both = desk("")
    both.engine = Engine(file.of_texts([(first, "a.yaml"), (second, "b.yaml")]), MemoryStore())
    assert [both.code(tool) for tool in "xyz"] == ["unknown", None, "unknown"]


def test_a_deny_wins_over_an_allow() -> None:
    ruled = desk("rules: [{id: a, effect: allow, tools: ['*']}, {id: d, effect: deny, tools: [x]}]")
    assert ruled.code("x") == "unknown"
    assert ruled.code("y") is None


def test_resources_and_prompts_are_no_side_door() -> None:
    ruled = desk("rules: [{id: a, effect: allow, tools: ['*'], resources: ['file:///public/*']}]")
    public = ruled.ask(method="resources/read", kind="resource", target="file:///public/a")
    secret = ruled.ask(method="resources/read", kind="resource", target="file:///secret")
    prompt = ruled.ask(method="prompts/get", kind="prompt", target="p")
    assert [one.lane.code for one in (public, secret, prompt)] == [None, Code.UNKNOWN, Code.UNKNOWN]


def test_a_method_outside_of_the_protocol_needs_a_rule() -> None:
    ruled = desk("rules: [{id: a, effect: allow, tools: ['*']}, {id: own, effect: allow, methods: ['acme/*']}]")
    assert ruled.ask(method="tools/list", kind=None, target=None).lane.code is None
    assert ruled.ask(method="acme/run", kind=None, target=None).lane.code is None
    assert ruled.ask(method="evil/run", kind=None, target=None).lane.code == Code.NOT_ALLOWED


def test_a_sensitive_tool_needs_an_allow_whatever_the_default() -> None:
    ruled = desk("default: allow\nsensitive: ['delete_*']\nrules: [{id: a, effect: allow, tools: [delete_one]}]")
    assert [ruled.code(tool) for tool in ("search", "delete_one", "delete_all")] == [None, None, "unknown"]


AFTER = """rules:
- {id: all, effect: allow, tools: ['*']}
- {id: first, effect: require, tools: [refund], after: {tool: lookup, within: 10m, same: {order: order}}}
"""
PATIENT = "halt_after_denials: off\n"


def test_an_order_of_calls_counts_only_what_succeeded_in_this_session() -> None:
    ruled = desk(PATIENT + AFTER)
    order = {"arguments": {"order": "1"}}
    assert ruled.code("refund", **order) == "order"
    ruled.call("lookup", fails=True, **order)
    assert ruled.code("refund", **order) == "order"
    ruled.call("lookup", session="another", **order)
    assert ruled.code("refund", session="s2", **order) == "order"
    ruled.call("lookup", session="s3", **order)
    assert ruled.code("refund", session="s3", **order) is None
    assert ruled.code("refund", session="s3", arguments={"order": "2"}) == "order"
    assert ruled.code("refund", session="s3", arguments={}) == "order"
    ruled.now_ns += 601 * SECOND_NS
    assert ruled.code("refund", session="s3", **order) == "order"


def test_a_denied_call_does_not_count_as_done() -> None:
    ruled = desk(AFTER + "- {id: no, effect: deny, tools: [lookup], tenants: [acme]}\n")
    assert ruled.code("lookup", BILLING, arguments={"order": "1"}) == "unknown"
    assert ruled.code("refund", BILLING, arguments={"order": "1"}) == "order"


def test_a_tenant_is_the_verified_one_and_must_be_there() -> None:
    ruled = desk(
        f"{PATIENT}rules: [{{id: a, effect: allow, tools: ['*']}},"
        "{id: t, effect: require, tools: [rows], tenant: {arg: customer}}]"
    )
    assert ruled.code("rows", BILLING, arguments={"customer": "acme"}) is None
    for arguments in ({"customer": "other"}, {}, {"customer": ["acme"]}, {"customer": None}, ["acme"], "acme"):
        assert ruled.code("rows", BILLING, arguments=arguments) == "tenant", arguments
    assert ruled.code("rows", Identity("x"), arguments={"customer": "acme"}) == "tenant"


def test_a_result_of_another_tenant_is_withheld() -> None:
    ruled = desk(
        "rules: [{id: a, effect: allow, tools: ['*']},{id: t, effect: require, tools: [row], tenant: {result: tenant}}]"
    )
    facts = ruled.facts("row", BILLING)
    decision = ruled.engine.begin(facts)

    def passes(structured: object) -> bool:
        return ruled.engine.end(decision, facts, {"structuredContent": structured}, is_error=False) is None

    assert passes({"tenant": "acme"})
    assert passes({"rows": [{"tenant": "acme"}, {"tenant": "acme"}]})
    assert not passes({"tenant": "other"})
    assert not passes({"rows": [{"tenant": "acme"}, {"tenant": "other"}]})
    assert not passes({"rows": [{"tenant": "acme"}, {"id": 2}]})
    assert not passes({"id": 2})
    assert ruled.engine.end(decision, facts, {"content": [{"type": "text", "text": "no tenant"}]}, is_error=False)


@pytest.mark.parametrize(
    "arguments",
    [{"order": "1", "Order": "2"}, {"order": "1", "deep": {"a": 1, "A": 2}}, {"order": "1", "n": 10**40}],
)
def test_arguments_that_two_readers_read_otherwise_are_refused_where_a_rule_reads_them(arguments: object) -> None:
    ruled = desk(AFTER)
    ruled.call("lookup", arguments={"order": "1"})
    assert ruled.code("refund", arguments=arguments) == "arguments"
    assert ruled.code("lookup", arguments=arguments) is None


# -- limits ------------------------------------------------------------------------------------------------


def test_a_limit_of_a_session() -> None:
    limited = desk("limits: [{id: few, tools: [search], per_session: 2}]")
    assert [limited.code() for _ in range(3)] == [None, None, "call_limit"]
    assert limited.code("other") is None
    assert limited.code(session="s2") is None


def test_a_new_session_does_not_wash_a_limit_away() -> None:
    limited = desk("limits: [{id: few, tools: [search], per_session: 2}]")
    granted = sum(limited.code(session=f"s{n // 2}") is None for n in range(100))
    assert granted == 2 * REOPENED_FACTOR
    limited.now_ns += 3_700 * SECOND_NS
    assert limited.code(session="new") is None


def test_a_limit_of_a_caller_and_of_a_tenant_in_a_window() -> None:
    limited = desk("limits: [{id: few, tools: [search], per_session: 9, per_principal: 3, per_tenant: 4, window: 1h}]")
    ann, bob = Identity("ann", "acme"), Identity("bob", "acme")
    assert [limited.code("search", ann, f"s{n}") for n in range(4)] == [None, None, None, "rate_limit"]
    assert [limited.code("search", bob, f"b{n}") for n in range(2)] == [None, "rate_limit"]
    assert limited.code("search", Identity("eve", "other")) is None
    limited.now_ns += 3_700 * SECOND_NS
    assert limited.code("search", ann) is None


def test_a_rate_limit_says_when_to_try_again() -> None:
    limited = desk("limits: [{id: few, tools: [search], per_principal: 1, window: 1m}]")
    limited.call()
    limited.now_ns += 20 * SECOND_NS
    denied = limited.ask()
    assert denied.lane.said.retry_after_s in (40, 41)
    limited.now_ns += denied.lane.said.retry_after_s * SECOND_NS
    assert limited.code() is None


def test_a_sum_over_an_argument_that_cannot_be_lowered() -> None:
    limit = "{id: pay, tools: [transfer], sum: args.amount, per_principal: 1000, window: 1d}"
    limited = desk(f"halt_after_denials: off\nlimits: [{limit}]")
    assert limited.code("transfer", arguments={"amount": 999.5}) is None
    assert limited.code("transfer", arguments={"amount": 1}) == "sum_limit"
    for amount in (-500, "1", None, True, [1], float("nan"), float("inf"), 10**30):
        assert limited.code("transfer", session="x", arguments={"amount": amount}) in ("arguments", "halted"), amount
    assert limited.code("transfer", session="y", arguments={"amount": 0.5}) is None


def test_equal_calls_are_stopped_and_other_calls_are_not() -> None:
    limited = desk("limits: [{id: loop, tools: ['*'], same_args: 3, window: 1m}]")
    assert [limited.code(arguments={"q": 1}) for _ in range(4)] == [None, None, None, "repeated"]
    assert limited.code(arguments={"q": 2}) is None
    assert limited.code("other", arguments={"q": 1}) is None


def test_distinct_tools_of_a_session() -> None:
    limited = desk("limits: [{id: wide, tools: ['*'], distinct_tools: 2}]")
    assert [limited.code(tool) for tool in "ababca"] == [None, None, None, None, "tool_limit", None]


def test_calls_that_write_have_a_lower_limit() -> None:
    limited = desk("limits: [{id: writes, tools: ['*'], kinds: [write], per_session: 1}]")
    limited.engine.kinds = {"read_it": frozenset({"read"})}
    assert [limited.code("read_it") for _ in range(3)] == [None] * 3
    assert [limited.code("write_it") for _ in range(2)] == [None, "call_limit"]


def test_numbers_of_a_limits_file_hold_without_a_policy() -> None:
    limited = desk("session: {calls: 4}\ntools: {'*': {calls_per_session: 2}, big: {arguments: {max_bytes: 10}}}")
    assert [limited.code("a") for _ in range(3)] == [None, None, "call_limit"]
    assert limited.code("big", args_bytes=11) == "size"
    assert [limited.code("b") for _ in range(3)] == [None, None, "call_limit"]


def test_an_odd_shape_is_noted_and_not_refused() -> None:
    limited = desk("tools: {a: {arguments: {shapes: ['{q:s}']}}}")
    assert limited.ask("a", args_shape="{q:s}").effect == "allow"
    odd = limited.ask("a", args_shape="{z:s}")
    assert (odd.effect, odd.lane.warnings) == ("warn", ("tools.a.arguments.shapes",))


# -- money -------------------------------------------------------------------------------------------------


def test_a_budget_reserves_before_the_call_and_settles_after_it() -> None:
    limited = desk("budgets: {session: {usd: 1}}", prices={"search": 400_000})
    first, second = limited.facts(), limited.facts()
    begun = [limited.engine.begin(first), limited.engine.begin(second)]
    assert limited.ask().lane.code == Code.COST_LIMIT  # two are under way, at 0.40 each
    for decision, facts in zip(begun, (first, second), strict=True):
        limited.engine.settle(decision, facts, succeeded=True, forwarded=True, cost_microusd=100_000)
    assert limited.ask().lane.code is None


def test_a_call_without_an_answer_keeps_its_estimate_and_one_that_was_not_sent_costs_nothing() -> None:
    limited = desk("budgets: {session: {usd: 1}}", prices={"search": 600_000})
    facts = limited.facts()
    limited.engine.settle(limited.engine.begin(facts), facts, succeeded=False, forwarded=False, cost_microusd=None)
    limited.engine.settle(limited.engine.begin(facts), facts, succeeded=False, forwarded=True, cost_microusd=None)
    assert limited.ask().lane.code == Code.COST_LIMIT


def test_a_call_is_settled_once() -> None:
    limited = desk("budgets: {session: {usd: 1}}", prices={"search": 600_000})
    facts = limited.facts()
    decision = limited.engine.begin(facts)
    for _ in range(3):
        limited.engine.settle(decision, facts, succeeded=True, forwarded=True, cost_microusd=500_000)
    assert limited.ask("other").lane.counted[0].before == 500_000


def test_a_price_that_only_results_tell_is_estimated_by_what_calls_did_cost() -> None:
    limited = desk("budgets: {session: {usd: 1}}")
    for _ in range(2):
        limited.call(cost=400_000)
    assert limited.code() == "cost_limit"


# -- halts -------------------------------------------------------------------------------------------------


def test_a_limit_that_halts_stops_the_session_and_new_ones_of_the_caller_for_a_while() -> None:
    limited = desk("limits: [{id: few, tools: [search], per_session: 1, on_exceed: halt}]\nhalt_for: 10m")
    ann = Identity("ann")
    limited.call("search", ann, "open")
    limited.call("search", ann, "bad")
    assert limited.code("search", ann, "bad") == "call_limit"
    assert limited.code("other", ann, "bad") == "halted"
    assert limited.code("other", ann, "open") is None
    limited.now_ns += SECOND_NS
    assert limited.code("other", ann, "new") == "halted"
    assert limited.code("other", Identity("bob"), "new") is None
    limited.now_ns += 601 * SECOND_NS
    assert limited.code("other", ann, "newer") is None
    assert limited.code("other", ann, "bad") == "halted"
    assert limited.engine.store.resume("session", "principal:ann", "bad")
    assert limited.code("other", ann, "bad") is None


def test_the_same_denial_three_times_in_a_row_halts_the_session() -> None:
    limited = desk("limits: [{id: few, tools: [search], per_session: 1}]")
    assert [limited.code() for _ in range(5)] == [None, "call_limit", "call_limit", "halted", "halted"]
    off = desk("limits: [{id: few, tools: [search], per_session: 1}]\nhalt_after_denials: off")
    assert [off.code() for _ in range(5)] == [None, *["call_limit"] * 4]


def test_an_allowed_call_ends_the_row_of_denials() -> None:
    limited = desk("limits: [{id: few, tools: [search], per_session: 1}]")
    limited.call()
    assert [limited.code(tool) for tool in ("search", "search", "other", "search", "search")] == [
        "call_limit",
        "call_limit",
        None,
        "call_limit",
        "call_limit",
    ]


# -- shadow ------------------------------------------------------------------------------------------------


def test_what_is_only_logged_denies_nothing_and_counts_as_if_it_did() -> None:
    shadow = desk("mode: log_only\nlimits: [{id: few, tools: [search], per_session: 2}]\nhalt_after_denials: off")
    decisions = [shadow.call() for _ in range(5)]
    assert [one.lane.code for one in decisions] == [None] * 5
    assert [one.shadow.code if one.shadow else None for one in decisions] == [None, None, *[Code.CALL_LIMIT] * 3]
    last = decisions[-1].shadow
    assert last is not None
    assert last.counted[0][1:] == (2, 2, 2)  # denied calls did not happen there
    assert [one.mode for one in decisions] == ["log_only"] * 5


def test_a_rule_that_is_only_logged_beside_one_in_force() -> None:
    both = desk(
        "limits: [{id: few, tools: [x], per_session: 1, mode: log_only}, {id: more, tools: [x], per_session: 3}]\n"
        "halt_after_denials: off"
    )
    seen = [both.call("x") for _ in range(4)]
    assert [one.lane.code for one in seen] == [None, None, None, Code.CALL_LIMIT]
    assert [one.shadow.code if one.shadow else None for one in seen] == [None, *[Code.CALL_LIMIT] * 3]


def test_a_share_of_the_sessions_is_enforced_each_of_them_wholly() -> None:
    some = desk("share: 0.3\nlimits: [{id: none, tools: [x], per_session: 0}]\nhalt_after_denials: off")
    denied = [some.code("x", session=f"s{n}") is not None for n in range(1_000)]
    assert 230 < sum(denied) < 370
    assert denied == [some.code("x", session=f"s{n}") is not None for n in range(1_000)]


# -- faults ------------------------------------------------------------------------------------------------


class Broken(MemoryStore):
    def reserve(
        self, session: SessionKey, counts: list[Count], under: Under = (), halt_for_ns: int | None = None
    ) -> Reserved:  # type: ignore[override]
        raise StoreError("locked")


def test_a_store_that_fails_denies_unless_the_policy_says_otherwise() -> None:
    strict = desk("limits: [{id: few, tools: [search], per_session: 1}]", store=Broken())
    denied = strict.ask()
    assert (denied.lane.code, denied.lane.degraded) == (Code.STORE_ERROR, True)
    lenient = desk("on_error: allow\nlimits: [{id: few, tools: [search], per_session: 1}]", store=Broken())
    allowed = lenient.ask()
    assert (allowed.lane.code, allowed.lane.degraded, allowed.effect) == (None, True, "warn")
    mixed = desk(
        "on_error: allow\nlimits: [{id: few, tools: [search], per_session: 1, on_error: deny}]", store=Broken()
    )
    assert mixed.ask().lane.code == Code.STORE_ERROR


def test_content_that_a_replay_does_not_have_is_undecidable_unless_its_verdict_was_recorded() -> None:
    ruled = desk(AFTER)
    replayed = ruled.ask("refund", arguments=UNKNOWN)
    assert replayed.lane.undecidable == () or replayed.lane.undecidable == ("first",)
    live = desk(AFTER)
    live.call("lookup", arguments={"order": "1"})
    decision = live.call("refund", arguments={"order": "1"})
    assert list(decision.verdicts.values()) == [True]


@pytest.mark.parametrize("code", list(Code))
def test_every_code_has_a_text_that_ends_and_holds_no_gap(code: Code) -> None:
    for said in (Said(), Said("search", "15", "15", "session", 42, "it needs a lookup", "Ask billing.")):
        found = text(code, said)
        assert "None" not in found
        assert "  " not in found
        assert found == found.strip()


def test_the_codes_are_a_contract() -> None:
    assert [str(code) for code in Code] == [
        "halted",
        "unknown",
        "not_allowed",
        "denied",
        "requirement",
        "order",
        "schedule",
        "arguments",
        "tenant",
        "result",
        "inspection",
        "call_limit",
        "rate_limit",
        "sum_limit",
        "cost_limit",
        "tool_limit",
        "repeated",
        "duration",
        "size",
        "server_request",
        "policy_error",
        "store_error",
    ]


# -- what a front may end in its own thread ----------------------------------------------------------------


class _Settling(MemoryStore):
    """A store that says how often it was asked to settle."""

    settled = 0

    def settle(self, *given: object, **named: object) -> None:
        self.settled += 1
        super().settle(*given, **named)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("policy", "forwarded", "stores"),
    [
        ("limits: [{id: a, tools: [x], per_session: 9}]", True, False),
        ("limits: [{id: a, tools: [x], per_session: 9}]", False, True),
        ("mode: log_only\nlimits: [{id: a, tools: [x], per_session: 9}]", False, True),
        ("budgets: {session: {usd: 1}}", True, True),
        ("default: allow\nrules: [{id: a, effect: require, tools: [y], after: {tool: x}}]", True, True),
        ("default: allow\nrules: [{id: a, effect: deny, tools: [x]}]", True, False),
    ],
)
def test_a_call_that_leaves_nothing_to_settle_asks_the_store_for_nothing(
    policy: str, forwarded: bool, stores: bool
) -> None:
    store = _Settling()
    made = desk(policy, store=store, prices={"x": 5})
    facts = made.facts("x")
    decision = made.engine.begin(facts)
    assert made.engine.stores(decision, forwarded=forwarded) is stores
    made.engine.settle(decision, facts, succeeded=True, forwarded=forwarded, cost_microusd=7)
    assert (store.settled > 0) is stores


# -- ways around ---------------------------------------------------------------------------------------------


def test_a_new_conversation_does_not_start_the_count_of_equal_calls_anew() -> None:
    ruled = desk("limits: [{id: same, tools: [search], same_args: 2}]\nhalt_after_denials: off\n")
    codes = [ruled.code("search", session=f"s{number}", arguments={"q": 1}) for number in range(2 * REOPENED_FACTOR)]
    assert codes == [None] * 2 * REOPENED_FACTOR
    assert ruled.code("search", session="another", arguments={"q": 1}) == "repeated"
    assert ruled.code("search", session="another", arguments={"q": 2}) is None
    assert ruled.code("search", OTHER, session="another", arguments={"q": 1}) is None


def test_new_sessions_do_not_start_the_count_of_different_tools_anew() -> None:
    ruled = desk("limits: [{id: few, tools: ['*'], distinct_tools: 1}]\nhalt_after_denials: off\n")
    codes = [ruled.code(f"t{number}", session=f"s{number}") for number in range(REOPENED_FACTOR + 1)]
    assert codes == [None] * REOPENED_FACTOR + ["tool_limit"]


@pytest.mark.parametrize(
    "policy",
    [
        "tools: {'*': {calls_per_session: 2}}",
        "tools: {'*': {calls_per_hour: 2}}",
        "limits: [{id: each, tools: ['*'], per_session: 2, each_tool: true}]",
        "limits: [{id: each, tools: ['*'], per_principal: 2, window: 1h, each_tool: true}]",
    ],
)
def test_names_that_the_server_does_not_list_share_a_count_once_its_list_is_known(policy: str) -> None:
    ruled = desk(f"{policy}\nhalt_after_denials: off\n")
    assert [ruled.code(f"early {number}") for number in range(3)] == [None] * 3
    ruled.engine.kinds["real"] = frozenset({"write"})
    ruled.engine.knows_all_tools()
    before = ruled.store_size()
    assert [ruled.code(f"made up {number}") for number in range(4)] == [None, None, *[policy_code(policy)] * 2]
    assert ruled.store_size() <= before + 2
    assert [ruled.code("real") for _ in range(3)] == [None, None, policy_code(policy)]


def policy_code(policy: str) -> str:
    return "rate_limit" if "hour" in policy or "window" in policy else "call_limit"
