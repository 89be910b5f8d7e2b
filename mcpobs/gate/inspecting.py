"""Inspects messages for the judge of a policy: turns findings into a decision and into columns of the row.

Loaded only with a policy that has the section `inspect`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import orjson

from mcpobs.gate.decisions import DECISION_META, DENIED_CODE, Answer, Begin, Edit, Forward, Pass, Replace
from mcpobs.gate.edits import disjoint, edited
from mcpobs.policy.codes import Code, Said, text
from mcpobs.policy.conditions import CallFacts
from mcpobs.policy.decision import Lane
from mcpobs.policy.inspect.inspected import MAX_RECORDED, Inspected, items_of
from mcpobs.policy.inspect.inspector import At, Finding, Of
from mcpobs.policy.inspect.inspectors import Inspectors
from mcpobs.policy.inspect.schemas import OutputSchemas
from mcpobs.policy.inspect.texts import LISTED, value_at
from mcpobs.policy.model import Policy
from mcpobs.protocol.call import Call, Error
from mcpobs.stderr import Faults, warn

_WRITES: Final = frozenset({"write"})


class Inspecting:
    """The inspectors of one front, by one policy. `kinds` are those of tools: `read` or `write`."""

    def __init__(
        self,
        policy: Policy,
        server: str,
        kinds: Mapping[str, frozenset[str]],
        key: Callable[[], bytes],
        folder: Path,
        schemas: OutputSchemas,
    ) -> None:
        """`schemas` are learned here, and outlive a policy that is loaded again."""
        faults = Faults("an inspector failed", "its on_error decides", warn)
        self._inspectors = Inspectors(policy, server, key, folder, faults.report)
        self._kinds = kinds
        finds = {word for layer in policy.layers for entry in layer.inspect for word in entry.find}
        self._schemas = schemas if "output_schema" in finds else None

    def look(
        self, of: Of, facts: CallFacts, message: dict[str, object], found: Found, *, is_error: bool = False
    ) -> Inspected | None:
        """Returns the findings in a message, and keeps them for the row; None if no entry applies to it."""
        kinds = self._kinds.get(str(facts.target), _WRITES)
        if self._schemas is not None and facts.method == "tools/list" and of == "listing":
            self._schemas.learn(message.get("result"))
        entries = self._inspectors.about(of, facts, kinds)
        if not entries:
            return None
        schema = None if self._schemas is None else self._schemas.of(facts.whole or facts.target)
        inspected = self._inspectors.inspect(of, facts, message, entries, is_error=is_error, output_schema=schema)
        found.all.append(inspected)
        return inspected

    def request(self, call: Call) -> Begin:
        """Inspects requests and notifications of the server."""
        operation, session = call.operation, call.session
        facts = CallFacts(
            operation.method,
            sender="server",
            identity=call.caller.identity,
            enforcement_key=session.enforcement_key,
            session_id=session.id,
        )
        found = Found()
        inspected = self.look("request", facts, {"params": call.params}, found)
        if inspected is None:
            return Forward()
        call.judged = found
        if inspected.action != "block":
            return forwarded(Forward(), inspected)
        lane = refusal(inspected, found.id, "request", operation.method)
        message = text(Code.INSPECTION, lane.said)
        meta = {DECISION_META: {"id": found.id, "code": str(Code.INSPECTION)}}
        return Answer(error=Error(DENIED_CODE, message, meta), error_type=str(Code.INSPECTION), rule=lane.rules[0])


class Found:
    """The findings in the messages of one call, until its row is written."""

    __slots__ = ("_id", "all", "withheld")

    def __init__(self, id_: str | None = None) -> None:
        self.all: list[Inspected] = []
        self.withheld: set[str] = set()
        """The names of items of a listing that are withheld."""
        self._id = id_

    @property
    def id(self) -> str:
        """Names the decision."""
        if self._id is None:
            self._id = os.urandom(8).hex()
        return self._id

    @property
    def verdicts(self) -> dict[str, bool]:
        """Whether each entry found nothing in any of the messages."""
        found: dict[str, bool] = {}
        for one in self.all:
            for name, held in one.verdicts.items():
                found[name] = held and found.get(name, True)
        return found

    @property
    def ids(self) -> list[str]:
        """The entries in force that found something to record."""
        return _each(id_ for one in self.all for id_ in one.ids)

    def columns(self) -> dict[str, str | int | bool]:
        """The columns of the findings, without any text of a message."""
        rows = [row for one in self.all for row in one.recorded()]
        columns: dict[str, str | int | bool] = {}
        if rows:
            columns["findings"] = orjson.dumps(_bounded(rows)).decode()
        if any(one.warned_by is not None for one in self.all):
            columns["decision_id"] = self.id
        if any(one.action == "block" for one in self.all):
            columns["decision_code"] = str(Code.INSPECTION)
        if any(one.degraded for one in self.all):
            columns["policy_degraded"] = True
        if blocks := _each(id_ for one in self.all for id_ in one.shadow_blocks):
            columns["shadow_code"] = str(Code.INSPECTION)
            columns["shadow_rules"] = orjson.dumps(blocks).decode()
        return columns


def forwarded(forward: Forward, inspected: Inspected) -> Forward:
    """A message that passes, with the masks of its findings."""
    rule = inspected.warned_by
    if rule is None:
        return forward
    return replace(forward, decision="warn", rule=forward.rule or rule, edits=edits(inspected.masks()))


def passed(inspected: Inspected) -> Pass:
    """A response that passes, with the masks of its findings."""
    rule = inspected.warned_by
    return Pass() if rule is None else Pass("warn", rule, edits(inspected.masks()))


def listing(
    result: dict[str, object], seen: Sequence[object], member: str, name: str, inspected: Inspected, withheld: set[str]
) -> Replace:
    """A list that passes, with the masks of its findings and without the items that are withheld."""
    masked = edited({"result": result}, edits(inspected.masks()))
    whole = value_at(masked, ("result",))
    before, after = result.get(member), value_at(whole, (member,))
    assert isinstance(whole, dict)
    assert isinstance(before, list)
    assert isinstance(after, list)
    visible = {id(item) for item in seen}
    items = [
        new
        for old, new in zip(before, after, strict=True)
        if id(old) in visible and not (isinstance(old, dict) and old.get(name) in withheld)
    ]
    rule = inspected.warned_by
    decision: Literal["allow", "warn", "deny"] = "deny" if withheld else "allow" if rule is None else "warn"
    return Replace({**whole, member: items}, decision=decision, rule=rule)


def refusal(inspected: Inspected, decision_id: str, part: str, target: str) -> Lane:
    """The reason why a message is withheld: names the entry and the decision, and nothing of the message."""
    rule = inspected.ids[0]
    needs = f"The {part} of {target} {'are' if part.endswith('s') else 'is'} withheld by the rule {rule}"
    said = Said(target, needs=f"{needs} (decision {decision_id})")
    return Lane(code=Code.INSPECTION, rules=(rule,), said=said, degraded=inspected.degraded)


def edits(findings: Iterable[Finding]) -> tuple[Edit, ...]:
    """The changes that mask findings."""
    return disjoint(
        Edit(one.at, 0, None, one.mask, one.is_key)
        if one.masks_text
        else Edit(one.at, one.start, one.end, one.mask, one.is_key)
        for one in findings
        if one.mask is not None
    )


def withheld_items(inspected: Inspected, message: dict[str, object]) -> set[str] | None:
    """The names of items of a listing with a blocking finding; None if one lies elsewhere too."""
    items = items_of(inspected.blocks())
    if items is None:
        return None
    names = {_name_of(message, at) for at in items}
    return None if None in names else {name for name in names if name is not None}


def _name_of(message: dict[str, object], at: At) -> str | None:
    item = value_at(message, at)
    name = item.get(LISTED.get(str(at[1]), "")) if isinstance(item, dict) else None
    return name if isinstance(name, str) else None


def _bounded(rows: list[dict[str, str | int | bool]]) -> list[dict[str, str | int | bool]]:
    """The rows of several messages, within the bound of one."""
    kept = [row for row in rows if "more" not in row]
    more = sum(int(row["more"]) for row in rows if "more" in row) + sum(
        int(row["count"]) for row in kept[MAX_RECORDED:]
    )
    rest: list[dict[str, str | int | bool]] = [{"more": more}] if more else []
    return kept[:MAX_RECORDED] + rest


def _each(ids: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(ids))
