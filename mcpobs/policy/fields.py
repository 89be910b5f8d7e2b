"""Reads the small values that several parts of a policy file share: durations, paths, choices, names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mcpobs.errors import UsageError, nearest
from mcpobs.limits.document import Place
from mcpobs.settings import duration_s

Choice = TypeVar("Choice", bound=str)

MAX_PATH = 16


def duration_ns(place: Place) -> int:
    """Nanoseconds of e.g. 90s, 15m, 2h or 7d."""
    try:
        return int(duration_s(place.text(), "")) * 1_000_000_000
    except UsageError as error:
        place.refuse(error.message.strip(), error.hint or "write e.g. 15m")


def path(text: str, place: Place) -> tuple[str, ...]:
    """Member names of e.g. `args.order.id` or `order.id`."""
    names = tuple(text.removeprefix("args.").split("."))
    if not all(names) or len(names) > MAX_PATH:
        place.refuse(f"{text!r} is not the path of a member", "write member names with dots between, e.g. order.id")
    return names


def choice(place: Place, known: Sequence[Choice]) -> Choice:
    text = place.text()
    found = next((one for one in known if text == one), None)
    if found is None:
        like = nearest(text, known)
        place.refuse(f"{text!r} is not known", f"did you mean `{like}`?" if like else f"known here: {', '.join(known)}")
    return found


def names(place: Place) -> tuple[str, ...]:
    """A list of texts; a single text stands for itself."""
    items = [place] if place.is_scalar else place.items()
    if not items:
        place.refuse("an empty list matches nothing", "leave the key out")
    for item in items:
        if not item.text():
            item.refuse("is empty, and matches nothing", "leave it out")
    return tuple(item.text() for item in items)


def zone(place: Place) -> ZoneInfo:
    name = place.text()
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        place.refuse(f"{name!r} is not a time zone", "write e.g. Europe/Berlin or UTC")
