"""The time zone of times for people: UTC, unless a command asks for another. JSON and CSV are always in UTC."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from mcpobs.errors import UsageError, nearest

VARIABLE = "TZ"
_OFFSET = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})")
_HINT = "write utc, local, a name such as Europe/Berlin, or an offset such as +02:00"


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone with its label in headings. Without `rules` it is the system's."""

    label: str
    rules: tzinfo | None

    def at(self, unix_s: int) -> datetime:
        """A time in this zone. Raises what `datetime` raises for one that no calendar has."""
        return datetime.fromtimestamp(unix_s, UTC).astimezone(self.rules)

    def read(self, time: datetime) -> datetime:
        """A time without a zone, as one of this zone."""
        return time.astimezone() if self.rules is None else time.replace(tzinfo=self.rules)


UTC_ZONE = Zone("UTC", UTC)
_LOCAL = Zone("local", None)
_chosen: ContextVar[Zone] = ContextVar("zone", default=UTC_ZONE)


def current() -> Zone:
    """The zone of times that are shown now."""
    return _chosen.get()


@contextmanager
def shown_in(zone: Zone) -> Iterator[None]:
    """Shows times in the zone for as long as the block runs."""
    token = _chosen.set(zone)
    try:
        yield
    finally:
        _chosen.reset(token)


def zone_of(name: str | None, environ: Mapping[str, str]) -> Zone:
    """The zone that --tz names, else that of the variable TZ, else UTC. Raises UsageError for an unknown name."""
    if name is None:
        variable = environ.get(VARIABLE, "").removeprefix(":")
        return _of_variable(variable) if variable else UTC_ZONE
    plain = name.strip()
    if plain.lower() in ("utc", "z"):
        return UTC_ZONE
    if plain.lower() == "local":
        return _LOCAL
    if match := _OFFSET.fullmatch(plain):
        offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
        if offset < timedelta(hours=24) and int(match[3]) < 60:
            return Zone(f"UTC{match[1]}{match[2]}:{match[3]}", timezone(-offset if match[1] == "-" else offset))
    found = _named(plain)
    if found is None:
        raise _unknown(name)
    return found


def _of_variable(variable: str) -> Zone:
    """TZ also has forms without a name (CET-1CEST), and files: the system reads those."""
    if variable.upper() in ("UTC", "UTC0", "GMT", "ETC/UTC"):
        return UTC_ZONE
    return _named(variable) or _LOCAL


def _named(name: str) -> Zone | None:
    from zoneinfo import ZoneInfo  # few commands need it

    try:
        return Zone(name, ZoneInfo(name))
    except (KeyError, ValueError, OSError):  # unknown, no name, or a folder of the zones
        return None


def _unknown(name: str) -> UsageError:
    from zoneinfo import available_timezones

    close = nearest(name, ["utc", "local", *sorted(available_timezones())])
    return UsageError(f"--tz {name!r} is no time zone", f"did you mean {close}? {_HINT}" if close else _HINT)
