"""Times for people: in the zone that was asked for, and read in the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from mcpobs.cli.report import ReportOptions, run_report
from mcpobs.errors import UsageError
from mcpobs.output import units
from mcpobs.reports.window import in_zone, parse_time
from mcpobs.reports.wording import moment, zoned
from mcpobs.reports.zone import UTC_ZONE, current, shown_in, zone_of
from tests.queries.recorded import call, spool

SUMMER = 1_790_000_000_000_000_000  # 2026-09-21 14:13:20 UTC
WINTER = SUMMER + 100 * 86_400 * 1_000_000_000


@pytest.mark.parametrize(
    ("name", "environ", "summer", "winter", "label"),
    [
        (None, {}, "14:13:20", "14:13:20", "UTC"),
        (None, {"TZ": "Europe/Berlin"}, "16:13:20", "15:13:20", "Europe/Berlin"),
        (None, {"TZ": ":Europe/Berlin"}, "16:13:20", "15:13:20", "Europe/Berlin"),
        (None, {"TZ": "UTC0"}, "14:13:20", "14:13:20", "UTC"),
        (None, {"TZ": ""}, "14:13:20", "14:13:20", "UTC"),
        ("utc", {"TZ": "Europe/Berlin"}, "14:13:20", "14:13:20", "UTC"),
        ("America/New_York", {"TZ": "Europe/Berlin"}, "10:13:20", "09:13:20", "America/New_York"),
        ("+05:30", {}, "19:43:20", "19:43:20", "UTC+05:30"),
        ("-0330", {}, "10:43:20", "10:43:20", "UTC-03:30"),
    ],
)
def test_a_time_is_shown_in_its_zone(
    name: str | None, environ: Mapping[str, str], summer: str, winter: str, label: str
) -> None:
    with shown_in(zone_of(name, environ)):
        assert (moment(SUMMER)[11:], moment(WINTER)[11:]) == (summer, winter)
        assert zoned(SUMMER).endswith(f" {label}")
        assert units.title("last_unix_nano") == f"last ({label})"
    assert current() == UTC_ZONE


@pytest.mark.parametrize(
    ("name", "meant"),
    [("Europe/Berln", "Europe/Berlin"), ("+25:00", None), ("../etc", None), ("Europe", None), ("", None)],
)
def test_an_unknown_zone_is_an_error_with_the_nearest(name: str, meant: str | None) -> None:
    with pytest.raises(UsageError, match="is no time zone") as caught:
        zone_of(name, {})
    assert meant is None or f"did you mean {meant}?" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026-09-21T16:13:20", SUMMER),
        ("2026-09-21 16:13:20", SUMMER),
        ("2026-09-21T14:13:20Z", SUMMER),
        ("2026-09-21T15:13:20+01:00", SUMMER),
        ("2h", SUMMER - 2 * 3600 * 1_000_000_000),
    ],
)
def test_a_time_that_is_shown_is_read_back_the_same(text: str, read: int) -> None:
    given = in_zone(text, zone_of("Europe/Berlin", {}))
    assert given is not None
    assert parse_time(given, SUMMER) == read


@pytest.mark.parametrize("text", ["soon", "2026-13-01", None])
def test_what_is_no_time_is_left_to_its_reader(text: str | None) -> None:
    assert in_zone(text, zone_of("Europe/Berlin", {})) == text


@pytest.mark.parametrize("form", ["table", "markdown", "json", "csv"])
def test_people_read_the_zone_and_programs_utc(
    form: str, lake: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    for name in ("failures", "overview"):
        assert run_report(ReportOptions(name=name, format=form, since="2026-09-21T16:00", lake=str(lake)), SUMMER) == 0
        out = capsys.readouterr().out
        is_local = form in ("table", "markdown")
        assert ("Europe/Berlin" in out.replace("\\", "")) == is_local
        assert ("2026-09-21 16:13" in out) == is_local
        assert "2026-09-21 14:13" not in out or not is_local


def test_a_page_is_in_the_zone_too(lake: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert run_report(ReportOptions(name="failures", html=str(page), tz="Europe/Berlin", lake=str(lake)), SUMMER) == 0
    text = page.read_text()
    assert "2026-09-21 16:13:21" in text
    assert "(Europe/Berlin)" in text
    assert "2026-09-21 14:13" not in text


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    spool(tmp_path / "lake", [call(1, outcome="tool_error"), call(2)])
    return tmp_path / "lake"
