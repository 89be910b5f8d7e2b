"""A finished operation as one row of the lake: a plain dict keyed by column, nulls left out. Does no I/O.

It is built in the call path, before the response is passed on, so what does not change from call to call is built
once and copied.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import orjson

from mcpobs import semconv
from mcpobs.protocol.operation import Operation, Peer, Sender
from mcpobs.protocol.session import Session

Row = dict[str, str | int | bool]
Extra = Mapping[str, str | int]

_MOST_CONSTANT_PARTS = 256  # one a session and direction; conversations are chosen by the caller


class Prices(Protocol):
    """What a call of a tool costs."""

    def price(self, tool: str) -> float | None:
        """US dollars a call; None where no price is known."""


@dataclass(frozen=True, slots=True)
class Recorder:
    """What all operations of one recording process have in common."""

    service_name: str
    instance_id: str
    transport: str
    network_transport: str

    @property
    def resource(self) -> str:
        return orjson.dumps({semconv.SERVICE_INSTANCE_ID: self.instance_id}).decode()


@dataclass(frozen=True, slots=True)
class _Constant:
    """The part of a row that stays the same as long as these are the same objects."""

    session: Session
    client: Peer
    server: Peer
    protocol_version: str | None
    part: Row


class Rows:
    """Builds the rows of one recording process."""

    def __init__(self, recorder: Recorder, prices: Prices | None = None) -> None:
        self._recorder = recorder
        self._resource = recorder.resource
        self._prices = prices
        self._constants: dict[tuple[str, Sender], _Constant] = {}
        self._attributes: dict[str, str | int] = {semconv.NETWORK_TRANSPORT: recorder.network_transport}
        self._tool_call = {**self._attributes, semconv.GEN_AI_OPERATION: semconv.EXECUTE_TOOL}
        self._attributes_text = orjson.dumps(self._attributes).decode()
        self._tool_call_text = orjson.dumps(self._tool_call).decode()

    def of(self, operation: Operation, session: Session, extra: Extra | None = None) -> Row:
        """The row of a finished operation. `extra` is attributes without a column, e.g. the server's exit."""
        row = self._constant(operation, session).copy()
        method = operation.method
        self._identify(row, operation, session)
        row["sequence"] = operation.sequence
        row["start_unix_nano"] = operation.start.unix_nano
        row["duration_ns"] = operation.duration_ns
        row["method"] = method
        if operation.request_id is not None:
            row["request_id"] = operation.request_id
        if operation.tool is not None:
            row["tool"] = operation.tool
            row["name"] = f"{method} {operation.tool}"
            self._charge(row, operation.tool, operation.outcome)
        elif operation.prompt is not None:
            row["prompt"] = operation.prompt
            row["name"] = f"{method} {operation.prompt}"
        else:
            row["name"] = method
            if operation.resource_scheme is not None:
                row["resource_uri"] = operation.resource_scheme
        row["outcome"] = operation.outcome or "unfinished"
        if operation.error_type is not None:
            row["error_type"] = operation.error_type
        if operation.status_code is not None:
            row["status_code"] = operation.status_code
        _describe_values(row, operation)
        row["attributes"] = self._rest(operation, extra)
        return row

    def loss(self, session: Session, count: int, reason: str) -> Row:
        """The row that says how many operations could not be recorded, and why."""
        return {
            **self._session(session),
            "trace_id": os.urandom(16).hex(),
            "span_id": os.urandom(8).hex(),
            "trace_flags": 1,
            "name": semconv.LOSS_SPAN,
            "kind": "internal",
            "start_unix_nano": time.time_ns(),
            "duration_ns": 0,
            "error_type": reason,
            "attributes": orjson.dumps({semconv.LOST_OPERATIONS: count}).decode(),
        }

    def _constant(self, operation: Operation, session: Session) -> Row:
        key = (session.id, operation.sender)
        known = self._constants.get(key)
        if (
            known is None
            or known.session is not session
            or known.client is not operation.client
            or known.server is not operation.server
            or known.protocol_version != operation.protocol_version
        ):
            if len(self._constants) >= _MOST_CONSTANT_PARTS:
                self._constants.clear()
            part = self._session(session)
            part["kind"] = "server" if operation.sender == "client" else "client"
            part["transport"] = self._recorder.transport
            for column, value in (
                ("protocol_version", operation.protocol_version),
                ("client_name", operation.client.name),
                ("client_version", operation.client.version),
                ("server_name", operation.server.name),
                ("server_version", operation.server.version),
            ):
                if value is not None:
                    part[column] = value
            known = _Constant(session, operation.client, operation.server, operation.protocol_version, part)
            self._constants[key] = known
        return known.part

    def _session(self, session: Session) -> Row:
        part: Row = {
            "service_name": self._recorder.service_name,
            "scope_name": semconv.SCOPE_NAME,
            "session_id": session.id,
            "session_start_unix_nano": session.start_unix_nano,
            "session_source": session.source,
            "session_confidence": session.confidence,
            "enforcement_key": session.enforcement_key,
            "enforcement_source": session.enforcement_source,
            "resource": self._resource,
        }
        if session.candidates is not None:
            part["session_candidates"] = session.candidates
        return part

    @staticmethod
    def _identify(row: Row, operation: Operation, session: Session) -> None:
        """Ids: those settled beforehand, else new ones, in the caller's trace where there is one."""
        both = os.urandom(24).hex()  # one system call for both
        row["trace_id"], row["span_id"] = both[:32], both[32:]
        parent, span = operation.parent, operation.span
        row["trace_flags"] = 1
        if parent is not None:
            row["trace_id"] = parent.trace_id
            row["parent_span_id"] = parent.span_id
            row["trace_flags"] = parent.flags
            known = orjson.loads(session.candidates) if session.candidates else {session.source: session.id}
            row["session_candidates"] = orjson.dumps({**known, "trace": parent.trace_id}).decode()
        if span is not None:
            row["trace_id"], row["span_id"] = span.trace_id, span.span_id

    def _charge(self, row: Row, tool: str, outcome: semconv.Outcome | None) -> None:
        if self._prices is not None and outcome in _CHARGED:
            price = self._prices.price(tool)
            if price is not None:
                row["cost_microusd"] = round(price * 1e6)
                row["cost_source"] = "price"

    def _rest(self, operation: Operation, extra: Extra | None) -> str:
        """The attributes without a column of their own, as JSON; nearly always one of two constants."""
        is_call = operation.method == "tools/call"
        if not (operation.progress or operation.cancelled_by or operation.conversation_id or extra):
            return self._tool_call_text if is_call else self._attributes_text
        rest = dict(self._tool_call if is_call else self._attributes)
        if operation.progress:
            rest[semconv.PROGRESS] = operation.progress
        if operation.cancelled_by:
            rest[semconv.CANCELLED_BY] = operation.cancelled_by
        if operation.conversation_id:
            rest[semconv.CONVERSATION_ID] = operation.conversation_id
        rest.update(extra or {})
        return orjson.dumps(rest).decode()


_CHARGED = frozenset({"ok", "tool_error", "server_error", "timeout", "unfinished", "cancelled", "task"})
"""Outcomes for which the tool ran, as far as can be known: it is paid whether or not it succeeded."""


def _describe_values(row: Row, operation: Operation) -> None:
    arguments, result = operation.arguments, operation.result
    if arguments is not None:
        row["args_bytes"] = arguments.size_bytes
        if arguments.digest is not None:
            row["args_digest"] = arguments.digest
        if arguments.shape is not None:
            row["args_shape"] = arguments.shape
        if operation.arguments_features is not None:
            row["args_features"] = operation.arguments_features
    if result is not None:
        row["result_bytes"] = result.size_bytes
        if result.digest is not None:
            row["result_digest"] = result.digest
        if result.shape is not None:
            row["result_shape"] = result.shape
        if operation.result_items is not None:
            row["result_items"] = operation.result_items
        if operation.result_empty is not None:
            row["result_empty"] = operation.result_empty
