"""Answers for a name that the caller may not see, as the server itself answers for one that it does not have.

Servers differ: an error -32602, or a result with `isError`, with texts of their own. The first such answer that is seen
is the pattern of ours. Until then it is the specification's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import orjson

from mcpobs.gate.decisions import Answer
from mcpobs.protocol.call import Error, Response

UNKNOWN_CODE: Final = -32602
MAX_BYTES: Final = 4_096
_NAME: Final = "\ue000"  # stands for the name in a pattern; of the private use area

_FIXED: Final = frozenset({"type", "resultType", "mimeType", "_meta"})
"""Members whose texts are words of the protocol, or the server's own."""


class UnknownTool:
    """The answer of one server for a tool that it does not have."""

    def __init__(self) -> None:
        self._pattern: tuple[bool, object] | None = None  # whether it is an error; its JSON, with a mark for the name

    def learn(self, name: str, response: Response) -> None:
        """Takes the answer for a name that the server has not listed. The first one that names it counts.

        Callers choose these names: one that may also be a word of the answer teaches nothing."""
        if self._pattern is not None or not name or _NAME in name:
            return
        is_error = response.error is not None
        try:
            found = orjson.loads(orjson.dumps(response.error if is_error else response.result))
            fits = len(orjson.dumps(found)) <= MAX_BYTES
        except (TypeError, ValueError):
            return
        texts = list(_texts(found))
        whole = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
        times = [text.count(name) for text in texts]
        if (
            fits
            and max(times, default=0) == 1
            and all(n == len(whole.findall(t)) for n, t in zip(times, texts, strict=True))
        ):
            self._pattern = is_error, _replaced(found, name, _NAME)

    def answer(self, name: str, code: str, rule: str | None) -> Answer:
        """The answer for a tool of this name."""
        if self._pattern is not None:
            is_error, pattern = self._pattern
            found = _replaced(pattern, _NAME, name)
            if not is_error and isinstance(found, dict):
                return Answer(result=found, error_type=code, rule=rule)
            if is_error and isinstance(found, dict) and isinstance(found.get("code"), int):
                error = Error(found["code"], str(found.get("message", "")), found.get("data"))
                return Answer(error=error, error_type=code, rule=rule)
        return Answer(error=Error(UNKNOWN_CODE, f"Unknown tool: {name}"), error_type=code, rule=rule)


def _texts(value: object) -> Iterator[str]:
    """The texts of a JSON value in which a name may be: no names of members, and no words of the protocol."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from () if key in _FIXED else _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _replaced(value: object, old: str, new: str) -> object:
    """A JSON value with a part of its texts replaced."""
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, dict):
        return {key: item if key in _FIXED else _replaced(item, old, new) for key, item in value.items()}
    return [_replaced(item, old, new) for item in value] if isinstance(value, list) else value
