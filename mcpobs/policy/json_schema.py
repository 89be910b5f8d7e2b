"""Makes the JSON Schema of policy and limits files, for editors. Does no I/O.

It accepts whatever `file.py` accepts. `file.py` refuses more: a repeated id, an unknown zone, an unreadable
`args_schema`.
"""

from __future__ import annotations

from mcpobs.policy.keys import FILE, REQUIRED, SECTIONS, Key, Section

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, object]:
    """Returns the schema of both kinds of file."""
    return {
        "$schema": DRAFT,
        "title": "mcpobs policy or limits file",
        **_object(FILE),
        "required": ["version"],
        "$defs": {section.name: _object(section) for section in SECTIONS if section is not FILE},
    }


def _object(section: Section) -> dict[str, object]:
    return {
        "type": "object",
        "description": section.title.replace("`", ""),
        "properties": {key.name: _property(key) for key in section.keys},
        "additionalProperties": False,
        **section.rules,
    }


def _property(key: Key) -> dict[str, object]:
    words = key.meaning.replace("`", "")
    default = "" if key.default in (REQUIRED, "–") else f" Default: {key.default}."
    return {"description": f"{words[:1].upper()}{words[1:]}.{default} Example: {key.example}", **key.schema}
