"""OTLP trace requests for hypothesis, as messages of the opentelemetry package."""

from __future__ import annotations

from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from mcpobs.lake.otlp.columns import PROMOTED

PROMOTED_KEYS = sorted(promoted.attribute for promoted in PROMOTED)
INT64 = st.integers(-(2**63), 2**63 - 1) | st.sampled_from((2**63 - 1, -(2**63), 0, -1, 32767, 32768, -32768, -32769))
UINT64 = st.integers(0, 2**64 - 1)
UINT32 = st.just(0) | st.integers(0, 2**32 - 1)
TEXT = st.text() | st.sampled_from(("\x00", '"\\\b\f\n\r\t\x1f\x7f', "é😀\u2028", "x" * 300))
KEY = st.sampled_from(PROMOTED_KEYS) | st.sampled_from(("", "k", "service.name", "doubleValue", "kvlistValue")) | TEXT
DOUBLE = st.floats() | st.sampled_from((-0.0, 5e-324, 2.0**-44, 1e16, 1e-5, 0.1, float("nan"), float("-inf")))

LEAF = st.one_of(
    st.just(AnyValue()),
    st.builds(AnyValue, string_value=TEXT),
    st.builds(AnyValue, bool_value=st.booleans()),
    st.builds(AnyValue, int_value=INT64),
    st.builds(AnyValue, double_value=DOUBLE),
    st.builds(AnyValue, bytes_value=st.binary()),
)


def _nested(values: st.SearchStrategy[AnyValue]) -> st.SearchStrategy[AnyValue]:
    arrays = st.builds(ArrayValue, values=st.lists(values, max_size=4))
    maps = st.builds(KeyValueList, values=st.lists(st.builds(KeyValue, key=KEY, value=values), max_size=4))
    return st.builds(AnyValue, array_value=arrays) | st.builds(AnyValue, kvlist_value=maps)


VALUE = st.recursive(LEAF, _nested, max_leaves=12)
ATTRIBUTES = st.lists(st.builds(KeyValue, key=KEY, value=VALUE) | st.builds(KeyValue, key=KEY), max_size=8)


def _id(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size).filter(any)


EVENT = st.builds(Span.Event, time_unix_nano=UINT64, name=TEXT, attributes=ATTRIBUTES, dropped_attributes_count=UINT32)
LINK = st.builds(
    Span.Link,
    trace_id=_id(16),
    span_id=_id(8),
    trace_state=TEXT,
    attributes=ATTRIBUTES,
    dropped_attributes_count=UINT32,
    flags=UINT32,
)
SPAN = st.builds(
    Span,
    trace_id=_id(16) | _id(16) | _id(16) | st.sampled_from((b"", bytes(16), b"short")),
    span_id=_id(8) | _id(8) | _id(8) | st.sampled_from((b"", bytes(8), b"not eight")),
    trace_state=TEXT,
    parent_span_id=st.sampled_from((b"", bytes(8), b"abcdefgh")),
    name=TEXT,
    flags=UINT32,
    kind=st.integers(0, 5),
    start_time_unix_nano=st.just(1_700_000_000_000_000_000) | UINT64,
    end_time_unix_nano=UINT64,
    attributes=ATTRIBUTES,
    dropped_attributes_count=UINT32,
    events=st.lists(EVENT, max_size=3),
    dropped_events_count=UINT32,
    links=st.lists(LINK, max_size=3),
    dropped_links_count=UINT32,
    status=st.builds(Status, message=TEXT, code=st.integers(0, 2)),
)
SCOPE = st.builds(InstrumentationScope, name=TEXT, version=TEXT, attributes=ATTRIBUTES, dropped_attributes_count=UINT32)
SCOPE_SPANS = st.builds(ScopeSpans, scope=SCOPE, spans=st.lists(SPAN, max_size=3), schema_url=TEXT)
RESOURCE_SPANS = st.builds(
    ResourceSpans,
    resource=st.builds(Resource, attributes=ATTRIBUTES, dropped_attributes_count=UINT32),
    scope_spans=st.lists(SCOPE_SPANS, max_size=2),
    schema_url=TEXT,
)
REQUEST = st.builds(ExportTraceServiceRequest, resource_spans=st.lists(RESOURCE_SPANS, min_size=1, max_size=2))
