"""What is in the columns: both decoders against each other and against an oracle, value by value."""

from __future__ import annotations

import json
import math
import struct
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from mcpobs.lake.otlp.columns import MAX_BYTES, PROMOTED
from tests.lake.otlp.decoders import BOTH, filled, outcome, rows
from tests.lake.otlp.oracle import expected
from tests.lake.otlp.requests import REQUEST
from tests.lake.otlp.wire import length_delimited, varint

both = pytest.mark.parametrize("decoder", BOTH)
TRACE, SPAN = b"\x0a\x10" + b"t" * 16, b"\x12\x08" + b"s" * 8


def in_a_request(*spans: bytes, scope: bytes = b"", resource: bytes = b"") -> bytes:
    group = scope + b"".join(length_delimited(2, span) for span in spans)
    return length_delimited(1, resource + length_delimited(2, group))


def attribute(key: bytes, value: bytes, number: int = 9) -> bytes:
    return length_delimited(number, length_delimited(1, key) + length_delimited(2, value))


def string(text: bytes) -> bytes:
    return length_delimited(1, text)


def of_one_span(decoder: Any, *fields: bytes) -> dict[str, Any]:
    checked, (row,) = outcome(decoder, in_a_request(TRACE + SPAN + b"".join(fields)))
    assert checked[:3] == (1, 0, 0)
    return row


def attributes_of(decoder: Any, *fields: bytes) -> Any:
    return json.loads(of_one_span(decoder, *fields)["attributes"])


@both
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(request=REQUEST)
def test_each_span_is_what_its_message_says(decoder: Any, request: ExportTraceServiceRequest) -> None:
    wanted = expected(request)
    spans = sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)

    checked, found = outcome(decoder, request.SerializeToString())

    assert checked[:3] == (len(wanted), spans - len(wanted), 0)
    for one, other in zip(found, wanted, strict=True):
        assert filled(one) == filled(other)


@both
def test_requests_are_decoded_in_their_order(decoder: Any) -> None:
    bodies = [
        in_a_request(*(TRACE + SPAN + b"\x2a\x01" + bytes((name,)) for name in group)) for group in (b"abc", b"d")
    ]

    batch = decoder.decode([*bodies, b"", *bodies])

    assert batch.rows == 8
    assert "".join(row["name"] for row in rows(batch)) == "abcdabcd"


@both
def test_no_request_gives_no_row(decoder: Any) -> None:
    assert decoder.check(b"")[:3] == (0, 0, 0)
    assert rows(decoder.decode([])) == rows(decoder.decode([b""])) == []


@both
def test_a_span_without_valid_ids_is_left_out_and_no_other(decoder: Any) -> None:
    good = TRACE + SPAN + b"\x2a\x04good"
    bad = (
        *(b"", TRACE, SPAN, SPAN + b"\x0a\x10" + bytes(16), TRACE + b"\x12\x08" + bytes(8)),
        *(SPAN + b"\x0a\x0f" + b"t" * 15, SPAN + b"\x0a\x11" + b"t" * 17, TRACE + SPAN + b"\x12\x00"),
    )

    checked, found = outcome(decoder, in_a_request(bad[0], good, *bad[1:], good))

    assert checked[:3] == (2, len(bad), 0)
    assert [row["name"] for row in found] == ["good", "good"]


@both
@pytest.mark.parametrize("sent", [0, 1, 2**63 - 1, 2**63, 2**64 - 1])
def test_a_time_keeps_its_bits(decoder: Any, sent: int) -> None:
    start, end = b"\x39" + struct.pack("<Q", sent), b"\x41" + struct.pack("<Q", sent)
    checked, (row,) = outcome(decoder, in_a_request(TRACE + SPAN + start + end))
    assert checked[:3] == (1, 0, 0)
    assert row["start_unix_nano"] == row["end_unix_nano"] == (sent if sent < 2**63 else sent - 2**64)


@both
def test_bytes_that_are_no_utf8_become_replacement_characters(decoder: Any) -> None:
    random = Random(5)
    pieces = (b"a", b"\x80", b"\xc3", b"\xa9", b"\xe2\x82", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\xf4\x90", b"\xff")
    texts = [b"".join(random.choices(pieces, k=random.randrange(12))) for _ in range(500)]
    spans = (TRACE + SPAN + length_delimited(5, text) + attribute(b"k", string(text)) for text in texts)

    _, found = outcome(decoder, in_a_request(*spans))

    for row, text in zip(found, texts, strict=True):
        wanted = text.decode("utf-8", "replace")
        assert (row["name"], json.loads(row["attributes"])["k"]) == (wanted, wanted)


@both
def test_keys_that_are_written_alike_are_one_key(decoder: Any) -> None:
    found = attributes_of(
        decoder,
        *(attribute(b"\xff", b"\x18\x01"), attribute(b"k", b"\x18\x02")),
        *(attribute(b"\xfe", b"\x18\x03"), attribute("\ufffd".encode(), b"\x18\x04")),
    )

    assert list(found.items()) == [("\ufffd", 4), ("k", 2)]


@both
def test_of_a_key_that_comes_twice_the_last_value_counts_also_for_a_column(decoder: Any) -> None:
    tool = b"gen_ai.tool.name"

    row = of_one_span(decoder, attribute(tool, string(b"one")), attribute(b"k", b""), attribute(tool, string(b"two")))
    assert (row["at_tool"], row["attributes"]) == ("two", '{"k":null}')

    row = of_one_span(decoder, attribute(tool, string(b"one")), attribute(tool, b"\x10\x01"))
    assert (row["at_tool"], row["attributes"]) == (None, '{"gen_ai.tool.name":true}')


@both
def test_a_field_that_comes_twice_is_merged_as_protobuf_does(decoder: Any) -> None:
    def array(*values: bytes) -> bytes:
        return length_delimited(5, b"".join(length_delimited(1, value) for value in values))

    one, two = b"\x18\x01", b"\x18\x02"
    status = length_delimited(15, b"\x18\x02") + length_delimited(15, b"\x12\x03bad")
    split = length_delimited(9, b"\x0a\x01k" + length_delimited(2, array(one)) + length_delimited(2, array(two, b"")))
    replaced = attribute(b"r", array(one) + string(b"text") + array(two))
    last = attribute(b"l", string(b"text") + b"\x18\x07")

    row = of_one_span(decoder, status, split, replaced, last, b"\x2a\x01a", b"\x2a\x01b")

    assert (row["status"], row["status_message"], row["name"]) == (2, "bad", "b")
    assert row["attributes"] == '{"k":[1,2,null],"r":[2],"l":7}'


@both
def test_a_resource_and_a_scope_in_pieces_after_their_spans_are_put_together(decoder: Any) -> None:
    span = length_delimited(2, TRACE + SPAN)
    scope = length_delimited(1, b"\x0a\x01s") + span + length_delimited(1, b"\x12\x01v")
    resource = length_delimited(2, scope) + b"".join(
        length_delimited(1, attribute(key, string(value), 1))
        for key, value in ((b"service.name", b"old"), (b"a", b"1"), (b"service.name", b"new"))
    )

    _, (row,) = outcome(decoder, length_delimited(1, resource))

    assert (row["service_name"], row["resource"]) == ("new", '{"a":"1"}')
    assert (row["scope_name"], row["scope"]) == ("s", '{"version":"v"}')


@both
def test_spans_in_instrumentation_libraries_are_taken(decoder: Any) -> None:
    library = length_delimited(1, b"\x0a\x03lib\x12\x012") + length_delimited(2, TRACE + SPAN)

    checked, (row,) = outcome(decoder, length_delimited(1, length_delimited(1000, library)))

    assert checked[:3] == (1, 0, 0)
    assert (row["scope_name"], row["scope"]) == ("lib", '{"version":"2"}')


@both
def test_unknown_fields_and_fields_of_another_wire_type_are_passed_over(decoder: Any) -> None:
    odd = (
        *(varint(99 << 3 | 2) + b"\x02hi", varint(17 << 3) + b"\x01", varint(200 << 3 | 5) + b"1234"),
        *(varint(5 << 3) + b"\x07", varint(9 << 3 | 1) + b"12345678", varint(6 << 3 | 2) + b"\x01x"),
        varint(40 << 3 | 3) + b"\x08\x01" + varint(41 << 3 | 3) + varint(41 << 3 | 4) + varint(40 << 3 | 4),
    )

    row = of_one_span(decoder, *odd, b"\x2a\x01n", attribute(b"k", b"\x40\x01"))  # 8: string_value_strindex

    assert (row["name"], row["kind"], row["attributes"]) == ("n", 0, '{"k":null}')


@both
def test_a_kind_is_kept_as_sent_and_a_status_if_it_fits(decoder: Any) -> None:
    wanted = {5: 5, 9: 9, 32767: 32767, 32768: 32768, 2**64 - 1: -1, 2**32 + 3: 3, 2**31: -(2**31)}
    for sent, kept in wanted.items():
        row = of_one_span(decoder, b"\x30" + varint(sent), length_delimited(15, b"\x18" + varint(sent)))
        assert (row["kind"], row["status"]) == (kept, kept if -32768 <= kept <= 32767 else 0)


@both
def test_a_service_that_is_no_plain_text_is_kept_as_sent(decoder: Any) -> None:
    def sent_service(*values: bytes) -> tuple[Any, Any]:
        resource = b"".join(attribute(b"service.name", value, 1) for value in values)
        _, (row,) = outcome(decoder, in_a_request(TRACE + SPAN, resource=length_delimited(1, resource)))
        return row.get("service_name"), row.get("sent_service")

    assert sent_service() == (None, None)
    assert sent_service(string(b"")) == ("", None)
    assert sent_service(string("é".encode())) == ("é", None)
    assert sent_service(string("\ufffd".encode())) == ("\ufffd", None)
    assert sent_service(string(b"\xff")) == ("\ufffd", '"/w=="')
    assert sent_service(string(b"\xfe")) == ("\ufffd", '"/g=="')
    assert sent_service(b"") == (None, "null")
    assert sent_service(b"\x18\x01") == (None, "1")
    assert sent_service(b"\x10\x01") == (None, "true")
    assert sent_service(length_delimited(7, b"\xff")) == (None, '{"bytesValue":"/w=="}')
    assert sent_service(length_delimited(5, length_delimited(1, length_delimited(1, b"a")))) == (None, '["a"]')
    assert sent_service(b"\x18\x01", length_delimited(1, b"a")) == ("a", None)
    assert sent_service(length_delimited(1, b"a"), b"\x18\x01") == (None, "1")


@both
def test_every_promoted_attribute_goes_to_its_column(decoder: Any) -> None:
    wires = {"text": string(b"t"), "json": string(b"[1]"), "bigint": b"\x18\x07", "smallint": b"\x18\x07"}
    values: dict[str, Any] = {"text": "t", "json": "[1]", "bigint": 7, "smallint": 7, "boolean": True}
    for promoted in PROMOTED:
        wire = wires.get(promoted.type, b"\x10\x01")
        row = of_one_span(decoder, attribute(promoted.attribute.encode(), wire))
        assert row[promoted.column] == values[promoted.type]
        assert (row["attributes"] is not None) == promoted.kept


@both
def test_a_value_of_another_kind_stays_among_the_attributes(decoder: Any) -> None:
    text = next(promoted for promoted in PROMOTED if promoted.type == "text" and not promoted.kept)
    as_json = next(promoted for promoted in PROMOTED if promoted.type == "json")
    small = next(promoted for promoted in PROMOTED if promoted.type == "smallint")

    row = of_one_span(
        decoder,
        attribute(text.attribute.encode(), b"\x18" + varint(2**64 - 5)),
        attribute(small.attribute.encode(), b"\x18" + varint(32768)),
        attribute(as_json.attribute.encode(), length_delimited(7, b"\x01\x02")),
    )

    assert (row[text.column], row[small.column]) == ("-5", None)
    assert row[as_json.column] == '{"bytesValue":"AQI="}'
    assert json.loads(row["attributes"]) == {text.attribute: -5, small.attribute: 32768}


@both
def test_a_map_that_looks_like_a_marked_value_is_marked_itself(decoder: Any) -> None:
    def a_map(*members: bytes) -> bytes:
        return length_delimited(6, b"".join(members))

    marked = attribute(b"bytesValue", string(b"AQI="), 1)
    found = of_one_span(
        decoder,
        attribute(b"a", a_map(marked)),
        attribute(b"b", a_map(marked, marked)),
        attribute(b"c", a_map(marked, attribute(b"k", b"", 1))),
        attribute(b"d", a_map()),
        attribute(b"e", a_map(attribute(b"kvlistValue", a_map(marked), 1))),
    )["attributes"]

    wrapped = '{"kvlistValue":{"bytesValue":"AQI="}}'
    assert found == (
        f'{{"a":{wrapped},"b":{wrapped},"c":{{"bytesValue":"AQI=","k":null}},"d":{{}},'
        f'"e":{{"kvlistValue":{{"kvlistValue":{wrapped}}}}}}}'
    )


@both
@given(doubles=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=300))
def test_doubles_are_written_as_python_writes_them(decoder: Any, doubles: list[float]) -> None:
    check_doubles(decoder, doubles)


@both
def test_doubles_at_the_powers_of_two_and_ten_are_written_as_python_writes_them(decoder: Any) -> None:
    twos = [2.0**exponent for exponent in range(-1074, 1024)]
    tens = [float(f"{digits}e{exponent}") for exponent in range(-323, 308) for digits in (1, 2, 5, 7, 9, 9.99)]
    neighbours = [math.nextafter(double, way) for double in twos + tens for way in (-math.inf, math.inf)]

    check_doubles(decoder, twos + tens + neighbours + [-0.0, 0.0, 1e15, 123456789012345680.0])


def check_doubles(decoder: Any, doubles: list[float]) -> None:
    values = b"".join(length_delimited(1, b"\x21" + struct.pack("<d", double)) for double in doubles)

    found = of_one_span(decoder, attribute(b"k", length_delimited(5, values)))["attributes"]

    assert found == f'{{"k":[{",".join(map(repr, doubles))}]}}'


@both
def test_ids_that_are_none_are_null(decoder: Any) -> None:
    for parent in (b"", bytes(8), b"seven b", b"nine byte"):
        assert of_one_span(decoder, length_delimited(4, parent))["parent_span_id"] is None
    link = length_delimited(13, length_delimited(1, b"short") + length_delimited(2, bytes(8)))
    assert of_one_span(decoder, link)["links"] == "[{}]"


@both
def test_large_values_survive(decoder: Any) -> None:
    text = "é\x01".encode() * 400_000

    row = of_one_span(decoder, attribute(b"k", string(text)), length_delimited(5, text))

    assert row["name"].encode() == text
    assert json.loads(row["attributes"])["k"].encode() == text


@pytest.mark.slow
@both
def test_a_request_is_taken_up_to_its_largest_size(decoder: Any) -> None:
    room = MAX_BYTES - len(in_a_request(TRACE + SPAN + length_delimited(5, b"x" * (MAX_BYTES - 100))))
    text = b"\x01" * (MAX_BYTES - 100 + room)
    body = in_a_request(TRACE + SPAN + length_delimited(5, text))
    assert len(body) == MAX_BYTES

    assert rows(decoder.decode([body]))[0]["name"] == text.decode()
    assert outcome(decoder, in_a_request(TRACE + SPAN + length_delimited(5, text + b"\x01"))) is None


@both
def test_spans_with_other_keys_than_the_span_before_stay_distinct(decoder: Any) -> None:
    """The decoder in C expects the keys of the last span, in their order."""
    one, two, three = (attribute(key, b"\x18\x01") for key in (b"one", b"gen_ai.tool.name", b"thr\xc3\xa9e"))
    odd, quoted = attribute(b"\xff", b""), attribute(b'"', b"")
    lists = [
        *((), (one, two), (one, two), (two, one), (one,), (one, two, three), (one, two, three), (one, two, three, one)),
        *((one, one), (one, two, two), (odd, one), (odd, one), (one, odd, odd, two), (one, quoted, two), (quoted,)),
        *((one, quoted, two), (one, three), (three, one, two), (), (one, two), (two,)),
        *([tuple(attribute(b"key %d" % i, b"") for i in range(n)) for n in (127, 128, 129, 300, 300, 2)]),
    ]
    random = Random(8)
    lists += [tuple(random.choices((one, two, three, odd, quoted), k=random.randrange(6))) for _ in range(200)]
    alone = [of_one_span(decoder, *fields) for fields in lists]

    _, found = outcome(decoder, in_a_request(*(TRACE + SPAN + b"".join(fields) for fields in lists)))

    assert found == alone
