"""Random OTLP trace requests on the wire: well-formed, odd and broken ones, reproducible from a random.Random."""

from __future__ import annotations

import struct
from random import Random

from mcpobs.lake.otlp.columns import PROMOTED

SHAPES: dict[str, dict[int, str]] = {
    "Request": {1: "ResourceSpans"},
    "ResourceSpans": {1: "Resource", 2: "ScopeSpans", 3: "string", 1000: "ScopeSpans"},
    "Resource": {1: "KeyValue", 2: "uint32"},
    "ScopeSpans": {1: "Scope", 2: "Span", 3: "string"},
    "Scope": {1: "string", 2: "string", 3: "KeyValue", 4: "uint32"},
    "Span": {
        1: "trace_id",
        2: "span_id",
        3: "string",
        4: "span_id",
        5: "string",
        6: "enum",
        7: "time",
        8: "time",
        9: "KeyValue",
        10: "uint32",
        11: "Event",
        12: "uint32",
        13: "Link",
        14: "uint32",
        15: "Status",
        16: "fixed32",
    },
    "Event": {1: "time", 2: "string", 3: "KeyValue", 4: "uint32"},
    "Link": {1: "trace_id", 2: "span_id", 3: "string", 4: "KeyValue", 5: "uint32", 6: "fixed32"},
    "Status": {2: "string", 3: "enum"},
    "KeyValue": {1: "key", 2: "AnyValue"},
    "AnyValue": {1: "string", 2: "bool", 3: "int64", 4: "double", 5: "Array", 6: "Map", 7: "string"},
    "Array": {1: "AnyValue"},
    "Map": {1: "KeyValue"},
}
WIRES = {"uint32": 0, "enum": 0, "bool": 0, "int64": 0, "time": 1, "double": 1, "fixed32": 5}
PIECES = (
    *(b"", b"a", b"\x00", b"\n", b'"', b"\\", b"\x1f", b"\x7f", b"plain text that is longer than a word"),
    *("é", "😀", "\ufffd", "\u2028", "\U0010ffff"),
    *(b"\x80", b"\xff", b"\xc3", b"\xe2\x82", b"\xed\xa0\x80", b"\xf0\x9f\x98", b"\xf4\x90\x80\x80", b"\xc0\xaf"),
)
KEYS = (
    *(b"", b"k", b"key", b"other.key", b"\xff", b"\xfe", b"\xef\xbf\xbd", b"service.name", b"a" * 200),
    *(b"doubleValue", b"bytesValue", b"kvlistValue", b"stringValue"),
    *(promoted.attribute.encode() for promoted in PROMOTED),
)
DOUBLES = (0.0, -0.0, 1.0, 0.1, 1e16, 1e-5, 5e-324, 2.0**-44, 1.7976931348623157e308, float("nan"), float("-inf"))


def varint(value: int, longer: int = 0) -> bytes:
    """`longer` bytes more than it needs."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    for _ in range(longer):
        out[-1] |= 0x80
        out.append(0)
    return bytes(out)


def length_delimited(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def request(rng: Random) -> bytes:
    """Most are well-formed. A quarter is broken afterwards, and then mostly malformed."""
    body = message(rng, "Request", 12 if rng.random() < 0.95 else 110, [rng.choice((20, 100, 300))])
    return broken(rng, body) if rng.random() < 0.25 else body


def product(rng: Random, limit_bytes: int) -> bytes:
    """A request whose spans repeat about as many bytes as the limit, or many times as many: a large part that is
    shared, and many spans or many scopes below it."""
    times = rng.choice((0.5, 0.99, 1, 1.01, 3, 50))
    spans = rng.choice((3, 40, 500, 1500))
    text = rng.choice((b"x", b"\x01", b"\xff", "é".encode(), b'"')) * int(
        limit_bytes * times / spans / rng.choice((1, 2, 3, 6))
    )
    value = length_delimited(2, length_delimited(rng.choice((1, 1, 7)), text))
    pair = length_delimited(1, rng.choice(KEYS)) + value
    place = rng.choice(("resource", "resource url", "name", "version", "attribute", "url"))
    scope = {
        "name": length_delimited(1, length_delimited(1, text)),
        "version": length_delimited(1, length_delimited(2, text)),
        "attribute": length_delimited(1, length_delimited(3, pair)),
        "url": length_delimited(3, text),
    }.get(place, b"")
    resource = {"resource": length_delimited(1, length_delimited(1, pair)), "resource url": length_delimited(3, text)}
    a_span = [b"\x0a\x10" + rng.randbytes(16) + b"\x12" + rng.choice((b"\x08", b"\x08", b"\x07"))[:1] for _ in range(3)]
    ids = [head + rng.randbytes(head[-1]) for head in a_span]
    number = rng.choice((2, 2, 1000))
    each = [length_delimited(2, rng.choice(ids)) for _ in range(spans)]
    if rng.random() < 0.5:
        groups = length_delimited(number, scope + b"".join(each))
    else:
        groups = b"".join(length_delimited(rng.choice((2, number)), scope + span) for span in each)
    parts = [resource.get(place, b""), groups]
    if rng.random() < 0.3:
        parts.reverse()
    body = length_delimited(1, b"".join(parts)) + request(rng) * (rng.random() < 0.3)
    return broken(rng, body) if rng.random() < 0.1 else body


def broken(rng: Random, body: bytes) -> bytes:
    data = bytearray(body)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(5):
            case 0:
                del data[at:]
            case 1:
                del data[at : at + rng.randrange(1, 9)]
            case 2 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 3:
                data[at:at] = rng.randbytes(rng.randrange(1, 9))
            case 4 if at < len(data):
                data[at] = rng.choice((0, 0x7F, 0x80, 0xFF))
    return bytes(data)


def message(rng: Random, shape: str, depth: int, fields_left: list[int]) -> bytes:
    """`fields_left` is for the message and all that it holds."""
    fields = SHAPES[shape]
    out = []
    if shape == "Span" and rng.random() < 0.97:
        out += (b"\x0a\x10" + rng.randbytes(16), b"\x12\x08" + rng.randbytes(8))
    for _ in range(_count(rng, shape)):
        fields_left[0] -= 1
        if fields_left[0] < 0:
            break
        if rng.random() < 0.005:
            out.append(_odd(rng, fields))
            continue
        number = rng.choice(list(fields)) if shape != "Span" or rng.random() < 0.5 else rng.choice((9, 9, 9, 11, 13))
        kind = fields[number]
        if kind == "Span" and out and rng.random() < 0.3:
            out.append(broken(rng, out[-1]) if rng.random() < 0.02 else out[-1])
        elif kind in SHAPES:
            if depth > 0:
                out.append(length_delimited(number, message(rng, kind, depth - 1, fields_left)))
        elif kind in WIRES:
            out.append(varint(number << 3 | WIRES[kind]) + _scalar(rng, kind))
        elif shape != "Span" or number > 2 or rng.random() < 0.03:
            out.append(length_delimited(number, _data(rng, kind)))
    if rng.random() < 0.05:
        rng.shuffle(out)
    return b"".join(out)


def _count(rng: Random, shape: str) -> int:
    if shape == "KeyValue":
        return rng.choice((2, 2, 2, 2, 1, 0, 3, 4))
    if shape == "AnyValue":
        return rng.choice((1, 1, 1, 1, 1, 1, 0, 2, 3))
    return rng.choice((0, 1, 2, 3, 4, 6, 12)) if shape != "Span" else rng.choice((0, 3, 10, 25))


def _scalar(rng: Random, kind: str) -> bytes:
    longer = rng.choice((1, 2, 5)) if rng.random() < 0.02 else 0
    match kind:
        case "bool":
            return varint(rng.choice((0, 1, 2, 2**32, 2**63)), longer)
        case "enum":
            return varint(rng.choice((0, 1, 2, 3, 5, 9, 2**15, 2**31, 2**32 + 2, 2**64 - 1)), longer)
        case "uint32" | "int64":
            bits = rng.choice((1, 7, 8, 15, 16, 31, 32, 63, 64))
            return varint(rng.choice((rng.getrandbits(bits), (1 << bits) - 1, 0)), longer)
        case "time":
            near = rng.choice((0, 2**63 - 1, 2**64 - 1)) if rng.random() < 0.03 else 1_700_000_000_000_000_000
            return struct.pack("<Q", near)
        case "double":
            return struct.pack("<d", rng.choice(DOUBLES)) if rng.random() < 0.5 else rng.randbytes(8)
    return rng.randbytes(4)


def _data(rng: Random, kind: str) -> bytes:
    match kind:
        case "trace_id":
            return rng.choice((bytes(16), b"", rng.randbytes(15), rng.randbytes(16), rng.randbytes(17)))
        case "span_id":
            return rng.choice((bytes(8), b"", rng.randbytes(7), rng.randbytes(8), rng.randbytes(8), rng.randbytes(9)))
        case "key":
            return rng.choice(KEYS)
    pieces = (rng.choice(PIECES) for _ in range(rng.choice((0, 1, 1, 2, 5))))
    return b"".join(piece.encode() if isinstance(piece, str) else piece for piece in pieces)


def _odd(rng: Random, fields: dict[int, str]) -> bytes:
    """A field that is not known, or of another wire type, or a group."""
    number = rng.choice((*fields, 17, 99, 2**29 - 1))
    longer = rng.choice((0, 0, 1))
    match rng.randrange(5):
        case 0:
            return varint(number << 3, longer) + varint(rng.getrandbits(64))
        case 1:
            return varint(number << 3 | 1, longer) + rng.randbytes(8)
        case 2:
            return varint(number << 3 | 2, longer) + b"\x03\x08\x96\x01"
        case 3:
            return varint(number << 3 | 5, longer) + rng.randbytes(4)
    inner = b"".join(_odd(rng, {5: ""}) for _ in range(rng.choice((0, 1, 2))))
    end = number if rng.random() < 0.98 else number ^ 1
    return varint(number << 3 | 3, longer) + inner + varint(end << 3 | 4, longer)
