"""What a frame may cost, whatever is in it: values, bytes and characters that are looked at are counted here."""

from __future__ import annotations

import json
import re
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.protocol import codeword, conversation, decode, features, flags
from mcpobs.protocol.decode import CONTAINER_WEIGHT, MAX_WEIGHT, counts_more
from tests.protocol.json_values import values
from tests.protocol.talk import Talk

UNITS = (b"{}", b"[]", b"0", b'""', b"null", b'{"a":0}', b'{"a":{"a":{}}}', b"[[[[[[]]]]]]", b'",[{"', b"\\u0000")
SMALL = 300_000


@pytest.fixture
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bounds, reached sooner."""
    monkeypatch.setattr(decode, "MAX_BYTES", SMALL)
    monkeypatch.setattr(decode, "SCANNED_BYTES", SMALL)
    monkeypatch.setattr(decode, "MAX_WEIGHT", SMALL // 10)


def _weight(value: object) -> int:
    match value:
        case dict():
            return CONTAINER_WEIGHT + max(0, len(value) - 1) + sum(map(_weight, value.values()))
        case list():
            return CONTAINER_WEIGHT + max(0, len(value) - 1) + sum(map(_weight, value))
    return 0


@given(values, st.integers(0, 300), st.booleans())
def test_values_are_counted_as_they_are(value: Any, most: int, spaced: bool) -> None:
    frame = json.dumps(value, separators=(" , ", " : ") if spaced else (",", ":")).encode()
    assert counts_more(frame, most) == (_weight(value) > most)


@given(st.binary(max_size=200), st.integers(0, 50))
def test_counting_raises_for_no_bytes(frame: bytes, most: int) -> None:
    counts_more(frame, most)


def _filled(unit: bytes, size: int) -> bytes:
    """An array of the unit; one that is no JSON value fills a text."""
    try:
        json.loads(unit)
    except ValueError:
        return b'["' + json.dumps(unit.decode()).encode()[1:-1] * (size // len(unit)) + b'"]'
    return b"[" + (unit + b",") * (size // (len(unit) + 1)) + unit + b"]"


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("size", [SMALL // 2, SMALL * 2])
@pytest.mark.parametrize("order", ["first", "last"])
@pytest.mark.usefixtures("small_bounds")
def test_a_call_of_any_size_is_recorded_and_paired(unit: bytes, size: int, order: str) -> None:
    filled = _filled(unit, size)
    arguments, name = b'"arguments":{"x":%b}' % filled, b'"name":"dig"'
    params = b",".join((name, arguments) if order == "first" else (arguments, name))
    head = b'"jsonrpc":"2.0","id":3'
    asked = b'{%b,"method":"tools/call","params":{%b}}' % (head, params)
    answered = b'"result":{"content":%b,"isError":true}' % filled
    answer = b"{%b}" % b",".join((head, answered) if order == "first" else (answered, head))
    talk = Talk()
    assert talk.client(asked) == []
    (call,) = talk.server(answer)
    assert (call.tool, call.outcome) == ("dig", "tool_error")
    assert call.result is not None
    assert call.result.size_bytes == len(answer) - len('{"jsonrpc":"2.0","id":3,"result":}')


@pytest.mark.usefixtures("small_bounds")
def test_members_after_a_large_value_are_read_from_the_end() -> None:
    filled = _filled(b"{}", 2 * SMALL)
    meta = b'"_meta":{"progressToken":7,"io.example/a":{"b":[1]}}'
    frame = b'{"params": {"arguments": %b, "name": "dig", %b}, "method": "tools/call", "id": "a,\\"b"}\n' % (
        filled,
        meta,
    )
    found = decode.decode(frame)
    assert isinstance(found, dict)
    assert (found["id"], found["method"]) == ('a,"b', "tools/call")
    assert found["params"]["name"] == "dig"
    assert found["params"]["_meta"]["progressToken"] == 7
    assert isinstance(found["params"]["arguments"], decode.Opaque)


@pytest.mark.parametrize("begins", [b"{", b"[", b'{"id":1', b'{"id":1,"result":', b"[{", b"{{", b'"', b"x", b'{"a":"'])
@pytest.mark.usefixtures("small_bounds")
def test_a_large_frame_that_is_no_message_is_none(begins: bytes) -> None:
    for filling in (b"{},", b"[", b'"', b'",', b"\\", b" ", b"\xff", b"1"):
        talk = Talk()
        frame = begins + filling * (SMALL // len(filling) + 1)
        assert talk.client(frame) == []
        assert talk.seen.unparsed + talk.seen.unmatched == 1


def test_of_a_batch_no_more_messages_are_read_than_allowed() -> None:
    talk = Talk()
    batch = [{"jsonrpc": "2.0", "method": "notifications/x"}] * (conversation.MAX_BATCH + 5)
    assert len(talk.client(json.dumps(batch).encode())) == conversation.MAX_BATCH
    assert talk.seen.unparsed == 5


@pytest.mark.parametrize("text", ["' or a", "' " + " " * 7, "; ls", "ignore ", "é ", "x" * 4 + " "])
@pytest.mark.parametrize("shape", ["list", "nested", "members", "names"])
def test_of_many_texts_no_more_characters_are_looked_at_than_allowed(
    text: str, shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = 0
    flags_of = flags.flags_of

    def counting(text: str, tests: flags.Tests = flags.TESTS) -> int:
        nonlocal looked_at
        looked_at += len(text)
        return flags_of(text, tests)

    monkeypatch.setattr(codeword, "flags_of", counting)
    texts = [(text * (65_536 // len(text) + 1))[:65_500] + str(number) for number in range(200)]
    value: dict[str, object] = {
        "list": {"x": texts},
        "nested": {"x": {"y": [{"z": one} for one in texts]}},
        "members": {f"m{number}": one for number, one in enumerate(texts)},
        "names": dict.fromkeys(texts, 1),
    }[shape]
    described = json.loads(features.features_of(value, lambda name: name[:8]))
    assert described["cut"] is True
    assert looked_at <= features.MAX_CHARACTERS + codeword.HEAD + codeword.TAIL


@given(st.text(alphabet="'\";|&$(`<[ aorls", max_size=2000))
def test_at_no_more_places_than_allowed_a_pattern_is_tried(text: str) -> None:
    tried = 0

    class Pattern:
        def match(self, text: str, at: int) -> None:
            nonlocal tried
            tried += 1

    flags._found_at(re.compile("."), Pattern(), text)  # type: ignore[arg-type]
    assert tried <= 16 + len(text) // 128


def test_the_most_values_weigh_what_is_stated() -> None:
    tracemalloc.start()
    try:
        for unit in (b"{}", b'{"a":0.5}', b'"\\u20ac"'):
            frame = _filled(unit, 2 << 20)
            base = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            value = decode.decode(frame)
            peak = tracemalloc.get_traced_memory()[1] - base
            assert counts_more(frame, MAX_WEIGHT) or value is not None
            assert peak < 150 << 20
    finally:
        tracemalloc.stop()
