"""Rules that change nothing: no call can meet them, or another rule leaves nothing to them."""

from __future__ import annotations

from collections.abc import Iterator

from mcpobs.policy.applies import matches
from mcpobs.policy.lint.finding import Finding, Known, of_item, of_key
from mcpobs.policy.model import Layer, Rule, What, about_calls
from mcpobs.policy.rules.order import After
from mcpobs.policy.scope import covers, includes, is_empty


def impossible(layer: Layer, known: Known) -> Iterator[Finding]:
    """Rules that no call can be about."""
    for item in about_calls(layer):
        why = is_empty(item.what, layer.server)
        if why is not None:
            meaning = "no call is ever meant"
            yield of_item(item, layer, "never-matches", "warning", why, meaning, "correct it, or take it out")
        if item.control.share == 0:
            yield of_item(
                item,
                layer,
                "never-enforced",
                "note",
                "`share: 0`",
                "it is recorded and never enforced",
                "write mode: log_only if that is meant",
            )


def shadowed(layer: Layer, known: Known) -> Iterator[Finding]:
    """Rules that another one of the file leaves nothing to."""
    for place, rule in enumerate(layer.rules):
        for other in layer.rules:
            if other is rule or other.conditions or other.control != rule.control:
                continue
            if not (covers(other.what, rule.what) and includes(other.who, rule.who)):
                continue
            words = _shadow(other, rule, earlier=layer.rules.index(other) < place)
            if words is not None:
                yield of_item(rule, layer, "shadowed", "warning", *words)
                break


def _shadow(other: Rule, rule: Rule, *, earlier: bool) -> tuple[str, str, str] | None:
    match other.effect, rule.effect:
        case "deny", "allow" | "require":
            return (
                f"`{other.id}` denies all that it is about",
                "the deny goes first, wherever it stands: this rule changes nothing",
                f"take it out, or narrow {other.id}",
            )
        case "deny", "deny" if earlier or rule.conditions:
            return f"`{other.id}` denies the same without a condition", "it changes nothing", "take it out"
        case "allow", "allow" if rule.conditions:
            return (
                f"`{other.id}` allows the same without a condition",
                "one allow is enough, so its conditions are never asked for",
                "write effect: require, so that they must hold as well",
            )
        case "allow", "allow" if earlier:
            return f"`{other.id}` allows the same already", "it changes nothing", "take it out"
    return None


def useless_allow(layer: Layer, known: Known) -> Iterator[Finding]:
    """`default: allow` beside rules."""
    if layer.default != "allow" or not layer.rules:
        return
    yield of_key(
        "default",
        layer,
        "default-allow",
        "warning",
        "`default: allow` beside rules",
        "a call that no rule is about passes, also one of a tool that the server adds tomorrow",
        "write default: deny, and an `allow` for what may be called",
    )
    for rule in layer.rules:
        if rule.effect == "allow" and not _is_sensitive(rule.what, layer):
            yield of_item(
                rule,
                layer,
                "useless-allow",
                "warning",
                "an `allow` in a file with `default: allow`",
                "it changes nothing: the call passes without it, and so does one that does not meet its conditions",
                "write effect: require, or default: deny",
            )


def _is_sensitive(what: What, layer: Layer) -> bool:
    return any(
        matches((name,), tool) or matches((tool,), name) for name in layer.sensitive for tool in what.tools or ()
    )


def unreachable(layer: Layer, known: Known) -> Iterator[Finding]:
    """What nothing can satisfy: `after` a tool that no rule allows, a sensitive tool without an allow."""
    if layer.default == "deny":
        for rule in layer.rules:
            for condition in rule.conditions:
                if isinstance(condition, After) and not _is_allowed(condition.tool, layer):
                    yield of_item(
                        rule,
                        layer,
                        "unreachable",
                        "warning",
                        f"needs a call of `{condition.tool}`, which no rule of the file allows",
                        "it can never hold",
                        f"allow {condition.tool}, or name another tool",
                    )
    for name in layer.sensitive:
        if layer.default == "allow" and not _is_allowed(name, layer):
            yield of_key(
                "sensitive",
                layer,
                "sensitive-denied",
                "note",
                f"no rule allows `{name}`",
                "nobody can call it",
                "add an `allow` for those who may, if anybody may",
            )


def _is_allowed(tool: str, layer: Layer) -> bool:
    named = What(tools=(tool,))
    return any(
        rule.effect == "allow"
        and rule.what.tools is not None
        and (covers(rule.what, named) or covers(named, rule.what))
        for rule in layer.rules
    )
