"""Entries of `inspect` that let messages pass that they cannot inspect, or that never found anything."""

from __future__ import annotations

from collections.abc import Iterator

from mcpobs.policy.inspect.entries import fingerprint, may_have_looked_at
from mcpobs.policy.lint.finding import Finding, Known, of_item
from mcpobs.policy.model import Inspection, Layer
from mcpobs.policy.traffic import History

_STRICT = ("mask", "block")


def passes_unseen(layer: Layer, known: Known) -> Iterator[Finding]:
    """Entries that mask or block, and let messages pass that they could not inspect."""
    for entry in layer.inspect:
        if entry.action not in _STRICT:
            continue
        if entry.on_error == "flag":
            yield of_item(
                entry,
                layer,
                "fails-open",
                "warning",
                "a fault while inspecting lets the message pass",
                f"a message that makes the inspector fail passes without its {entry.action}",
                "write on_error: block, or leave it out",
            )
        if entry.over != "block":
            yield of_item(
                entry,
                layer,
                "fails-open",
                "note",
                f"`over: {entry.over}`",
                "only the two ends of a larger message are inspected, and the rest passes unchanged",
                "leave it out: block is the default here",
            )


def never_found(layer: Layer, known: Known) -> Iterator[Finding]:
    """Entries that mask or block, and never applied to any recorded message."""
    if known.history is None:
        return
    for entry in layer.inspect:
        if entry.action not in _STRICT:
            continue
        inspected, found = _recorded(entry, layer, known.history)
        if found:
            continue
        done = "masked" if entry.action == "mask" else "blocked"
        if inspected:
            problem = f"{done} nothing in {inspected:,} recorded calls that it inspected"
            meaning = "there is nothing to find, or it looks in the wrong place"
        else:
            problem = f"inspected no recorded call, so it {done} nothing"
            meaning = "it was not in force yet, or no tool that it applies to was called"
        yield of_item(
            entry,
            layer,
            "never-found",
            "note",
            problem,
            meaning,
            "compare `find`, `tools` and `where` with a result; `mcpobs scan` shows what would be found",
        )


def _recorded(entry: Inspection, layer: Layer, history: History) -> tuple[int, int]:
    """Returns the number of recorded calls that an entry inspected, and of those in which it found something."""
    name = fingerprint(entry)
    inspected = found = 0
    for one in history.traffic:
        server = one.server
        if layer.server not in (None, server):
            continue
        if not may_have_looked_at(entry, one.facts, server):
            continue
        verdict = one.verdicts.get(name)
        inspected += one.calls if verdict is not None else 0
        found += one.calls if verdict is False else 0
    return inspected, found
