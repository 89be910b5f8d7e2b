"""The filters of a report: finds the session that is meant, and names near an unknown tool, session or server."""

from __future__ import annotations

import json
from dataclasses import dataclass

from mcpobs.errors import UsageError, nearest
from mcpobs.protocol.naming import conversation_name, session_digest
from mcpobs.queries import catalog
from mcpobs.queries.header import Value
from mcpobs.queries.plan import Plan

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Filters:
    """The tool, session and server of a report. `session` may be the beginning of an id until it is resolved."""

    tool: str | None = None
    session: str | None = None
    server: str | None = None

    def params(self) -> dict[str, str | None]:
        return {"tool": self.tool, "session": self.session, "server": self.server}

    def __bool__(self) -> bool:
        return not (self.tool is None and self.session is None and self.server is None)


def resolve(plan: Plan, filters: Filters) -> Filters:
    """The filters with the session's whole id, which its beginning, its Mcp-Session-Id or its conversation may name.

    Raises UsageError if it is unknown or several are meant."""
    if filters.session is None:
        return filters
    begun = filters.session.rstrip("…") or filters.session  # as a sentence shows the beginning of a long id
    found, how = _beginning(plan, begun), "begin with"
    if not found:
        found, how = _named(plan, begun), "are named"
    if not found:
        raise _unknown("session", begun, known(plan, "session"))
    if begun not in found and len(found) > 1:
        listed = ", ".join(found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
        raise UsageError(f"several sessions {how} {begun!r}", f"say more of the id: {listed}")
    return Filters(filters.tool, begun if begun in found else found[0], filters.server)


def _beginning(plan: Plan, begins: str) -> list[str]:
    return sessions_from(plan, begins, _SHOWN + 1)


def _named(plan: Plan, name: str) -> list[str]:
    """Sessions by a name that no id begins with: the session id on the wire, or a conversation."""
    conversation = conversation_name(name)
    found = _beginning(plan, session_digest(name)) + _beginning(plan, conversation)
    if found:
        return found
    quoted, spelled = json.dumps(conversation), json.dumps(conversation, ensure_ascii=False)
    return _names(plan, "conversation_sessions", quoted=quoted, spelled=spelled, most=_SHOWN + 1)


def check_known(plan: Plan, filters: Filters) -> None:
    """Raises UsageError if the lake has never seen the tool or the server: for an answer that is empty."""
    for word, name in (("tool", filters.tool), ("server", filters.server)):
        if name is not None:
            names = known(plan, word)
            if name not in names:
                raise _unknown(word, name, names)


def check_rule(plan: Plan, rule: str) -> None:
    """Raises UsageError if no decision in the lake names the rule or limit: for an answer that is empty."""
    rules = known(plan, "rule")
    if rule not in rules:
        raise _unknown("rule", rule, rules)


def sessions_from(plan: Plan, begins: str, most: int) -> list[str]:
    """The sessions whose id begins so."""
    return _names(plan, "named_sessions", begins=begins, most=most)


def known(plan: Plan, word: str) -> list[str]:
    """The names of every tool, server, session or rule in the lake."""
    return _names(plan, "known_rules") if word == "rule" else _names(plan, "known_names", of=word)


def _names(plan: Plan, query: str, **values: Value) -> list[str]:
    return [str(row[0]) for row in plan.rows(catalog.load(query), values)]


def _unknown(word: str, name: str, names: list[str]) -> UsageError:
    close = nearest(name, names)
    if close:
        hint = f"did you mean {close!r}?"
    elif names:
        hint = f"known: {', '.join(names[:_SHOWN])}" + (
            f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
        )
    else:
        hint = "the lake holds no calls yet" if word != "rule" else "no policy has decided anything yet"
    return UsageError(f"the lake has no {word} {name!r}", hint)
