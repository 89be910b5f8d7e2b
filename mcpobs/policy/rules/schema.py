"""`args_schema`: the arguments must be valid by a JSON Schema.

What it does: validates `arguments` with jsonschema-rs, in linear time also for patterns that stall other validators.
A schema that names another one, by file or URL, is refused: nothing is fetched. So is a keyword that no draft knows,
because validators skip it. Patterns are without lookaround and backreferences.
Why it matters: a server often accepts more than its tools need; a constraint on an amount or a host belongs here.
What to do: name the required members, and say `additionalProperties: false`; a missing member is otherwise allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import orjson

from mcpobs.errors import nearest
from mcpobs.installed.extras import needing
from mcpobs.limits.document import Place
from mcpobs.policy.codes import Code
from mcpobs.policy.conditions import UNKNOWN, CallFacts, Reads, RuleError, UndecidableError
from mcpobs.terminal import brief

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

MAX_SCHEMA: Final = 256 << 10
MAX_SHOWN: Final = 80
_HINT: Final = "correct it by the rules of json-schema.org, draft 2020-12"
_SCHEMAS: Final = ("additionalItems", "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not",
                   "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties")  # fmt: skip
_LISTS: Final = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
_MAPPINGS: Final = ("$defs", "definitions", "dependentSchemas", "dependencies", "patternProperties", "properties")
_VALUES: Final = (
    "$anchor", "$comment", "$dynamicAnchor", "$dynamicRef", "$id", "$recursiveAnchor", "$recursiveRef", "$ref",
    "$schema", "$vocabulary", "const", "contentEncoding", "contentMediaType", "default", "dependentRequired",
    "deprecated", "description", "enum", "examples", "exclusiveMaximum", "exclusiveMinimum", "format", "id",
    "maxContains", "maxItems", "maxLength", "maxProperties", "maximum", "minContains", "minItems", "minLength",
    "minProperties", "minimum", "multipleOf", "pattern", "readOnly", "required", "title", "type", "uniqueItems",
    "writeOnly",
)  # fmt: skip
_KNOWN: Final = tuple(sorted({*_SCHEMAS, *_LISTS, *_MAPPINGS, *_VALUES}))


@dataclass(frozen=True)
class ArgumentSchema:
    """The arguments of a call, by a JSON Schema."""

    schema: str  # as JSON
    validator: Validator = field(compare=False, repr=False)
    reads: frozenset[Reads] = frozenset({"arguments"})
    code: Code = Code.ARGUMENTS
    remembers: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)

    def holds(self, facts: CallFacts) -> bool:
        if facts.arguments is UNKNOWN:
            raise UndecidableError
        try:
            return self.validator.is_valid(facts.arguments)
        except (ValueError, TypeError) as error:  # what JSON cannot hold: of a server's own process, not of a frame
            raise RuleError("its arguments cannot be checked") from error

    def needs(self, facts: CallFacts) -> str:
        try:
            return _problem(next(self.validator.iter_errors(facts.arguments)))
        except Exception:  # the denial stands; only its words are fewer
            return "its arguments are not of the form that is allowed here"


def read(place: Place) -> ArgumentSchema:
    with needing("`args_schema`", "policy"):
        from jsonschema_rs import RegexOptions, validator_for
    schema = place.plain()
    if not isinstance(schema, dict):
        place.refuse("a JSON Schema is a mapping", "write e.g. {type: object, required: [id]}")
    _check_keywords(place)
    try:
        text = orjson.dumps(schema)
    except (TypeError, ValueError) as error:  # e.g. a number beyond 64 bits
        place.refuse(f"not a JSON Schema: {error}", _HINT)
    if len(text) > MAX_SCHEMA:
        place.refuse(f"is larger than {MAX_SCHEMA >> 10} KiB", "a schema of arguments is small")
    try:
        validator = validator_for(orjson.loads(text), offline=True, pattern_options=RegexOptions())
    except ValueError as error:  # also jsonschema_rs.ValidationError
        place.refuse(f"not a JSON Schema: {str(error).splitlines()[0][:200]}", _HINT)
    return ArgumentSchema(text.decode(), validator)


def _check_keywords(place: Place) -> None:
    """Refuses keywords that validators skip, as they do with a mistyped one."""
    if not place.is_mapping:  # true and false are schemas
        return
    for name, value in place.entries().items():
        if name not in _KNOWN:
            like = nearest(name, _KNOWN)
            value.refuse("unknown key of a JSON Schema", f"did you mean `{like}`?" if like else "leave it out")
        if name in _MAPPINGS and value.is_mapping:
            for inner in value.entries().values():
                _check_keywords(inner)
        elif name in _LISTS and not value.is_mapping and not value.is_scalar:
            for inner in value.items():
                _check_keywords(inner)
        elif name in _SCHEMAS:
            _check_keywords(value)


def _problem(error: ValidationError) -> str:
    """What is wrong with which argument: names that the caller knows, and never a value or a bound of the policy."""
    path = ".".join(str(step) for step in error.instance_path)
    found = error.kind.as_dict()
    match error.kind.name:
        case "required":
            name = f"{path}.{found['property']}" if path else str(found["property"])
            return f"the argument {_shown(name)} is missing"
        case "additionalProperties" | "unevaluatedProperties":
            like = [f"{path}.{name}" if path else str(name) for name in found["unexpected"]]
            return f"the argument {_shown(like[0])} is not allowed"
        case "type":
            types = " or ".join(str(one) for one in found["types"])
            return f"{f'the argument {_shown(path)}' if path else 'its arguments'} must be of the type {types}"
    if path:
        return f"the argument {_shown(path)} has a value that is not allowed here"
    return "its arguments are not of the form that is allowed here"


def _shown(name: str) -> str:
    short = brief(name)
    return short if len(short) <= MAX_SHOWN else f"{short[:MAX_SHOWN]}…"
