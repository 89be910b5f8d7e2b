"""What reports say from roll-ups is what they say from the rows, whatever came when and with every filter."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mcpobs.cli.report import ReportOptions, run_report
from mcpobs.errors import UsageError
from mcpobs.lake import maintain, rollup, writer
from mcpobs.lake.reader import Reading, open_reading
from mcpobs.queries import catalog, rollups
from mcpobs.queries.header import Query
from mcpobs.queries.run import on_sound_files, plan_of, run
from mcpobs.reports.kinds.latency import latencies
from tests.queries.recorded import SECOND, START, Row, ask, call, spool
from tests.queries.traffic import random_rows
from tests.seeds import seeds

DAY = 86_400 * SECOND
EXACT = ["activity", "cost", "errors", "extent", "failures", "loops", "precursors", "sessions", "shapes"]


def traffic(chance: random.Random) -> list[list[Row]]:
    """Batches of rows, each of a day of its own. The sessions of most lie in one partition; those of some, whose
    start is unknown, lie in as many as their calls have days."""
    batches = []
    for day in range(chance.randrange(2, 5)):
        has_start = chance.random() < 0.8
        rows = random_rows(chance, chance.choice([30, 90, 180]))
        for number, row in enumerate(rows):
            row["trace_id"], row["span_id"] = f"{day:016x}{number:016x}", f"{day:08x}{number:08x}"
            row["start_unix_nano"] += day * DAY
            if row["session_id"] is not None:
                row["session_id"] = f"{'x' if chance.random() < 0.02 else day}-{row['session_id']}"
                row["session_start_unix_nano"] = START + day * DAY if has_start else None
        batches.append(rows)
    return batches


def record(lake: Path, chance: random.Random, batches: list[list[Row]]) -> None:
    """Writes the rows in any order, some of them twice, and commits and compacts in between."""
    pieces: list[list[Row]] = []
    for rows in batches:
        order = chance.sample(rows, len(rows))
        cut = chance.randrange(len(order) // 2, len(order) + 1)
        pieces += [order[:cut], order[cut:], chance.sample(order, min(5, len(order)))]
    if chance.random() < 0.5:
        chance.shuffle(pieces)  # else later pieces are late
    for piece in pieces:
        spool(lake, piece)
        match chance.randrange(4):
            case 0:
                writer.commit(lake, wait=True)
            case 1 | 2:
                maintain.compact(lake, roll_up=rollups.take)


def filters(chance: random.Random, rows: list[Row]) -> Iterator[dict[str, Any]]:
    starts = sorted(row["start_unix_nano"] for row in rows)
    yield {}
    yield {"tool": "search"}
    yield {"server": "files"}
    yield {"session": chance.choice([row["session_id"] for row in rows if row["session_id"] is not None])}
    yield {"since": START + DAY}
    yield {"since": START + DAY, "until": START + 2 * DAY, "tool": "fetch"}
    yield {"until": chance.choice(starts)}
    yield {"since": chance.choice(starts), "server": "files"}


def from_rows(reading: Reading) -> Reading:
    reading.read_all()
    return reading


@pytest.mark.parametrize("seed", seeds(1, 12))
def test_a_report_from_rollups_equals_the_report_from_rows(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    batches = traffic(chance)
    record(tmp_path, chance, batches)
    rows = [row for batch in batches for row in batch]
    for given in chance.sample([*filters(chance, rows)], 3):
        with open_reading(tmp_path) as rolled, open_reading(tmp_path) as whole:
            from_rows(whole)
            for name in EXACT:
                known = {param.name for param in catalog.load(name).params}
                params = {key: value for key, value in given.items() if key in known}
                assert ask(rolled, name, **params) == ask(whole, name, **params), (name, params)


@pytest.mark.parametrize("seed", seeds(1, 6))
def test_percentiles_from_rollups_are_within_their_bound_and_the_rest_is_exact(seed: int, tmp_path: Path) -> None:
    chance = random.Random(100 + seed)
    batches = traffic(chance)
    record(tmp_path, chance, batches)
    rows = [row for batch in batches for row in batch]
    for given in chance.sample([*filters(chance, rows)], 4):
        with open_reading(tmp_path) as reading:
            rolled = {_key(row): row for row in ask(reading, "latency_rolled", **given)}
            exact = ask(from_rows(reading), "latency", **given)
        assert len(rolled) == len(exact)
        for row in exact:
            for column, value in row.items():
                found = rolled[_key(row)][column]
                if "_p" in f"_{column}" and column != "p95_trend" and value is not None:
                    assert found == pytest.approx(value, rel=2 ** (1 / 64) - 1 + 1e-9, abs=1e-6), (column, given)
                else:
                    assert found == (pytest.approx(value) if isinstance(value, float) else value), (column, given)


def _key(row: Row) -> tuple[Any, Any]:
    return row["service_name"], row["tool"]


@pytest.mark.parametrize("view", [v for v in map(catalog.view, catalog.views()) if v.rollup], ids=lambda v: v.name)
def test_what_was_taken_of_a_file_is_used(view: Query, tmp_path: Path) -> None:
    spool(tmp_path, [call(n, session_start_unix_nano=START) for n in range(20)])
    maintain.compact(tmp_path, roll_up=rollups.take)
    spool(tmp_path, [call(n + 20, session_id="s2") for n in range(3)])
    with open_reading(tmp_path) as reading:
        plan = plan_of(reading)
        assert plan.kept_rows(view, {}) == 20
        assert rollup.FOLDER in plan.views((view.name,), {})[view.name]
        if view.takes("until"):
            assert plan.kept_rows(view, {"until": START + SECOND}) == 0


def test_percentiles_of_many_calls_come_from_rollups_unless_they_are_to_be_exact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool(tmp_path, [call(n, ms=10 + n, session_start_unix_nano=START) for n in range(20)])
    maintain.compact(tmp_path, roll_up=rollups.take)
    monkeypatch.setattr("mcpobs.reports.kinds.latency.ROLLED_FROM", 20)
    given = {"since": START + 10 * SECOND, "until": START + DAY, "before": 0}
    with open_reading(tmp_path) as reading:
        assert latencies(plan_of(reading), {}).rounded
        assert not latencies(plan_of(reading), {}, exact=True).rounded
        assert not latencies(plan_of(reading), given).rounded  # its window begins within the file
    with open_reading(tmp_path) as reading:
        wide = latencies(plan_of(reading), {**given, "since": START, "before": START - DAY}).result.records()
    assert [(row["calls"], row["p95_trend"]) for row in wide] == [(20, None)]


def test_only_percentiles_can_be_asked_to_be_exact(tmp_path: Path) -> None:
    spool(tmp_path, [call(0)])
    with pytest.raises(UsageError, match="--exact is for percentiles"):
        run_report(ReportOptions(name="loops", exact=True, lake=str(tmp_path)))
    assert run_report(ReportOptions(name="latency", exact=True, lake=str(tmp_path))) == 0


def test_a_file_whose_session_has_calls_elsewhere_is_read(tmp_path: Path) -> None:
    spool(tmp_path, [call(n, session_start_unix_nano=START) for n in range(20)])
    maintain.compact(tmp_path, roll_up=rollups.take)
    spool(tmp_path, [call(20, session_start_unix_nano=START)])
    with open_reading(tmp_path) as reading:
        assert plan_of(reading).kept_rows(catalog.view("found_loops"), {}) == 0
        assert plan_of(reading).kept_rows(catalog.view("usage"), {}) == 20


def test_a_damaged_rollup_is_passed_over_and_taken_again(tmp_path: Path) -> None:
    spool(tmp_path, [call(n, session_start_unix_nano=START) for n in range(20)])
    maintain.compact(tmp_path, roll_up=rollups.take)
    for path in (tmp_path / rollup.FOLDER).glob("usage-*/*"):
        path.write_bytes(path.read_bytes()[:-7])
    with open_reading(tmp_path) as reading:
        found = on_sound_files(reading, lambda plan: run(plan, catalog.load("sessions")))
    assert [record["calls"] for record in found.records()] == [20]
    assert maintain.compact(tmp_path, roll_up=rollups.take).rolled_up == 1
    with open_reading(tmp_path) as reading:
        assert ask(reading, "sessions")[0]["calls"] == 20


def test_rollups_of_files_that_are_gone_are_deleted(tmp_path: Path) -> None:
    for n in range(2):
        spool(tmp_path, [call(n, session_start_unix_nano=START)])
        maintain.compact(tmp_path, roll_up=rollups.take, grace_s=0)
    files = [path for path in (tmp_path / rollup.FOLDER).rglob("*.parquet") if path.parent.name.startswith("usage-")]
    assert len(files) == 1
    (tmp_path / rollup.FOLDER / "asked-no-more").mkdir()
    maintain.compact(tmp_path, roll_up=rollups.take, grace_s=0)
    assert not (tmp_path / rollup.FOLDER / "asked-no-more").exists()
