"""Rules by which recorded calls could not have gone on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from mcpobs.policy.lint.finding import Finding, Known, of_item, of_key
from mcpobs.policy.model import Policy
from mcpobs.policy.traffic import Judged


def denies_everything(policy: Policy, known: Known) -> Iterator[Finding]:
    """Rules by which each recorded call that they are about would be denied."""
    history = known.history
    if history is None or not history.calls:
        return
    for layer in policy.layers:
        for rule in layer.rules:
            about = [one for one in history.judged if rule.id in one.rules]
            if rule.effect in ("allow", "log_only") or not about:
                continue
            denied = _calls(about, lambda one, id_=rule.id: id_ in one.denied_by)  # type: ignore[misc]
            total = _calls(about)
            if denied < total or (rule.effect == "deny" and denied < history.calls):
                continue
            share = "all" if total == history.calls else f"each of the {total:,} recorded calls that it is about, of"
            yield of_item(
                rule,
                layer,
                "denies-everything",
                "warning",
                f"denies {share} {history.calls:,} recorded calls",
                "nobody who calls today could go on",
                "check whom and what it names; run it with mode: log_only first",
            )
    denied = _calls(history.judged, lambda one: bool(one.denied_by))
    if denied == history.calls and policy.layers and any(layer.rules for layer in policy.layers):
        layer = next(layer for layer in policy.layers if layer.rules)
        yield of_key(
            "rules",
            layer,
            "denies-everything",
            "warning",
            f"the policy denies all {history.calls:,} recorded calls",
            "nobody who calls today could go on",
            "add an `allow` for what may be called",
        )


def _calls(judged: Iterable[Judged], which: Callable[[Judged], bool] = lambda one: True) -> int:
    return sum(one.traffic.calls for one in judged if which(one))
