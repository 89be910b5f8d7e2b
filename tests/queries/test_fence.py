"""SQL that a user brings reads the lake's four tables, and reaches for nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcpobs import keys
from mcpobs.errors import EXIT_USAGE, UsageError
from mcpobs.lake import writer
from mcpobs.lake.engine import EngineError
from mcpobs.lake.reader import Reading, open_reading
from mcpobs.queries import fence
from tests.queries.collected import run_own
from tests.queries.recorded import call, create_views, spool

SECRET = "the digest key is nobody's"


@pytest.fixture
def lake(tmp_path: Path, home: Path) -> Path:
    """A lake with one Parquet file and one hot segment, a digest key, and a secret beside it."""
    lake = tmp_path / "lake"
    spool(lake, [call(1), call(2, tool="fetch")])
    writer.commit(lake, wait=True)
    spool(lake, [call(3)])
    identity = keys.read_identity(lake)
    assert identity is not None
    keys.digest_key(identity, home / ".config" / "mcpobs")
    (lake / "secret.txt").write_text(SECRET)
    return lake


@pytest.fixture
def reading(lake: Path) -> Iterator[Reading]:
    with open_reading(lake) as reading:
        yield reading


ATTACKS = {
    "read_text of a system file": "select * from read_text('/etc/passwd')",
    "read_blob of the digest key": "select * from read_blob('{key}')",
    "read_text of the digest key": "select content from read_text('{key}')",
    "read_csv of a system file": "select * from read_csv('/etc/passwd')",
    "read_json of the lake's identity": "select * from read_json('{lake}/lake.json')",
    "a file beside the Parquet": "select * from read_text('{lake}/secret.txt')",
    "a path as a table": "select * from '/etc/passwd'",
    "a Parquet file as a table": "select * from '{parquet}'",
    "a scan of the Parquet itself": "select * from read_parquet('{parquet}')",
    "what the Parquet says of itself": "select * from parquet_metadata('{parquet}')",
    "a glob": "select * from glob('/etc/*')",
    "a scalar read": "select read_text('/etc/passwd')",
    "copy to a file": "copy (select 1 as x) to '{lake}/out.csv'",
    "copy over the Parquet": "copy (select 1 as x) to '{parquet}' (use_tmp_file false)",
    "copy from a file": "copy spans from '/etc/passwd'",
    "copy inside a with": "with x as (copy (select 1 as y) to '{parquet}' (use_tmp_file false)) select 1",
    "copy inside a with inside a subquery": "select * from (with x as (copy (select 1 as y) to '{lake}/o') select 1)",
    "insert inside a with": "with x as (insert into _hot (tool) values ('x') returning tool) select * from x",
    "delete inside a with": "with x as (delete from _hot returning tool) select * from x",
    "update inside a with": "with x as (update _hot set tool = 'x' returning tool) select * from x",
    "attach": "attach '{lake}/other.db'",
    "attach in a with": "with x as (attach '{lake}/other.db') select 1",
    "set": "set enable_external_access = true",
    "set the spill folder": "set temp_directory = '{lake}/spill'",
    "reset": "reset enable_external_access",
    "pragma": "pragma database_list",
    "a pragma that sets": "pragma memory_limit='100GB'",
    "pragma as a function": "select * from pragma_database_list()",
    "install": "install httpfs",
    "load": "load httpfs",
    "several statements": "select 1; select 2",
    "a statement behind a comment": "select 1 /* ; */ ; -- \n drop view spans",
    "a statement after a line comment": "-- select 1\nset threads = 1",
    "query()": "select * from query('select * from read_text(''/etc/passwd'')')",
    "query_table()": "select * from query_table('/etc/passwd')",
    "export": "export database '{lake}/all'",
    "import": "import database '{lake}/all'",
    "the environment": "select getenv('HOME')",
    "secrets": "select * from duckdb_secrets()",
    "a secret of one's own": "create secret s (type s3)",
    "settings": "select * from duckdb_settings()",
    "a setting": "select current_setting('allowed_paths')",
    "a URL": "select * from read_csv('https://example.com/x.csv')",
    "a URL as a table": "select * from 'https://example.com/x.parquet'",
    "create": "create table t (a int)",
    "create as": "create temp table t as select * from spans",
    "create over a view": "create or replace temp view spans as select 1",
    "a macro": "create macro m() as table select * from read_text('/etc/passwd')",
    "drop": "drop view spans",
    "update": "update _hot set tool = 'x'",
    "the table of hot rows": "select * from _hot",
    "the catalog": "select * from information_schema.tables",
    "sqlite's catalog": "select * from sqlite_master",
    "show": "show tables",
    "show in a subquery": "select * from (show databases)",
    "describe": "describe operations",
    "summarize a file": "summarize '/etc/passwd'",
    "explain analyze": "explain analyze select 1",
    "call": "call pragma_version()",
    "a prepared statement": "prepare p as select 1",
    "checkpoint": "checkpoint",
    "vacuum": "vacuum",
    "begin": "begin transaction",
    "a serialized statement": "select * from json_execute_serialized_sql(json_serialize_sql('select 1'))",
    "a plan of a file": "select json_serialize_plan('select * from read_text(''/etc/passwd'')')",
    "a subquery that reads": "select (select content from read_text('/etc/passwd'))",
    "a lateral that reads": "select * from operations, lateral (select * from read_text('/etc/passwd')) t",
    "a with that reads": "with x as materialized (from read_text('/etc/passwd')) select * from x",
    "a recursive with that reads": "with recursive x as (select '' as c union all select content from "
    "read_text('/etc/passwd')) select * from x",
    "a union that reads": "select tool from operations union all select content from read_text('/etc/passwd')",
    "a shadowed name": 'select * from \'/etc/passwd\', (with "/etc/passwd" as (select 1) select * from "/etc/passwd")',
    "nothing": "",
    "a comment": "-- nothing",
    "a parameter": "select $1",
}


def _filled(sql: str, lake: Path, home: Path) -> str:
    identity = keys.read_identity(lake)
    key = home / ".config" / "mcpobs" / "keys" / f"{identity}.key"
    assert key.exists()
    (parquet,) = (lake / "spans").rglob("*.parquet")
    return sql.format(lake=lake, key=key, parquet=parquet)


def _state(lake: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in lake.rglob("*") if path.is_file()}


@pytest.mark.parametrize("sql", [*ATTACKS.values()], ids=ATTACKS)
def test_an_attempt_to_reach_beyond_the_lake_fails(sql: str, lake: Path, home: Path, reading: Reading) -> None:
    before = _state(lake)
    with pytest.raises(UsageError) as caught:
        run_own(reading, _filled(sql, lake, home))
    assert "\n" not in caught.value.message
    assert caught.value.hint
    assert SECRET not in str(caught.value)
    assert _state(lake) == before


@pytest.mark.parametrize(
    "name",
    [
        "read_text of a system file",
        "read_blob of the digest key",
        "read_csv of a system file",
        "a file beside the Parquet",
        "a path as a table",
        "a glob",
        "copy to a file",
        "attach",
        "set",
        "set the spill folder",
        "reset",
        "install",
        "load",
        "export",
        "the environment",
        "a URL",
        "a subquery that reads",
        "a with that reads",
        "a shadowed name",
    ],
)
def test_the_second_wall_holds_alone(name: str, lake: Path, home: Path, reading: Reading) -> None:
    """Without the look at the statement: the engine itself refuses."""
    create_views(reading, *fence.RELATIONS)
    fence.close(reading.connection, reading.files)
    before = _state(lake)
    with pytest.raises(EngineError):
        reading.connection.execute(_filled(ATTACKS[name], lake, home)).fetchall()
    assert _state(lake) == before


ALLOWED = {
    "a count": ("select count(*) as n from spans", [(3,)]),
    "each of the tables": (
        "select (select count(*) from operations) as o, (select count(*) from tool_calls) as c, "
        "(select count(*) from sessions) as s",
        [(3, 3, 1)],
    ),
    "a with": ("with x as (select tool from tool_calls) select count(*) as n from x", [(3,)]),
    "a recursive with": (
        "with recursive x(n) as (select 1 union all select n + 1 from x where n < 3) select max(n) as n from x",
        [(3,)],
    ),
    "from first": ("from tool_calls select count(*) as n", [(3,)]),
    "values": ("values (1, 'a')", [(1, "a")]),
    "a union": ("select 1 as a union all select 2 order by a", [(1,), (2,)]),
    "a window": (
        "select sequence, lag(sequence) over (order by sequence) as b from spans order by 1 limit 1",
        [(1, None)],
    ),
    "a table function": ("select * from range(2) t(n)", [(0,), (1,)]),
    "unnest": ("select unnest([1, 2]) as n", [(1,), (2,)]),
    "json": ("select json_extract_string(args_features, '$.depth') as d from spans limit 1", [("1",)]),
    "a time": (
        "select start_time from tool_calls order by start_time limit 1",
        [("2026-09-21T14:13:21.000000Z",)],
    ),
    "a list of times": (
        "select [start_time] as t from tool_calls order by all limit 1",
        [("['2026-09-21 14:13:21+00']",)],
    ),
    "a semicolon and a comment": ("select 1 as a; -- that is all", [(1,)]),
    "a quoted name": ('select 1 as "a ""b"', [(1,)]),
    "a forbidden word in a text": ("select 'copy x to y; drop' as a", [("copy x to y; drop",)]),
    "capitals": ("SELECT COUNT(*) AS n FROM Tool_Calls", [(3,)]),
}


@pytest.mark.parametrize(("sql", "expected"), [*ALLOWED.values()], ids=ALLOWED)
def test_a_select_over_the_lake_works(sql: str, expected: list[tuple[object, ...]], reading: Reading) -> None:
    assert run_own(reading, sql).rows == expected


def test_order_is_kept_if_a_time_is_converted_to_text(reading: Reading) -> None:
    rows = run_own(reading, "select start_time, sequence from operations order by sequence desc").rows
    assert [row[1] for row in rows] == [3, 2, 1]


def test_a_limit_cuts_the_rows_and_gives_the_total(reading: Reading) -> None:
    result = run_own(reading, "select sequence from spans order by 1", limit=2)
    assert (result.rows, result.total) == ([(1,), (2,)], 3)


def test_two_columns_of_one_name_are_refused_or_renamed(reading: Reading) -> None:
    result = run_own(reading, "select 1 as a, 2 as a")
    assert len({column.name for column in result.columns}) == 2


@pytest.mark.parametrize(
    ("sql", "message", "hint"),
    [
        ("selec 1", "syntax error", "write one select over"),
        ("select tol from tool_calls", 'column "tol" not found', "did you mean tool?"),
        ("select * from tool_cals", "there is no table 'tool_cals'", "did you mean tool_calls?"),
        ("select lenth('a')", "lenth", "did you mean"),
        ("select start_time from spans", "start_time", "start_time is a column of operations, sessions, tool_calls"),
        ("select sum(tool) from spans", "sum", "write one select"),
        ("select cast(tool as int) from spans", "search", "write one select"),
        ("select 1; select 2", "there are 2 statements", "write one select"),
        ("drop view spans", "a DROP statement is not allowed", "write one select"),
    ],
)
def test_wrong_sql_gets_one_line_with_a_hint(sql: str, message: str, hint: str, reading: Reading) -> None:
    with pytest.raises(UsageError) as caught:
        run_own(reading, sql)
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint is not None
    assert hint in caught.value.hint


def test_a_deeply_nested_statement_is_refused_and_does_not_crash(reading: Reading) -> None:
    with pytest.raises(UsageError):
        run_own(reading, "select " + "(" * 20_000 + "1" + ")" * 20_000)


def test_a_query_that_needs_too_much_memory_is_refused(reading: Reading) -> None:
    with pytest.raises(UsageError, match=r"failed to allocate|(?i:memory)") as caught:
        run_own(reading, "select list(r) as l from range(400000000) t(r)")
    assert caught.value.hint == "narrow the query with where, or select fewer columns"


def test_a_damaged_parquet_file_is_left_out_of_a_query(lake: Path, reading: Reading) -> None:
    (parquet,) = (lake / "spans").rglob("*.parquet")
    content = parquet.read_bytes()
    footer = int.from_bytes(content[-8:-4], "little") + 8
    parquet.write_bytes(content[:4] + os.urandom(len(content) - footer - 4) + content[-footer:])
    assert run_own(reading, "select count(distinct args_digest) as n from spans").rows == [(1,)]
    assert [path for path, _ in reading.damaged_files] == [parquet]


def _query(lake: Path, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mcpobs", "query", *words, "--lake", str(lake)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_exits_with_2_and_one_line_and_a_hint(lake: Path, home: Path) -> None:
    done = _query(lake, _filled(ATTACKS["read_blob of the digest key"], lake, home))
    assert (done.returncode, done.stdout) == (EXIT_USAGE, "")
    error, hint = done.stderr.splitlines()
    assert error == "mcpobs: error: the function 'read_blob' is not allowed"
    assert hint.startswith("hint: write one select over operations")


def test_the_command_reads_sql_from_stdin(lake: Path) -> None:
    done = _query(
        lake, "-", "--format", "csv", stdin="select tool, count(*) as n from tool_calls group by 1 order by 1"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "tool,n\nfetch,1\nsearch,2\n", "")
