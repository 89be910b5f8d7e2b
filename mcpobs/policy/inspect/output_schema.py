"""`find: output_schema`: validates the structured content of a result against the schema that the server declared.

What it does: validates `structuredContent`, any JSON value, with jsonschema-rs. A result without it is a finding if the
tool declares a schema, unless the result is an error. A schema that fetches another one, or that could take more than
linear time, is not used, which is a finding of its own.
Why it matters: a tool that suddenly answers in another form is broken, or answers what somebody else wrote.
What to do: flag first; servers often declare more than they keep.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import orjson

from mcpobs.installed.extras import needing
from mcpobs.policy.inspect.inspector import TRUNCATED, Context, Finding, View
from mcpobs.policy.inspect.schema_cost import visits
from mcpobs.policy.model import Inspection
from mcpobs.protocol.answer import is_true

if TYPE_CHECKING:
    from jsonschema_rs import Validator

FIND: Final = "output_schema"
MISSING: Final = "missing"
UNUSABLE: Final = "unusable_schema"
MAX_SCHEMA: Final = 256 << 10
MAX_WORK: Final = 1 << 34
"""Bound of the product of schema and content, in bytes: about half a second."""
MAX_EXPLAINED: Final = 16 << 10
"""Largest content whose findings name a keyword: below `anyOf` all errors are made, which takes 8 s for 2 MB."""
MAX_KEPT: Final = 1_024
_BACKTRACKS: Final = 10_000


class OutputSchema:
    """Validates results. Keeps the validators of the schemas that it saw last."""

    def __init__(self) -> None:
        with needing("`find: output_schema`", "policy"):
            import jsonschema_rs  # noqa: F401  # a policy that cannot be enforced is refused at start
        self._kept: dict[bytes, tuple[Validator, int] | None] = {}

    def inspect(self, view: View) -> Sequence[Finding]:
        result = answer_of(view)
        if result is None or view.output_schema is None:
            return ()
        if "structuredContent" not in result:
            return (Finding(FIND, MISSING, "whole"),)
        known = self._validator(view.output_schema)
        if known is None:
            return (Finding(FIND, UNUSABLE, "whole"),)
        validator, cost = known
        content = result["structuredContent"]
        try:
            size = len(orjson.dumps(content))
            if cost * size > MAX_WORK:
                return (Finding(FIND, TRUNCATED, "whole"),)
            if validator.is_valid(content):
                return ()
            return (_deviation(validator, content) if size <= MAX_EXPLAINED else _INVALID,)
        except (ValueError, TypeError):  # deeper than 254 levels, or a text that is no Unicode
            return (Finding(FIND, TRUNCATED, "whole"),)

    def _validator(self, schema: object) -> tuple[Validator, int] | None:
        try:
            text = orjson.dumps(schema)
        except TypeError:
            return None
        if text not in self._kept:
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            self._kept[text] = _compiled(text)
        return self._kept[text]


def answer_of(view: View) -> dict[str, object] | None:
    """Returns the result of a tool call that succeeded and is complete."""
    result = view.message.get("result")
    if view.of != "result" or view.facts.kind != "tool" or view.is_error or not isinstance(result, dict):
        return None
    is_final = result.get("resultType", "complete") == "complete" and "task" not in result
    return result if is_final and not is_true(result.get("isError")) else None


def _compiled(text: bytes) -> tuple[Validator, int] | None:
    from jsonschema_rs import FancyRegexOptions, validator_for

    if len(text) > MAX_SCHEMA:
        return None
    schema = orjson.loads(text)
    looks = visits(schema)
    if looks is None:
        return None
    options = FancyRegexOptions(backtrack_limit=_BACKTRACKS, size_limit=1 << 20)
    try:
        return validator_for(schema, offline=True, pattern_options=options), max(len(text), 16 * looks)
    except Exception:  # errors of several kinds; whatever it is, the schema is the server's
        return None


def _deviation(validator: Validator, content: object) -> Finding:
    """Returns the first deviation, named by the keyword that it breaks."""
    from jsonschema_rs import ValidationError

    try:
        validator.validate(content)
    except ValidationError as error:
        at = ("result", "structuredContent", *error.instance_path)
        return Finding(FIND, error.kind.name, "structured", at)
    return _INVALID


_INVALID: Final = Finding(FIND, "invalid", "structured", ("result", "structuredContent"))


def make(entry: Inspection, finds: frozenset[str], context: Context) -> OutputSchema:
    return OutputSchema()
