"""Names that peers choose are bounded by one rule: in the rows of our own fronts, in received spans and in reports."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from mcpobs.cli.report import ReportOptions, run_report
from mcpobs.gate.row import Origin, Row, Rows
from mcpobs.lake.dialects import names, translated
from mcpobs.lake.otlp.decode import decode
from mcpobs.lake.schema import TYPES
from mcpobs.protocol.operation import Operation, Peer, Stamp
from mcpobs.protocol.session import Identity
from mcpobs.protocol.text import MAX_NAME, MAX_VALUE, bounded
from mcpobs.semconv import COLUMN_OF, COLUMNS, NAMED
from mcpobs.sessions.stdio import StdioSessions
from tests.lake.rows import spooled
from tests.queries.recorded import call

LONG = "toöl\n\x1b[31m\0\u202e" * 100
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
LONG_TEXTS = st.builds(lambda part, times: part * times, TEXTS.filter(bool), st.integers(1, 600))


def test_a_name_of_the_limit_stays_and_a_longer_one_is_its_beginning_and_a_digest() -> None:
    assert bounded("x" * 256) == "x" * 256
    assert bounded("x" * 257) == "x" * 239 + "…" + sha256(b"x" * 257).hexdigest()[:16]


@given(LONG_TEXTS | TEXTS, LONG_TEXTS | TEXTS)
def test_bounded_names_are_short_stay_apart_and_do_not_change_again(one: str, other: str) -> None:
    assert len(bounded(one)) <= MAX_NAME
    assert bounded(bounded(one)) == bounded(one)
    assert (bounded(one) == bounded(other)) == (one == other)


@pytest.fixture(scope="module")
def engine() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:")


@given(st.lists(LONG_TEXTS | TEXTS, min_size=1, max_size=8))
def test_sql_and_python_bound_a_name_alike(engine: duckdb.DuckDBPyConnection, texts: list[str]) -> None:
    found = engine.execute(f"select {names.bounded('tool')} from (select unnest($1) as tool)", [texts]).fetchall()
    assert [text for (text,) in found] == [bounded(text) for text in texts]


def _span(attributes: dict[str, str], **resource: str) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    of = request.resource_spans.add()
    for key, value in resource.items():
        of.resource.attributes.add(key=key.replace("_", ".")).value.string_value = value
    scope = of.scope_spans.add()
    scope.scope.name = LONG
    span = scope.spans.add(trace_id=os.urandom(16), span_id=os.urandom(8), name=LONG, kind=2)
    span.start_time_unix_nano = time.time_ns()
    span.trace_state = LONG
    for key, value in attributes.items():
        span.attributes.add(key=key).value.string_value = value
    return request


def _stored(request: ExportTraceServiceRequest, *, long_names: bool = True) -> dict[str, object]:
    connection = duckdb.connect(":memory:")
    connection.register("raw", decode([request.SerializeToString()]))
    [row] = connection.execute(translated("raw", long_names=long_names)).fetchall()
    return dict(zip(TYPES, row, strict=True))


_DERIVED = {"session_source", "session_confidence", "outcome", "resource_uri", "enforcement_key", "enforcement_source"}
"""A foreign sender does not choose these: a dialect derives them."""


@pytest.mark.parametrize("attribute", [name for name, column in COLUMN_OF.items() if column in NAMED])
def test_every_name_that_a_sender_chooses_is_bounded(attribute: str) -> None:
    base = {"mcp.method.name": "tools/call", "mcpobs.front": "proxy/stdio"}
    row = _stored(_span({**base, attribute: LONG}, service_name=LONG))
    sent = row[COLUMN_OF[attribute]]
    assert sent == bounded(LONG) or COLUMN_OF[attribute] in {"session_id", *_DERIVED}
    assert (row["name"], row["scope_name"], row["service_name"]) == (bounded(LONG),) * 3
    too_long = {name: len(value) for name, value in row.items() if name in NAMED and isinstance(value, str)}
    assert max(too_long.values()) <= MAX_NAME


@pytest.mark.parametrize("length", [239, 240, 241, 255, 256, 257])
def test_a_batch_without_long_names_is_stored_as_it_would_be_otherwise(length: int) -> None:
    names_of_all = dict.fromkeys((name for name, column in COLUMN_OF.items() if column in NAMED), "x" * length)
    request = _span({**names_of_all, "mcp.method.name": "tools/call"}, service_name="s")
    span = request.resource_spans[0].scope_spans[0]
    span.scope.name, span.spans[0].name = "scope", "name"
    connection = duckdb.connect(":memory:")
    connection.register("raw", decode([request.SerializeToString()]))
    [(longest_bytes,)] = connection.execute(f"select max({names.LONGEST}) from raw").fetchall()
    any_long = longest_bytes > names.MAX_BYTES
    assert any_long or length <= 256
    assert _stored(request, long_names=any_long) == _stored(request)


def _recorded(name: str) -> list[Row]:
    """The rows of our own fronts, all of whose names are this one."""
    rows = Rows(Origin(name, "i", "stdio", "pipe", "proxy/stdio"))
    session = replace(
        StdioSessions("process", 1).process_session,
        id=name,
        enforcement_key=name,
        identity=Identity(principal=name, tenant=name, role=name),
    )
    operation = Operation(0, "client", name, Stamp(1, 1), request_id=name, tool=name, prompt=name)
    operation.resource_scheme = operation.protocol_version = operation.error_type = operation.status_code = name
    operation.client = operation.server = Peer(name, name)
    shared, own = rows.of(operation, session, columns={"user_agent": name})
    note, noted = rows.note(session, {"name": name, "error_type": name, "user_agent": name})
    return [{**shared.columns, **own}, {**note.columns, **noted}, rows.loss(session, 1, name)]


def test_every_name_of_our_own_rows_is_bounded() -> None:
    for row in _recorded(LONG):
        for column in NAMED & row.keys() - {"name"}:
            value = row[column]
            assert value == bounded(LONG) or len(str(value)) < 20, column
        assert len(str(row["name"])) <= MAX_NAME
    seen = set().union(*(row.keys() for row in _recorded(LONG)))
    assert {"tool", "prompt", "principal", "user_agent", "client_version", "session_id", "error_type"} <= seen


def test_text_columns_are_names_or_bounded_elsewhere() -> None:
    others = {name.column for name in COLUMNS if name.type == "text"} - NAMED
    assert others == {
        "trace_id",
        "span_id",
        "parent_span_id",
        "date",
        "args_shape",
        "result_shape",
        "result_form",
        "error_message",
        "trace_state",
        "sent_service",  # a digest
    }


@pytest.mark.parametrize("form", ["table", "json", "csv", "markdown", "html"])
def test_reports_on_a_lake_that_holds_names_of_any_length_stay_small(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = tmp_path / "lake"
    rows = [call(n, tool=f"{n % 3}" + "n" * 20_000, outcome="ok" if n % 4 else "server_error") for n in range(40)]
    spooled(lake, rows)
    chosen = {"html": "-"} if form == "html" else {"format": form}
    assert run_report(ReportOptions(name="all", lake=str(lake), **chosen)) == 0  # type: ignore[arg-type]
    assert 1000 < len(capsys.readouterr().out) < 200 * MAX_VALUE
