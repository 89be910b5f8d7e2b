"""Finds what a rule probably does not mean: conditions that let through more than they seem to. Refuses nothing; a
policy's check shows it.
"""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from mcpobs.policy.model import OnError, Rule
from mcpobs.policy.rules.expression import Expression
from mcpobs.policy.rules.path import UnderPath
from mcpobs.policy.rules.schema import ArgumentSchema
from mcpobs.policy.rules.statement import Statement


def doubts(rule: Rule, on_error: OnError = "deny") -> Iterator[str]:
    """Sentences about one rule; `on_error` is that of its file."""
    if rule.conditions and (rule.control.on_error or on_error) == "allow":
        yield "on_error: allow lets a call pass whose arguments are missing or of another type"
    for condition in rule.conditions:
        match condition:
            case Expression():
                yield from _of_expression(rule, condition)
            case ArgumentSchema():
                yield from _of_schema(rule, condition)
            case Statement() if condition.allowed.tables is None:
                yield "sql without `tables` reads every table, also those of the database itself"
            case UnderPath() if ("/",) in condition.under:
                yield "path below / allows every absolute path"


def _of_expression(rule: Rule, condition: Expression) -> Iterator[str]:
    if rule.effect == "deny" and "args" in condition.names and condition.compares:
        yield (
            "a deny that compares an argument passes a text that a server takes for a number; "
            "write a require with the opposite"
        )
    if condition.calls and condition.compares:
        yield "session.calls is no limit: parallel calls see one count; write it below `limits`"


def _of_schema(rule: Rule, condition: ArgumentSchema) -> Iterator[str]:
    schema = orjson.loads(condition.schema)
    if rule.effect == "deny":
        yield "a deny by args_schema passes arguments of another form; write a require with `not`"
    elif "properties" in schema and schema.get("additionalProperties") is not False:
        yield "args_schema lets unknown arguments through; write additionalProperties: false"
    if rule.effect != "deny" and "properties" in schema and not schema.get("required"):
        yield "args_schema lets a call without arguments through; write `required`"
