"""OTLP/JSON: the same spans as in protobuf, from what senders really send, and an error that says where."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from mcpobs.lake.otlp import decode as door
from mcpobs.lake.otlp import plain
from mcpobs.lake.otlp.columns import MAX_DEPTH
from mcpobs.lake.otlp.decode import MalformedError, check, decode, from_json
from mcpobs.lake.otlp.request import TooManyValuesError
from tests.lake.otlp.decoders import BOTH, filled, rows
from tests.lake.otlp.oracle import expected
from tests.lake.otlp.requests import REQUEST

IDS = {"traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "eee19b7ec3c1b174"}


both = pytest.mark.parametrize("decoder", BOTH)


def of_one_span(*, group: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    scope_spans = {"spans": [IDS | members]} | (group or {})
    body = json.dumps({"resourceSpans": [{"scopeSpans": [scope_spans]}]}).encode()
    (row,) = rows(decode([from_json(body)]))
    return filled(row)


def value_of(value: Any) -> Any:
    row = of_one_span(attributes=[{"key": "k", "value": value}])
    return row["attributes"].removeprefix('{"k":').removesuffix("}")


def as_otlp(message: Any) -> Any:
    """protobuf's JSON with hexadecimal ids and, as the specification demands, enums as numbers."""
    document = MessageToDict(message, use_integers_for_enums=True)

    def mend(node: Any) -> Any:
        if isinstance(node, list):
            return [mend(element) for element in node]
        if not isinstance(node, dict):
            return node
        return {
            key: base64.b64decode(member).hex() if key in ("traceId", "spanId", "parentSpanId") else mend(member)
            for key, member in node.items()
        }

    return mend(document)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(request=REQUEST)
def test_json_gives_the_same_spans_as_protobuf(request: ExportTraceServiceRequest) -> None:
    body = from_json(json.dumps(as_otlp(request)).encode())

    assert check(body) == check(request.SerializeToString())
    for found, wanted in zip(rows(decode([body])), expected(request), strict=True):
        assert filled(found) == filled(wanted)


@given(request=REQUEST)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_names_in_snake_case_are_the_same_names(request: ExportTraceServiceRequest) -> None:
    def spelled(node: Any) -> Any:
        if isinstance(node, list):
            return [spelled(element) for element in node]
        if not isinstance(node, dict):
            return node
        return {"".join("_" + c.lower() if c.isupper() else c for c in k): spelled(v) for k, v in node.items()}

    document = as_otlp(request)

    assert from_json(json.dumps(spelled(document)).encode()) == from_json(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({}, "null"),
        (None, "null"),
        ({"stringValue": None}, "null"),
        ({"intValue": "9223372036854775807"}, "9223372036854775807"),
        ({"intValue": -9223372036854775808}, "-9223372036854775808"),
        ({"int_value": 3.0}, "3"),
        ({"doubleValue": 3}, "3.0"),
        ({"doubleValue": "1e3"}, "1000.0"),
        ({"doubleValue": "NaN"}, '{"doubleValue":"NaN"}'),
        ({"doubleValue": "Infinity"}, '{"doubleValue":"Infinity"}'),
        ({"doubleValue": "-Infinity"}, '{"doubleValue":"-Infinity"}'),
        ({"bytesValue": "-_8"}, '{"bytesValue":"+/8="}'),
        ({"bytesValue": "+/8="}, '{"bytesValue":"+/8="}'),
        ({"arrayValue": {}}, "[]"),
        ({"arrayValue": None}, "null"),
        ({"arrayValue": {"values": [None, {"boolValue": False}]}}, "[null,false]"),
        ({"kvlistValue": {"values": [{"key": "a"}, {"value": {"stringValue": "é"}}]}}, '{"a":null,"":"é"}'),
        ({"stringValue": "one", "intValue": 2}, "2"),
        ({"stringValueStrindex": 4, "futureValue": {"x": []}}, "null"),
    ],
)
def test_a_value_is_read_in_every_form(value: Any, written: str) -> None:
    assert value_of(value) == written


@pytest.mark.parametrize(("kind", "code"), [(2, 1), ("SPAN_KIND_SERVER", "STATUS_CODE_OK"), ("2", "1"), (2.0, 1.0)])
def test_an_enum_is_a_number_or_a_name(kind: Any, code: Any) -> None:
    row = of_one_span(kind=kind, status={"code": code})

    assert (row["kind"], row["status"]) == (2, 1)


def test_times_are_numbers_or_strings() -> None:
    row = of_one_span(startTimeUnixNano=1544712660000000000, endTimeUnixNano="1544712661000000000")

    assert (row["start_unix_nano"], row["end_unix_nano"]) == (1544712660000000000, 1544712661000000000)


def test_what_older_senders_send_is_taken() -> None:
    library = {"instrumentationLibrary": {"name": "lib", "version": "1"}, "spans": [IDS]}
    for name in ("instrumentationLibrarySpans", "instrumentation_library_spans"):
        body = json.dumps({"resourceSpans": [{name: [library]}]}).encode()
        (row,) = rows(decode([from_json(body)]))
        assert (row["scope_name"], row["scope"]) == ("lib", '{"version":"1"}')


def test_what_newer_senders_send_is_passed_over() -> None:
    row = of_one_span(future={"deep": [1, {"x": None}]}, flags=257, group={"scope": None, "new": 1})

    assert row["flags"] == 257


def test_half_a_character_costs_a_character() -> None:
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [IDS | {"name": "cut \ud83d"}]}]}]}).encode()
    assert b"\\ud83d" in body

    assert rows(decode([from_json(body)]))[0]["name"] == "cut \ufffd"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not valid JSON"),
        (b"[", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b'{"resourceSpans": NaN}', "not valid JSON"),
        (b'{"resourceSpans":[{"schemaUrl":"\xff"}]}', "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"[]", "the request: is not an object"),
        (b"null", "the request: is not an object"),
        (b'{"resourceSpans":{}}', "resourceSpans: is not an array"),
        (b'{"resourceSpans":[1]}', "resourceSpans[0]: is not an object"),
    ],
)
def test_an_invalid_request_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(MalformedError) as refused:
        from_json(body)

    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"traceId": "xyz"}, "traceId: 'xyz' is not hexadecimal"),
        ({"traceId": 5}, "traceId: '5' is not a string"),
        ({"spanId": "é" * 50}, "spanId: '" + "\\xe9" * 37 + "...' is not hexadecimal"),
        ({"kind": "SPAN_KIND_NONE"}, "kind: 'SPAN_KIND_NONE' is not an integer"),
        ({"kind": 2**31}, "kind: '2147483648' is out of range"),
        ({"kind": True}, "kind: 'true' is not an integer"),
        ({"startTimeUnixNano": "-1"}, "startTimeUnixNano: '-1' is out of range"),
        ({"startTimeUnixNano": 2**64}, "startTimeUnixNano: '1.8446744073709552e+19' is out of range"),
        ({"startTimeUnixNano": "1_0"}, "startTimeUnixNano: '1_0' is not an integer"),
        ({"startTimeUnixNano": "٣"}, "startTimeUnixNano: '\\u0663' is not an integer"),
        ({"startTimeUnixNano": 1.5}, "startTimeUnixNano: '1.5' is not an integer"),
        ({"startTimeUnixNano": "9" * 5000}, "startTimeUnixNano: '" + "9" * 37 + "...' is not an integer"),
        ({"name": []}, "name: an array is not a string"),
        ({"attributes": {}}, "attributes: is not an array"),
        ({"attributes": [{}, {"key": "k", "value": 3}]}, "attributes[1].value: is not an object"),
        ({"attributes": [{"value": {"boolValue": 1}}]}, "attributes[0].value.boolValue: '1' is neither true nor false"),
        ({"attributes": [{"value": {"bytesValue": "a"}}]}, "attributes[0].value.bytesValue: 'a' is not base64"),
        ({"attributes": [{"value": {"doubleValue": "x"}}]}, "attributes[0].value.doubleValue: 'x' is not a number"),
        ({"attributes": [{"value": {"intValue": 2**63}}]}, f"attributes[0].value.intValue: '{2**63}' is out of range"),
        (
            {"events": [{"attributes": [{"value": {"arrayValue": {"values": [{}, {"intValue": "x"}]}}}]}]},
            "events[0].attributes[0].value.arrayValue.values[1].intValue: 'x' is not an integer",
        ),
        ({"status": {"code": "OK"}}, "status.code: 'OK' is not an integer"),
    ],
)
def test_an_error_names_the_fault_and_its_place(members: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedError) as refused:
        of_one_span(**members)

    assert str(refused.value) == f"resourceSpans[0].scopeSpans[0].spans[0].{message}"


MEMBERS = ("traceId", "name", "kind", "startTimeUnixNano", "flags", "attributes", "status", "events")
VALUES = ("stringValue", "boolValue", "intValue", "doubleValue", "arrayValue", "kvlistValue", "bytesValue")
SPANS = [
    *(f'{{"{member}":%s}}' for member in MEMBERS),
    '{"links":[{"spanId":%s}]}',
    *(f'{{"attributes":[{{"key":"k","value":{{"{value}":%s}}}}]}}' for value in VALUES),
]


OBJECTS = {span for span in SPANS if any(name in span for name in ('"status"', "arrayValue", "kvlistValue"))}
"""Members whose value is a message: unknown members of it are skipped, however deep, if the parser reads them."""


@pytest.mark.parametrize("around", ["%s", '{"name":"\\ud800"},%s'], ids=["orjson", "standard library"])
@pytest.mark.parametrize("depth", [2, 500, 1000, 20_000])
@pytest.mark.parametrize("brackets", ["[]", ('{"a":', "}")], ids=["arrays", "objects"])
def test_nesting_in_any_member_is_refused_as_malformed(around: str, depth: int, brackets: Sequence[str]) -> None:
    is_object = brackets[0] != "["
    deep = brackets[0] * depth + "1" * is_object + brackets[1] * depth
    for span in SPANS:
        body = f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{around % (span % deep)}]}}]}}]}}'.encode()
        if is_object and span in OBJECTS:
            with suppress(MalformedError):
                assert isinstance(from_json(body), bytes)
        else:
            with pytest.raises(MalformedError):
                from_json(body)


def test_nesting_is_taken_as_deep_as_in_protobuf() -> None:
    def body(arrays: int) -> bytes:
        value: dict[str, Any] = {}
        for _ in range(arrays):
            value = {"arrayValue": {"values": [value]}}
        span = IDS | {"attributes": [{"key": "k", "value": value}]}
        return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()

    deepest = (MAX_DEPTH - 5) // 2
    assert check(from_json(body(deepest))).spans == 1
    for arrays in (deepest + 1, 200, 310):
        with pytest.raises(MalformedError, match=r"nested too deep|not valid JSON"):
            from_json(body(arrays))


NAMES = ("resourceSpans", "scopeSpans", "spans", "attributes", "value", "arrayValue", "values", "key")
DOCUMENT = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
)


@given(document=DOCUMENT)
def test_whatever_json_comes_it_is_a_request_or_refused(document: Any) -> None:
    try:
        body = from_json(json.dumps(document).encode())
    except MalformedError:
        return
    check(body)


@given(number=st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**64 - 1))
def test_a_double_is_read_exactly(number: float) -> None:
    assert json.loads(value_of({"doubleValue": number})) == float(number)


# -- how many values ---------------------------------------------------------------------------------------------------

JSON_BYTES = st.lists(
    st.sampled_from((b'"', b"\\", b",", b"{", b"[", b"}", b"]", b":", b"a", b"\n", b"\xff", b'\\"'))
).map(b"".join)


@both
@given(text=JSON_BYTES, most=st.integers(0, 20))
def test_values_are_counted_outside_of_strings(decoder: Any, text: bytes, most: int) -> None:
    wanted, in_string, rest = 0, False, iter(text)
    for byte in rest:
        if in_string and byte == ord("\\"):
            next(rest, None)
        elif byte == ord('"'):
            in_string = not in_string
        elif not in_string:
            wanted += byte in b",{["

    counted = decoder.json_values if decoder is plain else door._decoder.json_values

    assert (counted(text, most) > most) == (wanted > most)


MANY = 2_000_000
FLOODS = {
    "empty objects": b'{"resourceSpans":[' + b"{}," * MANY + b"{}]}",
    "empty objects that nobody asks for": b'{"x":[' + b"{}," * MANY + b"{}]}",
    "empty arrays": b'{"x":[' + b"[]," * MANY + b"[]]}",
    "arrays that are never closed": b"[" * 2 * MANY,
    "arrays in arrays": b"[" * 2 * MANY + b"]" * 2 * MANY,
    "objects in objects": b'{"k":' * 2 * MANY,
    "empty strings": b'{"x":[' + b'"",' * 2 * MANY + b'""]}',
    "numbers": b'{"x":[' + b"7," * 2 * MANY + b"7]}",
    "attributes": b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":['
    + b'{"key":"a"},' * MANY
    + b"{}]}]}]}]}",
    "spans": b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b"{}," * MANY + b"{}]}]}]}",
    "scopes": b'{"resourceSpans":[{"scopeSpans":[' + b"{}," * MANY + b"{}]}]}",
    "events": b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"events":[' + b"{}," * MANY + b"{}]}]}]}]}",
    "links": b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"links":[' + b"{}," * MANY + b"{}]}]}]}]}",
    "after a string that looks like its end": b'{"s":"\\"","x":[' + b"{}," * MANY + b"{}]}",
}


@pytest.mark.parametrize("body", FLOODS.values(), ids=FLOODS)
def test_a_request_of_too_many_values_is_refused_before_it_is_parsed(body: bytes) -> None:
    with pytest.raises(TooManyValuesError, match="3000000 JSON values"):
        door.from_json(body)


def test_dense_requests_of_20_mib_pass() -> None:
    attribute = b'{"key":"a","value":{"intValue":1}}'
    many = b",".join([attribute] * ((20 << 20) // (len(attribute) + 1)))
    span = b'{"traceId":"%s","spanId":"%s","attributes":[%s]}' % (b"01" * 16, b"02" * 8, many)

    assert door.check(door.from_json(b'{"resourceSpans":[{"scopeSpans":[{"spans":[%s]}]}]}' % span)).spans == 1


def test_marks_within_strings_are_no_values() -> None:
    """JSON as an argument, and a table of commas."""
    text = json.dumps("[{}]," * MANY).encode()
    span = b'{"traceId":"%s","spanId":"%s","name":%s}' % (b"01" * 16, b"02" * 8, text)

    assert door.check(door.from_json(b'{"resourceSpans":[{"scopeSpans":[{"spans":[%s]}]}]}' % span)).spans == 1
