"""The answer of a tool, or its error, as the result of `tools/call`. Text and structure say the same."""

from __future__ import annotations

import re
from collections.abc import Mapping

import orjson

from mcpobs.errors import McpobsError
from mcpobs.serve.bounded import NOTE, safe

Object = dict[str, object]

_OPTION = re.compile(r"(?<![\w-])--(?=[a-z])")


def found(content: Mapping[str, object]) -> Object:
    """An answer. Its text is its JSON, for clients that show a model the text only."""
    return {
        "content": [{"type": "text", "text": orjson.dumps(content).decode()}],
        "structuredContent": content,
        "isError": False,
    }


def failed(message: str, hint: str | None = None) -> Object:
    """An error that a model can mend. It may quote what the lake holds, so it is JSON as well, and says so."""
    said = {"note": NOTE, "error": safe(message)} | ({"hint": safe(hint)} if hint else {})
    return {"content": [{"type": "text", "text": orjson.dumps(said).decode()}], "isError": True}


def refused(error: McpobsError) -> Object:
    """An error of ours, in the words of a tool: `--since` is the argument since."""
    return failed(_OPTION.sub("", error.message), _OPTION.sub("", error.hint) if error.hint else None)
