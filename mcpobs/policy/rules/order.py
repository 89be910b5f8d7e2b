"""`after`: another tool must have succeeded before, in the same session.

What it does: looks for an earlier call of a tool in this session that came back without an error, at most `within` ago,
and whose arguments equal this call's, as `same` says.
Why it matters: an agent that refunds an order has to have looked it up. Nothing that the model says counts as done.
What to do: tie the two calls with `same: {order_id: order_id}` (an argument there: the one here); without it any
earlier lookup will do. Only the last successful call is remembered. `1`, `1.0`, `"1"` and `true` are four values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import orjson

from mcpobs.limits.document import Place
from mcpobs.policy.codes import Code
from mcpobs.policy.conditions import CallFacts, Holds, Reads, RuleError
from mcpobs.policy.fields import duration_ns, path
from mcpobs.protocol.session import Identity

_MISSING: Final = object()


@dataclass(frozen=True)
class After:
    """An earlier call in the session. `same` pairs arguments: of the earlier call, and of this one."""

    tool: str
    within_ns: int | None = None
    same: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()
    code: Code = Code.ORDER

    @cached_property
    def reads(self) -> frozenset[Reads]:
        return frozenset({"session", "arguments"} if self.same else {"session"})

    @cached_property
    def remembers(self) -> Mapping[str, tuple[tuple[str, ...], ...]]:
        return {self.tool: tuple(there for there, _ in self.same)}

    def holds(self, facts: CallFacts) -> bool:
        done = facts.done.done.get(self.tool)
        if done is None:
            return False
        now_ns = facts.at_unix_nano if facts.store_ns is None else facts.store_ns
        if self.within_ns is not None and now_ns - done.at_ns > self.within_ns:
            return False
        for there, here in self.same:
            value = facts.argument(here)  # first: a replay knows neither of the two
            name = there[0] if len(there) == 1 else ".".join(there)
            known = done.arguments.get(name, _MISSING)
            if type(value) is str and type(known) is str and value.isascii() and known.isascii():
                if value != known:
                    return False
                continue
            encoded = _value(value, here)
            if known is _MISSING:
                raise RuleError(f"the last {self.tool} had no argument {name}")
            if encoded != _value(known, there):
                return False
        return True

    def prepared(self, identity: Identity) -> Holds:
        holds, tool = self.holds, self.tool
        if self.within_ns is not None or any(len(there) > 1 or len(here) > 1 for there, here in self.same):
            return holds
        same = [(there[0], here[0]) for there, here in self.same]

        def quickly(facts: CallFacts) -> bool:
            session, arguments = facts.session, facts.arguments
            done = None if session is None else session.done.get(tool)
            if done is None or type(arguments) is not dict:
                return holds(facts)
            for there, here in same:
                value = arguments.get(here)
                if type(value) is not str or value != done.arguments.get(there) or not value.isascii():
                    return holds(facts)
            return True

        return quickly

    def needs(self, facts: CallFacts) -> str:
        with_same = f" with the same {', '.join('.'.join(here) for _, here in self.same)}" if self.same else ""
        return f"it needs a successful call of {self.tool}{with_same} before it"


def read(place: Place) -> After:
    fields = place.fields(("tool", "within", "same"))
    if "tool" not in fields:
        place.refuse("no `tool`", "name the tool that has to succeed first")
    same = fields["same"].entries() if "same" in fields else {}
    if "same" in fields and not same:
        fields["same"].refuse("names no arguments", "leave the key out, or write e.g. {order_id: order_id}")
    return After(
        tool=fields["tool"].text(),
        within_ns=duration_ns(fields["within"]) if "within" in fields else None,
        same=tuple((path(there, fields["same"]), path(here.text(), here)) for there, here in same.items()),
    )


def _value(value: object, names: tuple[str, ...]) -> bytes:
    """A value as bytes that are equal for equal JSON only. Null is no value: it is equal to itself, and names nothing.
    Raises RuleError."""
    if value is None:
        raise RuleError(f"the argument {'.'.join(names)} is null")
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError, RecursionError) as error:
        raise RuleError(f"the argument {'.'.join(names)} is no JSON") from error
