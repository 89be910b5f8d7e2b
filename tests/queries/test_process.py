"""A user's SQL in a process of its own: its answer, its limits, and how it ends."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.errors import EXIT_INTERRUPTED, LakeError, UsageError
from mcpobs.lake import writer
from mcpobs.lake.reader import open_reading
from mcpobs.queries import frames, process
from mcpobs.queries.limits import Limits
from mcpobs.queries.process import Began, Done, OverMemory, OverTime, Process, Question, Rows
from tests.queries.collected import run_own
from tests.queries.recorded import call, spool

FOREVER = "select count(*) from range(100000000000) t(a), range(1000) u(b) where a * b % 7 = 3"
SMALL = Limits(timeout_s=120, memory_bytes=256 << 20, spill_bytes=64 << 20, threads=2)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = tmp_path_factory.mktemp("own") / "lake"
    spool(lake, [call(n, tool=("search", "fetch")[n % 2]) for n in range(300)])
    writer.commit(lake, wait=True)
    spool(lake, [call(1000)])
    return lake


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary files: empty again after each test."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def _ask(question: Question, limits: Limits = SMALL) -> tuple[Began, list[tuple[Any, ...]], Done]:
    with Process() as asked:
        events = list(asked.ask(question, limits))
    (began,) = [event for event in events if isinstance(event, Began)]
    (done,) = [event for event in events if isinstance(event, Done)]
    return began, [row for event in events if isinstance(event, Rows) for row in event.rows], done


def test_a_parent_with_much_memory_leaves_the_query_its_own(lake: Path) -> None:
    held = b"x" * (700 << 20)  # a process that is spawned begins with its parent's peak as its own
    _, _, done = _ask(Question(lake, "select tool, sleep_ms(400) from tool_calls limit 1"))
    assert (done.total, len(held)) == (1, 700 << 20)


TYPES = """select 1::tinyint as i, 170141183460469231731687303715884105727::hugeint as h, 0.5::float as f,
    'nan'::double as nan, '-infinity'::double as inf, 1.50::decimal(9, 2) as d, 'a"\u00e9\U0001f600' as t, null as n,
    true as b, '\\x00\\xff'::blob as x, date '2026-02-03' as da, timestamp '2026-02-03 04:05:06.789' as ts,
    timestamptz '2026-02-03 04:05:06+02' as tz, time '04:05:06' as ti, interval 3 days as iv,
    '5b8b5c4e-33ac-4c4b-9e4b-2f7b3f0a1b2c'::uuid as u, [1, null] as l, [[1.5]] as ll,
    {'a': 1, 'b': [date '2020-01-01']} as s, map {'k': 1} as m, map {1: 'v'} as m2,
    [1, 2]::int[2] as ar, 'x'::enum('x', 'y') as e, '101'::bit as bits,
    [timestamptz '2026-02-03 04:05:06+02'] as tzs
    from tool_calls order by sequence limit 3"""


def test_every_type_of_the_engine_comes_as_it_is(lake: Path) -> None:
    began, rows, done = _ask(Question(lake, TYPES))
    with open_reading(lake) as reading:
        expected = run_own(reading, TYPES)
    assert (began.columns, done.total) == (expected.columns, 3)
    assert repr(rows) == repr(expected.rows)  # by their text, for NaN is not equal to itself


values = st.recursive(
    st.one_of(
        *(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary()),
        *(st.decimals(allow_nan=False), st.dates(), st.datetimes(), st.times(), st.timedeltas(), st.uuids()),
    ),
    lambda inner: st.one_of(
        st.lists(inner),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(st.text(), st.integers(), st.dates()), inner),
    ),
)


@given(values)
def test_a_value_survives_a_frame(value: object) -> None:
    buffer = bytearray(frames.packed({"kind": "rows", "value": frames.encoded(value)}))
    frame = frames.take(buffer)
    assert frame is not None
    assert (frames.decoded(frame["value"]), buffer) == (value, b"")


@given(st.binary(max_size=300), st.integers(0, 300))
def test_whatever_the_process_sends_is_a_frame_or_an_error(content: bytes, claimed: int) -> None:
    buffer = bytearray(claimed.to_bytes(4, "big") + content)
    try:
        frame = frames.take(buffer)
    except frames.FrameError:
        return
    assert frame is None or isinstance(frame["kind"], str)


@pytest.mark.parametrize(
    "frame",
    [
        {"kind": "no such"},
        {"kind": "began", "columns": [["a"]], "plain": [True]},
        {"kind": "rows", "rows": [[1, 2]], "bytes": 1},
        {"kind": "rows", "rows": [[{"pickle": "x"}]], "bytes": 1},
        {"kind": "rows", "rows": 3, "bytes": 1},
        {"kind": "rows", "rows": [[{"decimal": "x"}]], "bytes": 1},
        {"kind": "error", "error": "os", "message": "x", "hint": None},
        {"kind": "opened"},
    ],
)
def test_an_answer_that_is_none_is_an_error(frame: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        process._event(frame, [False])


def test_a_limit_and_a_total(lake: Path) -> None:
    _, rows, done = _ask(Question(lake, "select sequence from spans order by 1", limit=2))
    assert (rows, done.total) == ([(0,), (1,)], 301)


def test_a_bounded_answer_stops_at_its_bytes_and_cuts_its_texts(lake: Path) -> None:
    sql = "select repeat('x', 3000) as t, range as n from range(1000)"
    _, rows, done = _ask(Question(lake, sql, 1_000, 100, answer_bytes=10_000))
    assert {len(text) for text, _ in rows} == {101}
    assert 0 < len(rows) < 500
    assert done.total == len(rows) + 1
    _, rows, done = _ask(Question(lake, sql, 5, 100, answer_bytes=10_000))
    assert (len(rows), done.total) == (5, 6)
    with pytest.raises(UsageError, match="the answer has 1,001 columns, and 1,000 are the most"):
        _ask(Question(lake, f"select {', '.join(f'{n} as c{n}' for n in range(1001))}", 5, 100, columns=1_000))


def test_a_row_that_is_too_long_is_refused_with_what_helps(lake: Path) -> None:
    with pytest.raises(UsageError, match="a row of the answer has more than") as caught:
        _ask(Question(lake, "select repeat('x', 20000000) as t"))
    assert "left(x, 1000)" in str(caught.value)


def test_a_fault_of_the_lake_or_the_sql_comes_as_its_own_error(lake: Path, tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="no lake at"):
        _ask(Question(tmp_path / "none", "select 1"))
    with pytest.raises(UsageError, match="there is no table '_hot'"):
        _ask(Question(lake, "select * from _hot"))
    with pytest.raises(UsageError, match="the SQL has 1,000,012 characters"):
        _ask(Question(lake, "select 1 -- " + "x" * 1_000_000))


def test_a_damaged_file_is_left_out_and_named(lake: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(lake, copy)
    (parquet,) = (copy / "spans").rglob("*.parquet")
    content = parquet.read_bytes()
    footer = int.from_bytes(content[-8:-4], "little") + 8
    parquet.write_bytes(content[:4] + os.urandom(len(content) - footer - 4) + content[-footer:])
    with Process() as asked:
        events = list(asked.ask(Question(copy, "select count(distinct args_digest) as n from spans"), SMALL))
    done = events[-1]
    assert isinstance(done, Done)
    assert [path for path, _ in done.damaged_files] == [parquet]
    assert [event.rows for event in events if isinstance(event, Rows)][-1] == [(1,)]


HOLDING = {
    "a long text": "select length(repeat('x', 3900000000)) as n",
    "a long text by padding": "select length(lpad('x', 2000000000, 'y')) as n",
    "an edit distance": "select damerau_levenshtein(repeat('ab', 16500), repeat('ba', 16500)) as n",
    "a list": "select length(list_sort(range(3000000000))) as n",
    "an aggregate of a list": "select list_aggregate(range(1000000000000), 'sum') as n",
    "all in one text": "select length(string_agg(a.session_id || b.tool)) as n from spans a, spans b, spans c, spans d",
    "all in one list": "select len(list(r)) as n from range(400000000) t(r)",
    "JSON of everything": "select length(to_json(list(a))::varchar) as n from range(300000000) t(a)",
    "a format": "select length(printf('%2000000000d', 1)) as n",
    "a sort that spills": "select a, repeat('x', 100) as t from range(30000000) t(a) order by hash(a)",
    "a hash table": "select count(*) as n from (select a, count(*) from range(300000000) t(a) group by hash(a), a)",
    "a distinct": "select count(distinct hash(a)::varchar || repeat('x', 50)) as n from range(100000000) t(a)",
    "cells of a hundred megabytes": "select repeat('x', 100000000) as t from range(50)",
    "a deep statement": "select " + "(" * 20_000 + "1" + ")" * 20_000,
}


@pytest.mark.parametrize("sql", [*HOLDING.values()], ids=HOLDING)
def test_a_query_that_would_hold_or_fill_the_machine_ends(sql: str, lake: Path) -> None:
    """With an error, at its limit of time or of memory; this process takes up no more than before."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Process() as asked, pytest.raises(UsageError) as caught:
        for _ in asked.ask(Question(lake, sql), Limits(2, 256 << 20, 64 << 20, threads=2)):
            pass
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10
    assert caught.value.hint
    assert len(caught.value.message) < 1_000
    assert not asked.alive


ENDLESS = {
    "a cross join": FOREVER,
    "a recursion": "with recursive x as (select 1 as a union all select a + 1 from x) select count(*) as n from x",
    "a regular expression": "select sum(length(regexp_replace(repeat('a', 100000) || r, '(a*)*b|.', 'x', 'g'))) as n "
    "from range(10000000) t(r)",
    "a sleep": "select sleep_ms(600000) as n",
}


@pytest.mark.parametrize("sql", [*ENDLESS.values()], ids=ENDLESS)
def test_a_query_is_ended_at_its_time_limit(sql: str, lake: Path) -> None:
    with Process() as asked, pytest.raises(OverTime, match="took longer than 1 seconds"):
        list(asked.ask(Question(lake, sql), Limits(1, 1 << 30)))
    assert not asked.alive


def test_the_memory_of_the_process_is_bounded_by_the_kernel(lake: Path) -> None:
    with pytest.raises(OverMemory) as caught:
        _ask(Question(lake, "select length(repeat('x', 600000000)) as n"), Limits(None, 256 << 20))
    assert "narrow the query" in str(caught.value)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (signal.SIGKILL, "needs more than 256 MB of memory, or was killed"),
        (signal.SIGABRT, "needs more than 256 MB of memory, or was killed"),
        (signal.SIGXCPU, "took too much of the processor"),
        (signal.SIGSEGV, "broke the engine"),
        (signal.SIGTERM, "broke the engine"),
    ],
)
def test_a_process_that_ends_early_is_an_error(number: signal.Signals, message: str, lake: Path) -> None:
    with Process() as asked:
        events = asked.ask(Question(lake, FOREVER), SMALL)
        next(events)
        os.kill(asked._pid, number)
        with pytest.raises(UsageError, match=message):
            next(event for event in events if isinstance(event, Done))


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="Linux shows the environment of a process")
def test_the_process_gets_no_secret_of_the_environment(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=secret")
    for name in ("AWS_SECRET_ACCESS_KEY", "MCPOBS_COLLECT_TOKEN", "LDAP_PASSWORD", "PATH_TO_KEY"):
        monkeypatch.setenv(name, "secret")
    with Process() as asked:
        next(asked.ask(Question(lake, FOREVER), SMALL))
        assert b"secret" not in Path(f"/proc/{asked._pid}/environ").read_bytes()


def test_a_process_that_is_not_asked_ends(temporary: Path) -> None:
    asked = Process()
    assert asked.alive
    assert len(list(temporary.iterdir())) == 1
    asked.close()
    asked.close()
    asked.kill()
    assert not asked.alive


_PARENT = """
import sys
from pathlib import Path
from mcpobs.queries.limits import Limits
from mcpobs.queries.process import Process, Question
process = Process()
for _ in process.ask(Question(Path(sys.argv[1]), sys.argv[2]), Limits()):
    print(process._pid, flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="Linux tells of the end of a process that is no child")
def test_the_process_ends_with_the_one_that_asked(lake: Path, temporary: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _PARENT, lake, FOREVER], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        asked = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    assert select.select([asked], [], [], 60)[0] == [asked]
    os.close(asked)
    (left,) = temporary.iterdir()  # nobody could remove it: the next query does
    os.utime(left, (0, 0))
    _ask(Question(lake, "select 1 as a"))


def test_a_folder_that_is_in_use_is_left_alone(lake: Path, temporary: Path) -> None:
    with Process() as waiting:
        (used,) = temporary.iterdir()
        os.utime(used, (0, 0))
        _ask(Question(lake, "select 1 as a"))
        assert list(temporary.iterdir()) == [used]
        list(waiting.ask(Question(lake, "select 1 as a"), SMALL))


def test_the_process_has_no_descriptor_and_no_module_of_where_it_was_started(
    lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json.py", "mcpobs.py", "_duckdb.py", "sitecustomize.py"):
        (tmp_path / name).write_text("raise SystemExit('a file of the current folder')")
    monkeypatch.chdir(tmp_path)
    inherited = os.open(tmp_path / "json.py", os.O_RDONLY)
    os.set_inheritable(inherited, True)
    with Process() as asked:
        events = asked.ask(Question(lake, FOREVER), SMALL)
        next(events)
        opened = Path(f"/proc/{asked._pid}/fd")
        if opened.exists():
            assert str(tmp_path / "json.py") not in [os.readlink(path) for path in opened.iterdir()]
            assert Path(f"/proc/{asked._pid}/cwd").readlink() != tmp_path
    os.close(inherited)


def _started(temporary: Path) -> None:
    while not any(temporary.iterdir()):
        time.sleep(0.01)


def test_ctrl_c_ends_the_command_at_once(lake: Path, temporary: Path) -> None:
    command = [sys.executable, "-m", "mcpobs", "query", HOLDING["a long text"], "--memory", "8GB", "--timeout", "0"]
    with subprocess.Popen([*command, "--lake", lake], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as started:
        _started(temporary)
        started.send_signal(signal.SIGINT)
        out, err = started.communicate(timeout=60)
    assert (started.returncode, out, err) == (EXIT_INTERRUPTED, b"", b"")


def _query(lake: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mcpobs", "query", *words, "--lake", str(lake)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        ((FOREVER, "--timeout", "1"), "the query took longer than 1 seconds and was ended", "raise --timeout"),
        (
            ("select length(repeat('x', 900000000)) as n", "--memory", "256MB"),
            "the SQL does not work: ",
            "raise --memory",
        ),
        (("select 1", "--timeout", "soon"), "--timeout 'soon' is no time", "10m"),
        (("select 1", "--timeout", "-1"), "--timeout '-1' is no time", "10m"),
        (("select 1", "--memory", "1"), "--memory '1' is no size", "512MB"),
        (("select 1", "--memory", "1MB"), "--memory 1MB is too little", "256 MB"),
    ],
)
def test_the_command_says_which_limit_helps(words: tuple[str, ...], error: str, hint: str, lake: Path) -> None:
    done = _query(lake, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"mcpobs: error: {error}")
    assert hint in done.stderr.splitlines()[1]


def test_a_long_csv_is_written_while_it_comes(lake: Path) -> None:
    done = _query(lake, "select range as n, repeat('x', 90) as t from range(400000)", "--format", "csv")
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr, lines[0], len(lines)) == (0, "", "n,t", 400_001)
    assert [int(line.partition(",")[0]) for line in lines[1:]] == list(range(400_000))


def test_an_answer_that_must_be_held_as_a_whole_is_bounded(
    lake: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mcpobs.cli import query

    monkeypatch.setattr(query, "HELD_BYTES", 1 << 20)
    with pytest.raises(UsageError, match="the answer takes more than 1 MB"):
        query.run_query("select range as n from range(100000)", json=True, lake=str(lake))
    assert capsys.readouterr().out == ""


def test_the_formats_are_those_of_a_report(lake: Path) -> None:
    sql = "select tool, count(*) as n, max(start_time) as t, 1.5 as d from tool_calls group by 1 order by 1"
    shown = json.loads(_query(lake, sql, "--json").stdout)
    assert shown["rows"][0] == {"tool": "fetch", "n": 150, "t": "2026-09-21T14:18:19.000000Z", "d": "1.5"}
    assert shown["total"] == 2
    assert _query(lake, sql, "--format", "csv").stdout.splitlines()[1] == "fetch,150,2026-09-21T14:18:19.000000Z,1.5"
    assert _query(lake, sql, "--format", "markdown").stdout.startswith("| tool | ")
    assert _query(lake, sql, "--limit", "1").stderr.startswith("mcpobs: 1 more row is not shown")


def test_values_of_python_are_values() -> None:
    """The types that an answer can have in Python, against those that a frame restores."""
    several = [Decimal("1.50"), UUID(int=5), date(2026, 1, 2), datetime(2026, 1, 2, 3), timedelta(1, 2, 3), b"x", (1,)]
    assert [frames.decoded(frames.encoded(value)) for value in several] == several
