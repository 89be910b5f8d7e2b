"""`tenant`: a caller reaches the data of its own tenant only.

What it does: `arg` names an argument that must equal the verified tenant; `result` names a member that each object of
the result must carry with that tenant; `ids` names ids in results, which are then that tenant's and nobody else's: with
`ids`, `arg` is the argument that holds such an id, and a call with the id of another tenant is refused.
Why it matters: a tool that takes a row's id, and no tenant, hands out rows of others to whoever guesses an id.
What to do: use `arg` where there is such an argument, `result` where the rows say whose they are, and `ids` with `arg`
where neither is so, in one rule for all tools that show or take such ids. The tenant is the verified caller's: a caller
without one is refused.

`result`: a row is an object of a list, else the whole answer; what lies in a row that carries the tenant belongs to it.
An answer in which nothing carries it is withheld, unless `on_missing: pass`: also a text that is no JSON, or an image.
A text that is a JSON object or list is looked into wherever it stands. Rows deeper than 64 levels are withheld.
`ids` are kept as keyed digests for `ttl`. The first tenant keeps an id. An id that no result showed yet is let through,
unless `on_unseen: block`. Ids are compared without case, spaces around them and leading zeros, as servers may do.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from mcpobs.limits.document import Place
from mcpobs.policy.codes import Code
from mcpobs.policy.conditions import MAX_TEXTS, CallFacts, Holds, Reads, RuleError
from mcpobs.policy.fields import choice, duration_ns, names, path
from mcpobs.policy.rules.answers import AMBIGUOUS, MAX_DEPTH, Step, answers, aside, embedded, found, steps
from mcpobs.protocol.session import Identity

OnMissing = Literal["block", "pass"]
Carries = Literal["own", "none", "other", "empty"]
MAX_IDS: Final = 4_096
"""Ids of one result; a result with more is withheld."""
MAX_ID: Final = 512
TTL_NS: Final = 30 * 86_400 * 1_000_000_000
_NUMBER = re.compile(r"\+?0*([0-9]+)(\.0*)?")


@dataclass(frozen=True)
class Tenant:
    """Whose data a call reaches. `argument` and `result` are paths of member names."""

    argument: tuple[str, ...] | None = None
    result: tuple[str, ...] | None = None
    on_missing: OnMissing = "block"
    ids: tuple[tuple[Step, ...], ...] = ()
    ttl_ns: int = TTL_NS
    on_unseen: OnMissing = "pass"
    code: Code = Code.TENANT
    remembers: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)

    @property
    def reads(self) -> frozenset[Reads]:
        return frozenset({"arguments"}) if self.argument is not None else frozenset()

    def holds(self, facts: CallFacts) -> bool:
        tenant = facts.identity.tenant
        if tenant is None:
            raise RuleError("the caller has no verified tenant")
        if self.argument is None or self.ids:
            return True
        value = facts.argument(self.argument)
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise RuleError("the tenant's argument is not a text")
        return str(value) == tenant

    def prepared(self, identity: Identity) -> Holds:
        holds, argument, tenant = self.holds, self.argument, identity.tenant
        if tenant is None or argument is None or len(argument) > 1 or self.ids:
            return holds
        name = argument[0]

        def quickly(facts: CallFacts) -> bool:
            arguments = facts.arguments
            return (type(arguments) is dict and arguments.get(name) == tenant) or holds(facts)

        return quickly

    def used(self, facts: CallFacts) -> list[str]:
        """The ids that a call uses; none if it has no such argument. Raises RuleError for what is no id."""
        if not self.ids or self.argument is None:
            return []
        try:
            value = facts.argument(self.argument)
        except RuleError:
            if _has_like(facts.arguments, self.argument):
                raise
            return []
        if value is None:
            return []
        items = value if isinstance(value, list) else [value]
        used = [_id(one) for one in items[: MAX_TEXTS + 1]]
        if None in used or len(used) > MAX_TEXTS:
            raise RuleError(f"the argument {'.'.join(self.argument)} is no id")
        return [one for one in used if one is not None]

    def shown(self, result: object) -> list[str] | None:
        """The ids that a result shows; None if they are too many."""
        values = {_id(value) for answer in answers(result) for one in self.ids for value in found(answer, one)}
        values.discard(None)
        return None if len(values) > MAX_IDS else sorted(value for value in values if value is not None)

    def passes(self, result: object, facts: CallFacts) -> bool:
        """Whether a result may go to the caller: all that it answers carries the caller's tenant."""
        if self.result is None:
            return True
        tenant = facts.identity.tenant
        carried = {_carried(answer, self.result, tenant) for answer in answers(result)}
        if tenant is None or "other" in carried or _carried(aside(result), self.result, tenant) == "other":
            return False
        return self.on_missing == "pass" or not carried & {"none"}

    def passes_error(self, result: object, facts: CallFacts) -> bool:
        """Whether an error may go to the caller: it need not say whose it is, and must not be another tenant's."""
        tenant = facts.identity.tenant
        member = self.result
        shown = [*answers(result), aside(result)]
        return member is None or all(_carried(one, member, tenant) != "other" for one in shown)

    def needs(self, facts: CallFacts) -> str:
        return "it reaches only data of your own tenant"


def read(place: Place) -> Tenant:
    fields = place.fields(("arg", "result", "on_missing", "ids", "ttl", "on_unseen"))
    if not fields.keys() & {"arg", "result", "ids"}:
        place.refuse("no `arg`, `result` or `ids`", "name the argument, or the member of results, that is the tenant")
    for key, of in (("on_missing", "result"), ("ttl", "ids"), ("on_unseen", "ids"), ("on_unseen", "arg")):
        if key in fields and of not in fields:
            place.refuse(f"`{key}` without `{of}`", f"write `{of}` beside it, or leave `{key}` out")
    return Tenant(
        argument=path(fields["arg"].text(), fields["arg"]) if "arg" in fields else None,
        result=path(fields["result"].text(), fields["result"]) if "result" in fields else None,
        on_missing=choice(fields["on_missing"], ("block", "pass")) if "on_missing" in fields else "block",
        ids=tuple(steps(one, fields["ids"]) for one in names(fields["ids"])) if "ids" in fields else (),
        ttl_ns=duration_ns(fields["ttl"]) if "ttl" in fields else TTL_NS,
        on_unseen=choice(fields["on_unseen"], ("block", "pass")) if "on_unseen" in fields else "pass",
    )


def _has_like(arguments: object, path: tuple[str, ...]) -> bool:
    """Whether a server that ignores case may find an argument at a path."""
    at = [arguments]
    for name in path:
        members = [item for one in at if isinstance(one, dict) for item in one.items()]
        at = [value for key, value in members if str(key).casefold() == name.casefold()]
    return bool(at)


def _id(value: object) -> str | None:
    """An id in the form that is compared; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = unicodedata.normalize("NFKC", str(value)).strip().casefold()
    number = _NUMBER.fullmatch(text)
    return number[1] if number else text if 0 < len(text) <= MAX_ID else None


def _carried(value: object, member: tuple[str, ...], tenant: str | None, depth: int = 0) -> Carries:
    """Whose a value is: its own member says so, or all that is in it does."""
    if value is None or value == "" or value is False or (value == 0 and not isinstance(value, bool)):
        return "empty"
    if isinstance(value, str):
        value = embedded(value)
    if depth > MAX_DEPTH and isinstance(value, list | dict):
        return "other"  # nobody looks deeper
    if value is AMBIGUOUS:
        return "other"
    if isinstance(value, list):
        return _together([_carried(item, member, tenant, depth + 1) for item in value])
    if not isinstance(value, dict):
        return "none"
    inner = [_carried(item, member, tenant, depth + 1) for item in value.values()]
    own = _at(value, member)
    if own is not None:
        is_own = isinstance(own, str | int) and not isinstance(own, bool) and str(own) == tenant
        return "own" if is_own and "other" not in inner else "other"
    rows = [carried for carried, item in zip(inner, value.values(), strict=True) if isinstance(item, list | dict)]
    if "own" in rows:  # an envelope: its plain members are about the rows
        return _together(rows)
    return _together(inner)


def _together(parts: list[Carries]) -> Carries:
    for one in ("other", "none", "own"):
        if one in parts:
            return one
    return "empty"


def _at(row: dict[str, object], names: tuple[str, ...]) -> object:
    value: object = row
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value
