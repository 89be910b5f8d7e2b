"""The form of an answer: the types of its values without names and content, e.g. `{number,string×2}`.

Answers of a tool have few forms, and names would need a key. A `long text` has at least LONG characters. The first
ITEMS items of a list stand for all. A schema says more than a form.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import Final

from mcpobs.protocol.decode import RawNumber

LONG: Final = 1_024
ITEMS: Final = 5
MEMBERS: Final = 64
DEPTH: Final = 3
FORMS_OF_ITEMS: Final = 4
MAX_FORM: Final = 256
CUT: Final = "…"
LONG_TEXT: Final = "long text"
_TYPES: Final[dict[type, str]] = {type(None): "null", bool: "boolean", int: "number", float: "number"}


def form_of(value: object) -> str:
    """Returns the form of a JSON value, at most MAX_FORM characters."""
    return _form(value, DEPTH)


def form_of_blocks(kinds: list[str]) -> str:
    """Returns the form of an answer that is not JSON: the kinds of its content blocks, e.g. `(text,image)`."""
    return f"({','.join(kinds)})"


def kind_of(form: str) -> str:
    """Returns the outermost type of a form, as a word."""
    return _KINDS.get(form[:1], "value")


_KINDS: Final = {"{": "object", "[": "list", "(": "text"}


def _form(value: object, depth: int) -> str:
    kind = type(value)
    if kind is str:
        return "string" if len(value) < LONG else LONG_TEXT  # type: ignore[arg-type]  # a str
    name = _TYPES.get(kind)
    if name is not None:
        return name
    if kind is dict:
        return _object(value, depth)  # type: ignore[arg-type]  # a dict
    if kind is list:
        return _array(value, depth)  # type: ignore[arg-type]  # a list
    return "number" if kind is RawNumber else CUT


def _object(value: dict[str, object], depth: int) -> str:
    if depth == 0 or len(value) > MEMBERS:
        return "{…}"
    return _counted(tuple(sorted([_form(below, depth - 1) for below in value.values()])))


@lru_cache(maxsize=256)
def _counted(forms: tuple[str, ...]) -> str:
    """Returns the form of an object with these members. Cached, because most items of a list are alike."""
    parts = [form if count == 1 else f"{form}×{count}" for form, count in Counter(forms).items()]
    return _bounded("{" + ",".join(parts) + "}")


def _array(value: list[object], depth: int) -> str:
    if depth == 0:
        return "[…]"
    forms = sorted({_form(item, depth - 1) for item in value[:ITEMS]})
    return _bounded("[" + "|".join(forms[:FORMS_OF_ITEMS]) + (f"|{CUT}]" if len(forms) > FORMS_OF_ITEMS else "]"))


def _bounded(form: str) -> str:
    """The bound holds at each level, because 64 members of 64 members have long forms."""
    return form if len(form) <= MAX_FORM else form[: MAX_FORM - 1] + CUT
