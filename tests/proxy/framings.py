"""Awkward bytes for both directions: name → (what the client sends, what the server sends, size of the pieces)."""

from __future__ import annotations

import json
import random

_RANDOM = random.Random(7)
BIG = 10 << 20


def line(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"


def call(id_: object, **arguments: object) -> bytes:
    return line({"jsonrpc": "2.0", "id": id_, "method": "tools/call", "params": {"name": "t", "arguments": arguments}})


def result(id_: object, text: str = "ok") -> bytes:
    return line({"jsonrpc": "2.0", "id": id_, "result": {"content": [{"type": "text", "text": text}]}})


def _raw_call(arguments: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":' + arguments + b"}}\n"


def _raw_result(value: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":1,"result":' + value + b"}\n"


def _both(value: bytes, piece: int = 4096) -> tuple[bytes, bytes, int]:
    return _raw_call(b'{"v":' + value + b"}"), _raw_result(b'{"content":[],"v":' + value + b"}"), piece


FRAMINGS: dict[str, tuple[bytes, bytes, int]] = {
    "nothing at all": (b"", b"", 1),
    "one call": (call(1, a=1), result(1), 4096),
    "one byte at a time": (call(1, a=1), result(1), 1),
    "no newline at the end": (call(1).rstrip(), result(1).rstrip(), 4096),
    "half a frame and then the end": (call(1)[:20], result(1)[:20], 7),
    "carriage return and newline": (call(1).replace(b"\n", b"\r\n"), result(1).replace(b"\n", b"\r\n"), 3),
    "carriage returns alone": (b"\r\r" + call(1) + b"\r", b"\r" + result(1) + b"\r\r", 5),
    "empty lines": (b"\n\n" + call(1) + b"\n\n\n", b"\n" + result(1) + b"\n\n", 2),
    "blank lines of spaces and tabs": (b"   \n\t\n" + call(1), b" \t \n" + result(1), 4096),
    "only newlines": (b"\n" * 5000, b"\n" * 5000, 999),
    "thousand frames in one write": (
        b"".join(call(n) for n in range(1000)),
        b"".join(result(n) for n in range(1000)),
        1 << 20,
    ),
    "a frame of ten megabytes": (call(1, text="x" * BIG), result(1, "y" * BIG), 1 << 16),
    "ten megabytes in odd pieces": (call(1, text="x" * BIG), result(1, "y" * BIG), 65537),
    "a long line that never ends": (b"z" * 3_000_000, b"z" * 3_000_000, 1 << 15),
    "a batch": (line([json.loads(call(n)) for n in range(3)]), line([json.loads(result(n)) for n in range(3)]), 50),
    "an empty batch": (b"[]\n", b"[]\n", 4096),
    "frames that are no objects": (b'1\n"x"\nnull\ntrue\n[1,[2]]\n', b'null\n-0.0\n"y"\n[]\n', 3),
    "lone surrogates": _both(b'"\\ud800 and \\udfff"'),
    "a number beyond all bounds": _both(b"1e400"),
    "the largest double": _both(b"1e308"),
    "minus zero and exponents": _both(b"[-0.0,1E+2,1.0,100e-2]"),
    "an integer of five thousand digits": _both(b"9" * 5000),
    "NaN and Infinity": _both(b"[NaN,Infinity,-Infinity]"),
    "nesting of hundred thousand": _both(b"[" * 100_000 + b"]" * 100_000),
    "duplicate keys": (
        b'{"id":1,"id":2,"method":"ping","method":"tools/call","jsonrpc":"2.0","params":{"name":"a","name":"b"}}\n',
        b'{"jsonrpc":"2.0","id":9,"id":2,"result":{},"result":{"content":[]}}\n',
        11,
    ),
    "escapes that could be written otherwise": _both(b'"\\u0041\\/\\u00e9\\t"'),
    "odd spacing": (b' { "jsonrpc" :\t"2.0" , "id" : 1 , "method":"ping" } \n', b'{"id":1 ,  "result": {} }   \n', 4),
    "raw bytes above ASCII": (call(1) + "é😀 ".encode() + b"\n", "ü  \n".encode() + result(1), 1),
    "not UTF-8": (b'{"jsonrpc":"2.0","id":1,"method":"\xff\xfe"}\n', b'{"id":1,"result":"\xc3\x28"}\n', 2),
    "a byte order mark": (b"\xef\xbb\xbf" + call(1), b"\xef\xbb\xbf" + result(1), 2),
    "NUL bytes": (b"\0\0" + call(1) + b"\0", b"\0" + result(1) + b"\0\0", 6),
    "random bytes": (_RANDOM.randbytes(1 << 20), _RANDOM.randbytes(1 << 20), 4099),
    "headers of another framing": (
        b"Content-Length: 10\r\n\r\n" + call(1),
        b"Content-Length: 9\r\n\r\n" + result(1),
        9,
    ),
    "words on stdout before the protocol": (call(1), b"Server started!\n" + result(1), 4096),
    "a response that nobody asked for": (result(77), result(78), 4096),
    "a response before its request": (b"", result(1), 4096),
    "ids of all kinds": (
        b"".join(call(i) for i in (1, "1", 1.5, None, True, [1], {"a": 1}, -1, 2**70, "")),
        b"".join(result(i) for i in (1, "1", 1.5, None, True, [1], {"a": 1}, -1, 2**70, "")),
        100,
    ),
    "params of the wrong type": (
        b"".join(
            line({"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": p})
            for n, p in enumerate(
                [None, 1, "x", [], {"name": 5}, {"name": None, "_meta": "m"}, {"_meta": {"traceparent": 7}}]
            )
        ),
        b"".join(
            line({"jsonrpc": "2.0", "id": n, "error": e}) for n, e in enumerate([None, 1, "x", [], {"code": "a"}, {}])
        ),
        64,
    ),
    "terminal escapes": (b"\x1b[2J\x1b]0;title\x07" + call(1), b"\x1b[31mred\n" + result(1), 3),
}
