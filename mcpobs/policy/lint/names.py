"""Names in a policy that nobody has seen: tools, servers, callers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mcpobs.errors import nearest
from mcpobs.policy.applies import matches
from mcpobs.policy.lint.finding import Finding, Item, Known, Level, of_item, of_key
from mcpobs.policy.model import Layer, Rule, about_calls
from mcpobs.policy.rules.order import After

_VERIFIED = ("roles", "scopes", "principals", "tenants")


def unknown_names(layer: Layer, known: Known) -> Iterator[Finding]:
    """Tools and servers that nobody has seen, with the nearest that somebody has."""
    for item in (*about_calls(layer), *layer.inspect):
        tools = [*(item.what.tools or ()), *item.what.unless_tools]
        if isinstance(item, Rule):
            tools += [condition.tool for condition in item.conditions if isinstance(condition, After)]
        yield from _unknown(item, layer, "tool", tools, known.tools)
        servers = None if known.history is None else frozenset(known.history.servers)
        yield from _unknown(item, layer, "server", item.what.servers or (), servers)
    for name in layer.sensitive:
        if known.tools and not any(matches((name,), one) for one in known.tools):
            yield of_key("sensitive", layer, "unknown-tool", *_unknown_words("tool", name, known.tools))


def _unknown(
    item: Item, layer: Layer, kind: str, names: Iterable[str], known: frozenset[str] | None
) -> Iterator[Finding]:
    for name in dict.fromkeys(names):
        if known and not any(matches((name,), one) for one in known):
            level, *words = _unknown_words(kind, name, known)
            yield of_item(item, layer, f"unknown-{kind}", level, *words)


def _unknown_words(kind: str, name: str, known: Iterable[str]) -> tuple[Level, str, str, str]:
    like = nearest(name, known)
    problem = f"no {kind} `{name}` was seen"
    meaning = "if the name is wrong, this applies to no call, and the calls that it is meant for go on without it"
    if like is None:
        return "note", problem, meaning, f"check the name, unless the {kind} is new"
    return "warning", f"{problem}; did you mean `{like}`?", meaning, f"write {like}, or leave it if both exist"


def unverified(layer: Layer, known: Known) -> Iterator[Finding]:
    """Rules about verified callers, if nobody is verified."""
    if known.verifies is not False:
        return
    for item in about_calls(layer):
        named = [name for name in _VERIFIED if getattr(item.who, name) is not None]
        if not named:
            continue
        denies = isinstance(item, Rule) and item.effect == "require"
        meaning = "every call is refused" if denies else "it applies to nobody"
        yield of_item(
            item,
            layer,
            "nobody-verified",
            "warning",
            f"names {' and '.join(f'`{name}`' for name in named)}, and config.toml has no [identity]",
            f"the wrapper and the proxy verify no caller, so {meaning} there",
            "set [identity] (docs/recording.md), also `static = true` for a stdio server",
        )


def never_seen(layer: Layer, known: Known) -> Iterator[Finding]:
    """Roles, principals and tenants that no recorded caller has."""
    if known.history is None:
        return
    seen = {
        "roles": {one.identity.role for one in known.history.traffic},
        "principals": {one.identity.principal for one in known.history.traffic},
        "tenants": {one.identity.tenant for one in known.history.traffic},
    }
    for item in about_calls(layer):
        for key, names in seen.items():
            values = names - {None}
            wanted = getattr(item.who, key)
            if not values or wanted is None:
                continue
            for name in wanted:
                if not any(matches((name,), str(value)) for value in values):
                    like = nearest(name, [str(value) for value in values])
                    meant = f"; did you mean `{like}`?" if like else ""
                    yield of_item(
                        item,
                        layer,
                        "unknown-caller",
                        "warning" if like else "note",
                        f"no recorded caller is of {key} `{name}`{meant}",
                        "it has been about nobody so far",
                        "check the name and the claim that config.toml reads it from",
                    )
