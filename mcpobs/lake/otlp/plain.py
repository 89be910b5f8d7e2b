"""Decodes requests in Python, if `decode.c` could not be compiled. Accepts, refuses and produces the same.

protobuf parses (`description.py`), arro3 (a dependency of deltalake) holds the columns.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from arro3.core import Array, DataType, RecordBatch, Table
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # has no stubs

from mcpobs.lake.otlp.columns import MAX_BYTES, MAX_EXPANDED_BYTES, PROMOTED, RAW, Promoted, RawType
from mcpobs.lake.otlp.description import Message, message_class
from mcpobs.lake.otlp.json_request import values as json_values
from mcpobs.lake.otlp.request import Body, Checked, MalformedError
from mcpobs.semconv import SERVICE_NAME

_Request: Final = message_class("Request")
_FlatRequest: Final = message_class("Request", flat=True)
_KeyValue: Final = message_class("KeyValue")
_NO_TRACE: Final = bytes(16)
_NO_SPAN: Final = bytes(8)
_INT64_MAX: Final = 2**63 - 1
_INT16: Final = range(-(2**15), 2**15)
_PROMOTED: Final = {promoted.attribute: promoted for promoted in PROMOTED}
_MARKERS: Final = ("doubleValue", "bytesValue", "kvlistValue")
_SHARED: Final = ("service_name", "sent_service", "resource", "scope_name", "scope")
"""Columns that all spans of a group share: dictionary columns, so that each value is held once."""

_TYPES: Final[dict[RawType, DataType]] = {
    "text": DataType.utf8(),
    "json": DataType.utf8(),
    "bigint": DataType.int64(),
    "smallint": DataType.int16(),
    "boolean": DataType.bool(),
}
_KEPT_BYTES: Final = 128
_KEPT_ATTRIBUTES: Final = 1 << 14
_CHUNK_ROWS: Final = 1 << 11
_CHUNK_BYTES: Final = 1 << 20
_DICTIONARY: Final = DataType.dictionary(DataType.int32(), DataType.utf8())

__all__ = ["Batch", "check", "decode", "expanded", "json_values"]

Row = dict[str, object]
_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


class Batch:
    """Decoded spans. Its stream can be requested any number of times; each has all spans."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self.rows: int = table.num_rows

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(None)


def check(body: Body, expanded_bytes: int = MAX_EXPANDED_BYTES) -> Checked:
    spans = valid = rejected = 0
    budget = _Budget(expanded_bytes)
    for resource in _resources(body):
        for group in resource.groups():
            bytes_a_span = resource.repeated_bytes + _repeated_bytes(_scope_facts(group))
            for span in group.spans:
                if not _is_taken(span):
                    rejected += 1
                    continue
                valid += 1
                spans += budget.takes(bytes_a_span)
    return Checked(spans, rejected, valid - spans, budget.taken)


def expanded(body: Body) -> int:
    return sum(
        len(group.spans) * (resource.repeated_bytes + _repeated_bytes(_scope_facts(group)))
        for resource in _resources(body)
        for group in resource.groups()
    )


def decode(bodies: Sequence[Body], expanded_bytes: int = MAX_EXPANDED_BYTES) -> Batch:
    rows: list[Row] = []
    chunks = _Chunks()
    texts: dict[str, list[str]] = {column: [] for column in _SHARED}
    read = _Attributes()
    for body in bodies:
        budget = _Budget(expanded_bytes)
        _parsed(body)  # the flat message does not validate attributes
        for resource in map(_Resource, _FlatRequest.FromString(body).resource_spans):
            of_resource = _numbered(resource.facts, texts)
            for group in resource.groups():
                bytes_a_span = resource.repeated_bytes + _repeated_bytes(_scope_facts(group))
                shared: Row | None = None
                for span in group.spans:
                    if not _is_taken(span) or not budget.takes(bytes_a_span):
                        continue
                    if shared is None:  # the resource's schema URL is in the text of each scope
                        shared = of_resource | _numbered(_scope_facts(group, resource.schema_url), texts)
                    rows.append(_row(span, read) | shared)
                    chunks.add(span.ByteSize() + bytes_a_span)
    filled = set().union(*rows)
    nulls = [None] * len(rows)
    columns = [
        _column(name, [row.get(name) for row in rows] if name in filled else nulls, texts.get(name)) for name in RAW
    ]
    batch = RecordBatch.from_arrays(columns, names=list(RAW))
    return Batch(Table.from_batches([batch.slice(at, rows) for at, rows in chunks.places()] or [batch]))


def _parsed(body: Body) -> Message:
    if len(body) > MAX_BYTES:
        raise MalformedError("too large")
    try:
        return _Request.FromString(body)
    except DecodeError as error:
        raise MalformedError(f"not a valid protobuf message, or nested too deep: {error}") from None


class _Budget:
    """The bytes that the spans of one request may still repeat."""

    def __init__(self, bytes_left: int) -> None:
        self._bytes_left = bytes_left
        self.taken = 0

    def takes(self, bytes_a_span: int) -> bool:
        """Adds a span; False, and nothing is added, if that would exceed the limit."""
        if bytes_a_span > self._bytes_left:
            return False
        self._bytes_left -= bytes_a_span
        self.taken += bytes_a_span
        return True


class _Chunks:
    """Divides rows into chunks; `decode.c` gives the reason for the bounds."""

    def __init__(self) -> None:
        self._rows: list[int] = []
        self._bytes = 0

    def add(self, size_bytes: int) -> None:
        if not self._rows or self._rows[-1] == _CHUNK_ROWS or self._bytes + size_bytes > _CHUNK_BYTES:
            self._rows.append(0)
            self._bytes = 0
        self._rows[-1] += 1
        self._bytes += size_bytes

    def places(self) -> Iterator[tuple[int, int]]:
        """Yields first row and number of rows of each chunk."""
        at = 0
        for rows in self._rows:
            yield at, rows
            at += rows


class _Resource:
    """A ResourceSpans and the facts that its spans share."""

    def __init__(self, message: Message) -> None:
        self._message = message
        self.facts = _resource_facts(message)
        self.schema_url = _text(message.schema_url)
        self.repeated_bytes = _repeated_bytes(self.facts)
        if self.schema_url:
            self.repeated_bytes += len(_json(self.schema_url).encode())

    def groups(self) -> Iterator[Message]:
        """Yields its ScopeSpans, in the order in which spans are taken."""
        yield from self._message.scope_spans
        yield from self._message.instrumentation_library_spans


def _resources(body: Body) -> Iterator[_Resource]:
    yield from map(_Resource, _parsed(body).resource_spans)


def _repeated_bytes(facts: Mapping[str, str | None]) -> int:
    return sum(len(text.encode()) for text in facts.values() if text is not None)


def _is_trace_id(id: bytes) -> bool:
    return len(id) == 16 and id != _NO_TRACE


def _is_span_id(id: bytes) -> bool:
    return len(id) == 8 and id != _NO_SPAN


def _is_taken(span: Message) -> bool:
    return _is_trace_id(span.trace_id) and _is_span_id(span.span_id)


def _signed(number: int) -> int:
    """Returns an unsigned 64-bit integer as the signed one with the same bits."""
    return number if number <= _INT64_MAX else number - 2**64


# -- columns -----------------------------------------------------------------------------------------------------------


def _numbered(facts: Mapping[str, str | None], texts: dict[str, list[str]]) -> Row:
    """Stores each text once and returns its number."""
    numbers: Row = {}
    for column, text in facts.items():
        if text is not None:
            numbers[column] = len(texts[column])
            texts[column].append(text)
    return numbers


def _column(name: str, values: list[Any], texts: list[str] | None) -> Array:
    if texts is None:
        return Array(values, _TYPES[RAW[name]])
    entries = Array(texts or [""], DataType.utf8()).cast(_DICTIONARY)
    return entries.take(Array(values, DataType.int32()))


# -- facts that spans share
# --------------------------------------------------------------------------------------------------


def _resource_facts(resource_spans: Message) -> dict[str, str | None]:
    attributes = _attributes(resource_spans.resource.attributes)
    service = attributes.get(SERVICE_NAME)
    sent = _sent_service(resource_spans.resource.attributes)
    if isinstance(service, str):
        del attributes[SERVICE_NAME]
    return {
        "service_name": service if isinstance(service, str) else None,
        "sent_service": sent,
        "resource": _json(attributes) if attributes else None,
    }


def _sent_service(attributes: Sequence[Message]) -> str | None:
    """Returns the part of the sent service name that `service_name` lacks: see columns.SPAN."""
    sent = next((one.value for one in map(_key_value, reversed(attributes)) if _text(one.key) == SERVICE_NAME), None)
    if sent is None:
        return None
    if sent.WhichOneof("value") != "string_value":
        return _json(_value(sent))
    data = sent.string_value
    try:
        data.decode()
    except UnicodeDecodeError:
        return _json(base64.b64encode(data).decode())
    return None


def _scope_facts(group: Message, resource_schema_url: str = "") -> dict[str, str | None]:
    scope = group.scope
    facts = {
        "version": _text(scope.version),
        "attributes": _attributes(scope.attributes),
        "dropped_attributes_count": scope.dropped_attributes_count,
        "schema_url": _text(group.schema_url),
        "resource_schema_url": resource_schema_url,
    }
    return {"scope_name": _text(scope.name) or None, "scope": _object(facts)}


# -- spans -------------------------------------------------------------------------------------------------------------


def _row(span: Message, read: _Attributes) -> Row:
    row: Row = {
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_span_id": span.parent_span_id.hex() if _is_span_id(span.parent_span_id) else None,
        "trace_state": _text(span.trace_state) or None,
        "flags": span.flags,
        "name": _text(span.name),
        "kind": span.kind,
        "start_unix_nano": _signed(span.start_time_unix_nano),
        "end_unix_nano": _signed(span.end_time_unix_nano),
        "status": _enum(span.status.code),
        "status_message": _text(span.status.message) or None,
        "events": _json([_event(event) for event in span.events]) if span.events else None,
        "links": _json([_link(link) for link in span.links]) if span.links else None,
        "dropped": _object(
            {
                "attributes": span.dropped_attributes_count,
                "events": span.dropped_events_count,
                "links": span.dropped_links_count,
            }
        ),
    }
    members = []
    for attribute in {attribute.key: attribute for attribute in map(read.__getitem__, span.attributes)}.values():
        if attribute.member is not None:
            members.append(attribute.member)
        if attribute.column is not None:
            row[attribute.column] = attribute.value
    row["attributes"] = "{" + ",".join(members) + "}" if members else None
    return row


def _enum(value: int) -> int:
    return value if value in _INT16 else 0


def _event(event: Message) -> Row:
    facts = {
        "name": _text(event.name),
        "time_unix_nano": event.time_unix_nano,
        "attributes": _attributes(event.attributes),
        "dropped_attributes_count": event.dropped_attributes_count,
    }
    return _filled(facts)


def _link(link: Message) -> Row:
    facts = {
        "trace_id": link.trace_id.hex() if _is_trace_id(link.trace_id) else None,
        "span_id": link.span_id.hex() if _is_span_id(link.span_id) else None,
        "trace_state": _text(link.trace_state),
        "attributes": _attributes(link.attributes),
        "dropped_attributes_count": link.dropped_attributes_count,
        "flags": link.flags,
    }
    return _filled(facts)


def _filled(facts: Row) -> Row:
    return {name: fact for name, fact in facts.items() if fact}


def _object(facts: Row) -> str | None:
    filled = _filled(facts)
    return _json(filled) if filled else None


def _promote(row: Row, to: Promoted, value: object) -> bool:
    """Sets the attribute's column if the value fits; returns True if the attribute leaves `attributes`."""
    match to.type, value:
        case "text", str():
            row[to.column] = value
        case "text", int() if not isinstance(value, bool):
            row[to.column] = str(value)
            return False
        case "json", _:
            row[to.column] = value if isinstance(value, str) else _json(value)
        case "bigint", int() if not isinstance(value, bool):
            row[to.column] = value
        case "smallint", int() if not isinstance(value, bool) and value in _INT16:
            row[to.column] = value
        case "boolean", bool():
            row[to.column] = value
        case _:
            return False
    return not to.kept


# -- values: json writes them as columns.py says -----------------------------------------------------------------------


class _Attribute(NamedTuple):
    """A span's attribute, ready for its row."""

    key: str
    member: str | None  # of the JSON object `attributes`
    column: str | None = None
    value: object = None


class _Attributes(dict[bytes, _Attribute]):
    """Reads encoded attributes and keeps the short ones, because most spans of a service repeat them: a span of
    bench/decode.py takes half the time."""

    def __missing__(self, encoded: bytes) -> _Attribute:
        attribute = _read_attribute(_KeyValue.FromString(encoded))
        if len(encoded) <= _KEPT_BYTES:
            if len(self) >= _KEPT_ATTRIBUTES:
                self.clear()
            self[encoded] = attribute
        return attribute


def _read_attribute(message: Message) -> _Attribute:
    key, value, row = _text(message.key), _value(message.value), Row()
    to = _PROMOTED.get(key)
    leaves = to is not None and _promote(row, to, value)
    member = None if leaves else f"{_json(key)}:{_json(value)}"
    return _Attribute(key, member, *next(iter(row.items()), ()))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _attributes(attributes: Iterable[Message | bytes]) -> Row:
    """Returns the attributes; of a repeated key, the last value in the first one's place."""
    return {_text(attribute.key): _value(attribute.value) for attribute in map(_key_value, attributes)}


def _key_value(attribute: Message | bytes) -> Message:
    return _KeyValue.FromString(attribute) if isinstance(attribute, bytes) else attribute


def _value(value: Message) -> object:
    match value.WhichOneof("value"):
        case "string_value":
            return _text(value.string_value)
        case "bool_value":
            return value.bool_value
        case "int_value":
            return value.int_value
        case "double_value":
            return _double(value.double_value)
        case "array_value":
            return [_value(element) for element in value.array_value.values]
        case "kvlist_value":
            members = _attributes(value.kvlist_value.values)
            return {"kvlistValue": members} if len(members) == 1 and next(iter(members)) in _MARKERS else members
        case "bytes_value":
            return {"bytesValue": base64.b64encode(value.bytes_value).decode()}
    return None


def _double(value: float) -> object:
    if math.isfinite(value):
        return value
    return {"doubleValue": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
