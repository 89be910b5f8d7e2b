"""Reads policy and limits files into layers. Judges nothing.

Both kinds of file have one schema: a limits file is a policy without rules. Every key is checked; otherwise a mistyped
rule would be one that silently is not enforced.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from typing import Final

from mcpobs import safefile
from mcpobs.errors import UsageError
from mcpobs.limits import file as limits_file
from mcpobs.limits.document import MAX_BYTES, Place, parse
from mcpobs.limits.model import VERSION, Limits
from mcpobs.policy.conditions import Condition
from mcpobs.policy.fields import choice, duration_ns, names, path
from mcpobs.policy.model import (
    DENIALS_IN_A_ROW,
    HALT_FOR_NS,
    Budget,
    CallLimit,
    Cap,
    Control,
    Effect,
    Inspection,
    Layer,
    Mode,
    OnError,
    Policy,
    Rule,
    Side,
    What,
    Who,
)
from mcpobs.policy.rules import IN_DENY, KINDS
from mcpobs.policy.state import OnExceed
from mcpobs.policy.windows import FOREVER

EFFECTS: Final[tuple[Effect, ...]] = ("allow", "require", "deny", "log_only")
ON_EXCEED: Final[tuple[OnExceed, ...]] = ("deny", "halt", "warn")
ON_ERROR: Final[tuple[OnError, ...]] = ("deny", "allow")
SIDES: Final[tuple[Side, ...]] = ("sampling", "elicitation", "roots")
LEARNED: Final = ("baseline", "session", "tools", "key", "tenants", "roles", "sequences")
"""The parts of a limits file that `mcpobs baseline` writes."""
OURS: Final = ("version", *limits_file.POLICY)
_WHO = ("roles", "scopes", "principals", "tenants", "clients")
_WHAT = ("tools", "unless_tools", "resources", "prompts", "methods", "servers", "kinds")
_CONTROL = ("mode", "on_error", "share")
_CAPS = ("per_session", "per_principal", "per_tenant")
_KINDS = ("sum", "same_args", "distinct_tools")
_MODES: Final[tuple[Mode, ...]] = ("enforce", "log_only")
NOT_YET: Final[Mapping[str, str]] = {
    "approvals": "calls cannot wait for an approval yet: leave the key out",
    "or_approval": "calls cannot wait for an approval yet: leave the key out",
    "ask": "write deny, halt or warn",
}
"""Keys and values of the format that come with a later version: what helps until then."""
_TAKEN: Final = re.compile(
    r"default|halt|lookalike|arguments|store|(session|tools|budgets|server_requests)\..*|.*\.reopened"
)
"""Ids that decisions use for what is no rule."""
_MOST_AMOUNT: Final = 10**11
"""Of a sum or a budget: ten times its millionths are a number of 64 bits."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
_MICRO = 1_000_000


def load(paths: Sequence[str | os.PathLike[str]]) -> Policy:
    """Returns the policy of some files, in their order. Raises UsageError with file, line, path in the file and
    value."""
    return of_texts(contents(paths))


def contents(paths: Sequence[str | os.PathLike[str]]) -> list[tuple[bytes, str]]:
    """Returns the bytes of some files, with their names. Raises UsageError."""
    found: list[tuple[bytes, str]] = []
    for path_ in paths:
        if str(path_) in (name for _, name in found):  # its counters would count each call twice
            raise UsageError(f"{path_} is named twice", "name each file once")
        try:
            found.append((safefile.read(path_, MAX_BYTES), str(path_)))
        except OSError as error:
            raise UsageError(f"cannot read {path_}: {error.strerror}", _missing_hint(os.fspath(path_))) from None
    return found


def _missing_hint(path: str) -> str:
    if "limit" in os.path.basename(path).lower():
        return "make a limits file with `mcpobs baseline -o limits.yaml`"
    return (
        "check the path; rules are written by hand (docs/policy.md), limits made with `mcpobs baseline -o limits.yaml`"
    )


def of_texts(contents: Sequence[tuple[bytes, str]]) -> Policy:
    """Returns the policy of files that are read already: pairs of bytes and name."""
    digest = hashlib.sha256()
    for content, _ in contents:
        digest.update(len(content).to_bytes(8, "big") + content)
    layers = [layer(content, source) for content, source in contents]
    seen: dict[str, str] = {}
    for one in layers:
        for id_ in _ids(one):
            if id_ in seen:
                raise UsageError(
                    f"{one.source}: the id {id_!r} is used twice, also in {seen[id_]}", "rename one of them"
                )
            seen[id_] = one.source
    return Policy(layers, digest.hexdigest()[:16])


def _ids(of: Layer) -> list[str]:
    return [
        *(rule.id for rule in of.rules),
        *(limit.id for limit in of.limits),
        *(entry.id for entry in of.inspect),
    ]


def layer(content: bytes, source: str) -> Layer:
    root = parse(content, source)
    fields = _fields(root, (*OURS, *LEARNED))
    version = fields.get("version")
    if version is None:
        root.refuse("no version", f"write `version: {VERSION}` at the top")
    if version.count() != VERSION:
        version.refuse(f"{version.text()} is not known: this mcpobs reads version {VERSION}", "update mcpobs")
    rules = tuple(_rule(item) for item in fields["rules"].items()) if "rules" in fields else ()
    limits = tuple(_limit(item) for item in fields["limits"].items()) if "limits" in fields else ()
    budgets = tuple(_budgets(fields["budgets"])) if "budgets" in fields else ()
    on_error = choice(fields["on_error"], ON_ERROR) if "on_error" in fields else "deny"
    inspect = _inspections(fields["inspect"], on_error) if "inspect" in fields else ()
    _check_ids(fields)
    return Layer(
        source=source,
        rules=rules,
        limits=limits,
        budgets=budgets,
        inspect=inspect,
        learned=limits_file.of_place(root, OURS) if any(key in fields for key in LEARNED) else Limits(),
        sensitive=names(fields["sensitive"]) if "sensitive" in fields else (),
        server_requests=_server_requests(fields["server_requests"]) if "server_requests" in fields else {},
        mode=choice(fields["mode"], _MODES) if "mode" in fields else "enforce",
        share=_share(fields["share"]) if "share" in fields else None,
        default=choice(fields["default"], ON_ERROR) if "default" in fields else "deny" if rules else "allow",
        on_error=on_error,
        on_exceed=_on_exceed(fields),
        halt_for_ns=_halt_for(fields["halt_for"]) if "halt_for" in fields else HALT_FOR_NS,
        denials_in_a_row=_denials(fields["halt_after_denials"]) if "halt_after_denials" in fields else DENIALS_IN_A_ROW,
        lines={key: place.line for key, place in fields.items()},
    )


def _fields(place: Place, known: Sequence[str]) -> dict[str, Place]:
    """The members of a mapping, of which those of later versions are refused by name."""
    for key, value in place.entries().items():
        if key in NOT_YET and key not in known:
            value.refuse("is not supported by this version yet", NOT_YET[key])
    return place.fields(known)


def _on_exceed(fields: dict[str, Place]) -> OnExceed:
    if "on_exceed" not in fields:
        return "deny"
    place = fields["on_exceed"]
    if place.text() in NOT_YET:
        place.refuse(f"{place.text()} is not supported by this version yet", NOT_YET[place.text()])
    return choice(place, ON_EXCEED)


def _check_ids(fields: dict[str, Place]) -> None:
    seen: dict[str, Place] = {}
    for place in (item for key in ("rules", "limits", "inspect") if key in fields for item in fields[key].items()):
        at = place.entries()["id"]
        id_ = at.text()
        if id_ in seen:
            at.refuse(f"{id_!r} is used twice, also at {seen[id_].path}", "decisions and counters go by it: rename one")
        seen[id_] = at


def _rule(place: Place) -> Rule:
    fields = _fields(place, ("id", "effect", *_WHAT, *_WHO, *KINDS, *_CONTROL, "reason"))
    for key in ("id", "effect"):
        if key not in fields:
            place.refuse(f"no `{key}`", "write e.g. {id: readers, effect: allow, tools: [search]}")
    effect = choice(fields["effect"], EFFECTS)
    _check_effect(effect, fields)
    what = _what(place, fields)
    return Rule(
        id=_id(fields["id"]),
        effect=effect,
        what=what,
        who=_who(fields),
        conditions=tuple(_conditions(fields)),
        control=_control(fields),
        reason=fields["reason"].text() if "reason" in fields else None,
        line=place.line,
    )


def _check_effect(effect: Effect, fields: dict[str, Place]) -> None:
    """Refuses conditions that an effect would turn into their opposite, or that it never looks at."""
    for key in (key for key in KINDS if key in fields):
        if effect == "deny" and key not in IN_DENY:
            fields[key].refuse("cannot deny: what it cannot read would pass", "write effect: require")
    if effect != "require" and "tenant" in fields:
        for key in ("result", "ids"):
            if key in fields["tenant"].entries():
                fields["tenant"].refuse(f"`{key}` looks at results", "write effect: require")


def _conditions(fields: dict[str, Place]) -> list[Condition]:
    return [read(fields[key]) for key, read in KINDS.items() if key in fields]


def _id(place: Place) -> str:
    text = place.text()
    if not _ID.fullmatch(text):
        place.refuse(f"{text[:80]!r} is not an id", "use letters, digits, and _ . : - between them; at most 64")
    if _TAKEN.fullmatch(text):
        place.refuse(f"{text!r} means something else in decisions", "choose another id")
    return text


def _what(place: Place, fields: dict[str, Place]) -> What:
    found = {key: names(fields[key]) for key in _WHAT if key in fields}
    if not found.keys() & {"tools", "resources", "prompts", "methods"}:
        place.refuse("names no tools, resources, prompts or methods", 'write e.g. tools: [search], or tools: ["*"]')
    if "unless_tools" in found and "tools" not in found:
        place.refuse("`unless_tools` without `tools`", 'write tools: ["*"] beside it')
    if "kinds" in found:
        if "tools" not in found:
            place.refuse("`kinds` without `tools`", 'write tools: ["*"] beside it')
        for item in fields["kinds"].items() if not fields["kinds"].is_scalar else [fields["kinds"]]:
            choice(item, ("read", "write"))
    return What(**found)


def _who(fields: dict[str, Place]) -> Who:
    return Who(**{key: names(fields[key]) for key in _WHO if key in fields})


def _control(fields: dict[str, Place]) -> Control:
    return Control(
        choice(fields["mode"], _MODES) if "mode" in fields else None,
        choice(fields["on_error"], ON_ERROR) if "on_error" in fields else None,
        _share(fields["share"]) if "share" in fields else None,
    )


def _share(place: Place) -> float:
    share = place.number()
    if not 0 <= share <= 1:
        place.refuse(f"{share} is not a share", "write a number from 0 to 1, e.g. 0.1 for a tenth of the sessions")
    return share


def _limit(place: Place) -> CallLimit:
    fields = place.fields(
        (
            "id",
            *_WHAT,
            *_WHO,
            *_CAPS,
            "window",
            "sum",
            "same_args",
            "distinct_tools",
            "each_tool",
            "on_exceed",
            *_CONTROL,
        )
    )
    if "id" not in fields:
        place.refuse("no `id`", "write e.g. {id: searches, tools: [search], per_session: 15}")
    kinds = [key for key in _KINDS if key in fields]
    if "each_tool" in fields and "distinct_tools" in fields:
        place.refuse("`each_tool` beside `distinct_tools`", "one counts each tool, the other how many: leave one out")
    if len(kinds) > 1:
        place.refuse(f"has {' and '.join(f'`{kind}`' for kind in kinds)}", "make two limits of it")
    kind = kinds[0] if kinds else "calls"
    return CallLimit(
        id=_id(fields["id"]),
        what=_what(place, fields),
        caps=_caps(place, fields, kind),
        who=_who(fields),
        counts={"sum": "sum", "same_args": "same_args", "distinct_tools": "tools"}.get(kind, "calls"),  # type: ignore[arg-type]
        argument=path(fields["sum"].text(), fields["sum"]) if kind == "sum" else (),
        each_tool=fields["each_tool"].flag() if "each_tool" in fields else False,
        on_exceed=_on_exceed(fields),
        control=_control(fields),
        line=place.line,
    )


def _caps(place: Place, fields: dict[str, Place], kind: str) -> tuple[Cap, ...]:
    window = duration_ns(fields["window"]) if "window" in fields else None
    if kind in ("same_args", "distinct_tools"):
        if any(cap in fields for cap in _CAPS):
            place.refuse(f"`{kind}` counts in a session, and takes no other number", "make two limits of it")
        return (Cap("session", fields[kind].count(), window or FOREVER),)
    scale = _MICRO if kind == "sum" else 1
    found = []
    for key in _CAPS:
        if key in fields:
            number = _amount(fields[key]) if kind == "sum" else fields[key].count()
            by = key.removeprefix("per_")
            if by != "session" and window is None:
                place.refuse(f"`{key}` without `window`", "write e.g. window: 1h")
            found.append(Cap(by, round(number * scale), FOREVER if by == "session" else window or FOREVER))  # type: ignore[arg-type]
    if not found:
        place.refuse("limits nothing", f"write one of {', '.join(_CAPS)}, same_args or distinct_tools")
    if window is not None and all(cap.window_ns == FOREVER for cap in found):
        place.refuse("`window` beside `per_session` alone", "a session is counted whole: leave `window` out")
    return tuple(found)


def _amount(place: Place) -> float:
    amount = place.number()
    if amount > _MOST_AMOUNT:
        place.refuse(f"{place.text()} is too large", "leave the key out if there is no limit")
    return amount


def _budgets(place: Place) -> list[Budget]:
    found = []
    for by, part in place.fields(("session", "principal", "tenant")).items():
        fields = part.fields(("usd", "window", "on_exceed", *_CONTROL))
        if "usd" not in fields:
            part.refuse("no `usd`", "write e.g. {usd: 0.42, on_exceed: halt}")
        if by != "session" and "window" not in fields:
            part.refuse("no `window`", "write e.g. window: 1d")
        if by == "session" and "window" in fields:
            part.refuse("a session is counted whole", "leave `window` out")
        found.append(
            Budget(
                id=f"budgets.{by}",
                cap=Cap(
                    by,  # type: ignore[arg-type]  # one of the known keys
                    round(_amount(fields["usd"]) * _MICRO),
                    duration_ns(fields["window"]) if "window" in fields else FOREVER,
                ),
                on_exceed=_on_exceed(fields),
                control=_control(fields),
                line=part.line,
            )
        )
    return found


def _server_requests(place: Place) -> dict[Side, str]:
    found: dict[Side, str] = {}
    for side, value in place.fields(SIDES).items():
        known = ("allow", "deny", "form", "url") if side == "elicitation" else ("allow", "deny")
        found[side] = choice(value, known)  # type: ignore[index]  # one of SIDES
    return found


def _inspections(place: Place, on_error: OnError) -> tuple[Inspection, ...]:
    from mcpobs.policy.inspect.section import inspections  # a policy without the section loads nothing of it

    return inspections(place, on_error, _id, _control)


def _halt_for(place: Place) -> int | None:
    return None if place.text() == "resume" else duration_ns(place)


def _denials(place: Place) -> int:
    return 0 if place.text() == "off" else max(1, place.count())
