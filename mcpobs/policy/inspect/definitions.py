"""`find: definitions`: compares the tools that a server lists with those that a person approved.

What it does: compares the fingerprint of each listed tool (name, title, description, schemas, annotations) with the
approved one. `deny` takes a tool that is new or changed out of the list and refuses its calls, until it is approved:
`mcpobs approve definitions SERVER`. `new` says what is done with a tool that was never approved.
Why it matters: a model obeys a tool's description, and a server can change it after you have read it.
What to do: run it with `flag` once, approve what it lists, then write `deny`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mcpobs.policy.applies import matches
from mcpobs.policy.definitions.definition import definition_of
from mcpobs.policy.definitions.watch import Watch, approved_file, approved_of, seen_file
from mcpobs.policy.inspect.inspector import Context, Finding, View
from mcpobs.policy.inspect.words import DEFINITIONS
from mcpobs.policy.model import Inspection, What

FIND: Final = DEFINITIONS


class Definitions:
    """Compares tools with the approved ones. Without a watch, as in a replay, it finds nothing."""

    def __init__(self, what: What, watch: Watch | None) -> None:
        self._what = what
        self._watch = watch

    def inspect(self, view: View) -> Sequence[Finding]:
        if self._watch is None:
            return ()
        if view.of == "listing" and view.facts.method == "tools/list":
            return self._listed(self._watch, view.message.get("result"))
        if view.of == "call" and view.facts.kind == "tool":
            standing = self._watch.standing(view.facts.whole or str(view.facts.target))
            return () if standing == "approved" else (Finding(FIND, standing, "whole"),)
        return ()

    def _listed(self, watch: Watch, result: object) -> Sequence[Finding]:
        tools = result.get("tools") if isinstance(result, dict) else None
        places, found = [], []
        for place, tool in enumerate(tools if isinstance(tools, list) else ()):
            definition = definition_of(tool)
            if definition is not None and self._is_about(definition.name):
                places.append(place)
                found.append(definition)
        return [
            Finding(FIND, standing, "description", ("result", "tools", place))
            for place, standing in zip(places, watch.listed(found), strict=True)
            if standing != "approved"
        ]

    def _is_about(self, name: str) -> bool:
        what = self._what
        return (what.tools is None or matches(what.tools, name)) and not matches(what.unless_tools, name)


def make(entry: Inspection, finds: frozenset[str], context: Context) -> Definitions:
    if context.folder is None or not context.server:
        return Definitions(entry.what, None)
    approved = approved_file(context.folder, context.server)
    if entry.approved is not None:
        approved = approved_of(context.layer, entry.approved)
    return Definitions(entry.what, Watch(context.server, approved, seen_file(context.folder, context.server)))
