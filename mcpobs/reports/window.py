"""The window of a report: read from options, or the newest with enough calls. Never asks a clock."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mcpobs.errors import UsageError
from mcpobs.reports.wording import zoned
from mcpobs.reports.zone import Zone

FOREVER = 2**63 - 1
SECOND = 1_000_000_000
HOUR = 3600 * SECOND

STEPS = (
    ("hour", HOUR, "hour"),
    ("hours_6", 6 * HOUR, "6 hours"),
    ("day", 24 * HOUR, "24 hours"),
    ("days_7", 7 * 24 * HOUR, "7 days"),
    ("days_30", 30 * 24 * HOUR, "30 days"),
)
"""The windows that are tried, shortest first: column of queries/windows.sql, length, words."""

_SPAN = re.compile(r"([0-9]{1,9})\s*(s|m|h|d|w)")
_UNITS = {"s": SECOND, "m": 60 * SECOND, "h": HOUR, "d": 24 * HOUR, "w": 7 * 24 * HOUR}
_WORDS = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week"}
_HINT = "write e.g. 15m, 2h, 7d, 2026-11-22 (UTC) or 2026-11-22T13:05+01:00"


@dataclass(frozen=True, slots=True)
class Window:
    """From `since` up to, not including, `until`, in unix nanoseconds; `words` name it for people.

    `before` is the start of the window of equal length before it; None if this one has no start.
    """

    since: int
    until: int
    words: str
    before: int | None = field(default=None, compare=False)

    @property
    def when(self) -> str:
        """The words at the end of a sentence."""
        return self.words if self.words.startswith(("since ", "up to ", "from ")) else f"in {self.words}"


EVERYTHING = Window(0, FOREVER, "all time")


def parse_time(text: str, now: int, option: str = "--since") -> int:
    """A point in time in unix nanoseconds: a span before `now` (15m, 2h, 7d), or an ISO date or time."""
    given = text.strip()
    if match := _SPAN.fullmatch(given.lower()):
        return max(0, now - int(match[1]) * _UNITS[match[2]])
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise UsageError(f"{option} {text!r} is no time", _HINT) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since_epoch = moment - datetime(1970, 1, 1, tzinfo=UTC)
    nanos = (since_epoch.days * 86_400 + since_epoch.seconds) * SECOND + since_epoch.microseconds * 1000
    if not 0 <= nanos < FOREVER:
        raise UsageError(f"{option} {text!r} is out of range", _HINT)
    return nanos


def given(since: str | None, until: str | None, now: int) -> Window:
    """The window that the options name; all time if they name none."""
    start = 0 if since is None else parse_time(since, now, "--since")
    end = FOREVER if until is None else parse_time(until, now, "--until")
    if start >= end:
        raise UsageError(f"--since {since} is not before --until {until}", _HINT)
    before = start - (min(end, now) - start) if since is not None else None
    known = before if before is not None and 0 <= before < start else None
    return Window(start, end, _words(since, until, start, end), known)


def in_zone(text: str | None, zone: Zone) -> str | None:
    """A time of an option, with the zone if it is a date or time without one."""
    try:
        time = None if text is None or _SPAN.fullmatch(text.strip().lower()) else datetime.fromisoformat(text.strip())
        return text if time is None or time.tzinfo is not None else zone.read(time).isoformat()
    except (ValueError, OverflowError):
        return text  # whoever reads it says so


def last_hour(now: int) -> Window:
    # The newest call may have begun in this very nanosecond, and clocks of several machines differ a little.
    return Window(max(0, now - HOUR), FOREVER, "the last hour")


def before(newest: int, length: int, words: str) -> Window:
    """A window of a given length that ends with the newest call, itself inside."""
    return Window(max(0, newest - length + 1), newest + 1, f"the {words} up to {zoned(newest)}")


def _words(since: str | None, until: str | None, start: int, end: int) -> str:
    if since is None and until is None:
        return EVERYTHING.words
    if until is None and since is not None:
        if match := _SPAN.fullmatch(since.strip().lower()):
            count, unit = int(match[1]), _WORDS[match[2]]
            return f"the last {unit}" if count == 1 else f"the last {count:,} {unit}s"
        return f"since {zoned(start)}"
    if since is None:
        return f"up to {zoned(end)}"
    return f"from {zoned(start)} to {zoned(end)}"
