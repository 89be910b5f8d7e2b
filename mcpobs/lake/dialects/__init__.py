"""Translates spans of other tools: for each dialect, derives the lake's columns from a decoded OTLP span.

A dialect is a condition and SQL expressions over the columns of `lake/otlp/columns.py`. A column that a dialect does
not define is as in PLAIN, which treats a span as a plain span: it keeps everything, and the span is not an operation.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from mcpobs.lake.dialects import gateways, instrumentations, servers
from mcpobs.lake.dialects.dialect import KIND, PLAIN, Dialect, with_resource_uri
from mcpobs.lake.dialects.names import LONGEST, bounded
from mcpobs.lake.dialects.redaction import redacted
from mcpobs.lake.dialects.texts import with_texts
from mcpobs.lake.schema import DERIVED, SENT, TIME, TYPES
from mcpobs.lake.times import NOW, Accepted, placed_in_time

DIALECTS: Final[tuple[Dialect, ...]] = (
    servers.MCPOBS,
    servers.FASTMCP,
    servers.PYTHON_SDK,
    instrumentations.OPENLLMETRY,
    instrumentations.LOGFIRE,
    instrumentations.OPENINFERENCE,
    gateways.AGENTGATEWAY,
    gateways.CONTEXTFORGE,
    instrumentations.SENTRY,
    servers.DRAFTS,
    servers.ANY,
)
"""The first that matches a span applies."""

_SENT_KIND: Final = "sent_kind"

PLACES: Final = range(len(DIALECTS) + 1)
"""Index of each dialect in DIALECTS; the last is for a span of no dialect."""


def placed(raw: str) -> str:
    """Returns a select that adds to a relation of `lake/otlp/columns.py` the index of each span's `dialect`."""
    first = " ".join(f"when {dialect.matches} then {place}" for place, dialect in enumerate(DIALECTS))
    return f"select *, case {first} else {len(DIALECTS)} end as dialect from {raw}"


def identified(raw: str) -> str:
    """Returns a select of the columns that schema.KEY reads, as stored, from a relation with the columns of
    `lake/otlp/columns.py`; and of `dialect` and `longest_bytes`, the size of the longest name."""
    kind, service = _expression("kind", PLACES), PLAIN["sent_service"]
    spans = _with_texts(placed(raw), PLACES, ("kind",))
    return (
        f"select trace_id, span_id, {kind} as kind, {_sent_kind(PLACES)} as sent_kind, {bounded('scope_name')}, "
        f"{bounded('service_name')}, {service} as sent_service, {PLAIN['front']} as front, {TIME}, "
        f"cast(null as bigint) as {SENT}, dialect, {LONGEST} as longest_bytes from ({spans})"
    )


def translated(
    raw: str,
    places: Collection[int] = PLACES,
    *,
    received: str = NOW,
    accepted: Accepted | None = None,
    long_names: bool = True,
    redact: bool = False,
) -> str:
    """Returns a select of the lake's columns from a relation with the columns of `lake/otlp/columns.py`.

    The caller promises that all spans are of dialects at `places`. With one dialect it takes two thirds of the time.
    `received` is an SQL expression for the spans' receipt in Unix nanoseconds, and `accepted` the times around it that
    are plausible. Without `long_names` the caller promises that no span has a `names.LONGEST` above `names.MAX_BYTES`.
    `redact` leaves out possible content.
    """
    stored = {column: type_ for column, type_ in TYPES.items() if column not in DERIVED}
    expressions = {column: _expression(column, places) for column in stored if column != _SENT_KIND}
    expressions[_SENT_KIND] = _sent_kind(places)
    if redact:  # counted and removed: up to 6 bytes per byte of the URI would be in memory several times
        expressions["attributes"] = with_resource_uri("'null'")
    columns = ", ".join(f"cast({expressions[column]} as {type_}) as {column}" for column, type_ in stored.items())
    derived = ", ".join(f"cast({expression} as {TYPES[name]}) as {name}" for name, expression in DERIVED.items())
    names = ", ".join(bounded(column) if long_names else column for column in TYPES)
    spans = placed_in_time(_with_texts(placed(raw), places, stored), received, accepted or Accepted())
    rows = f"select {names} from (select *, {derived} from (select {columns} from ({spans})))"
    return redacted(rows) if redact else rows


def _with_texts(spans: str, places: Collection[int], columns: Iterable[str]) -> str:
    """Adds to spans the JSON texts that the expressions of some columns read."""
    read = {}
    for place in places:
        own = DIALECTS[place].columns if place < len(DIALECTS) else {}
        read[f"dialect = {place}"] = " ".join(own.get(column, "") for column in columns)
    return with_texts(spans, read)


def _sent_kind(places: Collection[int]) -> str:
    """Returns the kind as sent, null if the column `kind` already has it."""
    kind = _expression("kind", places)
    said = "kind between 0 and 5" + (f" and ({kind}) is not distinct from {KIND}" if kind != KIND else "")
    return f"case when not ({said}) then kind end"


def _expression(column: str, places: Collection[int]) -> str:
    """Returns a case with one branch per distinct expression of a column, however many dialects share it."""
    shared: dict[str, list[int]] = {}
    for place in sorted(places):
        columns = DIALECTS[place].columns if place < len(DIALECTS) else {}
        shared.setdefault(columns.get(column, PLAIN[column]), []).append(place)
    *cases, (other, _) = shared.items()
    if not cases:
        return other
    branches = (f"when {' or '.join(f'dialect = {n}' for n in of)} then {expression}" for expression, of in cases)
    return f"case {' '.join(branches)} else {other} end"
