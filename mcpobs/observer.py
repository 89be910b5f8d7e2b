"""The seam that every front uses: a finished operation becomes one row, which is spooled and exported.

It never raises into the front and never sees content: an Operation holds none.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Mapping, Protocol

import orjson

from mcpobs import semconv
from mcpobs.protocol.operation import Operation
from mcpobs.protocol.session import Session

Row = dict[str, str | int | bool | None]


class Sink(Protocol):
    """Where rows go: the spool, which is durable when it returns."""

    def write(self, row: Mapping[str, str | int | bool | None]) -> bool: ...


class Exporter(Protocol):
    """Where rows go besides: OTLP, which must only enqueue."""

    def export(self, row: Mapping[str, str | int | bool | None]) -> None: ...


class Prices(Protocol):
    """What a call of a tool costs."""

    def price(self, tool: str) -> float | None: ...


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


class Observer:
    """Turns operations into rows of the lake and hands them to the sink, then to the exporter."""

    def __init__(
        self,
        recorder: Recorder,
        sink: Sink | None,
        exporter: Exporter | None = None,
        prices: Prices | None = None,
    ) -> None:
        self._sink = sink
        self._exporter = exporter
        self._prices = prices
        self._constant: Row = {
            "service_name": recorder.service_name,
            "scope_name": semconv.SCOPE_NAME,
            "transport": recorder.transport,
            "resource": recorder.resource,
        }
        self._attributes = {semconv.NETWORK_TRANSPORT: recorder.network_transport}
        self._plain = orjson.dumps(self._attributes).decode()
        self._tool_call = orjson.dumps(
            {**self._attributes, semconv.GEN_AI_OPERATION: semconv.EXECUTE_TOOL}
        ).decode()

    def end(self, operation: Operation, session: Session, extra: Mapping[str, str | int] | None = None) -> None:
        """Records a finished operation. `extra` is attributes without a column, e.g. the server's exit."""
        row = self._row(operation, session, extra)
        if self._sink is not None:
            self._sink.write(row)
        if self._exporter is not None:
            self._exporter.export(row)

    def _row(self, operation: Operation, session: Session, extra: Mapping[str, str | int] | None) -> Row:
        span, parent = operation.span, operation.parent
        method, target, tool = operation.method, operation.target, operation.tool
        arguments, result = operation.arguments, operation.result
        row: Row = {
            "trace_id": span.trace_id if span else parent.trace_id if parent else os.urandom(16).hex(),
            "span_id": span.span_id if span else os.urandom(8).hex(),
            "parent_span_id": parent.span_id if parent else None,
            "trace_flags": parent.flags if parent else 1,
            "name": f"{method} {target}" if target else method,
            "kind": "server" if operation.sender == "client" else "client",
            "sequence": operation.sequence,
            "start_unix_nano": operation.start.unix_nano,
            "duration_ns": operation.duration_ns,
            "method": method,
            "tool": tool,
            "prompt": operation.prompt,
            "resource_uri": operation.resource_scheme,
            "request_id": operation.request_id,
            "protocol_version": operation.protocol_version,
            "client_name": operation.client.name,
            "client_version": operation.client.version,
            "server_name": operation.server.name,
            "server_version": operation.server.version,
            "session_id": session.id,
            "session_start_unix_nano": session.start_unix_nano,
            "session_source": session.source,
            "session_confidence": session.confidence,
            "session_candidates": self._candidates(operation, session),
            "enforcement_key": session.enforcement_key,
            "enforcement_source": session.enforcement_source,
            "outcome": operation.outcome,
            "error_type": operation.error_type,
            "status_code": operation.status_code,
            "attributes": self._rest(operation, extra),
        }
        if arguments is not None:
            row["args_digest"] = arguments.digest
            row["args_shape"] = arguments.shape
            row["args_features"] = operation.arguments_features
            row["args_bytes"] = arguments.size_bytes
        if result is not None:
            row["result_digest"] = result.digest
            row["result_shape"] = result.shape
            row["result_bytes"] = result.size_bytes
            row["result_items"] = operation.result_items
            row["result_empty"] = operation.result_empty
        if tool is not None and self._prices is not None and operation.outcome in _CHARGED:
            price = self._prices.price(tool)
            if price is not None:
                row["cost_microusd"] = round(price * 1e6)
                row["cost_source"] = "price"
        row.update(self._constant)
        return row

    @staticmethod
    def _candidates(operation: Operation, session: Session) -> str | None:
        if operation.parent is None:
            return session.candidates
        known = orjson.loads(session.candidates) if session.candidates else {session.source: session.id}
        return orjson.dumps({**known, "trace": operation.parent.trace_id}).decode()

    def _rest(self, operation: Operation, extra: Mapping[str, str | int] | None) -> str:
        """The attributes without a column of their own, as JSON; nearly always one of two constants."""
        is_call = operation.method == "tools/call"
        if not (operation.progress or operation.cancelled_by or operation.conversation_id or extra):
            return self._tool_call if is_call else self._plain
        rest: dict[str, str | int] = dict(self._attributes)
        if is_call:
            rest[semconv.GEN_AI_OPERATION] = semconv.EXECUTE_TOOL
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


def loss_row(recorder: Recorder, session: Session, count: int, reason: str) -> Row:
    """The span that says how many operations could not be recorded, and why."""
    return {
        "trace_id": os.urandom(16).hex(),
        "span_id": os.urandom(8).hex(),
        "trace_flags": 1,
        "name": semconv.LOSS_SPAN,
        "kind": "internal",
        "service_name": recorder.service_name,
        "scope_name": semconv.SCOPE_NAME,
        "start_unix_nano": time.time_ns(),
        "duration_ns": 0,
        "session_id": session.id,
        "session_start_unix_nano": session.start_unix_nano,
        "session_source": session.source,
        "session_confidence": session.confidence,
        "enforcement_key": session.enforcement_key,
        "enforcement_source": session.enforcement_source,
        "error_type": reason,
        "attributes": orjson.dumps({semconv.LOST_OPERATIONS: count}).decode(),
        "resource": recorder.resource,
    }
