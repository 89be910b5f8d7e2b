"""What decoding OTLP traces costs: both decoders, and beside them what Python can do with protobuf's own parser.

    python -m bench.decode [--rounds 9] [--requests 8]

Requests of 512 spans with 25 attributes each, 10 of them with a column of their own. CPU time of one thread, kernel
included; the median of interleaved rounds. Each way keeps all attributes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import orjson
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.otlp_requests import SPANS, Requests
from mcpobs.lake.otlp import plain
from mcpobs.lake.otlp.json_request import from_json
from mcpobs.lake.otlp.native.library import Native


@dataclass
class Way:
    name: str
    decode: Callable[[Sequence[bytes]], object]
    spans_per_s: list[float] = field(default_factory=list)

    def block(self, bodies: Sequence[bytes]) -> None:
        started = time.process_time()
        self.decode(bodies)
        self.spans_per_s.append(SPANS * len(bodies) / (time.process_time() - started))


def upb_alone(bodies: Sequence[bytes]) -> object:
    return [ExportTraceServiceRequest.FromString(body) for body in bodies]


def upb_and_dicts(bodies: Sequence[bytes]) -> object:
    """As one would write it: a dict a span, its attributes as JSON. For scalar values only."""
    rows = []
    for body in bodies:
        for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope_spans in resource_spans.scope_spans:
                for span in scope_spans.spans:
                    found = {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes}
                    rows.append(
                        {
                            "trace_id": span.trace_id.hex(),
                            "span_id": span.span_id.hex(),
                            "parent_span_id": span.parent_span_id.hex(),
                            "name": span.name,
                            "start_unix_nano": span.start_time_unix_nano,
                            "end_unix_nano": span.end_time_unix_nano,
                            "attributes": orjson.dumps(found),
                        }
                    )
    return rows


def each(function: Callable[[bytes], object]) -> Callable[[Sequence[bytes]], object]:
    return lambda bodies: [function(body) for body in bodies]


def as_json(body: bytes) -> bytes:
    document = MessageToDict(ExportTraceServiceRequest.FromString(body), use_integers_for_enums=True)
    for group in document["resourceSpans"]:
        for span in group["scopeSpans"][0]["spans"]:  # OTLP/JSON writes ids in hex
            span |= {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174"}
            del span["parentSpanId"]
    return json.dumps(document, separators=(",", ":")).encode()


def ways() -> list[Way]:
    native = Native()
    return [
        Way("decode.c to Arrow", native.decode),
        Way("decode.c to Arrow, request by request", each(lambda body: native.decode([body]))),
        Way("decode.c, check alone", each(native.check)),
        Way("plain.py to Arrow", plain.decode),
        Way("plain.py, check alone", each(plain.check)),
        Way("upb, parse alone", upb_alone),
        Way("upb, a dict a span", upb_and_dicts),
        Way("decode.c to Arrow again (A/A)", native.decode),
    ]


def run(rounds: int, requests: int) -> str:
    made = Requests()
    bodies = [made.next() for _ in range(requests)]
    documents = [as_json(body) for body in bodies]
    measured, from_documents = ways(), Way("OTLP/JSON to protobuf", each(from_json))
    for round_ in range(rounds + 1):
        for way in measured:
            for _ in range(20 if "decode.c" in way.name else 1):  # a block of theirs would be 5 ms
                way.block(bodies)
        from_documents.block(documents)
        if round_ == 0:
            for way in (*measured, from_documents):
                way.spans_per_s.clear()
    size = sum(map(len, bodies)) / len(bodies) / SPANS
    base = statistics.median(measured[0].spans_per_s)
    lines = [
        f"| {requests} requests of {SPANS} spans, {size:.0f} bytes a span, {rounds} rounds | spans/s/core | ratio |",
        "|---|---|---|",
    ]
    for way in (*measured, from_documents):
        rate = statistics.median(way.spans_per_s)
        lines.append(f"| {way.name} | {rate:,.0f} | {rate / base:.2f} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--requests", type=int, default=8)
    given = parser.parse_args(argv)
    print(run(given.rounds, given.requests))


if __name__ == "__main__":
    main()
