"""Reads JSON for the expressions of dialects: attributes without a column, and members of attributes that are JSON
themselves. Knows no dialect.

An expression names a text, and `with_texts` reads all named texts once per span: each function that reads JSON takes
about ten times the JSON's size of memory. A sender may write any text, so a member of a text that is not JSON is null.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_NAMED: Final = re.compile(r'"(?:attribute|member) ([^" ]+)( [^"]+)?"')


def attribute(name: str) -> str:
    """Returns the name of the text of an attribute without a column."""
    return f'"attribute {name}"'


def member(name: str, path: str) -> str:
    """Returns the name of the text at a path in an attribute's JSON."""
    return f'"member {name} {path}"'


def with_texts(spans: str, expressions: Mapping[str, str]) -> str:
    """Returns a select that adds to decoded spans the texts that the expressions name. The keys are conditions that
    select the spans of each expression."""
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
