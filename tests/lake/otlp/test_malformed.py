"""What is no request: both decoders refuse the same, take the same, and are not held up by hostile ones."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from mcpobs.lake.otlp import decode as door
from mcpobs.lake.otlp import plain
from mcpobs.lake.otlp.columns import MAX_DEPTH
from mcpobs.lake.otlp.request import Checked, MalformedError
from tests.lake.otlp import wire
from tests.lake.otlp.decoders import BOTH, outcome
from tests.lake.otlp.requests import REQUEST
from tests.lake.otlp.test_values import SPAN, TRACE, attribute, in_a_request, of_one_span
from tests.lake.otlp.wire import length_delimited, varint

both = pytest.mark.parametrize("decoder", BOTH)
needs_native = pytest.mark.skipif(not door.NATIVE, reason="no compiled decoder to compare with")


@needs_native
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_both_decoders_make_the_same_of_whatever_comes(seed: int) -> None:
    body = wire.request(Random(seed))

    assert outcome(door, body) == outcome(plain, body)


@needs_native
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(request=REQUEST, random=st.randoms(use_true_random=False))
def test_both_decoders_make_the_same_of_a_damaged_request(request: ExportTraceServiceRequest, random: Random) -> None:
    body = wire.broken(random, request.SerializeToString())

    assert outcome(door, body) == outcome(plain, body)


@needs_native
def test_both_decoders_make_the_same_of_every_beginning_of_a_request() -> None:
    body = in_a_request(TRACE + SPAN + attribute(b"key", length_delimited(5, b"\x0a\x02\x18\x01" * 3)) + b"\x2a\x02hi")

    found = [outcome(door, body[:end]) for end in range(len(body))]

    assert found == [outcome(plain, body[:end]) for end in range(len(body))]
    assert found[0] == (Checked(0, 0), [])
    assert found[1:] == [None] * (len(body) - 1)


@both
@pytest.mark.parametrize(
    "field",
    [
        b"\x00\x01",  # field 0
        b"\x0e",  # wire type 6
        b"\x0f",  # wire type 7
        b"\x0c",  # the end of a group that did not begin
        b"\x9b\x06\xa4\x06",  # a group that ends as another
        b"\x9b\x06",  # a group without an end
        b"\x9b\x06\x0e\x9c\x06",  # wire type 6 in a group
        b"\x30" + b"\xff" * 10 + b"\x01",  # a varint of 11 bytes
        b"\x30" + b"\xff" * 9,  # a varint without an end
        b"\xb0\x80\x80\x80\x80\x00\x01",  # a tag of 6 bytes
        b"\xff\xff\xff\xff\x7f\x01",  # a tag beyond 32 bits
        b"\x2a\xff\xff\xff\xff\x0f",  # a length beyond 31 bits
        b"\x2a\x05four",
        b"\x39seven b",
        b"\x85\x01abc",
    ],
)
def test_a_span_that_is_no_protobuf_is_malformed_wherever_it_is(decoder: Any, field: bytes) -> None:
    hidden = length_delimited(5, length_delimited(1, field))
    for body in (
        field,
        in_a_request(TRACE + SPAN + field),
        in_a_request(field),  # in a span that is rejected
        in_a_request(attribute(b"k", field)),
        in_a_request(TRACE + SPAN + attribute(b"k", hidden)),
        in_a_request(TRACE + SPAN + attribute(b"k", hidden) + attribute(b"k", b"")),  # replaced by another value
        in_a_request(TRACE + SPAN + attribute(b"k", hidden + b"\x18\x01")),
        in_a_request(TRACE + SPAN + length_delimited(11, field)),
        in_a_request(TRACE + SPAN + length_delimited(13, field)),
        in_a_request(TRACE + SPAN + length_delimited(15, field)),
        in_a_request(TRACE + SPAN, scope=length_delimited(1, field)),
        length_delimited(1, length_delimited(1, field)),  # the resource of no span
    ):
        assert outcome(decoder, body) is None
    with pytest.raises(MalformedError):
        decoder.decode([in_a_request(TRACE + SPAN), field])


@both
@pytest.mark.parametrize("longer", [1, 3])
def test_numbers_may_be_longer_than_they_need(decoder: Any, longer: int) -> None:
    name = varint(5 << 3 | 2, longer) + varint(1, longer) + b"n"

    row = of_one_span(decoder, name, varint(6 << 3, longer) + varint(2, 2 * longer))

    assert (row["name"], row["kind"]) == ("n", 2)


@both
def test_of_a_number_with_too_many_bits_the_lowest_count(decoder: Any) -> None:
    value = b"\x18" + b"\xff" * 9 + b"\x7f"

    assert of_one_span(decoder, attribute(b"k", value))["attributes"] == '{"k":-1}'


def in_arrays(levels: int, innermost: bytes = b"") -> bytes:
    for _ in range(levels):
        innermost = length_delimited(5, length_delimited(1, innermost))
    return innermost


def in_groups(levels: int) -> bytes:
    return b"\xa3\x06" * levels + b"\xa4\x06" * levels


@both
def test_nesting_is_taken_to_its_limit_and_no_deeper(decoder: Any) -> None:
    above = 5  # ResourceSpans, ScopeSpans, Span, KeyValue, AnyValue
    arrays = (MAX_DEPTH - above) // 2

    for value in (in_arrays(arrays), in_arrays(arrays, in_groups(MAX_DEPTH - above - 2 * arrays))):
        row = of_one_span(decoder, attribute(b"k", value))
        assert row["attributes"] == '{"k":' + "[" * arrays + "null" + "]" * arrays + "}"
    for span in (
        attribute(b"k", in_arrays(arrays + 1)),
        attribute(b"k", in_arrays(arrays, in_groups(MAX_DEPTH - above - 2 * arrays + 1))),
        attribute(b"k", in_arrays(200)),
        attribute(b"k", in_arrays(arrays + 1) + b"\x18\x01"),  # replaced by another value
        length_delimited(11, attribute(b"k", in_arrays(arrays, in_groups(1)), 3)),  # an event is one level more
        in_groups(MAX_DEPTH - 3 + 1),
    ):
        assert outcome(decoder, in_a_request(TRACE + SPAN + span)) is None
        assert outcome(decoder, in_a_request(span)) is None


@both
def test_a_hundred_thousand_attributes_are_no_more_than_a_hundred_thousand(decoder: Any) -> None:
    """Each of these takes minutes where the work grows with the square."""
    number = 100_000
    same = attribute(b"same.key", b"\x18\x01") * number
    assert of_one_span(decoder, same)["attributes"] == '{"same.key":1}'

    different = b"".join(attribute(b"%d" % i, b"") for i in range(number))
    assert of_one_span(decoder, different)["attributes"].count(":null") == number

    pieces = attribute(b"k", length_delimited(5, length_delimited(1, b"")) * number)
    assert of_one_span(decoder, pieces)["attributes"].count("null") == number

    small = attribute(b"k", b"")
    _, found = outcome(decoder, in_a_request(TRACE + SPAN + different, *[TRACE + SPAN + small] * 2000))
    assert found[-1]["attributes"] == '{"k":null}'

    many = length_delimited(11, b"") * number
    assert of_one_span(decoder, many)["events"] == "[" + ",".join(["{}"] * number) + "]"

    resources = length_delimited(1, b"") * number
    assert decoder.check(resources)[:3] == (0, 0, 0)


@both
def test_a_large_resource_is_held_once_for_all_its_spans(decoder: Any) -> None:
    resource = length_delimited(1, attribute(b"k", length_delimited(1, b"x" * 3_000), 1))
    span = TRACE + SPAN

    batch = decoder.decode([in_a_request(*[span] * 20_000, resource=resource)])

    assert batch.rows == 20_000
