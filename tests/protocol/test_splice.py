import json
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mcpobs.protocol.splice import with_trace_context

from .json_values import objects, texts, values, wordings

OURS = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
THEIRS = "00-" + "c" * 32 + "-" + "d" * 16 + "-00"
INSERTED = [
    re.compile(text.replace("{", r"\{").replace("}", r"\}").encode() + b",?")
    for text in (
        f'"params":{{"_meta":{{"traceparent":"{OURS}"}}}}',
        f'"_meta":{{"traceparent":"{OURS}"}}',
        f'"traceparent":"{OURS}"',
    )
]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"id":1,"method":"x"}', b'{"params":{"_meta":{"traceparent":"T"}},"id":1,"method":"x"}'),
        (b'{"id":1,"method":"x","params":{}}', b'{"id":1,"method":"x","params":{"_meta":{"traceparent":"T"}}}'),
        (b'{"id":1,"method":"x","params":{ }}', b'{"id":1,"method":"x","params":{"_meta":{"traceparent":"T"} }}'),
        (
            b'{"id":1,"method":"x","params": { "a":1}}',
            b'{"id":1,"method":"x","params": {"_meta":{"traceparent":"T"}, "a":1}}',
        ),
        (
            b'{"id":1,"method":"x","params":{"_meta":{}}}',
            b'{"id":1,"method":"x","params":{"_meta":{"traceparent":"T"}}}',
        ),
        (
            b'{"id":1,"method":"x","params":{"_meta":{"progressToken":1}}}',
            b'{"id":1,"method":"x","params":{"_meta":{"traceparent":"T","progressToken":1}}}',
        ),
        (
            b'{"id":1,"method":"x","params":{"_meta":{"tracestate":"a=b","traceparent" : "old" ,"baggage":"k=v"}}}\r\n',
            b'{"id":1,"method":"x","params":{"_meta":{"tracestate":"a=b","traceparent" : "T" ,"baggage":"k=v"}}}\r\n',
        ),
        (
            b'{"id":1,"method":"x","params":{"_meta":{"traceparent":{"not":["a","text"]}}}}',
            b'{"id":1,"method":"x","params":{"_meta":{"traceparent":"T"}}}',
        ),
        (
            b'{"id":1,"method":"x","p\\u0061rams":{"_m\\u0065ta":{"tr\\u0061ceparent":"old"}}}',
            b'{"id":1,"method":"x","p\\u0061rams":{"_m\\u0065ta":{"tr\\u0061ceparent":"T"}}}',
        ),
        (
            b'  {"id":99999999999999999999999,"id":2,"method":"x","params":{"n":1e400,"n":NaN,"s":"\\ud800\xff"}}  ',
            b'  {"id":99999999999999999999999,"id":2,"method":"x",'
            b'"params":{"_meta":{"traceparent":"T"},"n":1e400,"n":NaN,"s":"\\ud800\xff"}}  ',
        ),
    ],
    ids=repr,
)
def test_only_the_trace_context_is_put_in(before, after):
    assert with_trace_context(before, OURS) == after.replace(b'"T"', f'"{OURS}"'.encode())


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"not json",
        b"null",
        b'{"id":1,"result":{}}',
        b'{"method":"notifications/initialized"}',
        b'{"id":null,"method":"x"}',
        b'{"id":true,"method":"x"}',
        b'{"id":{},"method":"x"}',
        b'{"id":1,"method":5}',
        b'{"id":1,"method":"x","params":[]}',
        b'{"id":1,"method":"x","params":null}',
        b'{"id":1,"method":"x","params":"p"}',
        b'{"id":1,"method":"x","params":{"_meta":null}}',
        b'{"id":1,"method":"x","params":{"_meta":[]}}',
        b'{"id":1,"method":"x","params":{},"params":{}}',
        b'{"id":1,"method":"x","params":{"_meta":{},"_meta":{}}}',
        b'{"id":1,"method":"x","params":{"_meta":{"traceparent":"a","traceparent":"b"}}}',
        b'{"id":1,"method":"x","params":{"_meta":{"traceparent":"a","tr\\u0061ceparent":"b"}}}',
        b'[{"id":1,"method":"x","params":{}}]',
        b'{"id":1,"method":"x","params":{}',
        b'{"id":1,"method":"x","params":{}}}',
        b'{"id":1,"method":"x","params":{}} {"id":2,"method":"x"}',
        b'{"id":1,"method":"x",}',
        b'{"id":1,"method":"x","params":{"s":"\t"}}',
        b'\xef\xbb\xbf{"id":1,"method":"x"}',
    ],
    ids=repr,
)
def test_a_frame_whose_place_is_not_sure_stays_as_it_was(frame):
    assert with_trace_context(frame, OURS) == frame


@pytest.mark.parametrize(
    "text", ["", "garbage", OURS.upper(), OURS + '","x":"', "00-" + "0" * 32 + "-" + "b" * 16 + "-01"]
)
def test_an_invalid_traceparent_is_never_inserted(text):
    frame = b'{"id":1,"method":"x"}'
    assert with_trace_context(frame, text) == frame


metas = st.fixed_dictionaries(
    {}, optional={"traceparent": st.just(THEIRS) | values, "tracestate": texts, "baggage": texts}
)


@st.composite
def requests(draw):
    message = {"jsonrpc": "2.0", "id": draw(st.integers() | texts), "method": draw(texts)}
    if draw(st.booleans()):
        message["params"] = {**draw(objects), **draw(st.fixed_dictionaries({}, optional={"_meta": metas}))}
        if not isinstance(message["params"].get("_meta", {}), dict):
            del message["params"]["_meta"]
    return draw(wordings(message)).encode(), message


@given(requests())
def test_the_spliced_request_says_the_same_apart_from_the_traceparent(drawn):
    frame, message = drawn
    spliced = with_trace_context(frame, OURS)
    params = message.get("params", {})
    expected = {**message, "params": {**params, "_meta": {**params.get("_meta", {}), "traceparent": OURS}}}
    assert json.loads(spliced) == expected


@given(requests())
def test_every_other_byte_is_unchanged(drawn):
    frame, message = drawn
    assume("traceparent" not in message.get("params", {}).get("_meta", {}))
    spliced = with_trace_context(frame, OURS)
    matches = [match for pattern in INSERTED for match in pattern.finditer(spliced)]
    assert frame in {spliced[: match.start()] + spliced[match.end() :] for match in matches}


@given(requests())
def test_splicing_again_changes_nothing(drawn):
    once = with_trace_context(drawn[0], OURS)
    assert with_trace_context(once, OURS) == once


@given(requests(), st.data())
def test_half_a_request_stays_as_it_was(drawn, data):
    frame = drawn[0]
    half = frame[: data.draw(st.integers(0, len(frame.rstrip()) - 1))]
    assert with_trace_context(half, OURS) == half


@given(st.binary(max_size=100) | st.text('{}[]",:\\ idmethoparams_', max_size=80).map(str.encode))
def test_any_bytes_pass(frame):
    passed = with_trace_context(frame, OURS)
    assert passed == frame or OURS.encode() in passed


def test_a_request_that_no_parser_takes_is_spliced_all_the_same():
    deep = b"[" * 100_000 + b"]" * 100_000
    frame = b'{"id":1,"method":"x","params":{"arguments":%b}}' % deep
    expected = b'{"id":1,"method":"x","params":{"_meta":{"traceparent":"%b"},"arguments":%b}}' % (OURS.encode(), deep)
    assert with_trace_context(frame, OURS) == expected
