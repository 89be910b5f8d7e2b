"""Reads a JSON-RPC frame in exactly one way, or refuses it. For a front that enforces; pure, bounded, never raises.

Another reader of the same bytes must not find another message in them. So a frame is refused if parsers differ on it:
broken JSON, doubled keys, NaN, several values, a byte order mark, bytes that are no UTF-8, a carriage return outside of
the line's end (servers in Python and Node split lines there), and keys that differ from a known one in case only (Go
reads both as the same). In arguments that a rule reads, the policy looks for such keys. What this reader accepts
`decode` reads as the same value; a test holds the two equal.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final, NamedTuple, NoReturn

import orjson

from mcpobs.protocol.decode import MAX_BYTES, SURELY_LIGHT_BYTES, RawNumber, is_too_large
from mcpobs.protocol.envelope import elements, members, skip_space
from mcpobs.protocol.meta import PROTOCOL_VERSION

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
MAX_BATCH = 1_000
MAX_INTEGER_DIGITS = 400  # longer ones take quadratic time
_BOM = b"\xef\xbb\xbf"
_ENVELOPE = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})
_IDS = frozenset({str, int})  # no booleans
_PARAMS = frozenset({"name", "arguments", "uri", "_meta"})


class Fault(NamedTuple):
    """Why a frame is refused: the JSON-RPC code of the answer, and a word for the record."""

    code: int
    reason: str

    @property
    def message(self) -> str:
        return f"refused: {self.reason.replace('_', ' ')}"


class Frame(NamedTuple):
    """The messages of a frame, each with its own bytes. One message, unless it is a batch."""

    messages: list[tuple[dict[str, object], bytes]]
    is_batch: bool


class _Refused(ValueError):
    def __init__(self, fault: Fault) -> None:
        super().__init__()
        self.fault = fault


def read(frame: bytes, max_bytes: int = MAX_BYTES) -> Frame | Fault:
    """The messages of a frame, without the line's end."""
    if len(frame) > max_bytes or (len(frame) > SURELY_LIGHT_BYTES and is_too_large(frame)):
        return Fault(INVALID_REQUEST, "too_large")
    try:
        value = _parse(frame)
        if isinstance(value, list):
            return _batch(value, frame)
        return Frame([(_message(value), frame)], False)
    except _Refused as refused:
        return refused.fault


def is_modern_message(message: dict[str, object]) -> bool:
    """Whether a message says that it is of 2026-07-28 or later, which knows no batches."""
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    return isinstance(meta, dict) and PROTOCOL_VERSION in meta


def _refuse(reason: str, code: int = INVALID_REQUEST) -> NoReturn:
    raise _Refused(Fault(code, reason))


def _parse(frame: bytes) -> object:
    try:  # compact JSON, as SDKs send it, can be written in one way only: what reads and writes as itself is sound
        value = orjson.loads(frame)
        if orjson.dumps(value) == frame:
            return value
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        pass
    return _parse_odd(frame)


def _parse_odd(frame: bytes) -> object:
    if frame.startswith(_BOM):
        _refuse("byte_order_mark", PARSE_ERROR)
    if b"\r" in frame:
        _refuse("carriage_return", PARSE_ERROR)
    try:
        text = frame.decode()
    except UnicodeDecodeError:
        _refuse("invalid_utf8", PARSE_ERROR)
    try:
        value: object = _DECODER.decode(text)
    except RecursionError:
        _refuse("too_deep")
    except json.JSONDecodeError as error:
        _refuse("several_values" if error.msg == "Extra data" else "broken_json", PARSE_ERROR)
    try:
        orjson.loads(frame)  # refuses what others refuse too: lone surrogates, control characters, deep nesting
    except orjson.JSONDecodeError:
        _refuse("broken_json", PARSE_ERROR)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        _refuse("duplicate_key")
    return found


def _constant(text: str) -> NoReturn:
    _refuse("not_a_number", PARSE_ERROR)


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        _refuse("not_a_number", PARSE_ERROR)
    return value


def _integer(text: str) -> int:
    if len(text) > MAX_INTEGER_DIGITS:
        _refuse("number_too_long")
    return int(text)


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float, parse_int=_integer)


def _batch(values: list[object], frame: bytes) -> Frame:
    if not values or len(values) > MAX_BATCH:
        _refuse("batch_size")
    spans = elements(frame.rstrip(b" \t\n"), skip_space(frame, 0))
    if spans is None or len(spans) != len(values):
        _refuse("broken_json", PARSE_ERROR)
    messages = [_message(value) for value in values]
    if any(map(is_modern_message, messages)):
        _refuse("batch_of_the_modern_era")
    return Frame([(found, frame[start:end]) for found, (start, end) in zip(messages, spans, strict=True)], True)


def _message(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        _refuse("no_message")
    _check_case(value, _ENVELOPE)
    if value.get("jsonrpc") != "2.0":
        _refuse("no_message")
    if "method" in value:
        _check_request(value)
    else:
        _check_response(value)
    return value


def _check_request(value: dict[str, Any]) -> None:
    if not isinstance(value["method"], str) or "result" in value or "error" in value:
        _refuse("no_message")
    if "id" in value and not _is_id(value["id"]):
        _refuse("no_message")
    params = value.get("params")
    if params is None:
        return
    if not isinstance(params, dict):
        _refuse("no_message")
    _check_case(params, _PARAMS)


def _check_response(value: dict[str, Any]) -> None:
    error = value.get("error")
    if (error is None) == ("result" not in value):
        _refuse("no_message")
    if not (_is_answered_id(value.get("id")) or (error is not None and value.get("id") is None)):
        _refuse("no_message")


def _is_id(value: object) -> bool:
    """A string or an integer, as MCP has it: 1 and 1.0 are one id to some and two to others."""
    return type(value) in _IDS


def _is_answered_id(value: object) -> bool:
    """Also 1.0, because some clients take that for the response to 1; none takes it for another one."""
    return _is_id(value) or (isinstance(value, float) and value.is_integer())


def _check_case(value: dict[str, object], known: frozenset[str]) -> None:
    """Refuses keys that are equal up to case: to each other, or to a known one that they are not."""
    if known.issuperset(value):  # the usual message: no two known keys are equal up to case
        return
    folded = {key.casefold() for key in value}
    if len(folded) < len(value):
        _refuse("keys_equal_up_to_case")
    if any(key not in known and key.casefold() in known for key in value):
        _refuse("keys_equal_up_to_case")


# -- writing ----------------------------------------------------------------------------------------------


def sole_id(frame: bytes) -> bytes:
    """The id of a refused frame in its own bytes, if it has exactly one; `null` otherwise (JSON-RPC 2.0, 5)."""
    at = skip_space(frame, 0)
    found = members(frame, at) if frame[at : at + 1] == b"{" else None
    if found is None or frame[found.end :].strip():
        return b"null"
    ids = [frame[member.start : member.end] for member in found.items if member.name.casefold() == "id"]
    try:
        return ids[0] if len(ids) == 1 and _is_id(orjson.loads(ids[0])) else b"null"
    except orjson.JSONDecodeError:
        return b"null"


def id_of(raw: bytes) -> bytes:
    """The id of an accepted message, in its own bytes."""
    found = members(raw, skip_space(raw, 0))
    for member in found.items if found is not None else ():
        if member.name == "id":
            return raw[member.start : member.end]
    return b"null"


def as_json(request_id: object) -> bytes:
    """An id that `decode` read, as JSON."""
    return request_id.text.encode() if isinstance(request_id, RawNumber) else _dumped(request_id)


def response(id_json: bytes, *, result: object = None, error: object = None) -> bytes:
    """A response in compact JSON, with the id as the requester wrote it."""
    if error is not None:
        return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (id_json, _dumped(error))
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (id_json, _dumped(result))


def with_params(raw: bytes, params: dict[str, object]) -> bytes:
    """An accepted message with other params; every other byte stays as it was."""
    at = skip_space(raw, 0)
    found = members(raw, at)
    for member in found.items if found is not None else ():
        if member.name == "params":
            return raw[: member.start] + _dumped(params) + raw[member.end :]
    return raw[: at + 1] + b'"params":' + _dumped(params) + b"," + raw[at + 1 :]


def _dumped(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
