"""What spans repeat of resources and scopes is bounded: both decoders leave out the same spans; `check` counts them.

The sizes of a request multiply: of the resource, of the scope, of the schema URLs, and the number of spans.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcpobs.lake.otlp import decode as door
from mcpobs.lake.otlp import plain
from mcpobs.lake.otlp.columns import MAX_EXPANDED_BYTES
from mcpobs.lake.otlp.decode import from_json
from mcpobs.lake.otlp.native.library import LIBRARY, Native
from tests.lake.otlp import wire
from tests.lake.otlp.decoders import BOTH, outcome, rows
from tests.lake.otlp.limited import LimitedPlain
from tests.lake.otlp.test_values import SPAN, TRACE, attribute
from tests.lake.otlp.wire import length_delimited

both = pytest.mark.parametrize("decoder", BOTH)
needs_native = pytest.mark.skipif(not door.NATIVE, reason="no compiled decoder to compare with")

MIB = 1 << 20
LARGE = b"x" * MIB
SPANS = 1_000
LIMIT = 2_000  # of the property tests: random requests are small


def _group(*spans: bytes, scope: bytes = b"", number: int = 2) -> bytes:
    return length_delimited(number, scope + b"".join(length_delimited(2, span) for span in spans))


def _request(*parts: bytes) -> bytes:
    return length_delimited(1, b"".join(parts))


def _value(value: bytes) -> bytes:
    return attribute(b"k", length_delimited(1, value), 1)


_SPANS = _group(*[TRACE + SPAN] * SPANS)
_RESOURCE_URL = length_delimited(3, LARGE)
PRODUCTS: dict[str, bytes] = {
    "resource attribute × spans": _request(length_delimited(1, _value(LARGE)), _SPANS),
    "service name × spans": _request(
        length_delimited(1, attribute(b"service.name", length_delimited(1, LARGE), 1)), _SPANS
    ),
    "resource key × spans": _request(length_delimited(1, attribute(LARGE, b"", 1)), _SPANS),
    "resource schema URL × spans": _request(_RESOURCE_URL, _SPANS),
    "resource schema URL × scopes": _request(_RESOURCE_URL, _group(TRACE + SPAN) * SPANS),
    "resource schema URL × scopes as sent until 2022": _request(
        _RESOURCE_URL, _group(TRACE + SPAN, number=1000) * SPANS
    ),
    "scope name × spans": _request(
        _group(*[TRACE + SPAN] * SPANS, scope=length_delimited(1, length_delimited(1, LARGE)))
    ),
    "scope version × spans": _request(
        _group(*[TRACE + SPAN] * SPANS, scope=length_delimited(1, length_delimited(2, LARGE)))
    ),
    "scope attribute × spans": _request(
        _group(*[TRACE + SPAN] * SPANS, scope=length_delimited(1, attribute(b"k", length_delimited(1, LARGE), 3)))
    ),
    "scope schema URL × spans": _request(_group(*[TRACE + SPAN] * SPANS, scope=length_delimited(3, LARGE))),
    "escapes × spans": _request(length_delimited(1, _value(b"\x01" * (MIB // 6))), _SPANS),
    "bytes that are no UTF-8 × spans": _request(length_delimited(1, _value(b"\xff" * (MIB // 3))), _SPANS),
    "bytes value × spans": _request(
        length_delimited(1, attribute(b"k", length_delimited(7, b"x" * (MIB * 3 // 4)), 1)), _SPANS
    ),
    "array of nothing × spans": _request(
        length_delimited(1, attribute(b"k", length_delimited(5, b"\x0a\x00" * (MIB // 5)), 1)), _SPANS
    ),
}
"""A megabyte of text that each of a thousand spans repeats."""


@both
@pytest.mark.parametrize("body", PRODUCTS.values(), ids=PRODUCTS)
def test_spans_beyond_the_limit_are_counted_when_checked_and_left_out_when_decoded(decoder: Any, body: bytes) -> None:
    checked = decoder.check(body)

    assert checked.spans + checked.oversized == SPANS
    assert 62 * MIB < checked.spans * MIB < 66 * MIB  # sizes of the structure come on top
    assert decoder.decode([body]).rows == checked.spans
    assert decoder.expanded(body) >= MAX_EXPANDED_BYTES


@both
def test_a_request_within_the_limit_keeps_all_its_spans(decoder: Any) -> None:
    """A Collector's default batch, with a large resource."""
    body = _request(length_delimited(1, _value(b"x" * 8_000)), _group(*[TRACE + SPAN] * 8_192))

    assert decoder.check(body)[:3] == (8_192, 0, 0)


@both
def test_small_spans_behind_large_ones_are_taken(decoder: Any) -> None:
    small = _request(length_delimited(1, _value(b"small")), _group(TRACE + SPAN))
    body = PRODUCTS["resource attribute × spans"] + small

    checked, found = outcome(decoder, body) or (None, [])

    assert checked is not None
    assert checked.oversized > 0
    assert len(found) == checked.spans
    assert json.loads(found[-1]["resource"]) == {"k": "small"}


@both
def test_a_span_without_valid_ids_uses_up_nothing(decoder: Any) -> None:
    large = length_delimited(1, _value(b"x" * (MAX_EXPANDED_BYTES // 4)))
    body = _request(large, _group(*[TRACE] * 100, *[TRACE + SPAN] * 4))

    assert decoder.check(body)[:3] == (3, 100, 1)


@both
def test_each_request_of_a_batch_has_a_limit_of_its_own(decoder: Any) -> None:
    body = PRODUCTS["scope name × spans"]
    spans = decoder.check(body).spans

    assert decoder.decode([body, body]).rows == 2 * spans


@both
def test_scopes_without_spans_cost_no_time(decoder: Any) -> None:
    """The schema URL once for each of them would be 30 GB."""
    body = _request(_RESOURCE_URL, _group() * 30_000, _group(TRACE + SPAN))

    assert decoder.check(body)[:3] == (1, 0, 0)
    assert decoder.decode([body]).rows == 1


def test_json_has_the_same_limit() -> None:
    span = {"traceId": "01" * 16, "spanId": "02" * 8}
    request = {
        "resourceSpans": [{"schemaUrl": "x" * MIB, "scopeSpans": [{"spans": [span]} for _ in range(SPANS)]}],
    }

    checked = door.check(from_json(json.dumps(request).encode()))

    assert checked.spans + checked.oversized == SPANS
    assert checked.oversized > SPANS // 2


@needs_native
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory as Linux counts it")
def test_memory_does_not_grow_with_the_product(tmp_path: Path) -> None:
    """20 GB of schema URLs in a request of 2 MB, decoded in an address space of 1.5 GB."""
    body = tmp_path / "body"
    body.write_bytes(_request(_RESOURCE_URL, _group(TRACE + SPAN) * 20_000))
    program = (
        "import sys; from pathlib import Path; from mcpobs.lake.otlp import decode as d;"
        "body = Path(sys.argv[1]).read_bytes(); print(d.check(body).spans, d.decode([body]).rows)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, str(body)],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (1500 << 20, 1500 << 20)),
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    checked, decoded = done.stdout.split()
    assert checked == decoded
    assert 60 < int(decoded) < 70


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Native:
    """The compiled decoder with a limit that small requests reach: in a copy, for a library has one limit."""
    library = tmp_path_factory.mktemp("limited") / "decode.so"
    shutil.copy(LIBRARY, library)
    return Native(library, LIMIT)


@needs_native
@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_both_decoders_leave_out_the_same_of_whatever_comes(limited: Native, seed: int) -> None:
    body = wire.request(Random(seed))

    assert outcome(limited, body) == outcome(LimitedPlain(LIMIT), body)


@both
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_the_repeated_bytes_are_the_text_of_the_shared_columns(decoder: Any, seed: int) -> None:
    body = wire.request(Random(seed))
    found = outcome(decoder, body)
    if found is None:
        return

    columns = ("service_name", "resource", "scope_name")
    least = sum(len((row[column] or "").encode()) for row in rows(decoder.decode([body])) for column in columns)

    assert decoder.expanded(body) >= least
    assert found[0].oversized == 0


def test_the_door_says_no_more_than_the_limit() -> None:
    assert door.expanded(PRODUCTS["scope name × spans"]) == MAX_EXPANDED_BYTES
    assert door.expanded(b"") == 0
    assert plain.expanded(b"") == 0
