"""Says what a policy does not cover, in plain words: nobody should take it for more than it is. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mcpobs.limits import enforcement, paths
from mcpobs.policy import wording
from mcpobs.policy.compiled import PLUMBING
from mcpobs.policy.model import Layer, about_calls, controlled
from mcpobs.policy.traffic import History


def uncovered_tools(layers: Sequence[Layer], history: History | None) -> tuple[str, ...]:
    if history is None:
        return ()
    covered = {one.traffic.target for one in history.judged if one.rules or one.limits}
    return tuple(sorted(tool for tool in history.answering_tools if tool not in covered))


def not_covered(layers: Sequence[Layer], uncovered: Sequence[str], history: History | None) -> Iterator[str]:
    denies = any(layer.default == "deny" and layer.mode == "enforce" for layer in layers)
    if history is None:
        yield "Tools that the server has and the files do not name: no lake was read."
    if uncovered:
        outcome = "they are refused" if denies else "their calls pass unlimited"
        yield f"Recorded tools that no rule and no limit is about, so {outcome}: {', '.join(uncovered)}."
    if not denies:
        yield "Tools, resources and prompts that no rule names: they pass."
        if not any(rule.what.resources for layer in layers for rule in layer.rules):
            yield "Resources: no rule is about them, so what a tool may not hand out may be read as a resource."
        if not any(rule.what.prompts for layer in layers for rule in layer.rules):
            yield "Prompts: no rule is about them."
    open_sides = [
        side
        for side in ("sampling", "elicitation", "roots")
        if all(layer.server_requests.get(side, "allow") == "allow" for layer in layers)
    ]
    if open_sides:
        yield f"What the server asks of its client: {', '.join(open_sides)} pass."
    yield f"Notifications, and requests that reach no tool, resource or prompt, pass: {', '.join(sorted(PLUMBING))}."
    yield from _unenforced(layers)
    yield from _by_word(layers)
    yield (
        "Callers without a verified identity: a process or connection can be opened anew, and counts from 0 then. "
        "A limit slows such a caller down and does not stop it."
    )
    yield _results(layers)


def _results(layers: Sequence[Layer]) -> str:
    entries = [entry for layer in layers for entry in layer.inspect]
    if not entries:
        return "Contents of results: nothing here inspects them, except `tenant: {result: …}`."
    kinds = dict.fromkeys(kind for entry in entries for kind in entry.find)
    return (
        f"Contents of results other than {', '.join(kinds)}, and those of these that the detectors miss: none finds "
        "all. Pictures, sounds and other binary content are not inspected."
    )


def _unenforced(layers: Sequence[Layer]) -> Iterator[str]:
    beyond = {enforcement.kind_of(path) for layer in layers for path, _ in paths.numbers(layer.learned)}
    finds = {word for layer in layers for entry in layer.inspect for word in entry.find}
    compared = [words for kind, words in _COMPARED.items() if kind in beyond and _INSPECTED.get(kind) not in finds]
    if compared:
        yield f"Numbers that `mcpobs check` compares, and for which no call is refused: {', '.join(compared)}."
    tools = [tool for layer in layers for tool in layer.learned.tools.values()]
    if "shape" not in finds and any(tool.result_shapes is not None for tool in tools):
        yield "Shapes of results: `mcpobs check` compares them; no result is withheld for its shape."
    if any(tool.arguments.shapes is not None for tool in tools):
        yield "Shapes of arguments: a call of a new shape is marked in its row, and passes."
    shadow = [item.id for layer in layers for item in controlled(layer) if wording.mode(item.control, layer)]
    if shadow:
        yield f"In log_only, or for a share of the sessions: {', '.join(shadow)}."


_COMPARED: Mapping[str, str] = {
    "tools.T.error_rate": "error rates (known when a session is over)",
    "tools.T.latency_ms": "latency budgets (known after the call)",
    "tools.T.result.max_bytes": "sizes of results (known after the call)",
}
_INSPECTED: Mapping[str, str] = {"tools.T.result.max_bytes": "size"}
"""Numbers that a word of `find` compares too."""


def _by_word(layers: Sequence[Layer]) -> Iterator[str]:
    claimed = [item.id for layer in layers for item in about_calls(layer) if item.who.clients is not None]
    if claimed:
        yield f"Clients that call themselves something else: {', '.join(claimed)} go by the client's own word."
    for layer in layers:
        if layer.server is not None:
            yield f"Servers other than {layer.server}: {layer.source} is for it alone."
