"""The halves of a request have its spans, each once and in order, with all that was around them."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mcpobs.lake.otlp.decode import decode
from mcpobs.lake.otlp.halves import halves
from tests.lake.otlp.decoders import rows
from tests.lake.otlp.requests import REQUEST
from tests.lake.otlp.wire import length_delimited


def _leaves(body: bytes) -> list[bytes]:
    divided = halves(body)
    return [body] if divided is None else [leaf for half in divided for leaf in _leaves(half)]


@settings(max_examples=25, deadline=None)
@given(message=REQUEST)
def test_the_parts_of_a_request_have_its_rows_in_their_order(message: Any) -> None:
    body = message.SerializeToString()

    leaves = _leaves(body)

    whole = rows(decode([body]))
    assert [row for leaf in leaves for row in rows(decode([leaf]))] == whole
    assert all(len(rows(decode([leaf]))) <= 1 for leaf in leaves)


def test_fields_that_are_not_known_stay_in_both_halves() -> None:
    other = length_delimited(77, b"later version")
    group = other + b"".join(length_delimited(2, bytes([0x0A, 1, number])) for number in range(4))
    body = length_delimited(1, other + length_delimited(2, group))

    divided = halves(body)

    assert divided is not None
    assert [half.count(other) for half in divided] == [2, 2]
    assert len(_leaves(body)) == 4


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=60))
def test_an_invalid_request_stays_whole_or_becomes_smaller(body: bytes) -> None:
    divided = halves(body)
    assert divided is None or all(len(half) < len(body) for half in divided)
