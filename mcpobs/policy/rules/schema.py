"""`args_schema`: the arguments must be valid by a JSON Schema.

What it does: validates `arguments` with jsonschema-rs, in linear time also for patterns that stall other validators.
Why it matters: a server often accepts more than its tools need; a constraint on an amount or a host belongs here.
What to do: name the required members, and say `additionalProperties: false`; a missing member is otherwise allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from mcpobs.errors import UsageError
from mcpobs.limits.document import Place
from mcpobs.policy.codes import Code
from mcpobs.policy.conditions import UNKNOWN, CallFacts, Reads, UndecidableError

REMEMBERS: Mapping[str, tuple[tuple[str, ...], ...]] = {}


@dataclass(frozen=True)
class ArgumentSchema:
    """The arguments of a call, by a JSON Schema."""

    schema: str  # as JSON
    is_valid: Callable[[Any], bool] = field(compare=False, repr=False)
    reads: frozenset[Reads] = frozenset({"arguments"})
    code: Code = Code.ARGUMENTS
    remembers: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)

    def holds(self, facts: CallFacts) -> bool:
        if facts.arguments is UNKNOWN:
            raise UndecidableError
        return self.is_valid(facts.arguments)

    def needs(self) -> str:
        return "its arguments are not of the form that is allowed here"


def read(place: Place) -> ArgumentSchema:
    try:
        from jsonschema_rs import validator_for
    except ImportError:
        raise UsageError(
            f"{place.source}: args_schema needs the package jsonschema-rs", 'pip install "mcpobs-otel[policy]"'
        ) from None
    schema = place.plain()
    if not isinstance(schema, dict):
        place.refuse("a JSON Schema is a mapping")
    try:
        return ArgumentSchema(orjson.dumps(schema).decode(), validator_for(schema).is_valid)
    except ValueError as error:  # also jsonschema_rs.ValidationError
        place.refuse(f"not a JSON Schema: {str(error).splitlines()[0][:200]}")
