"""The form of an answer: the types of its values without names and content, e.g. `{number,string×2}`.

Answers of a tool have few forms, and names would need a key. A `long text` has at least LONG characters. The first
ITEMS items of a list stand for all. A schema says more than a form.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from mcpobs.protocol.decode import RawNumber

LONG: Final = 1_024
ITEMS: Final = 20
MEMBERS: Final = 64
DEPTH: Final = 3
FORMS_OF_ITEMS: Final = 4
MAX_FORM: Final = 256
CUT: Final = "…"
LONG_TEXT: Final = "long text"
_TYPES: Final[dict[type, str]] = {type(None): "null", bool: "boolean", int: "number", float: "number"}


def form_of(value: object) -> str:
    """Returns the form of a JSON value, at most MAX_FORM characters."""
    form = _form(value, DEPTH)
    return form if len(form) <= MAX_FORM else form[: MAX_FORM - 1] + CUT


def form_of_blocks(kinds: list[str]) -> str:
    """Returns the form of an answer that is no JSON: the kinds of its content blocks, e.g. `(text,image)`."""
    return f"({','.join(kinds)})"


def kind_of(form: str) -> str:
    """Returns what a form is at its outside, as a word."""
    return _KINDS.get(form[:1], "value")


_KINDS: Final = {"{": "object", "[": "list", "(": "text"}


def _form(value: object, depth: int) -> str:
    name = _TYPES.get(type(value))
    if name is not None:
        return name
    if isinstance(value, str):
        return "string" if len(value) < LONG else LONG_TEXT
    if isinstance(value, dict):
        return _object(value, depth)
    if isinstance(value, list):
        return _array(value, depth)
    return "number" if isinstance(value, RawNumber) else CUT


def _object(value: dict[str, object], depth: int) -> str:
    if depth == 0 or len(value) > MEMBERS:
        return "{…}"
    counts = Counter(_form(below, depth - 1) for below in value.values())
    parts = [form if count == 1 else f"{form}×{count}" for form, count in sorted(counts.items())]
    return "{" + ",".join(parts) + "}"


def _array(value: list[object], depth: int) -> str:
    if depth == 0:
        return "[…]"
    forms = sorted({_form(item, depth - 1) for item in value[:ITEMS]})
    return "[" + "|".join(forms[:FORMS_OF_ITEMS]) + (f"|{CUT}" if len(forms) > FORMS_OF_ITEMS else "") + "]"
