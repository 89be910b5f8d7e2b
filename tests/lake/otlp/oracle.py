"""What the columns of a request are to be, from the messages of the opentelemetry package, in the words of columns.py.
It shares no code with the decoders."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from mcpobs.lake.otlp.columns import PROMOTED, RAW


class Number(float):
    """A double, which is written with a fraction or an exponent."""


def expected(request: ExportTraceServiceRequest) -> list[dict[str, Any]]:
    return [_row(*place) for place in _spans(request)]


def _spans(request: Any) -> Iterator[tuple[Any, Any, Any]]:
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                good_ids = len(span.trace_id) == 16 and len(span.span_id) == 8
                if good_ids and any(span.trace_id) and any(span.span_id):
                    yield resource_spans, scope_spans, span


def _same_bits(number: int) -> int:
    return int.from_bytes(number.to_bytes(8, "big"), "big", signed=True)


def _row(resource_spans: Any, scope_spans: Any, span: Any) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(RAW)
    resource = _pairs(resource_spans.resource.attributes)
    if "service.name" in resource and not isinstance(resource["service.name"], str):
        row["sent_service"] = _json(resource["service.name"])
    if isinstance(resource.get("service.name"), str):
        row["service_name"] = resource.pop("service.name")
    attributes = _pairs(span.attributes)
    for promoted in PROMOTED:
        if promoted.attribute not in attributes:
            continue
        value = attributes[promoted.attribute]
        is_int = isinstance(value, int) and not isinstance(value, bool)
        fits = {
            "text": isinstance(value, str),
            "json": True,
            "bigint": is_int,
            "smallint": is_int and -32768 <= value <= 32767,
            "boolean": isinstance(value, bool),
        }[promoted.type]
        if fits:
            as_it_is = promoted.type != "json" or isinstance(value, str)
            row[promoted.column] = value if as_it_is else _json(value)
            if not promoted.kept:
                del attributes[promoted.attribute]
        elif promoted.type == "text" and is_int:
            row[promoted.column] = str(value)
    scope = scope_spans.scope
    row |= {
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_span_id": span.parent_span_id.hex() if any(span.parent_span_id) else None,
        "trace_state": span.trace_state or None,
        "flags": span.flags,
        "name": span.name,
        "kind": span.kind,
        "start_unix_nano": _same_bits(span.start_time_unix_nano),
        "end_unix_nano": _same_bits(span.end_time_unix_nano),
        "status": span.status.code,
        "status_message": span.status.message or None,
        "scope_name": scope.name or None,
        "scope": _object(
            version=scope.version,
            attributes=_pairs(scope.attributes),
            dropped_attributes_count=scope.dropped_attributes_count,
            schema_url=scope_spans.schema_url,
            resource_schema_url=resource_spans.schema_url,
        ),
        "resource": _object(**resource, _all=True),
        "attributes": _object(**attributes, _all=True),
        "events": _json([_event(event) for event in span.events]) if span.events else None,
        "links": _json([_link(link) for link in span.links]) if span.links else None,
        "dropped": _object(
            attributes=span.dropped_attributes_count,
            events=span.dropped_events_count,
            links=span.dropped_links_count,
        ),
    }
    return row


def _event(event: Any) -> dict[str, Any]:
    return _present(
        name=event.name,
        time_unix_nano=event.time_unix_nano,
        attributes=_pairs(event.attributes),
        dropped_attributes_count=event.dropped_attributes_count,
    )


def _link(link: Any) -> dict[str, Any]:
    return _present(
        trace_id=link.trace_id.hex(),
        span_id=link.span_id.hex(),
        trace_state=link.trace_state,
        attributes=_pairs(link.attributes),
        dropped_attributes_count=link.dropped_attributes_count,
        flags=link.flags,
    )


def _present(**members: Any) -> dict[str, Any]:
    return {key: value for key, value in members.items() if value}


def _object(_all: bool = False, **members: Any) -> str | None:
    kept = members if _all else _present(**members)
    return _json(kept) if kept else None


def _pairs(attributes: Any) -> dict[str, Any]:
    return {attribute.key: _value(attribute.value) for attribute in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    held = getattr(value, kind)
    if kind == "double_value":
        if math.isfinite(held):
            return Number(held)
        return {"doubleValue": {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(held)]}
    if kind == "bytes_value":
        return {"bytesValue": base64.b64encode(held).decode()}
    if kind == "array_value":
        return [_value(element) for element in held.values]
    if kind == "kvlist_value":
        pairs = _pairs(held.values)
        return {"kvlistValue": pairs} if set(pairs) in ({"doubleValue"}, {"bytesValue"}, {"kvlistValue"}) else pairs
    return held


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
