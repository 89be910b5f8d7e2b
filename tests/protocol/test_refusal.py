"""Errors that are answered in the server's place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.protocol.refusal import refusal

IDS = ["7", '"7"', "-1", "1.50", '"a\\u00e9\\"b"', "12345678901234567890123456789"]


@pytest.mark.parametrize("text", IDS)
def test_a_request_is_answered_with_its_id_as_it_was_written(text: str) -> None:
    answer = refusal(f' {{"jsonrpc":"2.0", "id" : {text} , "method":"tools/call"}} '.encode(), -32603, 'no "one"')
    assert f'"id":{text},'.encode() in answer
    assert json.loads(answer) == {
        "jsonrpc": "2.0",
        "id": json.loads(text),
        "error": {"code": -32603, "message": 'no "one"'},
    }


@pytest.mark.parametrize(
    "frame",
    [
        None,
        b"",
        b"not json",
        b'{"jsonrpc":"2.0","method":"notifications/initialized"}',
        b'{"jsonrpc":"2.0","id":3,"result":{}}',
        b'{"id":3,"method":4}',
        b'{"id":null,"method":"m"}',
        b'{"id":true,"method":"m"}',
        b'{"id":{},"method":"m"}',
        b'{"id":[1],"method":"m"}',
        b'{"id":01,"method":"m"}',
        b'{"id":"\xff","method":"m"}',
        b'{"id":3,"method":"m"} {}',
        b'{"id":3,"method":"m"',
        b'[{"id":3,"method":"m"}]',
    ],
)
def test_a_frame_that_is_not_one_request_has_no_id(frame: bytes | None) -> None:
    assert json.loads(refusal(frame, -32600, "no"))["id"] is None


@given(st.binary())
def test_any_bytes_are_answered_with_json(frame: bytes) -> None:
    answer = json.loads(refusal(b'{"method":"m","id":' + frame + b"}", -32600, "no"))
    assert answer["error"] == {"code": -32600, "message": "no"}
    assert set(answer) == {"jsonrpc", "id", "error"}
