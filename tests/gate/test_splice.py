"""Edits change their places in the bytes of a message, and nothing else; the value changes alike."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcpobs.gate.decisions import Begin, Edit, End, Forward, Pass
from mcpobs.gate.edits import disjoint, edited
from mcpobs.gate.splice import SpliceError, spliced
from mcpobs.protocol.call import Call, Response
from tests.gate.connection import Connection, call, result
from tests.gate.judges import ByName

TEXTS = st.text(st.sampled_from('ab"\\/\n\té😀\u2028 '), max_size=8)
VALUES: Any = st.recursive(
    TEXTS | st.integers(10**6, 10**18) | st.sampled_from([4155550123.0, 1.5, None, True]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def places(value: Any, at: tuple[Any, ...] = ()) -> Any:
    """Every text, member name and integer with its path."""
    if isinstance(value, dict):
        for name, below in value.items():
            yield (*at, name), name, True
            yield from places(below, (*at, name))
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from places(below, (*at, number))
    elif isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool)):
        yield at, value, False


@st.composite
def messages(draw: st.DrawFn) -> tuple[Any, list[Edit]]:
    value = {"result": draw(VALUES)}
    edits = []
    for at, text, is_key in places(value["result"], ("result",)):
        if isinstance(text, int | float) and draw(st.booleans()):
            edits.append(Edit(at, 0, None, "[é]"))
        for number in range(draw(st.integers(0, 2)) if isinstance(text, str) else 0):
            start = draw(st.integers(0, len(text)))
            end = draw(st.integers(start, len(text)) | st.none())
            mask = f"[{number}{at}]" if is_key else f'[{number}"é]'  # two members keep different names
            edits.append(Edit(at, start, end, mask, is_key))
    return value, edits


@settings(max_examples=200, deadline=None)
@given(messages(), st.booleans(), st.sampled_from([None, 1]))
def test_the_bytes_and_the_value_change_alike(
    message: tuple[Any, list[Edit]], escaped: bool, indent: int | None
) -> None:
    value, wanted = message
    edits = disjoint(wanted)
    raw = json.dumps(value, ensure_ascii=escaped, indent=indent).encode()
    assert json.loads(spliced(raw, edits)) == edited(value, edits)


ODD = rb"""{ "jsonrpc":"2.0", "id" : 1.0e0,
  "result": {"b":true,"n":12345678901234567890123, "\u0061b":"caf\u00e9 \ud83d\ude00 me@x.example, \/ end",
  "a": [ [],{} , "y"] } }"""


def test_every_other_byte_stays_as_its_sender_wrote_it() -> None:
    text = json.loads(ODD)["result"]["ab"]
    start = text.index("me@")
    got = spliced(ODD, [Edit(("result", "ab"), start, start + len("me@x.example"), "[email:1]")])
    assert got == ODD.replace(b"me@x.example", b"[email:1]")
    got = spliced(ODD, [Edit(("result", "ab"), start - 2, start - 1, "[x]")])
    assert got == ODD.replace(rb"\ud83d\ude00", b"[x]")


@pytest.mark.parametrize(
    "edit",
    [
        Edit(("result", "none"), 0, 1, "x"),
        Edit(("result", "ab", 0), 0, 1, "x"),
        Edit(("result", "ab"), 0, 99, "x"),
        Edit(("result", "b"), 0, None, "x"),
        Edit(("result",), 0, None, "x"),
        Edit(("result", "a", 7), 0, None, "x"),
    ],
)
def test_a_place_that_is_not_there_is_an_error_so_that_nothing_passes_unmasked(edit: Edit) -> None:
    with pytest.raises(SpliceError):
        spliced(ODD, [edit])


def test_edits_that_overlap_are_one() -> None:
    at = ("result",)
    edits = [Edit(at, 4, 9, "b"), Edit(at, 0, 6, "a"), Edit(at, 9, 9, "c"), Edit(("other",), 5, 6, "d")]
    assert disjoint(edits) == (Edit(("other",), 5, 6, "d"), Edit(at, 0, 9, "a"), Edit(at, 9, 9, "c"))


class Wrong(ByName):
    """A judge whose edits name places that no message has."""

    def begin(self, call: Call) -> Begin:
        return Forward(edits=(Edit(("params", "none"), 0, 1, "x"),) if call.operation.tool == "asks" else ())

    def end(self, call: Call, response: Response) -> End:
        return Pass(edits=(Edit(("result", "none"), 0, 1, "x"),))


@pytest.mark.parametrize("tool", ["asks", "answers"])
def test_a_message_that_cannot_be_masked_is_answered_so_that_nobody_waits(tool: str) -> None:
    seen = Connection(Wrong())
    onward, back = seen.client(call(tool, 1))
    if tool == "answers":
        assert (onward is None, back) == (False, None)
        back = seen.server(result(1, "a secret")).onward
    assert back is not None
    assert json.loads(back)["error"]["message"] == "refused: it cannot be masked"
    (row,) = seen.rows
    assert (row["outcome"], row["error_type"]) == ("denied", "cannot_be_masked")
