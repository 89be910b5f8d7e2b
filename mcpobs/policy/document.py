"""Makes a document of a policy that a reviewer can sign: who may call what, how much, and what is not covered. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from mcpobs.limits import enforcement, paths
from mcpobs.limits.model import ANY_TOOL
from mcpobs.limits.paths import Path
from mcpobs.policy import wording
from mcpobs.policy.applies import matches
from mcpobs.policy.inspect.words import DEFINITIONS
from mcpobs.policy.model import REOPENED_FACTOR, Effect, Inspection, Layer, Policy, Rule, Who
from mcpobs.policy.text import Texts
from mcpobs.policy.traffic import History
from mcpobs.policy.uncovered import not_covered, uncovered_tools

NEVER = "nobody"
ANY = "any other tool"


@dataclass(frozen=True, slots=True)
class Part:
    """A heading, sentences, and a table."""

    title: str
    words: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A policy in words. `hash` is the one that decisions record."""

    files: tuple[str, ...]
    hash: str
    mode: str
    parts: tuple[Part, ...]
    not_covered: tuple[str, ...]
    uncovered_tools: tuple[str, ...] = field(default=())
    """Tools of the lake that no rule and no limit names."""


def document(policy: Policy, texts: Texts, history: History | None = None) -> Document:
    """Returns the document of a policy; with the calls of a lake it knows their tools too."""
    layers = policy.layers
    modes = sorted({layer.mode for layer in layers})
    uncovered = uncovered_tools(layers, history)
    parts = [
        Part(
            "Tools",
            _tool_words(layers),
            ("tool", "may be called by", "must hold", "refused"),
            _tools(layers, texts, history),
        ),
        _others(layers, texts),
        Part(
            "Limits", _limit_words(layers), ("limit", "about", "for", "at most", "then", "mode"), tuple(_limits(layers))
        ),
        Part(
            "Inspection",
            _inspection_words(layers),
            ("entry", "about", "looks for", "in", "then", "mode"),
            tuple(_inspections(layers)),
        ),
        Part("Servers ask clients", (), ("request", "is"), tuple(_server_requests(layers))),
        Part("When something fails", tuple(_failing(layers))),
    ]
    return Document(
        files=tuple(layer.source for layer in layers),
        hash=policy.hash,
        mode=" and ".join(modes) if modes else "enforce",
        parts=tuple(part for part in parts if part.words or part.rows),
        not_covered=tuple(not_covered(layers, uncovered, history)),
        uncovered_tools=uncovered,
    )


# -- tools -------------------------------------------------------------------------------------------------------


def _tools(layers: Sequence[Layer], texts: Texts, history: History | None) -> tuple[tuple[str, ...], ...]:
    names = set() if history is None else set(history.answering_tools)
    for layer in layers:
        names |= {name for name in layer.learned.tools if name != ANY_TOOL}
        for rule in layer.rules:
            names |= {name for name in rule.what.tools or () if "*" not in name}
        names |= {name for name in layer.sensitive if "*" not in name}
    rows = [(name, *_of_tool(name, layers, texts)) for name in sorted(names)]
    return (*rows, (ANY, *_of_tool(None, layers, texts)))


def _of_tool(name: str | None, layers: Sequence[Layer], texts: Texts) -> tuple[str, str, str]:
    """Who may call a tool, what must hold, and whom it is refused. None: a tool that no rule names."""
    may = [_may(name, layer, texts) for layer in layers if layer.rules or _is_sensitive(name, layer)]
    must = [_rule(rule, layer, texts) for layer in layers for rule in _about(name, layer, "require")]
    never = [_rule(rule, layer, texts) for layer in layers for rule in _about(name, layer, "deny")]
    return _joined(may, "\nand ") or "anybody", _joined(must), _joined(never)


def _may(name: str | None, layer: Layer, texts: Texts) -> str:
    if layer.default == "allow" and not _is_sensitive(name, layer):
        return "anybody"
    allowed = [_rule(rule, layer, texts) for rule in _about(name, layer, "allow")]
    return " or ".join(allowed) or NEVER


def _is_sensitive(name: str | None, layer: Layer) -> bool:
    return name is not None and matches(layer.sensitive, name)


def _about(name: str | None, layer: Layer, effect: Effect) -> Iterator[Rule]:
    for rule in layer.rules:
        tools = rule.what.tools
        if rule.effect != effect or tools is None:
            continue
        if "*" in tools if name is None else (matches(tools, name) and not matches(rule.what.unless_tools, name)):
            yield rule


def _rule(rule: Rule, layer: Layer, texts: Texts) -> str:
    said = texts.of(rule.id)
    conditions = () if said is None else said.conditions
    mode = wording.mode(rule.control, layer)
    marks = f" [{rule.id}{', ' + mode if mode else ''}]"
    if rule.effect == "require":
        callers = () if rule.who == Who() else (f"the caller is {wording.who(rule.who)}",)
        return f"{' and '.join((*callers, *conditions))}{wording.narrowing(rule.what)}{marks}"
    under = f" if {' and '.join(conditions)}" if conditions else ""
    return f"{wording.who(rule.who)}{wording.narrowing(rule.what)}{under}{marks}"


def _joined(parts: Iterable[str], between: str = "; ") -> str:
    return between.join(dict.fromkeys(part for part in parts if part))


def _tool_words(layers: Sequence[Layer]) -> tuple[str, ...]:
    several = "A call goes on if each file lets it. " if len(layers) > 1 else ""
    return (
        f"{several}Names in brackets are the ids of rules, by which decisions are recorded. A caller does not see a "
        "tool in `tools/list` that no arguments would let it call.",
    )


# -- resources, prompts, methods -----------------------------------------------------------------------------------


def _others(layers: Sequence[Layer], texts: Texts) -> Part:
    rows = []
    for layer in layers:
        for rule in layer.rules:
            what = rule.what
            if what.resources or what.prompts or what.methods:
                rows.append((wording.what(what), rule.effect, _rule(rule, layer, texts)))
    denied = [layer.source for layer in layers if layer.default == "deny"]
    words = (
        ("Resources, prompts and other methods that no rule allows are refused "
         f"({', '.join(denied)} {'say' if len(denied) > 1 else 'says'} default: deny).",)
        if denied
        else ("Resources, prompts and other methods pass, unless a rule below refuses them.",)
    )  # fmt: skip
    return Part("Resources, prompts and other methods", words, ("about", "effect", "who"), tuple(rows))


# -- limits --------------------------------------------------------------------------------------------------------


def _limits(layers: Sequence[Layer]) -> Iterator[tuple[str, ...]]:
    for layer in layers:
        for limit in layer.limits:
            most = "; ".join(wording.cap(cap, wording.unit(limit)) for cap in limit.caps)
            mode = wording.mode(limit.control, layer)
            yield limit.id, wording.what(limit.what), wording.who(limit.who), most, limit.on_exceed, mode
        for budget in layer.budgets:
            most = wording.cap(budget.cap, "usd")
            yield budget.id, "all calls", "anybody", most, budget.on_exceed, wording.mode(budget.control, layer)
        yield from _learned(layer)


def _learned(layer: Layer) -> Iterator[tuple[str, ...]]:
    mode = "log only" if layer.mode == "log_only" else ""
    for path, limit in paths.numbers(layer.learned):
        if enforcement.of(path).effect == "refused":
            then = "deny" if enforcement.of(path).per == "call" else layer.on_exceed
            yield ".".join(path), _about_number(path), _of_group(path), _most(path, limit.value), then, mode


def _about_number(path: Path) -> str:
    names = path[2:] if path[0] in ("tenants", "roles") else path
    if names[0] != "tools":
        return "all tools"
    return "each tool without its own number" if names[1] == ANY_TOOL else f"tools {names[1]}"


def _of_group(path: Path) -> str:
    """The callers that a number is for."""
    return {"tenants": f"tenant {path[1]}", "roles": f"role {path[1]}"}.get(path[0], "anybody")


def _most(path: Path, value: float) -> str:
    match path[-1]:
        case "cost_usd":
            return f"${value:g} per session"
        case "duration_s":
            return f"{value:g} s per session"
        case "distinct_tools":
            return f"{value:,} different tools per session"
        case "calls" | "calls_per_session":
            return f"{value:,} calls per session"
        case "calls_per_hour":
            return f"{value:,} calls per caller in 1 hour"
        case "max_bytes":
            return f"{value:,} bytes of arguments"
        case "max_length":
            return f"{value:,} characters of {path[-2]}"
        case "max_items":
            return f"{value:,} items of {path[-2]}"
        case "min":
            return f"{path[-2]} of {value:,} or more"
        case _:
            return f"{path[-2]} of {value:,} or less"


def _limit_words(layers: Sequence[Layer]) -> tuple[str, ...]:
    if not list(_limits(layers)):
        return ("There is no limit.",)
    return (
        "A session is one of a caller: the caller's key, which it cannot choose, and the session in it. Behind a "
        f"limit of a session alone stands a window of the caller: {REOPENED_FACTOR} × the limit in an hour, or the "
        "number per hour of the same file.",
    )


def _inspections(layers: Sequence[Layer]) -> Iterator[tuple[str, ...]]:
    for layer in layers:
        for entry in layer.inspect:
            looks = ", ".join(entry.find)
            if "injection" in entry.find:
                looks += f" (also in {entry.rate * 100:g} % of harmless texts)"
            about = wording.what(entry.what) or "all messages"
            where, action = ", ".join(entry.where), _inspection_action(entry)
            if entry.find == (DEFINITIONS,):
                about, where = wording.what(entry.what) or "all tools", "tools/list, and calls"
            yield entry.id, about, looks, where, action, wording.mode(entry.control, layer)


def _inspection_action(entry: Inspection) -> str:
    """Returns the action in the words of the file."""
    if entry.find != (DEFINITIONS,):
        return entry.action
    action, new = ("deny" if one == "block" else one for one in (entry.action, entry.new))
    words = f"{action} a tool that is not as approved"
    return words if new in (None, action) else f"{words}; {new} one that was never approved"


def _inspection_words(layers: Sequence[Layer]) -> tuple[str, ...]:
    if not any(layer.inspect for layer in layers):
        return ()
    strict = [entry for layer in layers for entry in layer.inspect]
    unseen = [entry.id for entry in strict if entry.on_error == "flag"]
    words = (
        "Messages of the server are inspected before the client gets them; of several actions the strictest wins. "
        "Findings are recorded by kind and place, never with text."
    )
    fails = f" Messages that cannot be inspected pass with a warning: {', '.join(unseen)}." if unseen else ""
    return (words + fails,)


def _server_requests(layers: Sequence[Layer]) -> Iterator[tuple[str, ...]]:
    for side in ("sampling", "elicitation", "roots"):
        said = [(layer.server_requests.get(side, "allow"), layer) for layer in layers]
        strict = [f"{value} ({layer.source})" for value, layer in said if value != "allow"]
        yield side, "; ".join(strict) or "allow"


def _failing(layers: Sequence[Layer]) -> Iterator[str]:
    for layer in layers:
        halt = "until it is resumed" if layer.halt_for_ns is None else f"for {wording.duration(layer.halt_for_ns)}"
        often = layer.denials_in_a_row
        row = f" {often} equal denials in a row halt the session." if often else ""
        yield (
            f"{layer.source}: a fault, a missing argument or an unreachable store means {layer.on_error}. After a "
            f"halt, new sessions of the same caller are refused {halt}.{row}"
        )
