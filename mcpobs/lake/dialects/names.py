"""Bounds names, in SQL: `protocol/text.py` has the same rule for the rows of our own fronts."""

from __future__ import annotations

from typing import Final

from mcpobs.lake.otlp.columns import RAW
from mcpobs.protocol.text import DIGEST_DIGITS, ELLIPSIS, MAX_NAME
from mcpobs.semconv import NAMED

_LONGEST: Final[dict[str, int]] = {
    **dict.fromkeys(NAMED, MAX_NAME),
    "args_shape": 2 * MAX_NAME,  # our own are already bounded
    "result_shape": 2 * MAX_NAME,
    "result_form": 2 * MAX_NAME,
}
_TEXTS: Final = tuple(
    column
    for column, type_ in RAW.items()
    if type_ == "text" and column not in ("trace_id", "span_id", "parent_span_id", "trace_state", "status_message")
)

_ADDED: Final = 16
"""Most characters that a dialect puts before a text, e.g. `principal:`."""

MAX_BYTES: Final = MAX_NAME - _ADDED
"""A span whose longest text is at most this long needs no bounding."""

LONGEST: Final = f"greatest(0, {', '.join(f'strlen({column})' for column in _TEXTS)})"
"""Size of the longest text of a decoded span. Bounding all names takes a sixth of a batch's time and four times as long
to plan; this check takes a twentieth."""


def bounded(column: str) -> str:
    """Returns the select item for a column of the lake, bounded if it is a name."""
    longest = _LONGEST.get(column)
    if longest is None:
        return column
    kept = longest - len(ELLIPSIS) - DIGEST_DIGITS
    cut = f"left({column}, {kept}) || '{ELLIPSIS}' || left(sha256({column}), {DIGEST_DIGITS})"
    return f"case when length({column}) > {longest} then {cut} else {column} end as {column}"
