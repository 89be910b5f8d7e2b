"""How a batch is handed over: as an Arrow stream, as often as it is asked for, and nothing stays behind."""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
from typing import Any

import duckdb
import polars
import pytest
from arro3.core import RecordBatchReader, Table

from mcpobs.lake.otlp import decode as door
from mcpobs.lake.otlp.columns import RAW
from mcpobs.lake.otlp.request import MalformedError
from tests.lake.otlp.decoders import BOTH, rows
from tests.lake.otlp.test_values import SPAN, TRACE, attribute, in_a_request, string
from tests.lake.otlp.wire import length_delimited

both = pytest.mark.parametrize("decoder", BOTH)
ONE = in_a_request(TRACE + SPAN + attribute(b"k", string(b"v")) + attribute(b"gen_ai.tool.name", string(b"t")))
DUCKDB = {"text": "VARCHAR", "json": "VARCHAR", "bigint": "BIGINT", "smallint": "SMALLINT", "boolean": "BOOLEAN"}


@both
def test_duckdb_sees_the_columns_of_the_contract(decoder: Any) -> None:
    connection = duckdb.connect()
    connection.register("raw", decoder.decode([ONE]))

    described = connection.execute("describe raw").fetchall()

    assert [(name, type_) for name, type_, *_ in described] == [(name, DUCKDB[type_]) for name, type_ in RAW.items()]


@both
def test_a_batch_can_be_read_again_and_by_many_at_a_time(decoder: Any) -> None:
    batch = decoder.decode([ONE] * 3000)
    connection = duckdb.connect()
    connection.register("raw", batch)

    assert len(rows(batch)) == len(rows(batch)) == 3000
    assert connection.execute(
        "select count(*), count(distinct a.trace_id), min(a.at_tool) from raw a join raw b using (trace_id, span_id)"
    ).fetchall() == [(9_000_000, 1, "t")]


@both
def test_requests_are_decoded_where_they_lie_in_a_larger_buffer(decoder: Any) -> None:
    buffer = memoryview(bytearray(b"before" + ONE + b"between" + ONE))
    at = len(ONE) + len("beforebetween")
    bodies = [buffer[6 : 6 + len(ONE)], buffer[3:3], buffer[at:]]

    assert rows(decoder.decode(bodies)) == rows(decoder.decode([ONE, b"", ONE]))
    with pytest.raises(MalformedError):
        decoder.decode([buffer[6 : 6 + len(ONE) - 1]])


@both
def test_other_readers_of_arrow_see_the_same(decoder: Any) -> None:
    batch = decoder.decode([ONE, ONE])
    wanted = [list(row.values()) for row in rows(batch)]

    assert [list(row) for row in polars.DataFrame(batch).rows()] == wanted
    table = Table.from_arrow(batch)
    assert [list(row) for row in zip(*(table.column(name).to_pylist() for name in RAW), strict=True)] == wanted


@both
@pytest.mark.parametrize("spans", [[10] * 5000, [100_000] * 40, [3_000_000] * 3, [10, 3_000_000, 10, 10]], ids=str)
def test_a_batch_comes_in_chunks_of_few_rows_and_bytes(decoder: Any, spans: list[int]) -> None:
    """DuckDB holds a multiple of a chunk in each function, so large chunks would decide about its memory."""
    body = in_a_request(*(TRACE + SPAN + attribute(b"k", string(b"v" * size)) for size in spans))

    chunks = list(RecordBatchReader.from_stream(decoder.decode([body])))

    texts = [chunk.column("attributes").to_pylist() for chunk in chunks]
    assert [len(text) - len('{"k":""}') for chunk in texts for text in chunk] == spans
    assert all(len(text) <= 2048 and (len(text) == 1 or sum(map(len, text)) <= 1 << 20) for text in texts)


@both
def test_what_spans_share_counts_for_each_of_them_in_a_chunk(decoder: Any) -> None:
    spans = [TRACE + SPAN] * 100
    body = in_a_request(*spans, resource=length_delimited(1, attribute(b"r", string(b"v" * 100_000), 1)))

    chunks = list(RecordBatchReader.from_stream(decoder.decode([body])))

    assert sum(chunk.num_rows for chunk in chunks) == 100
    assert max(chunk.num_rows for chunk in chunks) <= 10


@both
def test_what_was_read_outlives_the_batch(decoder: Any) -> None:
    batch = decoder.decode([ONE])
    reader = RecordBatchReader.from_stream(batch)
    del batch
    gc.collect()

    table = reader.read_all()
    del reader
    column = table.column("at_tool")
    del table
    gc.collect()

    assert column.to_pylist() == ["t"]


@both
def test_a_stream_that_nobody_reads_is_given_back(decoder: Any) -> None:
    batch = decoder.decode([ONE] * 100)
    capsules = [batch.__arrow_c_stream__() for _ in range(3)]
    del batch, capsules
    gc.collect()
    assert rows(decoder.decode([ONE]))


@both
def test_memory_is_given_back(decoder: Any) -> None:
    bodies = [in_a_request(*[TRACE + SPAN + attribute(b"k", string(b"v" * 5000))] * 200)]

    def some(times: int) -> int:
        for _ in range(times):
            decoder.check(bodies[0])
            batch = decoder.decode(bodies)
            batch.__arrow_c_stream__()
            assert len(rows(batch)) == 200
        gc.collect()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    before = some(20)
    after = some(80)  # 1 MB each: 80 MB if none of it came back

    assert after - before < 20_000


def test_the_decoder_in_c_is_there_wherever_there_is_a_compiler() -> None:
    """All tests of it are skipped where it is not, so this one must not be."""
    import shutil

    assert any(map(shutil.which, ("cc", "gcc", "clang"))) == door.NATIVE


@pytest.mark.parametrize(
    ("wish", "native"), [("plain", False), pytest.param("native", True, marks=BOTH[0].marks), ("", door.NATIVE)]
)
def test_the_environment_chooses_the_decoder(wish: str, native: bool) -> None:
    code = "from mcpobs.lake.otlp import decode; print(decode.NATIVE, decode.decode([]).rows)"

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "MCPOBS_OTLP_DECODER": wish},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.stdout == f"{native} 0\n"


def test_a_decoder_that_does_not_exist_is_an_error_with_its_cure() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import mcpobs.lake.otlp.decode"],
        env={**os.environ, "MCPOBS_OTLP_DECODER": "fast"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 1
    assert "MCPOBS_OTLP_DECODER is 'fast'" in done.stderr
    assert "set it to native or plain" in done.stderr
