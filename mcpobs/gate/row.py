"""A finished operation as one row of the lake: a plain dict keyed by column, nulls left out. Does no I/O.

It is built in the call path, before the response is passed on, so what does not change from call to call is built
once, and as JSON too.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import orjson

from mcpobs import semconv
from mcpobs.protocol.operation import Operation, Peer, Sender
from mcpobs.protocol.session import Session
from mcpobs.protocol.text import MAX_NAME, bounded
from mcpobs.segment import LinePrefix, prefix_of

if TYPE_CHECKING:
    from mcpobs.prices.rule import Measured, Rule

Row = dict[str, str | int | bool]
Extra = Mapping[str, str | int]

_MOST_SHARED = 256  # one a session and tool; the caller chooses conversations and names
_IDS_AT_ONCE = 128  # drawn by one system call: 24 bytes for each row
_NOBODY = Peer()
_WITH_TEXT = frozenset(("tool_error", "protocol_error", "server_error", "timeout", "unfinished"))
"""Outcomes that may have a text. A judge's refusal has none: it may have kept back the answer for its text."""
_Key = tuple[str, Sender, str, str | None, bool]


class Prices(Protocol):
    """What calls of tools cost."""

    def of(self, server: str, tool: str) -> Rule | None:
        """The price rule of a tool, if it has one."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The recording process, which all of its rows name."""

    service_name: str
    instance_id: str
    transport: semconv.Transport
    network_transport: str
    front: semconv.Front
    run: str | None = None

    @property
    def resource(self) -> str:
        return orjson.dumps({semconv.SERVICE_INSTANCE_ID: self.instance_id}).decode()


@dataclass(frozen=True, slots=True)
class Shared:
    """The columns that rows of one tool in one session share, as long as these are the same objects."""

    session: Session
    client: Peer
    server: Peer
    protocol_version: str | None
    columns: Row
    prefix: LinePrefix  # the columns, as lines of the spool begin with them
    candidates: str = ""  # of the session, as JSON that a trace is still to be added to
    rule: Rule | None = None  # what a call of the tool costs


class Rows:
    """Builds the rows of one recording process."""

    def __init__(self, origin: Origin, prices: Prices | None = None) -> None:
        self._origin = origin
        self._resource = origin.resource
        self._prices = prices
        self._shared: dict[_Key, Shared] = {}

    def of(
        self, operation: Operation, session: Session, extra: Extra | None = None, columns: Row | None = None
    ) -> tuple[Shared, Row]:
        """Builds the row of an ended operation: the columns that it shares with others, and its own.

        `extra` are attributes by their names, e.g. the server's exit code; those with a column in semconv.py go there.
        `columns` are those that a front adds, e.g. the status of the HTTP response."""
        rest = None
        if extra:
            placed = {semconv.COLUMN_OF[name]: value for name, value in extra.items() if name in semconv.COLUMN_OF}
            if placed:
                columns = {**placed, **(columns or {})}
                extra = {name: value for name, value in extra.items() if name not in semconv.COLUMN_OF}
        if extra or operation.conversation_id or operation.progress or operation.cancelled_by:
            rest = self._rest(operation, extra)
        shared = self._shared_by(operation, session, rest is None)
        parent, span = operation.parent, operation.span
        if span is not None:
            trace_id, span_id, _ = span
        else:
            ids = _new_ids()
            trace_id, span_id = ids[:32], ids[32:]
        row: Row = {
            "trace_id": trace_id,
            "span_id": span_id,
            "trace_flags": 1,
            "sequence": operation.sequence,
            "start_unix_nano": operation.start.unix_nano,
            "duration_ns": operation.duration_ns,
            "outcome": operation.outcome or "unfinished",
        }
        if rest is not None:
            row["attributes"] = rest
        if parent is not None:
            if span is None:
                row["trace_id"] = parent.trace_id
            row["parent_span_id"] = parent.span_id
            row["trace_flags"] = parent.flags
            row["session_candidates"] = f'{shared.candidates}"trace":"{parent.trace_id}"}}'
        elif session.candidates is not None:
            row["session_candidates"] = session.candidates
        if operation.request_id is not None:
            row["request_id"] = bounded(operation.request_id)
        if shared.rule is not None:
            _charge(row, operation, shared.rule)
        if operation.error_type is not None:
            row["error_type"] = bounded(operation.error_type)
        if operation.status_code is not None:
            row["status_code"] = bounded(operation.status_code)
        if operation.error_message is not None and operation.outcome in _WITH_TEXT:
            row["error_message"] = operation.error_message
        if operation.log_messages:
            row["log_notifications"] = operation.log_messages
        _describe_values(row, operation)
        if columns is not None:
            row.update(with_bounded_names(columns))
        return shared, row

    def note(self, session: Session, columns: Row) -> tuple[Shared, Row]:
        """Builds a row that is no operation, e.g. of an HTTP request: its columns beside the session's."""
        key: _Key = (session.id, "client", "", None, True)
        known = self._shared.get(key)
        if known is None or known.session is not session:
            shared = with_bounded_names(
                {**self._session(session), "transport": session.transport or self._origin.transport}
            )
            known = Shared(session, _NOBODY, _NOBODY, None, shared, prefix_of(orjson.dumps(shared)))
            self._shared[key] = known
        if session.candidates is not None:
            columns["session_candidates"] = session.candidates
        return known, with_bounded_names(columns)

    def loss(self, session: Session, count: int, reason: str) -> Row:
        """Builds the row that counts operations which could not be recorded, with the reason."""
        ids = _new_ids()
        candidates: Row = {} if session.candidates is None else {"session_candidates": session.candidates}
        return {
            **with_bounded_names(self._session(session)),
            **candidates,
            "trace_id": ids[:32],
            "span_id": ids[32:],
            "trace_flags": 1,
            "name": semconv.LOSS_SPAN,
            "kind": "internal",
            "start_unix_nano": time.time_ns(),
            "duration_ns": 0,
            "error_type": bounded(reason),
            "attributes": orjson.dumps({semconv.LOST_OPERATIONS: count}).decode(),
        }

    def _shared_by(self, operation: Operation, session: Session, plain: bool) -> Shared:
        """`plain`: the row has only the attributes that all rows of its method have."""
        target = operation.tool or operation.prompt or operation.resource_scheme  # the method says which
        key = (session.id, operation.sender, operation.method, target, plain)
        known = self._shared.get(key)
        if (
            known is None
            or known.session is not session
            or known.client is not operation.client
            or known.server is not operation.server
            or known.protocol_version != operation.protocol_version
        ):
            if len(self._shared) >= _MOST_SHARED:
                self._shared.clear()
            known = self._shared[key] = self._new_shared(operation, session, plain)
        return known

    def _new_shared(self, operation: Operation, session: Session, plain: bool) -> Shared:
        method, client, server = operation.method, operation.client, operation.server
        columns = self._session(session)
        columns["kind"] = "server" if operation.sender == "client" else "client"
        columns["transport"] = session.transport or self._origin.transport
        columns["method"] = method
        columns["name"] = f"{method} {operation.target}" if operation.target else method
        if plain:
            columns["attributes"] = orjson.dumps(self._attributes(method)).decode()
        for column, value in (
            ("tool", operation.tool),
            ("prompt", operation.prompt),
            ("resource_uri", operation.resource_scheme),
            ("protocol_version", operation.protocol_version),
            ("client_name", client.name),
            ("client_version", client.version),
            ("server_name", server.name),
            ("server_version", server.version),
        ):
            if value is not None:
                columns[column] = value
        columns = with_bounded_names(columns)
        prefix = prefix_of(orjson.dumps(columns))
        rule = None
        if self._prices is not None and operation.tool is not None:
            rule = self._prices.of(self._origin.service_name, operation.tool)
        before_a_trace = _candidates_before_a_trace(session)
        return Shared(session, client, server, operation.protocol_version, columns, prefix, before_a_trace, rule)

    def _session(self, session: Session) -> Row:
        who = session.identity
        columns: Row = {
            "service_name": self._origin.service_name,
            "scope_name": semconv.SCOPE_NAME,
            "session_id": session.id,
            "session_start_unix_nano": session.start_unix_nano,
            "session_source": session.source,
            "session_confidence": session.confidence,
            "enforcement_key": session.enforcement_key,
            "enforcement_source": session.enforcement_source,
            "front": self._origin.front,
            "resource": self._resource,
        }
        for column, value in (
            ("principal", who.principal),
            ("tenant", who.tenant),
            ("role", who.role),
            ("run", self._origin.run),
        ):
            if value is not None:
                columns[column] = value
        return columns

    def _attributes(self, method: str) -> dict[str, str | int]:
        """The attributes without a column that all operations of a method have."""
        found: dict[str, str | int] = {semconv.NETWORK_TRANSPORT: self._origin.network_transport}
        if method == "tools/call":
            found[semconv.GEN_AI_OPERATION] = semconv.EXECUTE_TOOL
        return found

    def _rest(self, operation: Operation, extra: Extra | None) -> str:
        """The attributes without a column of their own, as JSON, for a row that has more than those of its method."""
        rest = self._attributes(operation.method)
        if operation.progress:
            rest[semconv.PROGRESS] = operation.progress
        if operation.cancelled_by:
            rest[semconv.CANCELLED_BY] = operation.cancelled_by
        if operation.conversation_id:
            rest[semconv.CONVERSATION_ID] = operation.conversation_id
        rest.update(extra or {})
        return orjson.dumps(rest).decode()


_drawn: list[str] = []
os.register_at_fork(after_in_child=_drawn.clear)  # else parent and child would give out the same


def _new_ids() -> str:
    """A trace id and a span id, 48 hex digits in a row. Thread-safe."""
    try:
        return _drawn.pop()
    except IndexError:
        drawn = os.urandom(24 * _IDS_AT_ONCE).hex()
        _drawn.extend(drawn[at : at + 48] for at in range(48, len(drawn), 48))
        return drawn[:48]


def with_bounded_names(columns: Row) -> Row:
    """Returns the columns with every name in them bounded, whichever front they come from."""
    unbounded: Row = {}
    for column in semconv.NAMED.intersection(columns):
        value = columns[column]
        if isinstance(value, str) and not (len(value) <= MAX_NAME and value.isascii()):
            unbounded[column] = bounded(value)
    return {**columns, **unbounded} if unbounded else columns


def _candidates_before_a_trace(session: Session) -> str:
    known = orjson.loads(session.candidates) if session.candidates else {session.source: session.id}
    known.pop("trace", None)
    return orjson.dumps({**known, "": 0}).decode().removesuffix('"":0}')


def _charge(row: Row, operation: Operation, rule: Rule) -> None:
    size = None if operation.result is None else operation.result.size_bytes
    charge = rule.charge(operation.outcome, size, operation.measured)
    if charge is None:
        return
    if charge.microusd is not None:
        row["cost_microusd"] = charge.microusd
    row["cost_source"] = charge.source
    if rule.has_facts(operation.outcome):
        _describe_cost(row, rule, size, operation.measured)


def _describe_cost(row: Row, rule: Rule, size: int | None, measured: Measured | None) -> None:
    """The facts that a cost was made of, so that history can be priced anew."""
    if rule.paths is not None:
        row["cost_paths"] = rule.paths
    if rule.counts_tokens and (tokens := rule.tokens_of(size, measured)) is not None:
        row["tokens"] = tokens
    if measured is None:
        return
    if measured.units_milli is not None:
        row["cost_units_milli"] = measured.units_milli
    if measured.reported_microusd is not None:
        row["cost_reported_microusd"] = measured.reported_microusd


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
        if arguments.stable is not None:
            row["args_stable_digest"] = arguments.stable
    if result is not None:
        row["result_bytes"] = result.size_bytes
        if result.digest is not None:
            row["result_digest"] = result.digest
        if result.shape is not None:
            row["result_shape"] = result.shape
        if result.form is not None:
            row["result_form"] = result.form
        if result.stable is not None:
            row["result_stable_digest"] = result.stable
        if operation.result_items is not None:
            row["result_items"] = operation.result_items
        if operation.result_empty is not None:
            row["result_empty"] = operation.result_empty
