"""Answers for a name that the caller may not see, as the server itself answers for one that it does not have.

Servers differ: an error -32602, or a result with `isError`, with texts of their own. The first such answer that is seen
is the pattern of ours. Until then it is the specification's.
"""

from __future__ import annotations

from typing import Final

import orjson

from mcpobs.gate.decisions import Answer
from mcpobs.protocol.call import Error, Response

UNKNOWN_CODE: Final = -32602
MAX_BYTES: Final = 4_096
_NAME: Final = "\ue000"  # stands for the name in a pattern; of the private use area


class UnknownTool:
    """The answer of one server for a tool that it does not have."""

    def __init__(self) -> None:
        self._pattern: tuple[bool, str] | None = None  # whether it is an error; the JSON of it

    def learn(self, name: str, response: Response) -> None:
        """Takes the answer for a name that the server has not listed. The first one that names it counts."""
        if self._pattern is not None or not name or _NAME in name:
            return
        is_error = response.error is not None
        try:
            text = orjson.dumps(response.error if is_error else response.result).decode()
            quoted = orjson.dumps(name).decode()[1:-1]
        except (TypeError, UnicodeDecodeError):
            return
        if len(text) <= MAX_BYTES and quoted in text:
            self._pattern = is_error, text.replace(quoted, _NAME)

    def answer(self, name: str, code: str, rule: str | None) -> Answer:
        """The answer for a tool of this name."""
        if self._pattern is not None:
            is_error, text = self._pattern
            found = orjson.loads(text.replace(_NAME, orjson.dumps(name).decode()[1:-1]))
            if not is_error and isinstance(found, dict):
                return Answer(result=found, error_type=code, rule=rule)
            if is_error and isinstance(found, dict) and isinstance(found.get("code"), int):
                error = Error(found["code"], str(found.get("message", "")), found.get("data"))
                return Answer(error=error, error_type=code, rule=rule)
        return Answer(error=Error(UNKNOWN_CODE, f"Unknown tool: {name}"), error_type=code, rule=rule)
