"""Places received spans in time: decides which times are plausible and replaces the implausible ones.

A sender's clock may be wrong, and its unit too. So a time is accepted only near the receipt of its span; otherwise the
span is placed by its receipt, and the sent value is kept in a separate column. Knows no dialect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mcpobs.lake.schema import SENT, TIME

HOUR_NS: Final = 3600 * 10**9
DAY_NS: Final = 24 * HOUR_NS
SESSION_NS: Final = 31 * DAY_NS
"""Longest time that a session may have begun before its span."""

NOW: Final = "epoch_ns(now())"
_FACTORS: Final = (10**3, 10**6, 10**9)  # microseconds, milliseconds and seconds sent for nanoseconds


@dataclass(frozen=True, slots=True)
class Accepted:
    """The plausible times, before and after the receipt of a span."""

    older_ns: int = 7 * DAY_NS
    ahead_ns: int = HOUR_NS


def placed_in_time(raw: str, received: str, accepted: Accepted) -> str:
    """Returns a select that adds to a relation of `lake/otlp/columns.py` the place of its spans in time.

    `received` is an SQL expression: the receipt in Unix nanoseconds. The new columns:

        is_plausible      whether the start is
        placed_unix_nano  the start, or the receipt less the duration
        measured_ns       the duration; 0 if the end is before a plausible start, null if it is implausible

    A duration survives an implausible start (a clock that stands at 1970), but not one in another unit.
    """
    # times beyond a signed 64-bit integer are negative; as null, no arithmetic on the others can overflow
    bounded = (
        f"select *, cast({received} as bigint) as received_unix_nano, "
        f"case when {TIME} >= 0 then {TIME} end as began, case when end_unix_nano >= 0 then end_unix_nano end as ended "
        f"from ({raw})"
    )
    since, until = f"received_unix_nano - {accepted.older_ns}", f"received_unix_nano + {accepted.ahead_ns}"
    started = f"began between {since} and {until}"
    other_unit = " or ".join(f"began between ({since}) // {n} and ({until}) // {n}" for n in _FACTORS)
    measured = (
        f"case when {started} and ended <= began then 0 when {started} and ended <= {until} then ended - began "
        f"when {started} then null when {other_unit} then null "
        f"when began > 0 and ended >= began and ended - began <= {accepted.older_ns} then ended - began end"
    )
    judged = f"select *, coalesce({started}, false) as is_plausible, {measured} as measured_ns from ({bounded})"
    return (
        f"select *, case when is_plausible then {TIME} else received_unix_nano - coalesce(measured_ns, 0) end "
        f"as placed_unix_nano, received_unix_nano + {accepted.ahead_ns} as latest_unix_nano, "
        f"{accepted.ahead_ns} as ahead_ns from ({judged})"
    )


_SESSION: Final = (
    f"at_session_start_unix_nano between placed_unix_nano - {SESSION_NS} and least(placed_unix_nano + ahead_ns, "
    "latest_unix_nano)"
)

PLACED: Final[dict[str, str]] = {
    TIME: "placed_unix_nano",
    "duration_ns": "measured_ns",
    "session_start_unix_nano": f"case when {_SESSION} then at_session_start_unix_nano end",
    SENT: f"case when not is_plausible then {TIME} end",
    "sent_end_unix_nano": "case when measured_ns is null then end_unix_nano end",
    "sent_session_start_unix_nano": f"case when not ({_SESSION}) then at_session_start_unix_nano end",
}
"""The lake's columns that hold times, as expressions over the columns of `placed_in_time`."""
