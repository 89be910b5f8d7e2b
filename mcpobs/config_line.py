"""Finds the line of config.toml that an error is about, from the table and the key that its message names."""

from __future__ import annotations

import re
from typing import Final

_NAMED: Final = re.compile(
    r"(?:\[(?P<table>[^\]]+)\])?:? ?(?:unknown key '(?P<unknown>[^']+)'|(?P<key>\"[^\"]*\"|[\w-]+))?"
)
_TABLE: Final = re.compile(r"\s*\[\[?\s*(?P<name>[^\]#]+?)\s*\]")
_KEY: Final = re.compile(r"\s*(?P<key>[\w.\s\"'-]+?)\s*=")


def line_of(about: str, text: str) -> int | None:
    """Returns the line, counted from 1. `about` begins as errors of config.toml do after the file: `[table] key …`,
    `[table]: unknown key 'x'` or `unknown key 'x'`."""
    named = _NAMED.match(about)
    if named is None:
        return None
    table, key = _bare(named["table"] or ""), _bare(named["unknown"] or named["key"] or "")
    begin, exact = None, f"{table}.{key}" if table else key
    current = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if head := _TABLE.match(line):
            current = _bare(head["name"])
            if current == exact or (begin is None and current == table):
                begin = number
            if current == exact:
                return number
        elif assigned := _KEY.match(line):
            path = _bare(assigned["key"])
            if (f"{current}.{path}" if current else path) == exact:
                return number
    return begin


def _bare(name: str) -> str:
    return re.sub(r"[\"'\s]", "", name)
