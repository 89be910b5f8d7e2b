"""Lists of tools, prompts and resources: what the policy learns of them, and what a caller may see of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from mcpobs.gate.decisions import End, Pass, Replace
from mcpobs.gate.judged import Judged
from mcpobs.policy.conditions import CallFacts, Kind
from mcpobs.policy.engine import Engine

if TYPE_CHECKING:
    from mcpobs.policy.inspect.inspected import Inspected

MAX_LISTED: Final = 4_096


class Listing(NamedTuple):
    """The member of a result that holds a list, the kind of its items, and their member that names them."""

    member: str
    kind: Kind
    name: str


LISTINGS: Final[Mapping[str, Listing]] = {
    "tools/list": Listing("tools", "tool", "name"),
    "prompts/list": Listing("prompts", "prompt", "name"),
    "resources/list": Listing("resources", "resource", "uri"),
    "resources/templates/list": Listing("resourceTemplates", "resource", "uriTemplate"),
}


class Listings:
    """The lists of one server, as a front passes them on."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._cursors: set[str] = set()
        """Of the pages that follow a first page of tools."""

    def passed_on(self, method: str, params: object, judged: Judged, result: dict[str, object]) -> End:
        """Takes a list, and returns it without the items that its requester may not see."""
        listing = LISTINGS[method]
        if listing.kind == "tool":
            self._learn(params, result)
        return self._filtered(listing, judged, result)

    def _filtered(self, listing: Listing, judged: Judged, result: dict[str, object]) -> End:
        items, facts, inspected = result.get(listing.member), judged.facts, judged.inspected
        passed = Pass() if inspected is None else _passed(inspected)
        if not isinstance(items, list):
            return passed
        asking = CallFacts(
            f"{listing.member}/{listing.kind}",
            kind=listing.kind,
            identity=facts.identity,
            enforcement_key=facts.enforcement_key,
            session_id=facts.session_id,
            client=facts.client,
            server=facts.server,
        )
        name = listing.name
        seen = [
            item
            for item in items
            if isinstance(item, dict) and isinstance(item.get(name), str) and self._engine.sees(item[name], asking)
        ]
        withheld = set[str]() if judged.found is None else judged.found.withheld
        if len(seen) == len(items) and not withheld:
            return passed
        if inspected is not None:
            from mcpobs.gate.inspecting import listing as inspected_listing

            return inspected_listing(result, seen, listing.member, name, inspected, withheld)
        return Replace(result={**result, listing.member: seen}, decision="allow")

    def _learn(self, params: object, result: dict[str, object]) -> None:
        """Learns the tools and their kinds. After a list was seen from its first page to its last, any other name
        counts as made up."""
        tools = result.get("tools")
        if not isinstance(tools, list):
            return
        known = self._engine.listed or set()
        for tool in tools[:MAX_LISTED]:
            if not isinstance(tool, dict) or not isinstance(tool.get("name"), str) or len(known) >= MAX_LISTED:
                continue
            known.add(tool["name"])
            hints = tool.get("annotations")
            reads = isinstance(hints, dict) and hints.get("readOnlyHint") is True
            self._engine.kinds[tool["name"]] = frozenset({"read"} if reads else {"write"})
        self._engine.listed = known
        cursor = params.get("cursor") if isinstance(params, dict) else None
        if cursor is not None and (not isinstance(cursor, str) or cursor not in self._cursors):
            return
        following = result.get("nextCursor")
        if isinstance(following, str):
            if len(self._cursors) < MAX_LISTED:
                self._cursors.add(following)
        elif len(known) < MAX_LISTED:
            self._engine.knows_all_tools()


def _passed(inspected: Inspected) -> Pass:
    from mcpobs.gate.inspecting import passed

    return passed(inspected)
