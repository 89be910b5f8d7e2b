"""Finds what in a policy does not do what it seems to do. Pure: the lake's calls are given to it.

A finding names file and line, what that means for calls, and what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mcpobs.policy.lint import bypasses, history, inspection, matching, names
from mcpobs.policy.lint.finding import NOTHING_KNOWN, Finding, Known
from mcpobs.policy.model import Layer, Policy

CHECKS: Sequence[Callable[[Layer, Known], Iterator[Finding]]] = (
    names.unknown_names,
    matching.impossible,
    names.unverified,
    names.never_seen,
    matching.shadowed,
    matching.useless_allow,
    matching.unreachable,
    bypasses.fails_open,
    bypasses.open_schema,
    bypasses.self_declared,
    bypasses.reopened,
    bypasses.not_enforced,
    inspection.passes_unseen,
    inspection.never_found,
)


def lint(policy: Policy, known: Known = NOTHING_KNOWN) -> list[Finding]:
    """Returns the findings, by file and line."""
    order = {layer.source: place for place, layer in enumerate(policy.layers)}
    found = [finding for check in CHECKS for layer in policy.layers for finding in check(layer, known)]
    found += history.denies_everything(policy, known)
    return sorted(found, key=lambda one: (order[one.source], one.line, one.check, one.about))
