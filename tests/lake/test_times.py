"""Times that a sender cannot mean: the sent value is kept, and the span lies at its receipt."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from mcpobs.errors import UsageError
from mcpobs.keys import open_folder
from mcpobs.lake import backlog, joining, maintain, snapshot, storing, writer
from mcpobs.lake.engine import connect
from mcpobs.lake.inspection import inspect
from mcpobs.lake.reader import open_reading
from mcpobs.settings import load_config
from tests.lake.rows import DAY, NOON, parquet_files, row, spooled
from tests.sending import logged

MS, HOUR = 10**6, 3600 * 10**9
RECEIVED = NOON
Y2200 = 7_258_118_400 * 10**9
SENT_COLUMNS = ("sent_start_unix_nano", "sent_end_unix_nano", "sent_session_start_unix_nano")


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    open_folder(tmp_path)
    return tmp_path


def call(start: int, end: int, session_start: int | None = None, *, tool: str = "t", ids: bytes | None = None) -> bytes:
    """A request with one tool call of these times, as unsigned 64-bit integers."""
    made = ExportTraceServiceRequest()
    group = made.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "files"
    ids = ids or os.urandom(24)
    span = group.scope_spans.add().spans.add(trace_id=ids[:16], span_id=ids[16:], name="tools/call t", kind=2)
    span.start_time_unix_nano, span.end_time_unix_nano = start, end
    span.attributes.add(key="mcp.method.name").value.string_value = "tools/call"
    span.attributes.add(key="gen_ai.tool.name").value.string_value = tool
    if session_start is not None:
        span.attributes.add(key="mcpobs.session.start_unix_nano").value.int_value = session_start
    return made.SerializeToString()


def stored(lake: Path, **window: int) -> list[dict[str, Any]]:
    names = ("start_unix_nano", "duration_ns", "session_start_unix_nano", "date", *SENT_COLUMNS, "tool")
    with open_reading(lake, **window) as reading:
        found = reading.connection.execute(f"select {', '.join(names)} from spans order by tool").fetchall()
    return [dict(zip(names, values, strict=True)) for values in found]


def days(count: int) -> int:
    return count * DAY


PLAUSIBLE = [
    pytest.param(RECEIVED - 6 * DAY, id="6 days ago"),
    pytest.param(RECEIVED - 7 * DAY, id="just 7 days ago"),
    pytest.param(RECEIVED, id="now"),
    pytest.param(RECEIVED + HOUR // 2, id="in half an hour"),
]
IMPLAUSIBLE = [  # start, end, and the duration that is believed
    pytest.param(5, 5 + 4 * MS, 4 * MS, id="1970: a clock that was never set"),
    pytest.param(0, 0, None, id="no time"),
    pytest.param(0, RECEIVED, None, id="no start"),
    pytest.param(RECEIVED // 10**6, RECEIVED // 10**6 + 4, None, id="milliseconds"),
    pytest.param(RECEIVED // 10**3, RECEIVED // 10**3 + 4_000, None, id="microseconds"),
    pytest.param(RECEIVED // 10**9, RECEIVED // 10**9 + 1, None, id="seconds"),
    pytest.param(Y2200, Y2200 + 4 * MS, 4 * MS, id="2200"),
    pytest.param(RECEIVED + days(3650), RECEIVED + days(3650) + 4 * MS, 4 * MS, id="10 years ahead"),
    pytest.param(RECEIVED - 8 * DAY, RECEIVED - 8 * DAY + 4 * MS, 4 * MS, id="8 days ago"),
    pytest.param(RECEIVED - 7 * DAY - 1, RECEIVED - 7 * DAY, 1, id="a nanosecond too old"),
    pytest.param(RECEIVED + 2 * HOUR, RECEIVED + 2 * HOUR + 4 * MS, 4 * MS, id="in 2 hours"),
    pytest.param(RECEIVED - days(3650), RECEIVED, None, id="10 years ago until now"),
    pytest.param(Y2200, RECEIVED, None, id="2200 until now"),
    pytest.param(2**63, 2**63 + 4, None, id="beyond a signed integer"),
    pytest.param(2**64 - 1, 2**64 - 1, None, id="the largest"),
    pytest.param(2**63 - 1, 2**64 - 1, None, id="from the largest signed"),
    pytest.param(2**64 - 1, 0, None, id="the largest until 0"),
]


def signed(number: int) -> int:
    return number if number < 2**63 else number - 2**64


@pytest.mark.parametrize("start", PLAUSIBLE)
def test_a_plausible_time_is_stored_as_it_is(lake: Path, start: int) -> None:
    logged(lake, call(start, start + 4 * MS), received_unix_nano=RECEIVED)
    assert writer.commit(lake).implausible_times == 0
    (found,) = stored(lake)
    assert (found["start_unix_nano"], found["duration_ns"]) == (start, 4 * MS)
    assert [found[name] for name in SENT_COLUMNS] == [None, None, None]


@pytest.mark.parametrize(("start", "end", "duration"), IMPLAUSIBLE)
def test_an_implausible_start_is_kept_and_the_span_lies_at_its_receipt(
    lake: Path, start: int, end: int, duration: int | None
) -> None:
    logged(lake, call(start, end), received_unix_nano=RECEIVED)
    done = writer.commit(lake)
    assert (done.rows, done.implausible_times) == (1, 1)
    (found,) = stored(lake)
    assert found["start_unix_nano"] == RECEIVED - (duration or 0)
    assert (found["sent_start_unix_nano"], found["duration_ns"]) == (signed(start), duration)
    assert found["sent_end_unix_nano"] == (None if duration is not None else signed(end))
    assert [path.parent.name for path in parquet_files(lake)] == ["date=2026-09-21"]
    assert inspect(lake).implausible_times == 1


@pytest.mark.parametrize("end", [Y2200, RECEIVED + 2 * HOUR, RECEIVED + days(3650), 2**63, 2**64 - 1])
def test_an_implausible_end_is_kept_and_there_is_no_duration(lake: Path, end: int) -> None:
    logged(lake, call(RECEIVED - HOUR, end), received_unix_nano=RECEIVED)
    assert writer.commit(lake).implausible_times == 1
    (found,) = stored(lake)
    assert (found["start_unix_nano"], found["duration_ns"]) == (RECEIVED - HOUR, None)
    assert (found["sent_start_unix_nano"], found["sent_end_unix_nano"]) == (None, signed(end))


@pytest.mark.parametrize("end", [0, RECEIVED - HOUR, RECEIVED - 2 * HOUR])
def test_an_end_that_is_not_after_a_plausible_start_is_no_duration(lake: Path, end: int) -> None:
    logged(lake, call(RECEIVED - HOUR, end), received_unix_nano=RECEIVED)
    assert writer.commit(lake).implausible_times == 0
    (found,) = stored(lake)
    assert (found["start_unix_nano"], found["duration_ns"], found["sent_end_unix_nano"]) == (RECEIVED - HOUR, 0, None)


@pytest.mark.parametrize(
    ("session_start", "is_plausible"),
    [
        *((RECEIVED - 31 * DAY, True), (RECEIVED - 30 * DAY, True), (RECEIVED, True), (RECEIVED + HOUR, True)),
        *((RECEIVED - 31 * DAY - 1, False), (0, False), (-1, False), (-(2**63), False), (Y2200, False)),
        *((RECEIVED + 2 * HOUR, False), (2**63 - 1, False), (RECEIVED // 10**6, False)),
    ],
)
def test_an_implausible_start_of_a_session_chooses_no_partition(
    lake: Path, session_start: int, is_plausible: bool
) -> None:
    logged(lake, call(RECEIVED, RECEIVED + MS, session_start), received_unix_nano=RECEIVED)
    assert writer.commit(lake).implausible_times == (not is_plausible)
    (found,) = stored(lake)
    starts = (found["session_start_unix_nano"], found["sent_session_start_unix_nano"])
    assert starts == ((session_start, None) if is_plausible else (None, session_start))
    if not is_plausible:
        assert found["date"] == "2026-09-21"


def test_the_user_decides_which_times_are_implausible(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCPOBS_ACCEPT_OLDER_THAN", "30d")
    monkeypatch.setenv("MCPOBS_ACCEPT_AHEAD", "10m")
    logged(lake, call(RECEIVED - 29 * DAY, RECEIVED - 29 * DAY, tool="a"), received_unix_nano=RECEIVED)
    logged(lake, call(RECEIVED + HOUR // 2, RECEIVED + HOUR, tool="b"), received_unix_nano=RECEIVED)
    assert writer.commit(lake).implausible_times == 1
    assert [found["sent_start_unix_nano"] for found in stored(lake)] == [None, RECEIVED + HOUR // 2]


def test_the_configuration_says_which_times_are_accepted(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[collect]\naccept_older_than = "2d"\naccept_ahead = "90s"\n')
    assert (load_config(tmp_path, {}).accept_older_than_s, load_config(tmp_path, {}).accept_ahead_s) == (172_800, 90)
    for wrong in ('accept_older_than = "soon"', "accept_ahead = 3600", 'accept_ahead = "0s"', 'accept_older = "1d"'):
        config.write_text(f"[collect]\n{wrong}\n")
        with pytest.raises(UsageError):
            load_config(tmp_path, {})


def test_a_call_ten_years_ahead_is_of_its_receipt_in_windows_and_in_pruning(lake: Path) -> None:
    logged(lake, call(RECEIVED + days(3650), RECEIVED + days(3650) + MS), received_unix_nano=RECEIVED)
    writer.commit(lake)
    tomorrow = RECEIVED + DAY
    assert len(stored(lake, since_unix_nano=RECEIVED - 2 * HOUR)) == 1
    assert stored(lake, since_unix_nano=tomorrow - 2 * HOUR) == []
    assert maintain.prune(lake, tomorrow).rows == 1
    assert stored(lake) == []


def test_the_receipt_does_not_change_when_a_commit_is_late_or_tried_again(lake: Path) -> None:
    segment = logged(lake, call(0, 0), received_unix_nano=RECEIVED)
    assert segment.stat().st_mtime_ns == RECEIVED  # months before this commit
    logged(lake, call(1, 1, tool="u"), received_unix_nano=RECEIVED + 10 * DAY)
    writer.commit(lake)
    assert [found["start_unix_nano"] for found in stored(lake)] == [RECEIVED, RECEIVED + 10 * DAY]


def test_a_request_with_spans_of_1500_days_makes_no_more_files_than_the_window_has_days(lake: Path) -> None:
    calls = [call(RECEIVED - days(n), RECEIVED - days(n) + MS) for n in range(1_500)]
    logged(lake, *calls, received_unix_nano=RECEIVED)
    done = writer.commit(lake)
    assert (done.rows, done.implausible_times) == (1_500, 1_500 - 8)
    assert done.files <= storing.MOST_PARTITIONS


def test_sessions_that_began_on_many_days_share_the_partition_of_their_receipt(lake: Path) -> None:
    calls = [call(RECEIVED - days(n % 8), RECEIVED, RECEIVED - days(n % 8 + n % 32)) for n in range(200)]
    logged(lake, *calls, received_unix_nano=RECEIVED)
    done = writer.commit(lake)
    assert (done.rows, done.files, done.implausible_times) == (200, storing.MOST_PARTITIONS, 0)
    assert sum(found["date"] == "2026-09-21" for found in stored(lake)) > 20
    maintain.compact(lake)
    assert len(stored(lake)) == 200


def test_small_files_are_joined_when_all_partitions_together_have_too_many(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "TOO_MANY_FILES", 40)
    most = 0
    for _ in range(8):
        calls = [call(RECEIVED, RECEIVED, RECEIVED - days(n)) for n in range(15)]
        logged(lake, *calls, received_unix_nano=RECEIVED)
        writer.commit(lake, busy=True)
        with connect() as connection:
            most = max(most, len(snapshot.load(lake / "spans", lambda: connection).files))
    assert most < 40 + 2 * 15  # of 120 that were written
    assert len(stored(lake)) == 120


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sent=st.lists(
        st.tuples(
            st.integers(0, 2**64 - 1) | st.integers(RECEIVED - 9 * DAY, RECEIVED + 3 * HOUR),
            st.integers(0, 2**64 - 1) | st.integers(RECEIVED - 9 * DAY, RECEIVED + 3 * HOUR),
            st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(RECEIVED - 40 * DAY, RECEIVED + 3 * HOUR),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_every_span_is_stored_near_its_receipt_with_its_sent_times(
    tmp_path_factory: pytest.TempPathFactory, sent: list[tuple[int, int, int | None]]
) -> None:
    lake = tmp_path_factory.mktemp("lake")
    open_folder(lake)
    logged(lake, *(call(*times, tool=f"{n:04}") for n, times in enumerate(sent)), received_unix_nano=RECEIVED)
    done = writer.commit(lake)
    assert (done.rows, done.damaged_lines) == (len(sent), 0)
    assert done.files <= storing.MOST_PARTITIONS
    assert backlog.segments(lake, backlog.WAL) == []
    rows = stored(lake)
    for (start, end, session_start), found in zip(sent, rows, strict=True):
        began, duration = found["start_unix_nano"], found["duration_ns"]
        assert RECEIVED - 7 * DAY <= began <= RECEIVED + HOUR
        assert duration is None or 0 <= duration <= 7 * DAY + HOUR
        was = found["sent_start_unix_nano"]
        assert signed(start) == (began if was is None else was)
        if duration:
            assert end - start == duration
        if duration is None:
            assert found["sent_end_unix_nano"] == signed(end)
        kept = (found["session_start_unix_nano"], found["sent_session_start_unix_nano"])
        assert kept in ((session_start, None), (None, session_start))
        if kept[0] is not None:
            assert began - 31 * DAY <= kept[0] <= began + HOUR
    assert done.implausible_times == sum(any(found[name] is not None for name in SENT_COLUMNS) for found in rows)


def test_a_wrapper_whose_clock_stood_at_1970_keeps_its_times_and_breaks_nothing(lake: Path) -> None:
    spooled(lake, [row(1, start_unix_nano=5, session_start_unix_nano=1), row(2)])
    assert writer.commit(lake).rows == 2
    spooled(lake, [row(1, start_unix_nano=5, session_start_unix_nano=1), row(3, start_unix_nano=6)])
    assert writer.commit(lake).duplicates == 1
    maintain.compact(lake)
    assert sorted(found["start_unix_nano"] for found in stored(lake)) == [5, 6, NOON + 2 * MS]
