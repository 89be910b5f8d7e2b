"""Odd lines that servers answer a call with. What the clients make of each is in answer_lines.json.

`@ID@` stands for the id of the call, which is an integer; the line is sent as it is here, with a newline.
`tests/interop/test_answer_lines.py` plays the lines to the real clients and writes the JSON file.
"""

from __future__ import annotations

import json
from pathlib import Path

RECORDED = Path(__file__).with_name("answer_lines.json")
FALLBACK = "the second answer"
"""Text of the proper answer that follows each line: a client that gives it out has ignored the line."""

_RESULT = '{"content":[{"type":"text","text":"hi"}]}'
_OK = f'{{"jsonrpc":"2.0","id":@ID@,"result":{_RESULT}}}'
_ERROR = '{"code":-32603,"message":"broken"}'


def _answer(members: str, request_id: str = "@ID@") -> str:
    return f'{{"jsonrpc":"2.0","id":{request_id},{members}}}'


def _with_id(request_id: str) -> str:
    return _answer(f'"result":{_RESULT}', request_id)


def _marked(member: str) -> str:
    return _answer(f'"result":{{"content":[{{"type":"text","text":"hi"}}],{member}}}')


LINES: dict[str, str] = {
    "exact": _OK,
    # the id
    "id_string": _with_id('"@ID@"'),
    "id_float": _with_id("@ID@.0"),
    "id_exponent": _with_id("@ID@e0"),
    "id_float_string": _with_id('"@ID@.0"'),
    "id_exponent_string": _with_id('"@ID@e0"'),
    "id_zero_padded_string": _with_id('"0@ID@"'),
    "id_spaced_string": _with_id('" @ID@ "'),
    "id_plus_string": _with_id('"+@ID@"'),
    "id_fraction": _with_id("@ID@.5"),
    "id_negative": _with_id("-@ID@"),
    "id_null": _with_id("null"),
    "id_null_error": _answer(f'"error":{_ERROR}', "null"),
    "id_true": _with_id("true"),
    "id_array": _with_id("[@ID@]"),
    "id_another": _with_id("987654"),
    "id_missing": f'{{"jsonrpc":"2.0","result":{_RESULT}}}',
    "id_string_error": _answer(f'"error":{_ERROR}', '"@ID@"'),
    "id_float_error": _answer(f'"error":{_ERROR}', "@ID@.0"),
    # jsonrpc
    "jsonrpc_missing": f'{{"id":@ID@,"result":{_RESULT}}}',
    "jsonrpc_1": f'{{"jsonrpc":"1.0","id":@ID@,"result":{_RESULT}}}',
    "jsonrpc_number": f'{{"jsonrpc":2.0,"id":@ID@,"result":{_RESULT}}}',
    "jsonrpc_null": f'{{"jsonrpc":null,"id":@ID@,"result":{_RESULT}}}',
    "jsonrpc_missing_error": f'{{"id":@ID@,"error":{_ERROR}}}',
    # result and error
    "result_and_error_null": _answer(f'"result":{_RESULT},"error":null'),
    "error_and_result_null": _answer(f'"result":null,"error":{_ERROR}'),
    "result_and_error": _answer(f'"result":{_RESULT},"error":{_ERROR}'),
    "error": _answer(f'"error":{_ERROR}'),
    "error_null": _answer('"error":null'),
    "neither": '{"jsonrpc":"2.0","id":@ID@}',
    "error_without_code": _answer('"error":{"message":"broken"}'),
    "error_without_message": _answer('"error":{"code":-32603}'),
    "error_string": _answer('"error":"broken"'),
    "error_code_string": _answer('"error":{"code":"-32603","message":"broken"}'),
    "error_code_float": _answer('"error":{"code":-32603.0,"message":"broken"}'),
    "error_code_fraction": _answer('"error":{"code":1.5,"message":"broken"}'),
    "error_code_true": _answer('"error":{"code":true,"message":"broken"}'),
    "error_code_huge": _answer('"error":{"code":1000000000000000000000000000000,"message":"broken"}'),
    "error_code_null": _answer('"error":{"code":null,"message":"broken"}'),
    "error_message_number": _answer('"error":{"code":-32603,"message":1}'),
    "error_list": _answer('"error":[]'),
    "error_string_beside_a_result": _answer(f'"result":{_RESULT},"error":"broken"'),
    "error_beside_a_string": _answer(f'"result":"hi","error":{_ERROR}'),
    "result_string": _answer('"result":"hi"'),
    "result_list": _answer('"result":[]'),
    "result_null": _answer('"result":null'),
    "result_number": _answer('"result":1'),
    "result_empty": _answer('"result":{}'),
    "member_besides": _answer(f'"result":{_RESULT},"level":"info"'),
    "method_null": _answer(f'"method":null,"result":{_RESULT}'),
    "method_and_result": _answer(f'"method":"x/y","result":{_RESULT}'),
    # isError
    "is_error_true": _marked('"isError":true'),
    "is_error_false": _marked('"isError":false'),
    "is_error_string": _marked('"isError":"true"'),
    "is_error_string_capital": _marked('"isError":"True"'),
    "is_error_string_yes": _marked('"isError":"yes"'),
    "is_error_string_1": _marked('"isError":"1"'),
    "is_error_string_false": _marked('"isError":"false"'),
    "is_error_string_empty": _marked('"isError":""'),
    "is_error_string_other": _marked('"isError":"broken"'),
    "is_error_1": _marked('"isError":1'),
    "is_error_float": _marked('"isError":1.0'),
    "is_error_0": _marked('"isError":0'),
    "is_error_2": _marked('"isError":2'),
    "is_error_null": _marked('"isError":null'),
    "is_error_object": _marked('"isError":{}'),
    "is_error_snake": _marked('"is_error":true'),
    # the line
    "pretty": json.dumps({"jsonrpc": "2.0", "id": 0, "result": json.loads(_RESULT)}, indent=1).replace(
        '"id": 0', '"id": @ID@'
    ),
    "byte_order_mark": "\ufeff" + _OK,
    "crlf": _OK + "\r",
    "space_around": f"  {_OK} \t",
    "text_before": f"[12:00:01] INFO {_OK}",
    "text_after": f"{_OK} done",
    "two_in_a_line": _OK + _OK,
    "batch_of_one": f"[{_OK}]",
    "blank_line_before": "\n" + _OK,
    "nul_before": "\0" + _OK,
    "header_before": f"Content-Length: 78\r\n\r\n{_OK}",
    "not_a_number": _answer('"result":{"content":[],"structuredContent":{"x":NaN}}'),
    "doubled_id": f'{{"jsonrpc":"2.0","id":987654,"id":@ID@,"result":{_RESULT}}}',
    # logs
    "log_pino": '{"level":30,"time":1790000000000,"pid":1,"hostname":"h","id":@ID@,"msg":"handling"}',
    "log_pino_error": '{"level":50,"time":1790000000000,"pid":1,"id":@ID@,"error":"none so far","msg":"handling"}',
    "log_pino_method": '{"level":30,"time":1790000000000,"id":@ID@,"method":"tools/call","msg":"handling"}',
    "log_structlog": '{"event":"handled","level":"info","id":@ID@,"result":"ok","timestamp":"2026-09-01T00:00:00Z"}',
    "log_structlog_result": '{"event":"handled","level":"info","id":@ID@,"result":{"content":[]}}',
    "log_zap": '{"level":"info","ts":1790000000.1,"caller":"m.go:1","msg":"handled","id":@ID@,"error":{"code":1}}',
    "log_serilog": '{"@t":"2026-09-01T00:00:00Z","@m":"handled","id":@ID@,"method":"GET","result":{"code":200}}',
    "log_method_string_id": '{"level":"info","id":"req-@ID@","method":"GET","url":"/x"}',
    "log_with_version": '{"jsonrpc":"2.0","level":"info","msg":"handling","id":@ID@}',
    "log_notification": '{"level":"info","method":"notifications/message","params":{"level":"info","data":"x"}}',
    "log_text": "INFO handling @ID@",
}


def line_of(case: str, request_id: int) -> bytes:
    """The line of a case, without its newline."""
    return LINES[case].replace("@ID@", str(request_id)).encode()
