"""Odd HTTP answers of servers to a call. What the clients make of each is in answers.json.

`@ID@` stands for the id of the call, which is an integer. `tests/interop/test_answers_over_http.py` plays the answers
to the real clients and writes the JSON file.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

RECORDED = Path(__file__).with_name("answers.json")

JSON = "application/json"
EVENTS = "text/event-stream"
_RESULT = '{"content":[{"type":"text","text":"hi"}],"resultType":"complete"}'
_OK = f'{{"jsonrpc":"2.0","id":@ID@,"result":{_RESULT}}}'
_ERROR = '{"code":-32603,"message":"broken"}'
_LOGIN = "<!DOCTYPE html><html><title>Log in</title><form method=post></form></html>"


@dataclass(frozen=True)
class OddAnswer:
    """One answer. `codings` are applied in their order; `content_type` None sends none."""

    text: str = _OK
    status: int = 200
    content_type: str | None = JSON
    codings: tuple[str, ...] = ()
    named: str | None = None  # the Content-Encoding, if it is another than the codings'
    headers: dict[str, str] = field(default_factory=dict)
    charset: str = "utf-8"
    parts: int = 1
    """Writes in which the body is sent, each in its own chunk."""

    def body(self, request_id: int) -> bytes:
        body = self.text.replace("@ID@", str(request_id)).encode(self.charset)
        for coding in self.codings:
            body = CODERS[coding](body)
        return body

    def all_headers(self) -> dict[str, str]:
        named = self.named if self.named is not None else ", ".join(map(_name, self.codings))
        coded = {"Content-Encoding": named} if named else {}
        typed = {"Content-Type": self.content_type} if self.content_type is not None else {}
        return {**typed, **coded, **self.headers}


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)  # the same bytes each time


def _raw_deflate(body: bytes) -> bytes:
    coder = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return coder.compress(body) + coder.flush()


def _two_members(body: bytes) -> bytes:
    middle = len(body) // 2
    return _gzip(body[:middle]) + _gzip(body[middle:])


def _brotli(body: bytes) -> bytes:
    """RFC 7932, without compressing: a window of 16 bits, one uncompressed meta-block, and the last one, empty."""
    assert 0 < len(body) <= 1 << 16
    head = (len(body) - 1) << 4 | 1 << 20
    return head.to_bytes(3, "little") + body + b"\x03"


def _zstd(body: bytes) -> bytes:
    """RFC 8878, without compressing: a frame of one raw block, with the size of its content."""
    assert len(body) < 1 << 16
    return b"\x28\xb5\x2f\xfd\xa0" + len(body).to_bytes(4, "little") + (len(body) << 3 | 1).to_bytes(3, "little") + body


CODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": _gzip,
    "gzip, two members": _two_members,
    "gzip, cut": lambda body: _gzip(body)[:40],
    "gzip, and more": lambda body: _gzip(body) + b"more",
    "gzip, and zeros": lambda body: _gzip(body) + bytes(8),
    "deflate": zlib.compress,
    "deflate, raw": _raw_deflate,
    "br": _brotli,
    "zstd": _zstd,
}


def _name(coding: str) -> str:
    return coding.partition(",")[0]


def _answer(members: str, request_id: str = "@ID@") -> str:
    return f'{{"jsonrpc":"2.0","id":{request_id},{members}}}'


def _error(code: int, message: str, request_id: str = "@ID@") -> str:
    return _answer(f'"error":{{"code":{code},"message":"{message}"}}', request_id)


def _events(*data: str, before: str = "", end: str = "\n") -> str:
    return before + "".join(f"event: message{end}data: {each}{end}{end}" for each in data)


def _marked(member: str) -> str:
    return _answer(f'"result":{{"content":[{{"type":"text","text":"hi"}}],"resultType":"complete",{member}}}')


_PROGRESS = '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}'
_FAILED = _marked('"isError":true')
_BROKEN = _answer(f'"error":{_ERROR}')
_STREAMED = _events(_OK)

ANSWERS: dict[str, OddAnswer] = {
    "json": OddAnswer(),
    "json_tool_error": OddAnswer(_FAILED),
    "json_error": OddAnswer(_BROKEN),
    "events": OddAnswer(_STREAMED, content_type=EVENTS),
    "events_tool_error": OddAnswer(_events(_FAILED), content_type=EVENTS),
    "events_error": OddAnswer(_events(_BROKEN), content_type=EVENTS),
    # content types
    "type_charset": OddAnswer(content_type="application/json; charset=utf-8"),
    "type_capital": OddAnswer(content_type="Application/JSON;Charset=UTF-8"),
    "type_json_rpc": OddAnswer(content_type="application/json-rpc"),
    "type_jsonrequest": OddAnswer(content_type="application/jsonrequest"),
    "type_json5": OddAnswer(content_type="application/json5"),
    "type_json_seq": OddAnswer(content_type="application/json-seq"),
    "type_ndjson": OddAnswer(content_type="application/x-ndjson"),
    "type_plus_json": OddAnswer(content_type="application/vnd.x+json"),
    "type_problem_json": OddAnswer(content_type="application/problem+json"),
    "type_text_json": OddAnswer(content_type="text/json"),
    "type_none": OddAnswer(content_type=None),
    "type_empty": OddAnswer(content_type=""),
    "type_text_plain": OddAnswer(content_type="text/plain"),
    "type_octets": OddAnswer(content_type="application/octet-stream"),
    "type_html": OddAnswer(content_type="text/html"),
    "type_two": OddAnswer(content_type="application/json, text/event-stream"),
    "type_two_events_first": OddAnswer(_STREAMED, content_type="text/event-stream, application/json"),
    "type_after_another": OddAnswer(content_type="text/plain, application/json"),
    "type_in_a_parameter": OddAnswer(content_type='multipart/related; type="application/json"'),
    "type_events_charset": OddAnswer(_STREAMED, content_type="text/event-stream;charset=utf-8"),
    "type_events_capital": OddAnswer(_STREAMED, content_type="Text/Event-Stream"),
    "type_events_longer": OddAnswer(_STREAMED, content_type="text/event-stream-x"),
    "type_json_rpc_tool_error": OddAnswer(_FAILED, content_type="application/json-rpc"),
    "type_json_rpc_error": OddAnswer(_BROKEN, content_type="application/json-rpc"),
    "events_as_json": OddAnswer(_STREAMED),
    "json_as_events": OddAnswer(_OK, content_type=EVENTS),
    "login_page": OddAnswer(_LOGIN, content_type="text/html; charset=utf-8"),
    "login_page_as_json": OddAnswer(_LOGIN),
    "text": OddAnswer("ok", content_type="text/plain"),
    # content codings
    "gzip": OddAnswer(codings=("gzip",)),
    "gzip_events": OddAnswer(_STREAMED, content_type=EVENTS, codings=("gzip",)),
    "gzip_in_parts": OddAnswer(codings=("gzip",), parts=7),
    "gzip_two_members": OddAnswer(codings=("gzip, two members",)),
    "gzip_two_members_in_parts": OddAnswer(codings=("gzip, two members",), parts=9),
    "gzip_two_members_events": OddAnswer(_STREAMED, content_type=EVENTS, codings=("gzip, two members",)),
    "gzip_cut": OddAnswer(codings=("gzip, cut",)),
    "gzip_cut_events": OddAnswer(_STREAMED, content_type=EVENTS, codings=("gzip, cut",)),
    "gzip_and_more": OddAnswer(codings=("gzip, and more",)),
    "gzip_and_zeros": OddAnswer(codings=("gzip, and zeros",)),
    "gzip_not_so": OddAnswer(named="gzip"),
    "gzip_as_x_gzip": OddAnswer(codings=("gzip",), named="x-gzip"),
    "gzip_capital": OddAnswer(codings=("gzip",), named="GZIP"),
    "gzip_unnamed": OddAnswer(codings=("gzip",), named=""),
    "gzip_as_deflate": OddAnswer(codings=("gzip",), named="deflate"),
    "gzip_twice": OddAnswer(codings=("gzip", "gzip")),
    "gzip_in_two_headers": OddAnswer(codings=("gzip", "gzip"), named="gzip,,gzip"),
    "gzip_after_identity": OddAnswer(codings=("gzip",), named="identity, gzip"),
    "gzip_of_deflate": OddAnswer(codings=("deflate", "gzip")),
    "gzip_of_raw_deflate": OddAnswer(codings=("deflate, raw", "gzip")),
    "gzip_of_gzip_events": OddAnswer(_STREAMED, content_type=EVENTS, codings=("gzip", "gzip")),
    "gzip_of_br": OddAnswer(codings=("br", "gzip")),
    "br_of_gzip": OddAnswer(codings=("gzip", "br")),
    "gzip_tool_error": OddAnswer(_FAILED, codings=("gzip", "gzip")),
    "gzip_error": OddAnswer(_BROKEN, codings=("deflate, raw",)),
    "deflate": OddAnswer(codings=("deflate",)),
    "deflate_raw": OddAnswer(codings=("deflate, raw",)),
    "deflate_raw_in_parts": OddAnswer(codings=("deflate, raw",), parts=9),
    "deflate_raw_events": OddAnswer(_STREAMED, content_type=EVENTS, codings=("deflate, raw",)),
    "deflate_events": OddAnswer(_STREAMED, content_type=EVENTS, codings=("deflate",)),
    "deflate_not_so": OddAnswer(named="deflate"),
    "br": OddAnswer(codings=("br",)),
    "br_events": OddAnswer(_STREAMED, content_type=EVENTS, codings=("br",)),
    "br_not_so": OddAnswer(named="br"),
    "zstd": OddAnswer(codings=("zstd",)),
    "zstd_not_so": OddAnswer(named="zstd"),
    "coding_identity": OddAnswer(named="identity"),
    "coding_unknown": OddAnswer(named="x-own"),
    "coding_charset": OddAnswer(named="utf-8"),
    "coding_unknown_events": OddAnswer(_STREAMED, content_type=EVENTS, named="x-own"),
    "login_page_gzip": OddAnswer(_LOGIN, content_type="text/html", codings=("gzip",)),
    # the text
    "byte_order_mark": OddAnswer("\ufeff" + _OK),
    "byte_order_mark_events": OddAnswer("\ufeff" + _STREAMED, content_type=EVENTS),
    "byte_order_mark_data": OddAnswer(_events("\ufeff" + _OK), content_type=EVENTS),
    "byte_order_mark_gzip": OddAnswer("\ufeff" + _OK, codings=("gzip",)),
    "utf_16": OddAnswer(charset="utf-16", content_type="application/json; charset=utf-16"),
    "utf_16_unnamed": OddAnswer(charset="utf-16"),
    "latin_1": OddAnswer(_OK.replace("hi", "\xe9"), charset="latin-1", content_type="application/json; charset=latin1"),
    "space_around": OddAnswer(f"\r\n  {_OK}\n"),
    "text_after": OddAnswer(_OK + " done"),
    "two_texts": OddAnswer(_OK + "\n" + _OK),
    "guarded": OddAnswer(")]}',\n" + _OK),
    "empty": OddAnswer(""),
    "null": OddAnswer("null"),
    "object": OddAnswer("{}"),
    "bare_result": OddAnswer(_RESULT),
    "bare_error": OddAnswer('{"error":"invalid_token","error_description":"expired"}'),
    "batch_of_one": OddAnswer(f"[{_OK}]"),
    "not_a_number": OddAnswer(_answer('"result":{"content":[],"resultType":"complete","structuredContent":{"x":NaN}}')),
    # ids
    "id_null_error": OddAnswer(_answer(f'"error":{_ERROR}', "null")),
    "id_null_error_events": OddAnswer(_events(_answer(f'"error":{_ERROR}', "null")), content_type=EVENTS),
    "id_null_result": OddAnswer(_answer(f'"result":{_RESULT}', "null")),
    "id_missing_error": OddAnswer(f'{{"jsonrpc":"2.0","error":{_ERROR}}}'),
    "id_string": OddAnswer(_answer(f'"result":{_RESULT}', '"@ID@"')),
    "id_float": OddAnswer(_answer(f'"result":{_RESULT}', "@ID@.0")),
    "id_another": OddAnswer(_answer(f'"result":{_RESULT}', "987654")),
    "id_another_error": OddAnswer(_answer(f'"error":{_ERROR}', "987654")),
    "id_server_error_text": OddAnswer(_answer(f'"error":{_ERROR}', '"server-error"')),
    # codes
    "code_session_gone": OddAnswer(_error(-32001, "Session not found")),
    "code_session_gone_null": OddAnswer(_error(-32001, "Session not found", "null")),
    "code_session_gone_events": OddAnswer(_events(_error(-32001, "Session not found")), content_type=EVENTS),
    "code_timed_out": OddAnswer(_error(-32001, "Request timed out")),
    "code_timeout_words": OddAnswer(_error(-32001, "Timeout waiting for the tool")),
    "code_header_mismatch": OddAnswer(_error(-32001, "Header mismatch")),
    "code_connection_closed": OddAnswer(_error(-32000, "Connection closed")),
    "code_no_session": OddAnswer(_error(-32000, "Bad Request: No valid session ID provided")),
    "code_unknown_tool": OddAnswer(_error(-32602, "Unknown tool")),
    "code_http": OddAnswer(_error(401, "Unauthorized")),
    # statuses
    "status_201": OddAnswer(status=201),
    "status_202_json": OddAnswer(status=202),
    "status_202_empty": OddAnswer("", status=202, content_type=None),
    "status_203": OddAnswer(status=203),
    "status_204": OddAnswer("", status=204, content_type=None),
    "status_206": OddAnswer(status=206),
    "status_299": OddAnswer(status=299),
    "status_304": OddAnswer("", status=304, content_type=None),
    "status_400_result": OddAnswer(status=400),
    "status_400_error": OddAnswer(_error(-32602, "broken"), status=400),
    "status_400_error_null": OddAnswer(_error(-32600, "broken", "null"), status=400),
    "status_400_session": OddAnswer(_error(-32000, "No valid session", "null"), status=400),
    "status_401_html": OddAnswer(_LOGIN, status=401, content_type="text/html"),
    "status_403_json": OddAnswer('{"error":"insufficient_scope"}', status=403),
    "status_404_session": OddAnswer(_error(-32001, "Session not found", "null"), status=404),
    "status_404_html": OddAnswer("<h1>Not found</h1>", status=404, content_type="text/html"),
    "status_405": OddAnswer("", status=405, content_type=None, headers={"Allow": "GET"}),
    "status_406": OddAnswer(_error(-32000, "Not Acceptable", "null"), status=406),
    "status_413": OddAnswer("too large", status=413, content_type="text/plain"),
    "status_429": OddAnswer(_error(-32000, "slow down"), status=429, headers={"Retry-After": "1"}),
    "status_500_error": OddAnswer(_BROKEN, status=500),
    "status_500_result": OddAnswer(status=500),
    "status_500_text": OddAnswer("Internal Server Error", status=500, content_type="text/plain"),
    "status_502_html": OddAnswer("<h1>Bad gateway</h1>", status=502, content_type="text/html"),
    "status_503_events": OddAnswer(_STREAMED, status=503, content_type=EVENTS),
    "status_400_events": OddAnswer(_events(_error(-32602, "broken")), status=400, content_type=EVENTS),
    # isError
    "is_error_string": OddAnswer(_marked('"isError":"true"')),
    "is_error_string_events": OddAnswer(_events(_marked('"isError":"true"')), content_type=EVENTS),
    "is_error_1": OddAnswer(_marked('"isError":1')),
    "is_error_string_false": OddAnswer(_marked('"isError":"false"')),
    "is_error_null": OddAnswer(_marked('"isError":null')),
    # events
    "events_empty": OddAnswer("", content_type=EVENTS),
    "events_comment": OddAnswer(": ping\n\n", content_type=EVENTS),
    "events_notification_only": OddAnswer(_events(_PROGRESS), content_type=EVENTS),
    "events_notification_before": OddAnswer(_events(_PROGRESS, _OK), content_type=EVENTS),
    "events_of_another_name": OddAnswer(f"event: result\ndata: {_OK}\n\n", content_type=EVENTS),
    "events_without_a_name": OddAnswer(f"data: {_OK}\n\n", content_type=EVENTS),
    "events_with_an_empty_name": OddAnswer(f"event:\ndata: {_OK}\n\n", content_type=EVENTS),
    "events_without_an_end": OddAnswer(f"data: {_OK}", content_type=EVENTS),
    "events_with_one_newline": OddAnswer(f"data: {_OK}\n", content_type=EVENTS),
    "events_carriage_returns": OddAnswer(_events(_OK, end="\r"), content_type=EVENTS),
    "events_both_line_ends": OddAnswer(_events(_OK, end="\r\n"), content_type=EVENTS),
    "events_on_two_lines": OddAnswer(
        "data: " + _OK.replace('"result"', '\ndata: "result"') + "\n\n", content_type=EVENTS
    ),
    "events_no_space": OddAnswer(f"data:{_OK}\n\n", content_type=EVENTS),
    "events_batch": OddAnswer(_events(f"[{_OK}]"), content_type=EVENTS),
    "events_no_json": OddAnswer(_events("done", _OK), content_type=EVENTS),
    "events_two_answers": OddAnswer(_events(_OK, _BROKEN), content_type=EVENTS),
    "events_line_separator": OddAnswer(_events(_OK.replace("hi", "\u2028")), content_type=EVENTS),
    "events_ping_before": OddAnswer(_events(_OK, before=": ping - 2026\r\n\r\n"), content_type=EVENTS),
    "events_empty_data_before": OddAnswer(_events(_OK, before="id: 1\ndata:\n\n"), content_type=EVENTS),
}
