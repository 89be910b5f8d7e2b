"""Ways around a policy: effects that fail open, names that callers choose, sessions that start anew."""

from __future__ import annotations

import json
from collections.abc import Iterator

from mcpobs.policy.lint.finding import Finding, Known, of_item, of_key
from mcpobs.policy.model import REOPENED_FACTOR, Layer, about_calls, controlled
from mcpobs.policy.rules.schema import ArgumentSchema


def fails_open(layer: Layer, known: Known) -> Iterator[Finding]:
    """Effects that let a call pass because something is missing or broken."""
    if layer.on_error == "allow":
        yield of_key(
            "on_error",
            layer,
            "fails-open",
            "warning",
            "`on_error: allow`",
            "a fault, a missing argument or an unreachable store lets the call pass",
            "leave it out: deny is the default",
        )
    for item in controlled(layer):
        if item.control.on_error == "allow":
            yield of_item(
                item,
                layer,
                "fails-open",
                "warning",
                "`on_error: allow`",
                "a fault, a missing argument or an unreachable store switches it off for that call",
                "leave it out: deny is the default",
            )
    for rule in layer.rules:
        if rule.effect == "deny" and any("arguments" in condition.reads for condition in rule.conditions):
            yield of_item(
                rule,
                layer,
                "fails-open",
                "warning",
                "a `deny` that looks at arguments",
                "arguments of another form do not match it and pass: a number as a text, a list, NaN, a missing member",
                "write effect: require with what has to be so",
            )


def open_schema(layer: Layer, known: Known) -> Iterator[Finding]:
    """Schemas that a call without the argument satisfies."""
    for rule in layer.rules:
        for condition in rule.conditions:
            if not isinstance(condition, ArgumentSchema) or rule.effect == "deny":
                continue
            schema = json.loads(condition.schema)
            missing = [name for name in schema.get("properties", {}) if name not in schema.get("required", [])]
            if missing:
                yield of_item(
                    rule,
                    layer,
                    "open-schema",
                    "note",
                    f"`args_schema` does not require {', '.join(f'`{name}`' for name in missing)}",
                    "a call without it passes, and the server takes its own default",
                    "list it under required",
                )


def self_declared(layer: Layer, known: Known) -> Iterator[Finding]:
    """Rules by the client's name."""
    for item in about_calls(layer):
        if item.who.clients is not None:
            yield of_item(
                item,
                layer,
                "self-declared",
                "warning",
                "goes by `clients`",
                "a client says itself what it is called: whoever wants to be meant, or not meant, is",
                "use roles, scopes, principals or tenants; keep `clients` for what only helps honest clients",
            )


def reopened(layer: Layer, known: Known) -> Iterator[Finding]:
    """Limits per session that a new session resets."""
    for limit in layer.limits:
        by = {cap.by for cap in limit.caps}
        if by == {"session"} and limit.counts in ("calls", "sum"):
            yield of_item(
                limit,
                layer,
                "reopened",
                "note",
                "`per_session` without `per_principal` or `per_tenant`",
                f"a new session counts from 0; a caller gets {REOPENED_FACTOR} × the limit in an hour",
                "add per_principal (or per_tenant) and window",
            )
    for budget in layer.budgets:
        if budget.cap.by == "session" and all(other.cap.by == "session" for other in layer.budgets):
            yield of_item(
                budget,
                layer,
                "reopened",
                "note",
                "a budget of the session alone",
                f"a new session begins at $0; a caller gets {REOPENED_FACTOR} × the budget in an hour",
                "add budgets.principal or budgets.tenant",
            )


def not_enforced(layer: Layer, known: Known) -> Iterator[Finding]:
    """What is recorded only."""
    if layer.mode == "log_only":
        enforced = [rule.id for rule in about_calls(layer) if rule.control.mode == "enforce"]
        but = f" but {', '.join(enforced)}" if enforced else ""
        yield of_key(
            "mode",
            layer,
            "not-enforced",
            "note",
            "`mode: log_only`",
            f"nothing of the file{but} refuses a call",
            "write mode: enforce when `mcpobs decisions` shows what you expect",
        )
