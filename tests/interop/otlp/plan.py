"""The spans that every sender sends: all kinds of values, the same in every run but for the day. Data only.

The senders carry it out.

A value is written with its kind, so that no JSON in between can change it: {"s": text}, {"b": bool}, {"i": "digits"},
{"d": "repr of a double"}, {"a": [values]}, {"m": {key: value}}, {"y": "base64"}.
"""

from __future__ import annotations

import base64
import time
from random import Random
from typing import Any, Final, Literal

Value = dict[str, Any]
Feature = Literal[
    "int64",
    "whole doubles",
    "mixed arrays",
    "maps",
    "bytes",
    "everywhere",  # mixed arrays, maps and bytes also outside the attributes of a span
    "scope attributes",
    "schema url",
    "sampled flag",  # W3C flags in Span.flags
    "link states",  # Link.trace_state
]

SPANS: Final = 520
BATCH: Final = 64
_FIRST_NS: Final = (time.time_ns() // 10**9 - 7_200) * 10**9 + 123_456_789
"""Two hours ago: the collector places what is far from its receipt at its receipt."""

TEXTS: Final = (
    "", "plain", "Ünïcödé", "一些词", "👩‍👩‍👧‍👦 🏴󠁧󠁢󠁳󠁣󠁴󠁿", "e\u0301 combining",
    "\u0000 nul", "\u0001\u0008\u001f\u007f\u0080\u009f",
    "line\nfeed\r\n\ttab", 'a "quote", a \\ and a /', "\u2028 and \u2029", "\ufeffmark", "\ufffd\uffff\U0010ffff",
    "null", "true", "12", "1e400", '{"json": [1, "x"]}', '{"doubleValue":"NaN"}', "'; drop table spans; --", "x" * 5000,
)  # fmt: skip
KEYS: Final = (
    "plain",
    "dotted.key.of.a.name",
    "with space",
    "ключ",
    "🔑",
    'quo"te',
    "back\\slash",
    "new\nline",
    "$",
    "$$",
)
INTS: Final = (0, 1, -1, 255, 2**31, -(2**31), 2**53, -(2**53), 2**53 - 1)
INTS_64: Final = (2**63 - 1, -(2**63), 2**53 + 1, 1_790_000_000_123_456_789)
DOUBLES: Final = (0.1, -0.5, 1 / 3, 5e-324, 2.2250738585072014e-308, 4503599627370495.5, 123456.789, 1e-7, float("nan"),
                  float("inf"), float("-inf"))  # fmt: skip
WHOLE_DOUBLES: Final = (0.0, -0.0, 1.0, -3.0, 1e15, 2.0**53, 1e22, 1.5e300, 1.7976931348623157e308)
BYTES: Final = (b"", b"\0", bytes(range(256)), b"\xff\xfe", b"text")


def plan(features: frozenset[Feature], *, seed: int = 1, times: int = 1) -> dict[str, Any]:
    """The whole of what a sender sends, within what it can say, and how many times it sends each batch."""
    random = Random(seed)
    elsewhere = _elsewhere(features)
    return {
        "batch": BATCH,
        "times": times,
        "sampled_flag": "sampled flag" in features,
        "link_states": "link states" in features,
        "resource": {"service.name": {"s": "a sender ✉"}, **_attributes(random, elsewhere, 6)},
        "scope": {
            "name": "mcpobs.tests/ünï",
            "version": "1.2.3+β",
            "schema_url": "https://example.invalid/schemas/1.2.3" if "schema url" in features else None,
            "attributes": _attributes(random, elsewhere, 3) if "scope attributes" in features else {},
        },
        "spans": [_span(random, features, place) for place in range(SPANS)],
    }


def _elsewhere(features: frozenset[Feature]) -> frozenset[Feature]:
    return features if "everywhere" in features else features - {"mixed arrays", "maps", "bytes"}


def _span(random: Random, features: frozenset[Feature], place: int) -> dict[str, Any]:
    elsewhere = _elsewhere(features)
    start = _FIRST_NS + place * 1_000_003 + random.randrange(1_000)
    end = start + random.choice((0, 1, 999, 1_000_000, 3_600_000_000_000, 2**40 + 7))
    status = place % 3
    return {
        "name": f"span {place} {TEXTS[1 + place % 5]}",
        "kind": 1 + place % 5,
        "start": str(start),
        "end": str(end),
        "parent": random.randrange(place) if place and place % 4 else None,
        "remote": _remote(random) if place % 8 == 0 else None,
        "status": status,
        "status_message": TEXTS[place % 16] if status == 2 else None,
        "attributes": {**_promoted(place), **_attributes(random, features, place % 30)},
        "events": [
            {"name": f"event {n} ⏱", "time": str(start + n), "attributes": _attributes(random, elsewhere, n)}
            for n in range(place % 4)
        ],
        "links": [
            {"to": random.randrange(place), "attributes": _attributes(random, elsewhere, n)}
            for n in range(place % 3)
            if place
        ],
    }


def _remote(random: Random) -> dict[str, str]:
    state = random.choice(("", "vendor=value", "a=1,b=2,c@d=3"))
    return {
        "trace_id": f"{random.getrandbits(128):032x}",
        "span_id": f"{random.getrandbits(64):016x}",
        "trace_state": state,
    }


def _promoted(place: int) -> dict[str, Value]:
    """Attributes that have a column of their own: with a value that fits it, and with one that does not."""
    match place % 10:
        case 3:
            return {"gen_ai.agent.name": {"s": f"agent {place} 🤖"}, "mcpobs.tokens": {"i": str(place)}}
        case 6:
            return {"gen_ai.agent.name": {"b": True}, "mcpobs.tokens": {"s": "many"}}
    return {}


def _attributes(random: Random, features: frozenset[Feature], count: int) -> dict[str, Value]:
    return {f"{random.choice(KEYS)} {n}": _value(random, features) for n in range(count)}


def _value(random: Random, features: frozenset[Feature], depth: int = 0) -> Value:
    kinds = ["text", "text", "int", "double", "bool"]
    if depth < 3:
        kinds += ["array", *(["mixed"] if "mixed arrays" in features else []), *(["map"] if "maps" in features else [])]
    if "bytes" in features:
        kinds.append("bytes")
    match random.choice(kinds):
        case "text":
            return {"s": random.choice(TEXTS)}
        case "int":
            return {"i": str(random.choice(INTS + (INTS_64 if "int64" in features else ())))}
        case "double":
            return {"d": repr(random.choice(DOUBLES + (WHOLE_DOUBLES if "whole doubles" in features else ())))}
        case "bool":
            return {"b": random.random() < 0.5}
        case "bytes":
            return {"y": base64.b64encode(random.choice(BYTES)).decode()}
        case "array":
            return _array(random, features)
        case "mixed":
            return {"a": [_value(random, features, depth + 1) for _ in range(random.randrange(5))]}
        case _:
            return {"m": {f"{random.choice(KEYS)} {n}": _value(random, features, depth + 1) for n in range(4)}}


def _array(random: Random, features: frozenset[Feature]) -> Value:
    """Of one kind: all that the SDKs took for years."""
    length = random.randrange(5)
    match random.randrange(4):
        case 0:
            return {"a": [{"s": random.choice(TEXTS)} for _ in range(length)]}
        case 1:
            return {"a": [{"i": str(random.choice(INTS))} for _ in range(length)]}
        case 2:
            return {"a": [{"d": repr(random.choice(DOUBLES))} for _ in range(length)]}
        case _:
            return {"a": [{"b": bool(random.randrange(2))} for _ in range(length)]}
