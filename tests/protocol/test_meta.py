from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.protocol.meta import conversation_of, peer_of, version_of
from mcpobs.protocol.operation import Peer
from mcpobs.protocol.target import target_of
from mcpobs.protocol.text import bounded

from .json_values import wild_values

KEY = "gen_ai.conversation.id"


def _digest(text):
    return sha256(f"mcpobs:conversation:{text}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _conversation(meta):
    return conversation_of(meta)


@pytest.mark.parametrize(
    ("meta", "found"),
    [
        ({KEY: "conv-1"}, "conv-1"),
        ({KEY: "conv-1", "baggage": f"{KEY}=other"}, "conv-1"),
        ({"baggage": f"{KEY}=conv-2"}, "conv-2"),
        ({"baggage": f"a=b, {KEY} = conv%2D3 ;ttl=5,c=d"}, "conv-3"),
        ({"baggage": f"{KEY}=caf%C3%A9"}, "café"),
        ({"baggage": f"{KEY}=50%"}, "50%"),
        ({"baggage": f"{KEY}=a=b"}, "a=b"),
        ({"baggage": f"{KEY}=%FF"}, "\ufffd"),
        ({"baggage": f"{KEY}="}, None),
        ({"baggage": f"{KEY}"}, None),
        ({"baggage": f"not.{KEY}=x"}, None),
        ({"baggage": "a=b"}, None),
        ({"baggage": f"{KEY}=x" + "," * 10_000}, None),
        ({"baggage": [f"{KEY}=x"]}, None),
        ({KEY: 5}, None),
        ({KEY: ""}, None),
        ({}, None),
        ({KEY: "x" * 128}, "x" * 128),
        ({KEY: "x" * 129}, _digest("x" * 129)),
        ({KEY: "a\nb"}, _digest("a\nb")),
        ({"baggage": f"{KEY}=a%00b"}, _digest("a\0b")),
        ({KEY: "a\ud800"}, _digest("a\ud800")),
    ],
    ids=repr,
)
def test_the_conversation_is(meta, found):
    assert _conversation(meta) == found


@given(wild_values, wild_values)
def test_a_conversation_id_of_any_kind_can_be_written_as_utf_8(one, other):
    found = _conversation({KEY: one, "baggage": other})
    assert found is None or found.encode()


@given(st.text(max_size=40))
def test_any_baggage_can_be_read(text):
    found = _conversation({"baggage": f"{KEY}={text}"})
    assert found is None or found.encode()


@pytest.mark.parametrize(
    ("info", "peer"),
    [
        ({"name": "c", "version": "1"}, Peer("c", "1")),
        ({"name": "c"}, Peer("c", None)),
        ({"name": 5, "version": ["1"]}, Peer(None, None)),
        ({"name": "a\ud800\0b", "version": ""}, Peer("a\ufffd\0b", None)),
        ({"name": "x" * 500}, Peer(bounded("x" * 500), None)),
        ({"name": "at https://me:pw@h/mcp?key=k"}, Peer("at https://h/mcp", None)),
        ("c", None),
        (None, None),
        ([], None),
    ],
    ids=repr,
)
def test_a_side_calls_itself(info, peer):
    assert peer_of(info) == peer


def test_a_version_is_a_text_of_some_length():
    assert version_of("2025-06-18") == "2025-06-18"
    assert version_of(20250618) is None
    assert len(version_of("9" * 1000) or "") == 64


@pytest.mark.parametrize(
    ("method", "params", "target"),
    [
        ("tools/call", {"name": "read", "uri": "file:///x"}, ("read", None, None)),
        ("tools/call", {"name": 5}, (None, None, None)),
        ("tools/call", {"name": ""}, (None, None, None)),
        ("tools/call", {"name": "t" * 300}, (bounded("t" * 300), None, None)),
        ("prompts/get", {"name": "ask"}, (None, "ask", None)),
        ("resources/read", {"uri": "file:///etc/passwd"}, (None, None, "file")),
        ("resources/subscribe", {"uri": "GIT+SSH://x"}, (None, None, "git+ssh")),
        ("notifications/resources/updated", {"uri": "mem:x"}, (None, None, "mem")),
        ("resources/read", {"uri": "/no/scheme"}, (None, None, None)),
        ("resources/read", {"uri": "a" * 40 + ":x"}, (None, None, None)),
        ("resources/read", {"uri": 5}, (None, None, None)),
        ("resources/read", {}, (None, None, None)),
        ("completion/complete", {"name": "x", "uri": "file:x"}, (None, None, None)),
    ],
    ids=repr,
)
def test_the_target_is(method, params, target):
    assert target_of(method, params) == target
