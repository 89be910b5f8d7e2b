"""Where the head of a request ends, and what is refused before it is parsed."""

from __future__ import annotations

import pytest

from mcpobs.collector import heads
from mcpobs.collector.heads import HeadError

GET = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"


@pytest.mark.parametrize("behind", [b"", b"body", GET, b"\r\n"])
@pytest.mark.parametrize("before", [b"", b"\r\n", b"\n\r\n"])
def test_a_head_ends_with_its_blank_line(before: bytes, behind: bytes) -> None:
    assert heads.cut(before + GET + behind, 1000) == (GET, behind)


@pytest.mark.parametrize("end", range(len(GET)))
def test_a_part_of_a_head_is_kept(end: int) -> None:
    assert heads.cut(GET[:end], 1000) == (None, GET[:end])


def test_a_head_of_the_limit_is_taken_and_one_byte_more_is_not() -> None:
    assert heads.cut(GET, len(GET)) == (GET, b"")
    for data in (GET, GET[:-1]):
        with pytest.raises(HeadError) as caught:
            heads.cut(data, len(GET) - 1)
        assert (caught.value.reason, caught.value.status) == ("head_too_large", 431)


@pytest.mark.parametrize(
    "data",
    [b"\x16\x03\x01\x02", b"get / HTTP/1.1\r\n", b"G\n", b"CONNECT x:1 HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\n"],
)
def test_what_begins_no_request_is_refused_at_once(data: bytes) -> None:
    with pytest.raises(HeadError) as caught:
        heads.cut(data, 1000)
    assert (caught.value.reason, caught.value.status) == ("not_http", 400)


def test_only_the_offer_of_another_protocol_is_left_out() -> None:
    offering = GET[:-2] + b"Upgrade: websocket\r\nx-upgrade: kept\r\nUPGRADE : h2c\r\n\r\n"
    assert heads.cut(offering, 1000) == (GET[:-2] + b"x-upgrade: kept\r\n\r\n", b"")


def test_two_host_headers_are_distinguished_from_other_faults() -> None:
    assert heads.fault_of(GET).reason == "not_http"
    assert heads.fault_of(GET[:-2] + b"HOST: other\r\n\r\n").reason == "malformed"
