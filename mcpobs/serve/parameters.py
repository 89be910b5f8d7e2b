"""The parameters of a tool: declared once, shown as its inputSchema, and what arguments are held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mcpobs.errors import UsageError, nearest
from mcpobs.output.text import printable

Argument = str | int | None


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a tool. `least` and `most` bound a number, or the length of a text."""

    name: str
    type: Literal["string", "integer"]
    meaning: str
    required: bool = False
    default: Argument = None
    choices: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None

    def schema(self) -> dict[str, object]:
        bounds = ("minimum", "maximum") if self.type == "integer" else ("minLength", "maxLength")
        return {
            "type": self.type,
            "description": self.meaning,
            **({"enum": list(self.choices)} if self.choices else {}),
            **({} if self.default is None else {"default": self.default}),
            **{word: bound for word, bound in zip(bounds, (self.least, self.most), strict=True) if bound is not None},
        }


def schema(parameters: Sequence[Parameter]) -> dict[str, object]:
    """The JSON Schema of a tool's arguments."""
    required = [parameter.name for parameter in parameters if parameter.required]
    return {
        "type": "object",
        "properties": {parameter.name: parameter.schema() for parameter in parameters},
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def checked(parameters: Sequence[Parameter], given: Mapping[str, object]) -> dict[str, Argument]:
    """The arguments, each with its default if it was left out. Raises UsageError if one does not fit.

    A null counts as left out: many clients fill what they do not use with it.
    """
    names = [parameter.name for parameter in parameters]
    for name in given:
        if name not in names:
            close = nearest(name[:100], names)
            takes = f"it takes {', '.join(names)}" if names else "it takes none"
            raise UsageError(f"there is no argument {_short(name)}", f"did you mean {close}?" if close else takes)
    return {parameter.name: _checked(parameter, given.get(parameter.name)) for parameter in parameters}


def _checked(parameter: Parameter, value: object) -> Argument:
    name = parameter.name
    if value is None:
        if parameter.required:
            raise UsageError(f"the argument {name} is missing", f"{name}: {parameter.meaning}")
        return parameter.default
    if parameter.type == "integer":
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # JSON knows one kind of number, and some clients write 20.0
        if isinstance(value, bool) or not isinstance(value, int):
            raise UsageError(f"{name} is an integer", parameter.meaning)
        return _bounded(parameter, value, value, "")
    if not isinstance(value, str):
        raise UsageError(f"{name} is a text", parameter.meaning)
    if parameter.choices and value not in parameter.choices:
        close = nearest(value[:100], parameter.choices)
        meant = f"did you mean {close}? " if close else ""
        raise UsageError(f"{name} cannot be {_short(value)}", f"{meant}it is one of {', '.join(parameter.choices)}")
    return _bounded(parameter, value, len(value), " characters")


def _bounded(parameter: Parameter, value: Argument, size: int, unit: str) -> Argument:
    least, most = parameter.least, parameter.most
    if (least is not None and size < least) or (most is not None and size > most):
        bounds = f"at least {least:,}" if most is None else f"from {least or 0:,} to {most:,}"
        raise UsageError(f"{parameter.name} has {size:,}{unit}", f"it takes {bounds}{unit}")
    return value


def _short(text: str) -> str:
    return repr(printable(text if len(text) <= 100 else text[:100] + "…"))
