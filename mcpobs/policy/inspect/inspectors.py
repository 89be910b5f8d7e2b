"""The entries of `inspect` of a policy, compiled for one server: which look at a message, and what they make of it.

The strictest action of all layers wins. A fault of an inspector is a finding, whose action is the entry's `on_error`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from mcpobs.policy.compiled import _is_about, is_drawn, matches
from mcpobs.policy.conditions import CallFacts, Unknown
from mcpobs.policy.inspect.inspected import Inspected, Noted
from mcpobs.policy.inspect.inspector import FAULT, TRUNCATED, Context, Finding, Inspector, Of, Text, View
from mcpobs.policy.inspect.kinds import inspectors
from mcpobs.policy.inspect.texts import texts
from mcpobs.policy.model import Action, Inspection, Layer, Look, Policy, What

MAX_KEPT: Final = 4_096
_LOOKS: Final[Mapping[Of, Look]] = {"call": "arguments", "result": "result", "request": "result", "listing": "listing"}
_BY_ITEM: Final = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resources",
}

Key = Callable[[], bytes]


class Bound(NamedTuple):
    """An entry with its inspectors."""

    entry: Inspection
    layer: Layer
    inspectors: Sequence[Inspector]
    fingerprint: str


class Inspectors:
    """All entries that are for one server. Makes their inspectors at once, so that no call waits for it."""

    def __init__(self, policy: Policy, server: str | None, key: Key, folder: Path | None = None) -> None:
        self.policy = policy
        self._server = server
        layers = [layer for layer in policy.layers if layer.server in (None, server)]
        self._bound = [
            Bound(entry, layer, inspectors(entry, Context(layer, server, key, folder, layers)), fingerprint(entry))
            for layer in layers
            for entry in layer.inspect
        ]
        self._kept: dict[tuple[object, ...], tuple[Bound, ...]] = {}

    def about(self, of: Of, facts: CallFacts, kinds: frozenset[str]) -> tuple[Bound, ...]:
        """Returns the entries that look at a message. `kinds` are those of the tool: `read` or `write`."""
        target = None if isinstance(facts.target, Unknown) else facts.whole or facts.target
        key = of, facts.method, facts.kind, target, kinds
        found = self._kept.get(key)
        if found is None:
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            found = tuple(one for one in self._bound if self._looks(one.entry, of, facts, target, kinds))
            self._kept[key] = found
        return found

    def _looks(self, entry: Inspection, of: Of, facts: CallFacts, target: str | None, kinds: frozenset[str]) -> bool:
        what = entry.what
        if _LOOKS[of] not in entry.where or (what.servers is not None and not _is_of(what.servers, self._server)):
            return False
        if of == "result" and facts.method.startswith("tasks/"):
            return True  # of a call that began elsewhere: any tool's
        if is_general(what):
            excepted = facts.kind == "tool" and target is not None and not _meant(what, target, kinds)
            return not excepted
        if of == "listing":
            member = _BY_ITEM.get(facts.method)
            return member is not None and getattr(what, member) is not None
        return _is_about(what, facts, target, kinds, self._server)

    def inspect(
        self,
        of: Of,
        facts: CallFacts,
        message: dict[str, object],
        entries: Sequence[Bound],
        *,
        is_error: bool = False,
        output_schema: object = None,
    ) -> Inspected:
        """Looks at a message for some entries, which `about` returned. Never raises."""
        inspected = Inspected()
        view = View(of, facts, message, is_error=is_error, output_schema=output_schema)
        fault: Exception | None = None
        try:
            view = replace(view, texts=texts(of, message))
        except Exception as error:
            fault = error
        for bound in entries:
            shadow = not _is_in_force(bound, facts)
            try:
                if fault is not None:
                    raise fault
                self._look(bound, view, shadow, inspected)
            except Exception:
                inspected.degraded = True
                finding = Finding(bound.entry.find[0], FAULT, "whole")
                inspected.noted.append(Noted(bound.entry.id, finding, bound.entry.on_error, shadow))
        return inspected

    @staticmethod
    def _look(bound: Bound, view: View, shadow: bool, inspected: Inspected) -> None:
        entry = bound.entry
        about = [text for text in view.texts if text.item is None or _is_item_of(entry.what, text.item)]
        shown, is_cut = _within(about, entry.max_bytes)
        cut = replace(view, texts=shown)
        found = [finding for inspector in bound.inspectors for finding in inspector.inspect(cut)]
        if is_cut:
            found.append(Finding(entry.find[0], TRUNCATED, "whole"))
        if entry.over == "pass":
            found = [finding for finding in found if finding.rule != TRUNCATED]
        noted = [Noted(entry.id, finding, _action(entry, finding), shadow) for finding in found]
        inspected.verdicts[bound.fingerprint] = all(_is_noise(entry, finding) for finding in found)
        inspected.noted += noted


def is_general(what: What) -> bool:
    """Whether an entry is about all messages: it names nothing, or only all tools."""
    others = what.resources is None and what.prompts is None and what.methods is None
    return others and (what.tools is None or "*" in what.tools)


def fingerprint(entry: Inspection) -> str:
    """Names an entry with what it looks for, and not with its action: a replay of another action uses its verdicts."""
    looks = replace(entry, action="flag", on_error="flag", over="flag", control=type(entry.control)())
    return f"{entry.id}@{hashlib.blake2b(repr(looks).encode(), digest_size=4).hexdigest()}"


def _is_of(servers: Sequence[str], server: str | None) -> bool:
    return server is not None and matches(servers, server)


def _meant(what: What, tool: str, kinds: frozenset[str]) -> bool:
    """Whether an entry about all tools is about this one."""
    return not matches(what.unless_tools, tool) and (what.kinds is None or bool(kinds & frozenset(what.kinds)))


def _is_item_of(what: What, item: str) -> bool:
    named = [*(what.tools or ()), *(what.resources or ()), *(what.prompts or ())]
    return (is_general(what) or matches(named, item)) and not matches(what.unless_tools, item)


def _is_in_force(bound: Bound, facts: CallFacts) -> bool:
    control, layer = bound.entry.control, bound.layer
    if (control.mode or layer.mode) == "log_only":
        return False
    share = control.share if control.share is not None else layer.share
    return share is None or is_drawn(share, bound.entry.id, facts)


def _action(entry: Inspection, finding: Finding) -> Action:
    if finding.rule == TRUNCATED:
        return entry.over
    if finding.find == "definitions" and finding.rule == "new" and entry.new is not None:
        return entry.new
    return "block" if entry.action == "mask" and finding.mask is None else entry.action


def _is_noise(entry: Inspection, finding: Finding) -> bool:
    """Whether it says nothing of the message but its size."""
    return finding.rule == TRUNCATED and entry.over != "block"


def _within(texts: Sequence[Text], most: int) -> tuple[Sequence[Text], bool]:
    """The texts of a message, or their head and tail if they are larger; and whether something was left out."""
    if sum(_size(text.text) for text in texts) <= most:
        return texts, False
    tail_most = most // 4
    head, rest = list[Text](), most - tail_most
    for text in texts:
        if rest <= 0:
            break
        head.append(replace(text, text=text.text[:rest]))
        rest -= len(text.text)
    tail = list[Text]()
    for text in reversed(texts):
        if tail_most <= 0:
            break
        skipped = max(0, len(text.text) - tail_most)
        tail.append(replace(text, text=text.text[skipped:], offset=skipped))
        tail_most -= len(text.text)
    return [*head, *reversed(tail)], True


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
