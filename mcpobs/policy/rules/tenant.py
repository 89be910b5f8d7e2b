"""`tenant`: a caller reaches the data of its own tenant only.

What it does: `arg` names an argument that must equal the verified tenant; `result` names a member that each object of
the result must carry with that tenant; `ids` names ids in results, which are then that tenant's and nobody else's.
Why it matters: a tool that takes a row's id, and no tenant, hands out rows of others to whoever guesses an id.
What to do: use `arg` where there is such an argument, `result` where the rows say whose they are, and `ids` with `arg`
where neither is so. The tenant is the verified caller's: a caller without one is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mcpobs.limits.document import Place
from mcpobs.policy.codes import Code
from mcpobs.policy.conditions import CallFacts, Reads, RuleError
from mcpobs.policy.fields import choice, path

OnMissing = Literal["block", "pass"]


@dataclass(frozen=True)
class Tenant:
    """Whose data a call reaches. `argument` and `result` are paths of member names."""

    argument: tuple[str, ...] | None = None
    result: tuple[str, ...] | None = None
    on_missing: OnMissing = "block"
    reads: frozenset[Reads] = frozenset({"arguments"})
    code: Code = Code.TENANT
    remembers: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)

    def holds(self, facts: CallFacts) -> bool:
        tenant = facts.identity.tenant
        if tenant is None:
            raise RuleError("the caller has no verified tenant")
        if self.argument is None:
            return True
        value = facts.argument(self.argument)
        if not isinstance(value, str):
            raise RuleError("the tenant's argument is not a text")
        return value == tenant

    def passes(self, result: object, facts: CallFacts) -> bool:
        """Whether a result may go to the caller: the member is its tenant wherever it is, and it is somewhere."""
        if self.result is None:
            return True
        found = [value for answer in _answers(result) for value in _found(answer, self.result)]
        if not found:
            return self.on_missing == "pass"
        return all(value == facts.identity.tenant for value in found)

    def needs(self) -> str:
        return "it reaches only data of your own tenant"


def read(place: Place) -> Tenant:
    fields = place.fields(("arg", "result", "on_missing"))
    if not fields.keys() & {"arg", "result"}:
        place.refuse("no `arg` and no `result`", "name the argument, or the member of the result, that is the tenant")
    if "on_missing" in fields and "result" not in fields:
        place.refuse("`on_missing` without `result`")
    return Tenant(
        path(fields["arg"].text(), fields["arg"]) if "arg" in fields else None,
        path(fields["result"].text(), fields["result"]) if "result" in fields else None,
        choice(fields["on_missing"], ("block", "pass")) if "on_missing" in fields else "block",
    )


def _answers(result: object) -> list[object]:
    """What a result answers: its structured content, and each text of its content that is JSON."""
    import orjson

    if not isinstance(result, dict):
        return []
    found: list[object] = [result["structuredContent"]] if "structuredContent" in result else []
    content = result.get("content")
    for item in content if isinstance(content, list) else []:
        text = item.get("text") if isinstance(item, dict) else None
        if text is None and isinstance(item, dict) and isinstance(item.get("resource"), dict):
            text = item["resource"].get("text")
        if isinstance(text, str):
            try:
                found.append(orjson.loads(text))
            except orjson.JSONDecodeError:
                found.append(None)
    return found


def _found(value: object, names: tuple[str, ...]) -> list[object]:
    """The values at a path, in a result or in each element of its lists; also below it, at any depth.

    An object that lacks the member beside ones that have it counts as None: it might be another tenant's."""
    rows = _rows(value)
    values = [_at(row, names) for row in rows]
    return values if any(one is not None for one in values) else []


def _rows(value: object, depth: int = 0) -> list[dict[str, object]]:
    """The objects of a result that stand for a row: those in lists, else the object itself."""
    if isinstance(value, list):
        return [row for item in value for row in _rows(item, depth + 1)] if depth < 8 else []
    if not isinstance(value, dict):
        return []
    inner = [row for item in value.values() if isinstance(item, list) for row in _rows(item, depth + 1)]
    return inner or [value]


def _at(row: dict[str, object], names: tuple[str, ...]) -> object:
    value: object = row
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value
