"""What the expressions of dialects read of JSON: attributes without a column of their own, and members of such that are
JSON themselves. Knows no dialect.

An expression names a text, and `with_texts` reads all that are named once for each span: each function that reads JSON
takes some ten times its size of memory. A text is whatever a sender wrote, so a member of one that is no JSON is null.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_NAMED: Final = re.compile(r'"(?:attribute|member) ([^" ]+)( [^"]+)?"')


def attribute(name: str) -> str:
    """The text of an attribute that has no column of its own."""
    return f'"attribute {name}"'


def member(name: str, path: str) -> str:
    """The text at a path in the JSON that an attribute's text holds."""
    return f'"member {name} {path}"'


def with_texts(spans: str, expressions: Mapping[str, str]) -> str:
    """A select that adds to decoded spans the texts that some expressions name. The keys are conditions: which spans
    they are for."""
    named = {condition: set(_NAMED.findall(expression)) for condition, expression in expressions.items()}
    names = sorted({name for found in named.values() for name, _ in found})
    if not names:
        return spans
    readers = " or ".join(f"({condition})" for condition, found in named.items() if found)
    read = _read("attributes", [f'$."{name}"' for name in names])
    texts = ", ".join(f"attribute_texts[{place}] as {attribute(name)}" for place, name in enumerate(names, 1))
    spans = f"select *, {texts} from (select *, case when {readers} then {read} end as attribute_texts from ({spans}))"
    for name in names:
        paths = sorted({path.strip() for found in named.values() for of, path in found if of == name and path})
        if paths:
            members = ", ".join(f"members[{place}] as {member(name, path)}" for place, path in enumerate(paths, 1))
            read = _read(attribute(name), paths)
            spans = f"select * exclude (members), {members} from (select *, {read} as members from ({spans}))"
    return spans


def _read(json: str, paths: list[str]) -> str:
    listed = ", ".join(f"'{path}'" for path in paths)
    return f"try(json_extract_string({json}, [{listed}]))"
