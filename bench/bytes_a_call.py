"""What a call takes up on disk, beside OTLP of the same spans: `python -m bench.bytes_a_call LAKE [--spans 100000]`.

Takes the largest file of a lake and writes its first spans as OTLP as well, in requests of 512 as a Collector batches
them, with the attributes that mcpobs exports: as JSON under gzip (level 6) and as protobuf under gzip and zstd (level
3, where the package zstandard is there). All requests of a kind are compressed as one file.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from mcpobs.lake.reader import open_reading
from mcpobs.lake.schema import TYPES
from mcpobs.telemetry.spans import attributes

A_REQUEST = 512
Row = dict[str, Any]


def measure(lake: Path, most: int) -> str:
    with open_reading(lake) as reading:
        largest = max(reading.files, key=lambda path: path.stat().st_size)
        source = f"read_parquet('{largest}', hive_partitioning = true, hive_types = {{'date': VARCHAR}})"
        rows = reading.connection.execute(f"select {', '.join(TYPES)} from {source} limit {most}").fetchall()
        (spans,) = reading.connection.execute(f"select count(*) from {source}").fetchall()[0:1]
    in_rollups = sum(path.stat().st_size for path in (lake / "rollup").glob(f"*/{largest.name}"))
    requests = [_request([dict(zip(TYPES, row, strict=True)) for row in part]) for part in _parts(rows)]
    as_proto = b"".join(request.SerializeToString() for request in requests)
    as_json = b"\n".join(json.dumps(_hex_ids(MessageToDict(request))).encode() for request in requests)
    parquet = largest.stat().st_size / spans[0]
    ways: list[tuple[str, float]] = [
        ("in the lake, Parquet", parquet),
        ("its roll-ups besides", in_rollups / spans[0]),
        ("OTLP/JSON", len(as_json) / len(rows)),
        ("OTLP/JSON, gzip", len(gzip.compress(as_json, 6)) / len(rows)),
        ("OTLP protobuf", len(as_proto) / len(rows)),
        ("OTLP protobuf, gzip", len(gzip.compress(as_proto, 6)) / len(rows)),
    ]
    if (zstd := _zstd()) is not None:
        ways.append(("OTLP protobuf, zstd", len(zstd(as_proto)) / len(rows)))
    lines = [f"{len(rows):,} spans of {largest.name[:5]}…, {spans[0]:,} in the file.", ""]
    lines += ["| bytes a span | | times Parquet |", "|---|---|---|"]
    lines += [f"| {name} | {size:.1f} | {size / parquet:.2f} |" for name, size in ways]
    return "\n".join(lines)


def _parts(rows: list[Any]) -> list[list[Any]]:
    return [rows[at : at + A_REQUEST] for at in range(0, len(rows), A_REQUEST)]


def _request(rows: list[Row]) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    by_resource: dict[str, list[Row]] = {}
    for row in rows:
        by_resource.setdefault(f"{row['service_name']}\n{row['resource']}", []).append(row)
    for group in by_resource.values():
        members = {"service.name": group[0]["service_name"], **orjson.loads(group[0]["resource"] or "{}")}
        spans = request.resource_spans.add()
        spans.resource.attributes.extend(_attribute(key, value) for key, value in members.items())
        scope = spans.scope_spans.add()
        scope.scope.name = group[0]["scope_name"]
        for row in group:
            span = scope.spans.add()
            span.trace_id, span.span_id = bytes.fromhex(row["trace_id"]), bytes.fromhex(row["span_id"])
            span.name, span.kind = row["name"], 2
            span.start_time_unix_nano = row["start_unix_nano"]
            span.end_time_unix_nano = row["start_unix_nano"] + (row["duration_ns"] or 0)
            if row["error_type"] is not None:
                span.status.code = 2
            span.attributes.extend(_attribute(key, value) for key, value in attributes(row).items())
    return request


def _attribute(key: str, value: object) -> KeyValue:
    match value:
        case bool():
            converted = AnyValue(bool_value=value)
        case int():
            converted = AnyValue(int_value=value)
        case float():
            converted = AnyValue(double_value=value)
        case _:
            converted = AnyValue(string_value=str(value))
    return KeyValue(key=key, value=converted)


def _hex_ids(request: dict[str, Any]) -> dict[str, Any]:
    """OTLP/JSON has ids in hex where protobuf's own JSON has base64: longer by a third, and it packs as well."""
    for resource in request["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for name in ("traceId", "spanId"):
                    span[name] = base64.b64decode(span[name]).hex()
    return request


def _zstd() -> Callable[[bytes], bytes] | None:
    try:
        import zstandard
    except ImportError:
        return None
    compress: Callable[[bytes], bytes] = zstandard.ZstdCompressor(level=3).compress
    return compress


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lake", type=Path)
    parser.add_argument("--spans", type=int, default=100_000)
    given = parser.parse_args()
    print(measure(given.lake, given.spans))


if __name__ == "__main__":
    main()
