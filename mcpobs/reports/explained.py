"""Explains a decision, or those of a session: which rule, what it had counted, what came before, and what would have
had to be different. Command line and serve ask here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mcpobs.errors import UsageError
from mcpobs.gate.policing import files_of
from mcpobs.policy import file
from mcpobs.policy.model import Policy
from mcpobs.policy.remedy import Counted, Denied, remedies
from mcpobs.policy.text import Said, Texts
from mcpobs.protocol.session import Identity
from mcpobs.queries import catalog
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import run
from mcpobs.reports import filters
from mcpobs.reports.filters import Filters
from mcpobs.reports.wording import Record, count, short, zoned

BEFORE = 10
MOST = 200
EXPLAINED = 3
"""Decisions of a session that are explained: those of the first denials that differ."""


@dataclass(frozen=True, slots=True)
class AtHand:
    """The policy whose files are at hand. Decisions of another hash are explained without its text."""

    policy: Policy
    texts: Texts


def policy_at_hand(files: Sequence[str] = ()) -> AtHand | None:
    """The policy of the named files, else of those that config.toml names. Raises UsageError for one that is wrong."""
    chosen = list(files) or files_of(())
    if not chosen:
        return None
    contents = file.contents(chosen)
    return AtHand(file.of_texts(contents), Texts(contents))


@dataclass(frozen=True, slots=True)
class Ruled:
    """A rule or limit that decided: what it had counted, and what the file says of it."""

    id: str
    counted: Counted | None
    said: Said | None


@dataclass(frozen=True, slots=True)
class Explained:
    """One decision, explained. `decision` has the columns of queries/decided.sql."""

    decision: Record
    effect: str
    code: str | None
    headline: str
    rules: tuple[Ruled, ...]
    different: tuple[str, ...]
    """What would have had to be different."""
    before: tuple[Record, ...]
    """The tool calls of the session before it, oldest first: columns of queries/calls_before.sql."""
    policy_note: str
    cause: str | None = None
    """The denial that led to a halt."""
    findings: tuple[str, ...] = ()
    """What inspectors found in its messages: kinds and places, never text."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer: one decision, or the decisions of a session of which a few are explained."""

    summary: str
    decisions: tuple[Explained, ...]
    total: int


def explain(plan: Plan, name: str, at_hand: AtHand | None) -> Explanation:
    """Explains the decision whose id begins with `name`, else the session that `name` names. Raises UsageError."""
    found = _decided(plan, decision=name) if name else []
    if len(found) > 1 and len({one["decision_id"] for one in found}) > 1:
        ids = ", ".join(str(one["decision_id"]) for one in found[:5])
        raise UsageError(f"several decisions begin with {name!r}", f"say more of the id: {ids}")
    if found:
        one = _explained(plan, found[0], at_hand)
        return Explanation(one.headline, (one,), 1)
    return _of_session(plan, name, at_hand)


def _of_session(plan: Plan, name: str, at_hand: AtHand | None) -> Explanation:
    try:
        session = filters.resolve(plan, Filters(session=name)).session
    except UsageError as error:
        raise UsageError(
            f"the lake has no decision and no session {name!r}", error.hint or "`mcpobs decisions` lists decisions"
        ) from None
    found = list(reversed(_decided(plan, session=session)))
    denied = [one for one in found if one["decision"] == "deny"]
    shadow = [one for one in found if one["decision"] != "deny" and one["shadow_code"]]
    if not found:
        return Explanation(f"session {short(session)}: the policy refused nothing of it, or there was none", (), 0)
    summary = (
        f"session {short(session)}: {count(len(denied), 'call')} denied, {len(shadow)} would have been denied, "
        f"{len(found) - len(denied) - len(shadow)} passed with a warning"
    )
    first: dict[tuple[object, ...], Record] = {}
    for one in (*denied, *shadow, *found):
        first.setdefault((one["code"] or one["shadow_code"], one["rules"], one["target"]), one)
    explained = tuple(_explained(plan, one, at_hand) for one in list(first.values())[:EXPLAINED])
    return Explanation(summary, explained, len(found))


def _decided(plan: Plan, most: int = MOST, **given: str | int | None) -> list[Record]:
    """The newest first."""
    return list(run(plan, catalog.load("decided"), {"most": most, **given}).records())


def _explained(plan: Plan, decision: Record, at_hand: AtHand | None) -> Explained:
    denies = decision["decision"] == "deny"
    shadow = not denies and decision["shadow_code"] is not None
    code = decision["shadow_code"] if shadow else decision["code"]
    ids = _ids(decision["shadow_rules"] if shadow else decision["rules"])
    counters = {} if shadow else _counters(decision["counters"])
    is_same = at_hand is not None and at_hand.policy.hash == decision["policy_hash"]
    texts = at_hand.texts if is_same and at_hand is not None else None
    before = _before(plan, decision)
    denied = Denied(
        code=str(code),
        rules=ids,
        target=str(decision["target"]),
        method=str(decision["method"]),
        server=decision["service_name"],
        client=decision["client_name"],
        identity=Identity(decision["principal"], decision["tenant"], decision["role"]),
        counters=counters,
        args_bytes=decision["args_bytes"],
        args_shape=decision["args_shape"],
        done=frozenset(str(one["tool"]) for one in before if one["outcome"] == "ok"),
    )
    effect = "denied" if denies else "would have been denied" if shadow else "passed with a warning"
    return Explained(
        decision=decision,
        effect=effect,
        code=None if code is None else str(code),
        headline=_headline(decision, effect, code, ids),
        rules=tuple(Ruled(id_, counters.get(id_), None if texts is None else texts.of(id_)) for id_ in ids),
        different=tuple(remedies(denied, at_hand.policy if is_same and at_hand else None, texts)) if code else (),
        before=tuple(before),
        policy_note=_policy_note(decision, at_hand, is_same),
        cause=_cause(plan, decision) if code == "halted" else None,
        findings=tuple(_findings(decision["findings"])),
    )


def _headline(decision: Record, effect: str, code: object, ids: Sequence[str]) -> str:
    why = f": {code}" if code else ""
    by = f", by {', '.join(ids)}" if ids else ""
    call = f"{decision['target']} on {decision['service_name']}"
    return f"{zoned(decision['start_unix_nano'])}: {call} {effect}{why}{by} (session {short(decision['session_id'])})"


def _policy_note(decision: Record, at_hand: AtHand | None, is_same: bool) -> str:
    known = decision["policy_hash"]
    degraded = "; decided by on_error, because something failed" if decision["degraded"] else ""
    if known is None:
        return f"no policy of ours decided it{degraded}"
    if is_same:
        return f"policy {known}, which is at hand{degraded}"
    other = f"the files at hand are {at_hand.policy.hash}" if at_hand is not None else "no policy file is at hand"
    return f"policy {known}; {other}, so its text is not shown: name its files with --policy{degraded}"


def _findings(text: object) -> Iterator[str]:
    found = _json(text)
    for one in found if isinstance(found, list) else ():
        if not isinstance(one, dict):
            continue
        if "more" in one:
            yield f"and {one['more']} more"
            continue
        rule = "" if one.get("rule") == one.get("find") else f" ({one.get('rule')})"
        first = f", first at character {one['start']:,}" if isinstance(one.get("start"), int) else ""
        action = f"would {one.get('action')}" if one.get("shadow") else one.get("action")
        where = "the whole message" if one.get("where") == "whole" else one.get("where")
        yield f"{one.get('id')}: {one.get('find')}{rule}, {one.get('count')} × in {where}{first}: {action}"


def _before(plan: Plan, decision: Record) -> list[Record]:
    if decision["session_id"] is None:
        return []
    given = {
        "session": decision["session_id"],
        "until": decision["start_unix_nano"],
        "digest": decision["args_digest"],
        "most": BEFORE,
    }
    return list(reversed(run(plan, catalog.load("calls_before"), given).records()))


def _cause(plan: Plan, decision: Record) -> str | None:
    """The denial that a halt follows from, in this session or in another one of the caller."""
    if decision["enforcement_key"] is None:
        return None
    found = _decided(plan, key=decision["enforcement_key"], until=decision["start_unix_nano"], most=1)
    return _headline(found[0], "denied", found[0]["code"], _ids(found[0]["rules"])) if found else None


def _ids(text: object) -> tuple[str, ...]:
    found = _json(text)
    return tuple(map(str, found)) if isinstance(found, list) else ()


def _counters(text: object) -> Mapping[str, Counted]:
    found = _json(text)
    if not isinstance(found, dict):
        return {}
    return {
        str(id_): Counted(*map(int, numbers))
        for id_, numbers in found.items()
        if isinstance(numbers, list) and len(numbers) == 3 and all(isinstance(one, int) for one in numbers)
    }


def _json(text: object) -> object:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
