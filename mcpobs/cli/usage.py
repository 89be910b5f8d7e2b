"""Puts the option parser's errors into our words: the option, its value, and one hint."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from mcpobs.errors import UsageError, nearest

_KINDS: Final = {"int": "a whole number", "float": "a number", "bool": "true or false"}
"""By the begin of the parser's own word for the failure."""
_SHOWN: Final = 60  # characters of a value


def explained(error: Exception) -> UsageError | None:
    """Returns the error to show; None if it is not the parser's."""
    show = getattr(error, "format_message", None)
    if show is None:
        return None
    context = getattr(error, "ctx", None)
    help_hint = f"{context.command_path if context is not None else 'mcpobs'} --help shows what it takes"
    unknown = getattr(error, "option_name", None)
    if unknown is not None and hasattr(error, "possibilities"):
        return _unknown(f"no such option: {unknown}", unknown, error.possibilities or (), help_hint)
    value = _wrong_value(error)
    if value is not None:
        return UsageError(value, help_hint)
    return UsageError(_sentence(show()), help_hint)


def _unknown(message: str, name: str, known: Iterable[str], hint: str) -> UsageError:
    close = nearest(name, known)
    return UsageError(message, f"did you mean {close}? {hint}" if close else hint)


def _wrong_value(error: Exception) -> str | None:
    """Returns the message for a value that is not of its option's type. The parser's own quotes its validator."""
    details = getattr(error.__cause__, "errors", None)
    parameter = getattr(error, "param", None)
    if details is None or parameter is None:
        return None
    first = details()[0]
    kind = next((text for word, text in _KINDS.items() if first["type"].startswith(word)), "a value that it takes")
    given = str(first["input"])
    shown = given if len(given) <= _SHOWN else f"{given[:_SHOWN]}…"
    return f"{parameter.opts[0]} {shown!r} is not {kind}"


def _sentence(text: str) -> str:
    """Returns the parser's own words, without a list of names in the message."""
    text = text.partition(" (Possible options:")[0].replace("Got unexpected extra argument(s)", "unexpected argument")
    text = text.replace("unexpected argument (", "unexpected argument: ").removesuffix(")") if "(" in text else text
    return text[:1].lower() + text[1:].rstrip(".")
