"""Describes OTLP trace requests for protobuf's parser: the fields that the lake reads, with every `string` as `bytes`.

The wire format is the same, and bytes may be anything: a sender's invalid UTF-8 costs a character, not the request. The
description has its own pool, separate from that of the opentelemetry package.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf.descriptor_pb2 import FileDescriptorProto  # type: ignore[import-untyped]  # has no stubs
from google.protobuf.descriptor_pool import DescriptorPool  # type: ignore[import-untyped]
from google.protobuf.message_factory import GetMessageClass  # type: ignore[import-untyped]

_PACKAGE: Final = "mcpobs.otlp"

_MESSAGES: Final[dict[str, str]] = {
    "Request": "1 *ResourceSpans resource_spans",
    "ResourceSpans": """
        1 Resource resource, 2 *ScopeSpans scope_spans, 3 bytes schema_url,
        1000 *ScopeSpans instrumentation_library_spans""",  # as sent until 2022
    "Resource": "1 *KeyValue attributes",
    "ScopeSpans": "1 Scope scope, 2 *Span spans, 3 bytes schema_url",
    "Scope": "1 bytes name, 2 bytes version, 3 *KeyValue attributes, 4 uint32 dropped_attributes_count",
    "Span": """
        1 bytes trace_id, 2 bytes span_id, 3 bytes trace_state, 4 bytes parent_span_id, 5 bytes name, 6 int32 kind,
        7 fixed64 start_time_unix_nano, 8 fixed64 end_time_unix_nano,
        9 *KeyValue attributes, 10 uint32 dropped_attributes_count,
        11 *Event events, 12 uint32 dropped_events_count,
        13 *Link links, 14 uint32 dropped_links_count,
        15 Status status, 16 fixed32 flags""",
    "Event": "1 fixed64 time_unix_nano, 2 bytes name, 3 *KeyValue attributes, 4 uint32 dropped_attributes_count",
    "Link": """
        1 bytes trace_id, 2 bytes span_id, 3 bytes trace_state,
        4 *KeyValue attributes, 5 uint32 dropped_attributes_count, 6 fixed32 flags""",
    "Status": "2 bytes message, 3 int32 code",
    "KeyValue": "1 bytes key, 2 AnyValue value",
    "AnyValue": """
        1 bytes string_value, 2 bool bool_value, 3 int64 int_value, 4 double double_value,
        5 ArrayValue array_value, 6 KeyValueList kvlist_value, 7 bytes bytes_value""",  # all in one oneof
    "ArrayValue": "1 *AnyValue values",
    "KeyValueList": "1 *KeyValue values",
}
"""Number, type (`*`: repeated) and name of the fields, as in opentelemetry-proto 1.x."""

_SCALARS: Final = {
    "double": 1,
    "int64": 3,
    "int32": 5,
    "fixed64": 6,
    "fixed32": 7,
    "bool": 8,
    "bytes": 12,
    "uint32": 13,
}
_MESSAGE, _OPTIONAL, _REPEATED = 11, 1, 3  # numbers of types and labels in descriptor.proto, as above

Message = Any  # its class is created at run time


def message_class(name: str, *, flat: bool = False) -> Message:
    """Returns the class of a message. Its attributes are those of _MESSAGES; with `flat` it leaves each KeyValue
    unparsed, as bytes."""
    file = FileDescriptorProto(name="mcpobs/otlp.proto", package=_PACKAGE, syntax="proto3")
    for of, fields in _MESSAGES.items():
        message = file.message_type.add(name=of)
        if of == "AnyValue":
            message.oneof_decl.add(name="value")
        for text in fields.split(","):
            number, kind, field_name = text.split()
            scalar = _SCALARS["bytes"] if flat and kind == "*KeyValue" else _SCALARS.get(kind)
            field = message.field.add(
                name=field_name,
                number=int(number),
                label=_REPEATED if kind.startswith("*") else _OPTIONAL,
                type=scalar or _MESSAGE,
            )
            if scalar is None:
                field.type_name = f".{_PACKAGE}.{kind.lstrip('*')}"
            if of == "AnyValue":
                field.oneof_index = 0
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
