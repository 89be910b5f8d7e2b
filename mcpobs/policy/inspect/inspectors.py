"""Compiles the entries of `inspect` of a policy for one server: selects them by message and collects their findings.

The strictest action of all layers wins. A fault of an inspector is a finding, whose action is the entry's `on_error`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from mcpobs.policy.applies import is_drawn
from mcpobs.policy.conditions import CallFacts, Unknown
from mcpobs.policy.inspect.entries import fingerprint, is_item_of, looks_at
from mcpobs.policy.inspect.inspected import Inspected, Noted
from mcpobs.policy.inspect.inspector import FAULT, TRUNCATED, Context, Finding, Inspector, Of, Text, View
from mcpobs.policy.inspect.kinds import inspectors
from mcpobs.policy.inspect.texts import texts
from mcpobs.policy.inspect.words import DEFINITIONS
from mcpobs.policy.model import Action, Inspection, Layer, Policy

MAX_KEPT: Final = 4_096

Key = Callable[[], bytes]


class Bound(NamedTuple):
    """An entry with its inspectors."""

    entry: Inspection
    layer: Layer
    inspectors: Sequence[Inspector]
    fingerprint: str


class Inspectors:
    """All entries for one server. Makes their inspectors at once, so that no call waits for them."""

    def __init__(
        self,
        policy: Policy,
        server: str | None,
        key: Key,
        folder: Path | None = None,
        report: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        """`report` takes the faults of inspectors."""
        self._report = report
        self._server = server
        layers = [layer for layer in policy.layers if layer.server in (None, server)]
        self._bound = [
            Bound(entry, layer, inspectors(entry, Context(layer, server, key, folder, layers)), fingerprint(entry))
            for layer in layers
            for entry in layer.inspect
        ]
        self._kept: dict[tuple[object, ...], tuple[Bound, ...]] = {}

    def about(self, of: Of, facts: CallFacts, kinds: frozenset[str]) -> tuple[Bound, ...]:
        """Returns the entries that inspect a message. `kinds` are those of the tool: `read` or `write`."""
        target = None if isinstance(facts.target, Unknown) else facts.whole or facts.target
        key = of, facts.method, facts.kind, target, kinds
        found = self._kept.get(key)
        if found is None:
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            found = tuple(one for one in self._bound if looks_at(one.entry, of, facts, kinds, self._server))
            self._kept[key] = found
        return found

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
        """Inspects a message for the entries that `about` returned. Never raises."""
        inspected = Inspected()
        view = View(of, facts, message, is_error=is_error, output_schema=output_schema)
        fault: Exception | None = None
        try:
            found, is_cut = texts(of, message)
            view = replace(view, texts=found, is_cut=is_cut)
        except Exception as error:
            fault = error
        for bound in entries:
            shadow = not _is_in_force(bound, facts)
            try:
                if fault is not None:
                    raise fault
                self._look(bound, view, shadow, inspected)
            except Exception as error:
                self._report(error)
                inspected.degraded = True
                finding = Finding(bound.entry.find[0], FAULT, "whole")
                inspected.noted.append(Noted(bound.entry.id, finding, bound.entry.on_error, shadow))
        return inspected

    @staticmethod
    def _look(bound: Bound, view: View, shadow: bool, inspected: Inspected) -> None:
        entry = bound.entry
        about = [text for text in view.texts if text.item is None or is_item_of(entry.what, text.item)]
        shown, is_cut = _within(about, entry.max_bytes)
        cut = replace(view, texts=shown)
        found = [finding for inspector in bound.inspectors for finding in inspector.inspect(cut)]
        if is_cut or view.is_cut:
            found.append(Finding(entry.find[0], TRUNCATED, "whole"))
        if entry.over == "pass":
            found = [finding for finding in found if finding.rule != TRUNCATED]
        noted = [Noted(entry.id, finding, _action(entry, finding), shadow) for finding in found]
        inspected.verdicts[bound.fingerprint] = all(_is_noise(entry, finding) for finding in found)
        inspected.noted += noted


def _is_in_force(bound: Bound, facts: CallFacts) -> bool:
    control, layer = bound.entry.control, bound.layer
    if (control.mode or layer.mode) == "log_only":
        return False
    share = control.share if control.share is not None else layer.share
    return share is None or is_drawn(share, bound.entry.id, facts)


def _action(entry: Inspection, finding: Finding) -> Action:
    if finding.rule == TRUNCATED:
        return entry.over
    if finding.find == DEFINITIONS and finding.rule == "new" and entry.new is not None:
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
        head.append(text._replace(text=text.text[:rest]))
        rest -= len(text.text)
    tail = list[Text]()
    for text in reversed(texts):
        if tail_most <= 0:
            break
        skipped = max(0, len(text.text) - tail_most)
        tail.append(text._replace(text=text.text[skipped:], offset=skipped))
        tail_most -= len(text.text)
    return [*head, *reversed(tail)], True


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
