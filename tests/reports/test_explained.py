"""`mcpobs explain`: the engine's own decisions, recorded and explained; and what it says without the policy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mcpobs.cli.explain import run_explain
from mcpobs.errors import UsageError
from mcpobs.output.explanation import text
from mcpobs.policy import file
from mcpobs.policy.codes import Code
from mcpobs.policy.conditions import CallFacts
from mcpobs.policy.decision import Decision
from mcpobs.policy.engine import Engine
from mcpobs.policy.memory import MemoryStore
from mcpobs.policy.remedy import Counted, Denied, remedies
from mcpobs.policy.text import Texts
from mcpobs.protocol.session import Identity
from mcpobs.queries.plan import Plan
from mcpobs.reports.explained import AtHand, explain
from tests.queries.recorded import START, Row, call, in_memory, spool

POLICY = """version: 1
rules:
- {id: readers, effect: allow, tools: [search, get_order]}
- {id: billing, effect: allow, tools: [refund], roles: [billing]}
- {id: after-lookup, effect: require, tools: [refund], after: {tool: get_order, same: {order_id: order_id}}}
- {id: nights, effect: deny, tools: [search], window: {days: [sat]}, mode: log_only}
limits:
- {id: searches, tools: [search], per_session: 3, per_principal: 100, window: 1h, on_exceed: halt}
"""
CONTENTS = [(POLICY.encode(), "policy.yaml")]
ANN = Identity("ann", "acme", "billing")


class Play:
    """Calls decided by an engine, and the rows that record them."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.engine = Engine(file.of_texts(CONTENTS), MemoryStore(), "files")

    def call(self, tool: str, session: str = "s1", who: Identity = ANN, **arguments: object) -> Decision:
        facts = CallFacts(
            "tools/call",
            kind="tool",
            target=tool,
            arguments=arguments,
            args_digest=repr(sorted(arguments.items())),
            identity=who,
            enforcement_key=f"principal:{who.principal}",
            session_id=session,
            at_unix_nano=START,
        )
        decision = self.engine.begin(facts)
        denied = decision.effect == "deny"
        if not denied:
            self.engine.settle(decision, facts, succeeded=True, forwarded=True, cost_microusd=None)
        self.rows.append(
            call(
                len(self.rows),
                tool=tool,
                session_id=session,
                enforcement_key=facts.enforcement_key,
                principal=who.principal,
                tenant=who.tenant,
                role=who.role,
                args_digest=facts.args_digest,
                outcome="denied" if denied else "ok",
                error_type=str(decision.lane.code) if denied else None,
                decision=decision.effect,
                rule=decision.lane.rules[0] if decision.lane.rules else None,
                **decision.columns(),
            )
        )
        return decision


def at_hand() -> AtHand:
    return AtHand(file.of_texts(CONTENTS), Texts(CONTENTS))


@pytest.fixture
def play() -> Play:
    return Play()


def explained(rows: Sequence[Row], name: str, policy: AtHand | None = None) -> str:
    return text(explain(Plan(in_memory(rows)), name, policy))


def test_a_limit_is_explained_by_its_counters_its_line_and_the_calls_before(play: Play) -> None:
    for _ in range(3):
        play.call("search", q="x")
    decision = play.call("search", q="x")
    said = explained(play.rows, decision.id[:8], at_hand())
    assert said.splitlines()[0].endswith("search on files denied: call_limit, by searches (session s1)")
    assert "searches: 3 before, 3 after, at most 3 (policy.yaml:8)" in said
    assert "| - {id: searches, tools: [search], per_session: 3" in said
    assert "searches allows 3, and 3 were used before this call" in said
    assert "    1-3. search ok, with the same arguments" in said


def test_an_order_that_was_not_kept_names_what_had_been_done(play: Play) -> None:
    play.call("get_order", order_id="A1")
    decision = play.call("refund", order_id="A2")
    assert decision.lane.code == Code.ORDER
    said = explained(play.rows, decision.id, at_hand())
    assert "after {tool: get_order, same: {order_id: order_id}}" in said
    assert "before this call, get_order had succeeded in the session" in said


def test_a_missing_allow_names_the_rule_that_nearly_matched(play: Play) -> None:
    decision = play.call("refund", who=replace(ANN, role="clerk"), order_id="A1")
    said = explained(play.rows, decision.id, at_hand())
    assert "default: no `allow` matched" in said
    assert "the caller was ann, tenant acme, role clerk" in said
    assert "`billing` allows refund to role billing: the role was clerk" in said


def test_a_halt_is_explained_by_the_denial_that_it_follows_from(play: Play) -> None:
    for _ in range(4):
        play.call("search", q="x")
    halted = play.call("search", q="y")
    elsewhere = play.call("search", session="s2", q="z")
    for decision in (halted, elsewhere):
        assert decision.lane.code == Code.HALTED
        said = explained(play.rows, decision.id, at_hand())
        assert "the halt follows from: 2026-09-21 14:13:23 UTC: search on files denied: call_limit, by searches" in said


def test_the_text_of_another_policy_is_not_shown_as_if_it_had_decided(play: Play) -> None:
    decision = play.call("unheard_of")
    for policy in (
        None,
        AtHand(other := file.of_texts([(b"version: 1\n", "other.yaml")]), Texts([(b"version: 1\n", "o")])),
    ):
        said = explained(play.rows, decision.id, policy)
        assert f"policy {play.engine.policy.hash}; " in said
        assert (f"the files at hand are {other.hash}" if policy else "no policy file is at hand") in said
        assert "policy.yaml" not in said


def test_a_session_is_explained_by_its_first_denials_that_differ(play: Play) -> None:
    for tool in ("search", "unheard_of", "unheard_of", "search", "search", "search"):
        play.call(tool, q="x")
    said = explained(play.rows, "s1", at_hand())
    assert said.startswith("session s1: 3 calls denied, 0 would have been denied, 0 passed with a warning\n")
    assert said.count("unheard_of on files denied") == 1
    assert said.count("search on files denied: call_limit") == 1
    assert "no session" not in said


def test_a_denial_in_log_only_is_explained_as_one_that_would_have_been(play: Play) -> None:
    rows = [call(0, decision="warn", decision_id="d1", shadow_code="denied", shadow_rules='["nights"]',
                 policy_hash=play.engine.policy.hash)]  # fmt: skip
    said = explained(rows, "d1", at_hand())
    assert "search on files would have been denied: denied, by nights" in said
    assert "nights (policy.yaml:6)" in said
    assert "is not about: window {days: [sat]}" in said


def test_a_session_without_decisions_and_an_unknown_name(play: Play) -> None:
    assert "the policy refused nothing of it" in explained([call(0)], "s1")
    with pytest.raises(UsageError, match="the lake has no decision and no session 'nothing'"):
        explained([call(0)], "nothing")
    rows = [call(n, decision="deny", decision_id=f"d{n}") for n in range(2)]
    with pytest.raises(UsageError, match="several decisions begin with 'd'"):
        explained(rows, "d")


def test_names_that_peers_chose_move_no_cursor_and_damaged_columns_stop_nothing() -> None:
    rows = [
        call(0, tool="\x1b[2J", decision="deny", decision_id="d0", rules="{", policy_counters='{"x":[1,2]}'),
        call(1, decision="deny", decision_id="d1", rules="3", policy_counters='{"x":["a",2,3]}', decision_code="?"),
    ]
    for name in ("d0", "d1", "s1"):
        assert "\x1b" not in explained(rows, name, at_hand())


@pytest.mark.parametrize("code", list(Code))
@pytest.mark.parametrize("known", [True, False])
def test_every_code_says_what_would_have_had_to_be_different(code: Code, known: bool) -> None:
    denied = Denied(
        code, ("searches",), "refund", counters={"searches": Counted(3, 3, 3)}, args_bytes=9, args_shape="{}"
    )
    policy = at_hand() if known else None
    found = remedies(denied, policy and policy.policy, policy and policy.texts)
    assert found
    assert found != remedies(replace(denied, code="no such code"), None, None)


def test_the_command_prints_text_and_json_of_a_recorded_decision(
    play: Play, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decision = play.call("unheard_of")
    spool(tmp_path / "lake", play.rows)
    (tmp_path / "policy.yaml").write_text(POLICY)
    for options in ({}, {"json": True}):
        run_explain(decision.id, [str(tmp_path / "policy.yaml")], lake=str(tmp_path / "lake"), **options)
    out = capsys.readouterr().out
    printed: dict[str, Any] = json.loads(out[out.index("\n{") :])
    (one,) = printed["decisions"]
    assert (one["code"], one["rules"][0]["id"], one["decision"]["decision_id"]) == ("unknown", "default", decision.id)
    assert one["headline"] in out


def test_an_explanation_fits_the_terminal_and_quotes_files_as_they_are(play: Play) -> None:
    for _ in range(4):
        play.call("search", q="x")
    found = explain(Plan(in_memory(play.rows)), "s1", None)
    narrow, wide = text(found, 60), text(found)
    assert all(len(line) <= 60 or line.startswith("    | ") or " " not in line.strip() for line in narrow.splitlines())
    assert "".join(narrow.split()) == "".join(wide.split())


NUMBERS = """version: 1
key: {calls_per_hour: 5}
tools:
  "*": {calls_per_session: 3, arguments: {max_bytes: 10}}
  search: {argument_values: {q: {max: 1}}}
tenants:
  acme: {session: {calls: 2}, tools: {"*": {calls_per_hour: 4}}}
"""


@pytest.mark.parametrize(
    ("id_", "line"),
    [
        ("key.calls_per_hour", 2),
        ("tools.any.calls_per_session.reopened", 4),
        ("tools.any.arguments.max_bytes", 4),
        ("tools.search.argument_values", 5),
        ("tenants.acme.session.calls", 7),
        ("tenants.acme.tools.any.calls_per_hour", 7),
    ],
)
def test_the_text_of_a_number_is_found_by_the_path_that_decisions_name(id_: str, line: int) -> None:
    said = Texts([(NUMBERS.encode(), "limits.yaml")]).of(id_)
    assert said is not None
    assert said.line == line


def test_a_refused_tool_definition_names_the_command_that_approves_it() -> None:
    policy = file.of_texts([(b"version: 1\ninspect: [{id: kept, find: definitions, action: deny}]\n", "policy.yaml")])
    denied = Denied(Code.INSPECTION, ("kept",), "search")
    assert any("mcpobs approve definitions" in line for line in remedies(denied, policy, None))
    assert not any("mcpobs approve" in line for line in remedies(replace(denied, rules=("other",)), policy, None))
