"""`when`: only the value true of type bool holds; all else that can come out of an expression refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mcpobs.errors import UsageError
from mcpobs.policy.conditions import UNKNOWN, CallFacts, RuleError, UndecidableError, calls_of
from mcpobs.policy.rules.expression import Expression
from tests.policy.rules.made import call, condition, holds

BILLING = {"principal": "ann", "tenant": "acme", "role": "billing", "scopes": ("read", "pay")}
LOOKED_UP = {"lookup_order": (2, {"order_id": "o-1", "customer.id": 7})}
AFTER = "session.ok.lookup_order > 0 && session.last_ok.lookup_order.order_id == args.order_id"


def _when(text: str) -> Expression:
    found = condition("when", text)
    assert isinstance(found, Expression)
    return found


def _at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


HOLD: list[tuple[str, CallFacts]] = [
    ("args.amount <= 50.0", call({"amount": 50})),
    ("args.amount <= 50.0", call({"amount": 49.5})),
    ("args.flag", call({"flag": True})),
    ("args.order.lines.all(line, line.n > 0)", call({"order": {"lines": [{"n": 1}, {"n": 2}]}})),
    ("has(args.note) ? size(args.note) < 5 : true", call({})),
    ("args.name == 'é' && size(args.name) == 1", call({"name": "é"})),
    ("'billing' in principal.roles", call(caller=BILLING)),
    ("principal.scopes.exists(s, s in ['pay', 'admin'])", call(caller=BILLING)),
    ("args.tenant == principal.tenant && principal.id == 'ann'", call({"tenant": "acme"}, caller=BILLING)),
    (AFTER, call({"order_id": "o-1"}, done=LOOKED_UP)),
    ("session.last_ok.lookup_order.customer.id == args.id", call({"id": 7}, done=LOOKED_UP)),
    ("session.calls.search < 3", call(done={})),
    ("session.calls.search < 3", call(done={calls_of("search"): (2, {})})),
    ('session.ok["get-row"] == 0', call(done={})),
    ("call.tool == 'tool'", call()),
    ("call.local.hour >= 8 && call.local.hour < 18", call(at_unix_nano=_at("2026-11-30T08:00:00"))),
    ("call.local.weekday in [1, 2, 3, 4, 5]", call(at_unix_nano=_at("2026-11-30T08:00:00"))),
    ("call.time > timestamp('2026-01-01T00:00:00Z')", call(at_unix_nano=_at("2026-11-30T08:00:00"))),
    ("args.url.matches('^https://')", call({"url": "https://x"})),
    ("args.missing > 1 || true", call()),
]
REFUSE: list[tuple[str, CallFacts]] = [
    # false
    ("args.amount <= 50.0", call({"amount": 50.01})),
    ("args.flag", call({"flag": False})),
    ("args.a == 1", call({"a": "1"})),
    ("args.a == 1", call({"a": True})),
    ("args.a in [1, 2]", call({"a": True})),
    ("'billing' in principal.roles", call(caller={"principal": "bob", "role": "support"})),
    ("'billing' in principal.roles", call()),
    (AFTER, call({"order_id": "o-1"}, done={})),
    (AFTER, call({"order_id": "o-2"}, done=LOOKED_UP)),
    (AFTER, call({"order_id": ["o-1"]}, done=LOOKED_UP)),
    ("session.calls.search < 3", call(done={calls_of("search"): (3, {})})),
    # errors
    ("args.amount <= 50.0", call({})),
    ("args.amount <= 50.0", call({"amount": None})),
    ("args.amount <= 50.0", call({"amount": "50"})),
    ("args.amount <= 50.0", call({"amount": True})),
    ("args.amount <= 50.0", call({"amount": [1]})),
    ("args.amount <= 50.0", call({"amount": {"$gt": 0}})),
    ("args.amount <= 50.0", call({"Amount": 1})),
    ("args.amount <= 50.0", call([{"amount": 1}])),
    ("args.amount <= 50.0", call("amount")),
    ("args.amount <= 50.0", call({"amount": float("nan")})),
    ("!(args.amount > 50.0)", call({"amount": float("nan")})),
    ("!(args.amount > 50.0)", call({"amount": float("inf")})),
    ("!(args.a.amount > 50.0)", call({"a": {"amount": 1, "b": [float("nan")]}})),
    ("args.amount <= 50.0", call({"amount": 10**40})),
    ("args.amount <= 50.0", call({"amount": -(10**40)})),
    ("args.flag", call({"flag": "true"})),
    ("args.flag", call({"flag": 1})),
    ("args.flag", call({"flag": None})),
    ("args.flag", call({"flag": [True]})),
    ("args.flag", call({})),
    ("args.tenant == principal.tenant", call({"tenant": None})),
    ("args.tenant == principal.tenant", call({"tenant": ""})),
    ("args.tenant == principal.tenant", call({"tenant": "acme"})),
    ("principal.role == principal.id", call()),
    (AFTER, call({}, done=LOOKED_UP)),
    (AFTER, call({"order_id": "o-1"}, done={"lookup_order": (1, {})})),
    (AFTER, call({"order_id": "o-1"})),
    ("call.tool == 'tool'", call(target=None)),
    ("args.n / args.d == 1", call({"n": 1, "d": 0})),
    ("args.n + 1 > 0", call({"n": 2**63 - 1})),
    ("args.l[5] == 1", call({"l": [1]})),
    ("args.text.matches('(')", call({"text": "x"})),
    ("args.text.matches(args.p)", call({"text": "x", "p": "("})),
    ("args.text == 'x'", call({"text": "\ud800"})),
    ("args.text != 'x'", call({"text": "\ud800"})),
    ("args.text != 'x'", call({"text": object()})),
    ("args.text != 'x'", call({"text": datetime(2026, 1, 1)})),
    ("args.text != 'x'", call({"text": "y" * 70_000})),
    ("args.text != 'x'", call({"text": "y", "other": ["z" * 1_000] * 70})),
    ("args.text != 'x'", call({"text": "y", "z" * 70_000: 1})),
    ("args.l.all(x, x > 0)", call({"l": list(range(1, 30_000))})),
    ("args.text != 'x'", call({"text": [[[[[[[[[[]]]]]]]]]] * 20_000})),
]


@pytest.mark.parametrize(("text", "facts"), HOLD)
def test_an_expression_that_is_true_holds(text: str, facts: CallFacts) -> None:
    assert _when(text).holds(facts)


@pytest.mark.parametrize(("text", "facts"), REFUSE)
def test_what_is_false_or_cannot_be_told_refuses(text: str, facts: CallFacts) -> None:
    assert not holds(_when(text), facts)


def test_arguments_that_are_nested_deep_are_an_error() -> None:
    value: Any = "x"
    for _ in range(200):
        value = [value]
    assert not holds(_when("args.a != 'y'"), call({"a": value}))


def test_a_pattern_that_stalls_other_engines_takes_linear_time() -> None:
    assert not holds(_when("args.t.matches('^(a+)+$')"), call({"t": "a" * 30_000 + "b"}))


REFUSED = {
    "arg.amount > 1": ("arg.amount is not known", "did you mean `args`?"),
    "args.a > 1 && sesion.ok.x > 0": ("at character 24: sesion.ok.x is not known", "did you mean `session.ok`?"),
    "principal.team == 'a'": ("principal.team is not known", "did you mean"),
    "principal == 'a'": ("principal is not known", ""),
    "call.local.day == 1": ("call.local.day is not known", ""),
    "1 + 1": ("is not true or false, but of the type INT", "compare it"),
    "'true'": ("is not true or false, but of the type STRING", ""),
    "principal.roles": ("is not true or false", ""),
    "call.local.hour == '8'": ("not valid CEL at character 17: found no matching overload", ""),
    "session.ok.search": ("is not true or false", ""),
    "session.ok.search > 'x'": ("no matching overload", ""),
    "principal.id > 5": ("no matching overload", ""),
    "args.a >": ("not valid CEL at character 9: Syntax error", ""),
    "args.a == 1\n&& args.b ==": ("in its line 2, at character", ""),
    "": ("not valid CEL", ""),
    "nosuch(args.a)": ("nosuch is not known", ""),
    "args.a.nosuch()": ("nosuch is not known", ""),
    "args.l.all(a, args.l.all(b, a == b))": ("has a loop inside a loop", "one `all`"),
    "args.l.exists(a, args.m.filter(b, b == a).size() > 0)": ("has a loop inside a loop", ""),
    "args.l.map(a, args.m.exists(b, b == a)).size() > 0": ("has a loop inside a loop", ""),
    "session.ok[args.tool] > 0": ("session.ok names no tool", "session.ok.search"),
    "'x' in session.ok": ("session.ok names no tool", ""),
    "session.calls.size() > 0": ("session.calls names no tool", ""),
    "session.ok.all(t, true)": ("session.ok names no tool", ""),
    "session.last_ok.lookup == {}": ("session.last_ok without an argument", "order_id"),
    "has(session.last_ok.lookup)": ("session.last_ok without an argument", ""),
    "session.last_ok.lookup[args.k] == 1": ("session.last_ok without an argument", ""),
    'session.last_ok.lookup["a.b"] == 1': ("session.last_ok without an argument", ""),
    "args.a == '" + "x" * 5_000 + "'": ("is longer than 4096 characters", "several rules"),
    "(" * 1_500 + "true" + ")" * 1_500: ("not valid CEL", ""),
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:40])
def test_an_expression_with_a_mistake_is_refused_when_the_file_is_read(text: str) -> None:
    problem, hint = REFUSED[text]
    with pytest.raises(UsageError, match=r"policy:1: when: ") as refused:
        condition("when", text)
    assert problem in refused.value.message
    assert refused.value.hint
    assert hint in refused.value.hint


def test_loops_one_after_the_other_are_no_loop_inside_a_loop() -> None:
    assert holds(_when("args.l.filter(x, x > 1).all(y, y < 5)"), call({"l": [1, 2, 3]}))


def test_the_zone_is_that_of_the_rule() -> None:
    text = "call.local.hour == 0 && call.local.minute == 30 && call.local.weekday == 2"
    berlin = condition("when", {"expression": text, "zone": "Europe/Berlin"})
    facts = call(at_unix_nano=_at("2026-11-30T23:30:00"))  # a Monday in UTC
    assert holds(berlin, facts)
    assert not holds(_when(text), facts)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"zone": "UTC"}, "when: no `expression`"),
        ({"expression": "true", "zone": "Europe/Berln"}, "when.zone: 'Europe/Berln' is not a time zone"),
        ({"expresion": "true"}, "when.expresion: unknown key"),
        (["true"], "when: a list is not a text"),
    ],
)
def test_a_wrong_rule_is_refused(value: object, problem: str) -> None:
    with pytest.raises(UsageError) as refused:
        condition("when", value)
    assert problem in refused.value.message


def test_only_the_arguments_that_an_expression_reads_are_remembered() -> None:
    when = _when(
        'session.ok.a > 0 && session.calls.b < 5 && session.last_ok.c.x == args.x && session.last_ok.c.y["z"] == 1 '
        "&& session.ok.c > 1"
    )
    assert when.remembers == {"a": (), calls_of("b"): (), "c": (("x",), ("y", "z"))}


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("principal.id == 'a'", set()),
        ("call.tool == 'a'", set()),
        ("args.a == 1", {"arguments"}),
        ("call.local.hour < 5", {"time"}),
        (AFTER, {"arguments", "session"}),
    ],
)
def test_what_an_expression_reads_is_known(text: str, reads: set[str]) -> None:
    assert _when(text).reads == reads


def test_a_replay_decides_what_does_not_hang_on_content() -> None:
    def replayed(**facts: Any) -> CallFacts:
        return call(UNKNOWN, **facts)

    assert _when("principal.id == 'ann'").holds(replayed(caller=BILLING))
    assert not _when(AFTER).holds(replayed(done={}))
    assert not _when("principal.id == 'bob' && args.amount < 5").holds(replayed(caller=BILLING))
    for text in ("args.amount < 5", "has(args.amount)", "args == {}", "session.last_ok.lookup_order.order_id == 'o-1'"):
        with pytest.raises(UndecidableError):
            _when(text).holds(replayed(done={"lookup_order": (1, {})}))
    with pytest.raises(UndecidableError):
        _when(AFTER).holds(replayed(done={"lookup_order": (1, {})}))


def test_an_error_that_no_replay_explains_stays_an_error() -> None:
    with pytest.raises(RuleError):
        _when("principal.tenant == 'acme'").holds(call(UNKNOWN))


def test_rules_are_known_by_their_text_and_zone() -> None:
    assert repr(_when("args.a == 1")) == repr(_when("args.a == 1"))
    assert repr(_when("args.a == 1")) != repr(_when("args.a == 2"))
    assert _when("args.a == 1") == _when("args.a == 1")


def test_whether_an_expression_compares_sizes_is_known() -> None:
    assert _when("args.a > 1").compares
    assert not _when("args.a == 1").compares
