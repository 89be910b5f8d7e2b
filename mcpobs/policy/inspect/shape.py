"""`find: shape, size`: a result has a form and a size that the tool's results had when its limits were learned.

What it does: compares a result with `result.shapes` and `result.max_bytes` of the tool in the limits files of the
policy, as `mcpobs baseline` writes them. A form has types and no names: three members, and suddenly a long text, is
another form. A tool without such numbers has no finding.
Why it matters: a result that never looked like this is an error page, a leak, or somebody else's text.
What to do: give the limits file beside the policy, and flag first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from mcpobs.limits.model import Limits, ToolLimits
from mcpobs.policy.inspect.inspector import Context, Finding, View
from mcpobs.policy.inspect.output_schema import answer_of
from mcpobs.policy.model import Inspection
from mcpobs.protocol.canonical import canonical
from mcpobs.protocol.form import CUT, LONG_TEXT, kind_of
from mcpobs.protocol.result import read_result

SHAPE: Final = "shape"
SIZE: Final = "size"
OVER: Final = "over_max_bytes"


class Shape:
    """Compares results with learned limits: those of all files, of which each holds."""

    def __init__(self, finds: frozenset[str], learned: Sequence[Limits]) -> None:
        self._finds = finds
        self._learned = learned

    def inspect(self, view: View) -> Sequence[Finding]:
        result = answer_of(view)
        if result is None:
            return ()
        tool, identity = view.facts.whole or str(view.facts.target), view.facts.identity
        limits = [of.tool_of(tool, identity.tenant, identity.role) for of in self._learned]
        return [*self._shape(result, limits), *self._size(result, limits)]

    def _shape(self, result: dict[str, object], limits: Sequence[ToolLimits]) -> Iterator[Finding]:
        listed = [one.result_shapes for one in limits if one.result_shapes is not None]
        if SHAPE not in self._finds or not listed:
            return
        form = read_result(result, str).form
        for forms in listed:
            if form is not None and form not in forms:
                yield Finding(SHAPE, deviation(form, forms), "whole")
                return

    def _size(self, result: dict[str, object], limits: Sequence[ToolLimits]) -> Iterator[Finding]:
        most = [one.result_max_bytes.value for one in limits if one.result_max_bytes is not None]
        if SIZE in self._finds and most and canonical(result)[1] > min(most):
            yield Finding(SIZE, OVER, "whole")


def deviation(form: str, known: Sequence[str]) -> str:
    """Returns a word for a form that is none of the known ones, which says how it differs from them."""
    kind, kinds = kind_of(form), {kind_of(one) for one in known}
    if kind not in kinds:
        return f"{kind}_instead_of_{min(kinds)}" if kinds else "any_shape"
    if LONG_TEXT in form and not any(LONG_TEXT in one for one in known):
        return "long_text"
    return "cut_short" if CUT in form else "other_types"


def make(entry: Inspection, finds: frozenset[str], context: Context) -> Shape:
    return Shape(finds, [layer.learned for layer in context.layers])
