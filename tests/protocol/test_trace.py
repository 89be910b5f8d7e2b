import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.protocol.operation import TraceContext
from mcpobs.protocol.trace import format_traceparent, parse_traceparent

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.integers(0, 255))
def test_a_formatted_traceparent_is_parsed_back(trace, span, flags):
    context = TraceContext(f"{trace:032x}", f"{span:016x}", flags)
    assert parse_traceparent(format_traceparent(context)) == context


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01-",
        f"00-{TRACE}-{SPAN}-01-more",
        f"01-{TRACE}-{SPAN}-01more",
        f"ff-{TRACE}-{SPAN}-01",
        f"0g-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN.upper()}-01",
        f"00-{TRACE}-{SPAN}-0A",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE[:-1]}٣-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01-" + "x" * 10_000_000,
        None,
        5,
        {"traceparent": 1},
    ],
)
def test_anything_else_is_no_context(text):
    assert parse_traceparent(text) is None


def test_a_later_version_is_read_as_far_as_version_00_goes():
    expected = TraceContext(TRACE, SPAN, 9)
    assert parse_traceparent(f"01-{TRACE}-{SPAN}-09") == expected
    assert parse_traceparent(f"fe-{TRACE}-{SPAN}-09-what-comes-later") == expected


def test_flags_are_two_digits_whatever_they_hold():
    assert format_traceparent(TraceContext(TRACE, SPAN, 0x101)) == f"00-{TRACE}-{SPAN}-01"
