"""Whatever a sender writes into an attribute that a dialect reads, each of its spans is one row."""

from __future__ import annotations

import json
import re
from typing import Any

import duckdb
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from mcpobs.lake.dialects import DIALECTS, translated
from mcpobs.lake.dialects.dialect import PLAIN
from mcpobs.lake.dialects.redaction import ATTRIBUTES, RESOURCE
from mcpobs.lake.dialects.texts import attribute, member, with_texts
from mcpobs.lake.otlp.columns import PROMOTED
from mcpobs.lake.otlp.decode import decode
from mcpobs.semconv import SCOPE_NAME

START = 1_790_000_000 * 10**9
SENDERS = (
    (SCOPE_NAME, "tools/call t", 2),
    ("fastmcp", "tools/call t", 2),
    ("mcp-python-sdk", "MCP send tools/call t", 3),
    ("opentelemetry.instrumentation.mcp.instrumentation", "t.tool", 1),
    ("logfire.mcp", "MCP server handle request", 2),
    ("openinference.instrumentation.mcp", "t", 1),
    ("agentgateway", "POST /mcp", 2),
    ("mcp-gateway", "tool.invoke", 1),
    ("mcp-gateway", "resource.read", 1),
    ("@sentry/node", "tools/call t", 2),
    ("app", "tools/call t", 2),
)
READ = {
    name for dialect in DIALECTS for text in dialect.columns.values() for name in re.findall(r'"\w+ ([^" ]+)', text)
}
NAMES = sorted(READ | {promoted.attribute for promoted in PROMOTED} | set(ATTRIBUTES) | {"client.address", "url.path"})

TEXTS = (
    "", " ", "no JSON", "[Scrubbed due to 'password']", "{", '{"method":"tools/ca', "[1", "{}", "[]", "null", "nul",
    '"text"', "true", "0", "-1", "99999", "1e400", "1" + "0" * 400, "NaN", "Infinity", "18446744073709551616", "0x10",
    '{"a":"\\ud800"}', '{"a":"\\u0000"}', '{"method":["x"],"params":1,"id":{}}', '{"params":{"name":{"a":[1]}}}',
    '{"method":1e400,"id":NaN}', '{"code":{}}', '{"a":1}}', "[" * 3000, '{"a":' * 3000, "\0", "\0{}", "\x1b[2J",
    "é" * 300, "x" * 70_000, "\\", "'", "$", "%", "~0123456789abcdef", "\u2028", "file:///\0", "://", ":",
)  # fmt: skip
VALUES = (
    *(AnyValue(string_value=text) for text in TEXTS),
    *(AnyValue(int_value=number) for number in (0, -1, 70_000, 2**63 - 1, -(2**63))),
    *(AnyValue(double_value=number) for number in (0.0, -0.0, 1e308, float("nan"), float("-inf"))),
    AnyValue(),
    AnyValue(bool_value=True),
    AnyValue(bytes_value=b"\xff\x00"),
    AnyValue(array_value=ArrayValue()),
    AnyValue(array_value=ArrayValue(values=[AnyValue(), AnyValue(string_value="a")])),
    AnyValue(kvlist_value=KeyValueList()),
    AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="method", value=AnyValue(bool_value=False))])),
)


def _spans(scope: Any, name: str, kind: int) -> int:
    """A span for each value, in an attribute of each name; how many they are."""
    calls = {"mcp.method.name": "tools/call", "mcp.transport": "http", "openinference.span.kind": "TOOL"}
    for at, key in enumerate(NAMES):
        for value in VALUES:
            if value.ByteSize() > 4096 and at % 10 and key not in READ:
                continue  # time
            span = Span(name=name, kind=kind, start_time_unix_nano=START, end_time_unix_nano=START + 5)
            number = len(scope.spans) + 1
            span.trace_id, span.span_id = number.to_bytes(16, "big"), number.to_bytes(8, "big")
            for other, text in calls.items():
                span.attributes.add(key=other).value.string_value = text
            span.attributes.append(KeyValue(key=key, value=value))
            scope.spans.append(span)
    return len(scope.spans)


@pytest.mark.parametrize("redact", [False, True])
@pytest.mark.parametrize("sender", SENDERS, ids=[f"{scope} {name}" for scope, name, _ in SENDERS])
def test_every_span_is_a_row_whatever_a_dialect_reads_of_it(sender: tuple[str, str, int], redact: bool) -> None:
    message = ExportTraceServiceRequest()
    scope = message.resource_spans.add().scope_spans.add()
    scope.scope.name = sender[0]
    spans = _spans(scope, *sender[1:])
    connection = duckdb.connect(config={"threads": 1})
    connection.register("raw", decode([message.SerializeToString()]))

    select = translated("raw", received=str(START), redact=redact)

    # each column is computed, and some are not: count(*) alone reads none
    assert connection.execute(f"select count(*), {_all_columns()} from ({select})").fetchall()[0][0] == spans


def _all_columns() -> str:
    return "bit_xor(hash(columns(*)))"


def test_resources_of_any_value_are_kept() -> None:
    message = ExportTraceServiceRequest()
    for number, value in enumerate(VALUES, 1):
        group = message.resource_spans.add()
        for name in (*RESOURCE, "service.name", "k"):
            group.resource.attributes.append(KeyValue(key=name, value=value))
        span = group.scope_spans.add().spans.add(trace_id=number.to_bytes(16, "big"), span_id=b"12345678")
        span.start_time_unix_nano = START
    connection = duckdb.connect(config={"threads": 1})
    connection.register("raw", decode([message.SerializeToString()]))
    for redact in (False, True):
        select = translated("raw", received=str(START), redact=redact)
        found = connection.execute(f"select count(*), {_all_columns()} from ({select})").fetchall()
        assert found[0][0] == len(VALUES)


def test_a_request_that_is_no_json_has_no_method_and_no_tool() -> None:
    message = ExportTraceServiceRequest()
    scope = message.resource_spans.add().scope_spans.add()
    scope.scope.name = "logfire.mcp"
    whole = json.dumps({"method": "tools/call", "params": {"name": "t"}, "id": 1})
    for number, request in enumerate(["[Scrubbed due to 'password']", whole, whole[:-4]], 1):
        span = scope.spans.add(trace_id=b"\1" * 16, span_id=number.to_bytes(8, "big"), name="MCP server handle request")
        span.start_time_unix_nano = START + number
        span.attributes.add(key="request").value.string_value = request
    connection = duckdb.connect()
    connection.register("raw", decode([message.SerializeToString()]))

    select = translated("raw", received=str(START))

    found = connection.execute(f"select method, tool, outcome from ({select}) order by start_unix_nano").fetchall()
    assert found == [(None, None, "ok"), ("tools/call", "t", "ok"), (None, None, "ok")]


# -- no expression may fail -------------------------------------------------------------------------------------------

EXPRESSIONS = [
    *((f"plain.{column}", text) for column, text in PLAIN.items()),
    *((f"{one.name}.{column}", text) for one in DIALECTS for column, text in {**one.columns, "": one.matches}.items()),
]
DECODED_JSON = {"attributes", "resource", "events", "links", "scope", "dropped"}
"""JSON that the decoder wrote, so it is valid."""


@pytest.mark.parametrize(("name", "text"), EXPRESSIONS, ids=[name for name, _ in EXPRESSIONS])
def test_no_dialect_casts_or_parses_what_a_sender_wrote(name: str, text: str) -> None:
    casts = re.findall(r"(?<!try_)cast\((?!to_json\()[^)]*", text)
    assert casts == [], "try_cast is null where a value does not fit"
    assert re.findall(r"json_(?:extract|keys|array|value|transform)\w*|from_json", text) == [], "name it by texts.py"
    assert "->" not in text


def test_json_functions_read_only_what_the_decoder_wrote_or_what_is_tried() -> None:
    select = re.sub(r"try\(json_extract_string\([^\[]*\[[^\]]*\]\)\)", "", translated("raw", redact=True))
    select = select.replace("'{' || nullif(array_to_string(kept_attributes, ','), '') || '}'", "attributes")
    read = set(re.findall(r"(?:json_extract|json_extract_string|json_keys|json_array_length|from_json)\((\w+)", select))
    assert read <= DECODED_JSON
    assert {"attributes", "resource", "events", "links", "scope"} <= read, "or this test looks for nothing"


def test_a_text_is_read_once_for_all_expressions_that_name_it() -> None:
    spans = 'select * from (values (1, \'{"a":"{\\"b\\":1}","c":"x"}\'), (2, \'{"a":"no"}\')) as t(dialect, attributes)'
    inner, outer = member("a", "$.b"), attribute("c")

    select = with_texts(spans, {"dialect = 1 or dialect = 2": f"{inner} || {inner} || {outer}"})

    assert select.count("json_extract_string") == 2
    found = duckdb.connect().execute(f"select {inner}, {outer} from ({select}) order by dialect").fetchall()
    assert found == [("1", "x"), (None, None)]
    assert with_texts(spans, {"dialect = 1": "at_tool"}) == spans
