"""Maps the characters of a JSON string to the bytes that write them: `\\u0040`, a surrogate pair and `\\/` are one
character each."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from functools import cached_property

from mcpobs.protocol.masks.offsets import Offsets

_ESCAPE = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.", re.DOTALL)
QUOTE = ord(b'"')
_ERRORS = "surrogateescape"  # a byte that is no UTF-8 is one character


def text_of(quoted: bytes) -> str:
    """Returns the text of a JSON string. Raises `ValueError` if it has an escape that does not exist."""
    written = quoted[1:-1].decode("utf-8", _ERRORS)
    if "\\" not in written:
        return written
    text = json.loads(f'"{written}"', strict=False)
    assert isinstance(text, str)
    return text


def quoted_part(text: str) -> str:
    """Returns a text as it is written within a JSON string."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


class Literal:
    """One JSON string with its quotes."""

    def __init__(self, quoted: bytes) -> None:
        self._quoted = quoted
        self.text = text_of(quoted)

    def byte(self, character: int) -> int:
        """Returns the offset within the quoted string at which a character begins."""
        escapes, excess = self._escapes
        before = bisect_right(escapes, character - 1)
        return 1 + self._offsets.byte(character) + (excess[before - 1] if before else 0)

    @cached_property
    def _offsets(self) -> Offsets:
        return Offsets(self._plain, _ERRORS)

    @cached_property
    def _plain(self) -> str:
        """The text with one ASCII character for each escape, so that only escapes differ in their bytes."""
        return _ESCAPE.sub(b"?", self._quoted[1:-1]).decode("utf-8", _ERRORS)

    @cached_property
    def _escapes(self) -> tuple[list[int], list[int]]:
        """The character that each escape is, and the bytes that the escapes up to it take beyond one each."""
        characters: list[int] = []
        excess: list[int] = []
        at, character, total = 1, 0, 0
        for match in _ESCAPE.finditer(self._quoted, 1, len(self._quoted) - 1):
            character += len(self._quoted[at : match.start()].decode("utf-8", _ERRORS))
            characters.append(character)
            total += match.end() - match.start() - 1
            excess.append(total)
            character += 1
            at = match.end()
        return characters, excess
