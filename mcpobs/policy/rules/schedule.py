"""`window`: only on some days, and at some hours, of a time zone.

What it does: compares the time of the call in `zone` with `days` and `hours`.
Why it matters: what nobody watches at night should not be paid out at night.
What to do: `{days: [mon, fri], hours: "08:00-18:00", zone: Europe/Berlin}`. Hours may pass midnight: `22:00-06:00`
belongs to the day on which it begins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from mcpobs.limits.document import Place
from mcpobs.policy.codes import Code
from mcpobs.policy.conditions import CallFacts, Holds, Reads
from mcpobs.policy.fields import zone
from mcpobs.protocol.session import Identity

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])")
_DAY_MINUTES = 24 * 60
MINUTE_NS = 60_000_000_000


@dataclass(frozen=True)
class Schedule:
    """Days (0 is Monday) and minutes of a day, half open; `end` at or before `start` is on the next day."""

    zone: ZoneInfo | None  # None: UTC
    days: frozenset[int] = frozenset(range(7))
    start: int = 0
    end: int = _DAY_MINUTES
    reads: frozenset[Reads] = frozenset({"time"})
    code: Code = Code.SCHEDULE
    remembers: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)

    def holds(self, facts: CallFacts) -> bool:
        local = datetime.fromtimestamp(facts.at_unix_nano // 1_000_000_000, self.zone or UTC)
        minute = local.hour * 60 + local.minute
        if self.start < self.end:
            return local.weekday() in self.days and self.start <= minute < self.end
        if minute >= self.start:
            return local.weekday() in self.days
        return minute < self.end and (local - timedelta(days=1)).weekday() in self.days

    def prepared(self, identity: Identity) -> Holds:
        known = (
            -1,
            False,
        )  # a minute, and what holds throughout it: days, hours and (since 1972) offsets begin with full minutes

        def quickly(facts: CallFacts) -> bool:
            nonlocal known
            minute, held = known
            now = facts.at_unix_nano // MINUTE_NS
            if now != minute:
                held = self.holds(facts)
                known = now, held
            return held

        return quickly

    def needs(self, facts: CallFacts) -> str:
        return "it is not allowed at this time"


def read(place: Place) -> Schedule:
    fields = place.fields(("days", "hours", "zone"))
    if not fields.keys() & {"days", "hours"}:
        place.refuse("no `days` and no `hours`", 'write e.g. {days: [mon, fri], hours: "08:00-18:00", zone: UTC}')
    days = frozenset(_day(item) for item in fields["days"].items()) if "days" in fields else frozenset(range(7))
    if not days:
        fields["days"].refuse("an empty list matches nothing", "leave the key out")
    start, end = _hours(fields["hours"]) if "hours" in fields else (0, _DAY_MINUTES)
    return Schedule(zone(fields["zone"]) if "zone" in fields else None, days, start, end)


def _day(place: Place) -> int:
    name = place.text().lower()[:3]
    if name not in DAYS:
        place.refuse(f"{place.text()!r} is not a day", f"known here: {', '.join(DAYS)}")
    return DAYS.index(name)


def _hours(place: Place) -> tuple[int, int]:
    match = _HOURS.fullmatch(place.text())
    start, end = (int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])) if match else (0, 0)
    if match is None or start >= _DAY_MINUTES or end > _DAY_MINUTES or start == end:
        place.refuse(f"{place.text()!r} are no hours", 'write e.g. "08:00-18:00"')
    return start, end
