"""`window`: days and hours of a zone, also when clocks change and past midnight."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mcpobs.errors import UsageError
from tests.policy.rules.made import call, condition, holds

WORK = {"days": ["mon", "tue", "wed", "thu", "fri"], "hours": "08:00-18:00", "zone": "Europe/Berlin"}
NIGHT = {"days": ["fri"], "hours": "22:00-06:00", "zone": "Europe/Berlin"}
BERLIN = "Europe/Berlin"
CASES: list[tuple[dict[str, object], str, bool]] = [
    # the hours are half open; 2026-11-30 is a Monday; Berlin is UTC+1
    (WORK, "2026-11-30T06:59:59", False),
    (WORK, "2026-11-30T07:00:00", True),
    (WORK, "2026-11-30T16:59:59", True),
    (WORK, "2026-11-30T17:00:00", False),
    (WORK, "2026-11-29T10:00:00", False),
    (WORK, "2026-12-04T10:00:00", True),
    (WORK, "2026-12-05T10:00:00", False),
    # summer: UTC+2
    (WORK, "2026-07-01T06:00:00", True),
    (WORK, "2026-07-01T05:59:00", False),
    (WORK, "2026-07-01T16:00:00", False),
    # the day is that of the zone
    ({"days": ["tue"], "zone": BERLIN}, "2026-11-30T23:00:00", True),
    ({"days": ["mon"], "zone": BERLIN}, "2026-11-30T23:00:00", False),
    ({"days": ["mon"]}, "2026-11-30T23:00:00", True),
    ({"days": ["mon"], "zone": "Pacific/Kiritimati"}, "2026-11-29T10:00:00", True),
    ({"days": ["mon"], "zone": "Pacific/Pago_Pago"}, "2026-12-01T10:59:00", True),
    # past midnight: the night belongs to the day on which it begins
    (NIGHT, "2026-12-04T20:59:00", False),
    (NIGHT, "2026-12-04T21:00:00", True),
    (NIGHT, "2026-12-04T23:30:00", True),
    (NIGHT, "2026-12-05T04:59:00", True),
    (NIGHT, "2026-12-05T05:00:00", False),
    (NIGHT, "2026-12-04T04:00:00", False),
    (NIGHT, "2026-12-05T21:30:00", False),
    ({"hours": "22:00-06:00"}, "2026-12-05T00:00:00", True),
    ({"hours": "22:00-06:00"}, "2026-12-05T12:00:00", False),
    # 24:00, and a night up to midnight
    ({"hours": "00:00-24:00"}, "2026-12-05T00:00:00", True),
    ({"hours": "00:00-24:00"}, "2026-12-05T23:59:59", True),
    ({"hours": "20:00-24:00"}, "2026-12-05T23:59:59", True),
    ({"hours": "20:00-24:00"}, "2026-12-06T00:00:00", False),
    ({"hours": "20:00-00:00"}, "2026-12-05T23:59:59", True),
    ({"hours": "20:00-00:00"}, "2026-12-06T00:00:00", False),
    ({"hours": "00:00-00:01"}, "2026-12-06T00:00:59", True),
    # 2026-03-29, 02:00 is 03:00 in Berlin: the night from Saturday is an hour shorter
    ({"days": ["sat"], "hours": "22:00-03:00", "zone": BERLIN}, "2026-03-29T00:59:59", True),
    ({"days": ["sat"], "hours": "22:00-03:00", "zone": BERLIN}, "2026-03-29T01:00:00", False),
    ({"days": ["sun"], "hours": "02:00-03:00", "zone": BERLIN}, "2026-03-29T01:00:00", False),
    ({"days": ["sun"], "hours": "02:00-03:00", "zone": BERLIN}, "2026-03-29T00:59:00", False),
    ({"days": ["sun"], "hours": "03:00-04:00", "zone": BERLIN}, "2026-03-29T01:00:00", True),
    # 2026-10-25, 03:00 is 02:00 again: the hour from 2 to 3 comes twice
    ({"days": ["sun"], "hours": "02:00-03:00", "zone": BERLIN}, "2026-10-25T00:30:00", True),
    ({"days": ["sun"], "hours": "02:00-03:00", "zone": BERLIN}, "2026-10-25T01:30:00", True),
    ({"days": ["sun"], "hours": "02:00-03:00", "zone": BERLIN}, "2026-10-25T02:00:00", False),
    ({"days": ["sat"], "hours": "22:00-03:00", "zone": BERLIN}, "2026-10-25T01:59:59", True),
    # the clock goes back over midnight: Cuba, 2026-11-01, 01:00 is 00:00 again
    ({"days": ["sun"], "hours": "00:00-01:00", "zone": "America/Havana"}, "2026-11-01T04:30:00", True),
    ({"days": ["sun"], "hours": "00:00-01:00", "zone": "America/Havana"}, "2026-11-01T05:30:00", True),
    ({"days": ["sun"], "hours": "00:00-01:00", "zone": "America/Havana"}, "2026-11-01T06:00:00", False),
    # half an hour
    ({"hours": "09:00-09:30", "zone": "Asia/Kolkata"}, "2026-12-01T03:30:00", True),
    ({"hours": "09:00-09:30", "zone": "Asia/Kolkata"}, "2026-12-01T04:00:00", False),
    # leap day
    ({"days": ["tue"], "zone": BERLIN}, "2028-02-29T12:00:00", True),
]


def _at(text: str, more_ns: int = 0) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000 + more_ns


@pytest.mark.parametrize(("window", "at", "held"), CASES, ids=lambda value: str(value)[:60])
def test_a_window_holds_in_its_hours(window: dict[str, object], at: str, held: bool) -> None:
    assert holds(condition("window", window), call(at_unix_nano=_at(at))) is held
    assert holds(condition("window", window), call(at_unix_nano=_at(at, 999_999_999))) is held


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({}, "no `days` and no `hours`"),
        ({"zone": "UTC"}, "no `days` and no `hours`"),
        ({"days": []}, "an empty list matches nothing"),
        ({"days": ["someday"]}, "'someday' is not a day"),
        ({"days": ["mo"]}, "'mo' is not a day"),
        ({"days": "mon"}, "is not a list"),
        ({"hours": "8:00-18:00"}, "are no hours"),
        ({"hours": "08:00-24:01"}, "are no hours"),
        ({"hours": "24:00-08:00"}, "are no hours"),
        ({"hours": "08:00-25:00"}, "are no hours"),
        ({"hours": "08:60-18:00"}, "are no hours"),
        ({"hours": "08:00-08:00"}, "are no hours"),
        ({"hours": "08:00 - 18:00"}, "are no hours"),
        ({"hours": "08:00"}, "are no hours"),
        ({"hours": "0８:00-18:00"}, "are no hours"),
        ({"hours": "08:00-18:00", "zone": "Berlin"}, "'Berlin' is not a time zone"),
        ({"hours": "08:00-18:00", "zone": "../../etc/passwd"}, "is not a time zone"),
        ({"hours": "08:00-18:00", "zone": "/etc/localtime"}, "is not a time zone"),
        ({"hours": "08:00-18:00", "zone": "Europe"}, "is not a time zone"),
        ({"hours": "08:00-18:00", "zone": ""}, "is not a time zone"),
        ({"hour": "08:00-18:00", "days": ["mon"]}, "window.hour: unknown key"),
    ],
)
def test_a_wrong_rule_is_refused(value: object, problem: str) -> None:
    with pytest.raises(UsageError, match="policy:1: window") as refused:
        condition("window", value)
    assert problem in refused.value.message


@pytest.mark.parametrize("name", ["mon", "Monday", "MON"])
def test_days_are_known_by_their_first_letters(name: str) -> None:
    assert holds(condition("window", {"days": [name]}), call(at_unix_nano=_at("2026-11-30T12:00:00")))
