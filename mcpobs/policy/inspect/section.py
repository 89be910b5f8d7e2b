"""Reads the section `inspect` of a policy file. Loads no detector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

from mcpobs.installed.extras import needing
from mcpobs.limits.document import Place
from mcpobs.policy.fields import choice, names
from mcpobs.policy.inspect.words import DEFINITIONS, INSPECTORS, WORDS
from mcpobs.policy.model import Action, Control, Inspection, Look, OnError, Over, What

ACTIONS: Final[tuple[Action, ...]] = ("pass", "flag", "mask", "block")
LOOKS: Final[tuple[Look, ...]] = ("result", "listing", "arguments")
OVERS: Final[tuple[Over, ...]] = ("flag", "block", "pass")
ON_FAULT: Final = ("flag", "block", "allow", "deny")
"""`allow` and `deny` as everywhere in a policy: a result that could not be inspected is never passed silently."""
WHAT: Final = ("tools", "unless_tools", "resources", "prompts", "methods", "servers", "kinds")
OWN: Final = ("id", "find", "action", "rate", "where", "max_bytes", "over", "new", "approved")
CONTROL: Final = ("mode", "on_error", "share")
MAX_BYTES: Final = 1 << 20
RATE: Final = 0.01
LEAST_RATE, MOST_RATE = 0.001, 0.1
"""Range of rates in the shipped calibration."""
ON_DEFINITION: Final = ("pass", "flag", "deny")
"""The actions of `find: definitions`: it has no text to mask, and concerns the tool and not a result."""
PATTERNS: Final = frozenset({"injection", "personal"})
"""Inspectors whose patterns need an engine of linear time."""
STRICT: Final = frozenset({"mask", "block"})


def inspections(
    place: Place,
    on_error: OnError,
    read_id: Callable[[Place], str],
    read_control: Callable[[dict[str, Place]], Control],
) -> tuple[Inspection, ...]:
    """Returns the entries. `on_error` is the file's."""
    return tuple(_entry(item, on_error, read_id, read_control) for item in place.items())


def _entry(
    place: Place,
    on_error: OnError,
    read_id: Callable[[Place], str],
    read_control: Callable[[dict[str, Place]], Control],
) -> Inspection:
    fields = place.fields((*OWN, *WHAT, *CONTROL))
    for key in ("id", "find"):
        if key not in fields:
            place.refuse(f"no `{key}`", 'write e.g. {id: injection, tools: ["*"], find: injection, action: flag}')
    find = _find(fields["find"])
    of_definitions = DEFINITIONS in find
    _check_definitions(place, fields, find)
    action = _action(fields["action"], of_definitions) if "action" in fields else "flag"
    fault = fields.pop("on_error", None)
    return Inspection(
        id=read_id(fields["id"]),
        what=_what(place, fields),
        find=find,
        action=action,
        where=_where(fields, find),
        rate=_rate(fields, find),
        max_bytes=_max_bytes(fields["max_bytes"]) if "max_bytes" in fields else MAX_BYTES,
        over=choice(fields["over"], OVERS) if "over" in fields else "block" if action in STRICT else "flag",
        on_error=_on_fault(fault, action, on_error),
        control=read_control(fields),
        new=_action(fields["new"], of_definitions) if "new" in fields else None,
        approved=fields["approved"].text() if "approved" in fields else None,
        line=place.line,
    )


def _find(place: Place) -> tuple[str, ...]:
    items = [place] if place.is_scalar else place.items()
    names(place)
    find = tuple(dict.fromkeys(choice(item, WORDS) for item in items))
    if any(INSPECTORS[word] in PATTERNS for word in find):
        with needing("`inspect`", "policy"):
            import re2  # noqa: F401  # a policy that cannot be enforced is refused at start
    return find


def _action(place: Place, of_definitions: bool) -> Action:
    if not of_definitions:
        return choice(place, ACTIONS)
    chosen = choice(place, ON_DEFINITION)
    return "block" if chosen == "deny" else "pass" if chosen == "pass" else "flag"


def _check_definitions(place: Place, fields: Mapping[str, Place], find: tuple[str, ...]) -> None:
    if DEFINITIONS not in find:
        for key in ("new", "approved"):
            if key in fields:
                fields[key].refuse(f"is about `find: {DEFINITIONS}`", f"leave `{key}` out")
    elif len(find) > 1:
        fields["find"].refuse(f"`{DEFINITIONS}` beside other words", "make two entries of it")
    else:
        for key in ("where", "max_bytes", "over"):
            if key in fields:
                fields[key].refuse(f"is not about `find: {DEFINITIONS}`", f"leave `{key}` out")


def _what(place: Place, fields: Mapping[str, Place]) -> What:
    found = {key: names(fields[key]) for key in WHAT if key in fields}
    for key in ("unless_tools", "kinds"):
        if key in found and "tools" not in found:
            place.refuse(f"`{key}` without `tools`", 'write tools: ["*"] beside it')
    if "kinds" in found:
        for item in fields["kinds"].items() if not fields["kinds"].is_scalar else [fields["kinds"]]:
            choice(item, ("read", "write"))
    return What(**found)


def _where(fields: Mapping[str, Place], find: tuple[str, ...]) -> tuple[Look, ...]:
    if DEFINITIONS in find:
        return ("listing", "arguments")  # calls are looked at before the server sees them
    if "where" not in fields:
        return ("result", "listing") if "injection" in find else ("result",)
    items = [fields["where"]] if fields["where"].is_scalar else fields["where"].items()
    names(fields["where"])
    return tuple(dict.fromkeys(choice(item, LOOKS) for item in items))


def _rate(fields: Mapping[str, Place], find: tuple[str, ...]) -> float:
    if "rate" not in fields:
        return RATE
    place = fields["rate"]
    if "injection" not in find:
        place.refuse("is about `find: injection`", "leave `rate` out")
    rate = place.number()
    if not LEAST_RATE <= rate <= MOST_RATE:
        place.refuse(
            f"{place.text()} is not a rate that is calibrated",
            f"write a number from {LEAST_RATE} to {MOST_RATE}, e.g. 0.01 for one harmless text in a hundred",
        )
    return rate


def _max_bytes(place: Place) -> int:
    most = place.count()
    if not most:
        place.refuse("0 bytes hold no result", "leave the key out, or write e.g. 1048576")
    return most


def _on_fault(place: Place | None, action: Action, on_error: OnError) -> Literal["flag", "block"]:
    if place is None:
        return "block" if action in STRICT and on_error == "deny" else "flag"
    return "block" if choice(place, ON_FAULT) in ("block", "deny") else "flag"
