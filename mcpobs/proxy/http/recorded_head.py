"""What is recorded of a request's head: the configured safe headers, the user agent and the path, each masked.

Clients send the same words with every call, so masked texts are kept: masking a head takes 10 µs, finding it 1 µs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import orjson

from mcpobs.detect.recorded import scrubbed
from mcpobs.masking import MAX_VALUE, carries_secret, masked_header, masked_path, masked_urls
from mcpobs.protocol.text import bounded

USER_AGENT_HEADER = "user-agent"
METHOD_HEADER = "mcp-method"
_MOST_KEPT = 1_024
_LONGEST_KEPT = 512  # characters; a sender chooses texts and their length
_Key = tuple[str | None, tuple[tuple[str, str], ...]]


class RecordedHead:
    """One object a front. `names` are the headers that may be recorded, in lower case."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = frozenset(name for name in names if name != USER_AGENT_HEADER and not carries_secret(name))
        self._headers: dict[_Key, str | None] = {}
        self._user_agents = _Kept(lambda text: bounded(scrubbed(masked_urls(text)), MAX_VALUE))
        self._paths = _Kept(masked_path)

    def headers(self, headers: Mapping[str, str]) -> str | None:
        """The recorded headers as JSON; None if there are none."""
        found = tuple([(name, headers[name]) for name in headers if name in self._names])
        method = headers.get(METHOD_HEADER)
        key = (method, found)
        if key in self._headers:
            return self._headers[key]
        texts = {name: bounded(scrubbed(masked_header(name, value, method)), MAX_VALUE) for name, value in found}
        written = orjson.dumps(texts).decode() if texts else None
        if len(method or "") + sum(len(value) for _, value in found) <= _LONGEST_KEPT:
            _make_room(self._headers)
            self._headers[key] = written
        return written

    def user_agent(self, headers: Mapping[str, str]) -> str | None:
        found = headers.get(USER_AGENT_HEADER)
        return self._user_agents(found) if found else None

    def path(self, path: str) -> str:
        return self._paths(path)


class _Kept:
    """Keeps what a function made of short texts."""

    def __init__(self, make: Callable[[str], str]) -> None:
        self._make = make
        self._texts: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        made = self._texts.get(text)
        if made is None:
            made = self._make(text)
            if len(text) <= _LONGEST_KEPT:
                _make_room(self._texts)
                self._texts[text] = made
        return made


def _make_room(kept: dict[str, str] | dict[_Key, str | None]) -> None:
    if len(kept) >= _MOST_KEPT:
        kept.clear()
