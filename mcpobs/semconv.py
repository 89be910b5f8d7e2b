"""Owns every name that mcpobs emits or reads: spans, attributes, metrics, and the lake's columns.

One list with many readers: the wrapper writes rows by it, `lake/schema.py` derives the table from it,
the documentation is generated from it, and a test compares it with the names really emitted, in both directions.
Imports nothing of ours and nothing heavy, because the observed process reads it too.

Sources: `genai` is open-telemetry/semantic-conventions-genai at commit GENAI_COMMIT (`docs/gen-ai/mcp.md`,
`model/mcp/*.yaml`; status Development); `otel` is the OpenTelemetry specification and its core semantic
conventions; `ours` is defined here, under `mcpobs.*`, if the conventions have no name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

GENAI_COMMIT = "9cebdaa9e67c4b34ae9683105494974539eb10d5"
SCOPE_NAME = "mcpobs"

Source = Literal["otel", "genai", "ours"]
ColumnType = Literal["text", "json", "bigint", "smallint", "boolean"]
Use = Literal["emitted", "derived", "received", "reserved"]
"""`emitted`: the wrapper writes it · `derived`: the committer computes it from other columns · `received`: it comes
with spans that others send by OTLP · `reserved`: the column is fixed and public, and null until a front or rule fills
it."""


@dataclass(frozen=True, slots=True)
class Name:
    """One fact of an operation: its span attribute, its column in the lake, or both.

    `attribute` is None for a fact that a span carries outside its attributes (ids, times, status); `column` is None for
    an attribute that stays in the JSON column `attributes`.
    """

    attribute: str | None
    column: str | None
    type: ColumnType
    meaning: str
    source: Source
    use: Use = "emitted"


@dataclass(frozen=True, slots=True)
class Metric:
    """A histogram in seconds, with the conventions' bucket boundaries."""

    name: str
    meaning: str
    source: Source
    unit: str = "s"


# -- attributes of the conventions ------------------------------------------------------------------------
METHOD = "mcp.method.name"
TOOL = "gen_ai.tool.name"
PROMPT = "gen_ai.prompt.name"
RESOURCE_URI = "mcp.resource.uri"
REQUEST_ID = "jsonrpc.request.id"
PROTOCOL_VERSION = "mcp.protocol.version"
MCP_SESSION_ID = "mcp.session.id"
NETWORK_TRANSPORT = "network.transport"
GEN_AI_OPERATION = "gen_ai.operation.name"
CONVERSATION_ID = "gen_ai.conversation.id"
ERROR_TYPE = "error.type"
STATUS_CODE = "rpc.response.status_code"
HTTP_METHOD = "http.request.method"
HTTP_REQUEST_BYTES = "http.request.body.size"
HTTP_RESPONSE_BYTES = "http.response.body.size"
HTTP_VERSION = "network.protocol.version"
URL_PATH = "url.path"
CLIENT_ADDRESS = "client.address"
SERVICE_NAME = "service.name"
SERVICE_INSTANCE_ID = "service.instance.id"

# -- ours -------------------------------------------------------------------------------------------------
SEQUENCE = "mcpobs.operation.sequence"
OUTCOME = "mcpobs.outcome"
TRANSPORT = "mcpobs.transport"
FRONT = "mcpobs.front"
CLIENT_NAME = "mcpobs.client.name"
CLIENT_VERSION = "mcpobs.client.version"
SERVER_NAME = "mcpobs.server.name"
SERVER_VERSION = "mcpobs.server.version"
SESSION_ID = "mcpobs.session.id"
SESSION_START = "mcpobs.session.start_unix_nano"
SESSION_SOURCE = "mcpobs.session.source"
SESSION_CONFIDENCE = "mcpobs.session.confidence"
SESSION_CANDIDATES = "mcpobs.session.candidates"
ENFORCEMENT_KEY = "mcpobs.enforcement.key"
ENFORCEMENT_SOURCE = "mcpobs.enforcement.source"
ARGUMENTS_DIGEST = "mcpobs.arguments.digest"
ARGUMENTS_SHAPE = "mcpobs.arguments.shape"
ARGUMENTS_FEATURES = "mcpobs.arguments.features"
ARGUMENTS_BYTES = "mcpobs.arguments.bytes"
ARGUMENTS_STABLE_DIGEST = "mcpobs.arguments.stable_digest"
RESULT_DIGEST = "mcpobs.result.digest"
RESULT_SHAPE = "mcpobs.result.shape"
RESULT_FORM = "mcpobs.result.form"
RESULT_BYTES = "mcpobs.result.bytes"
RESULT_ITEMS = "mcpobs.result.items"
RESULT_EMPTY = "mcpobs.result.empty"
RESULT_STABLE_DIGEST = "mcpobs.result.stable_digest"
COST = "mcpobs.cost.microusd"
COST_SOURCE = "mcpobs.cost.source"
COST_UNITS = "mcpobs.cost.units_milli"
COST_REPORTED = "mcpobs.cost.reported_microusd"
COST_PATHS = "mcpobs.cost.paths"
TOKENS = "mcpobs.tokens"
PROGRESS = "mcpobs.progress.notifications"
LOG_MESSAGES = "mcpobs.log.notifications"
CANCELLED_BY = "mcpobs.cancelled.by"
SERVER_EXIT_CODE = "mcpobs.server.exit_code"
SERVER_EXIT_SIGNAL = "mcpobs.server.exit_signal"
LOST_OPERATIONS = "mcpobs.lost.operations"
RUN = "mcpobs.run"
CALLER_FLAGS = "mcpobs.caller.trace_flags"
HTTP_ENDED = "mcpobs.http.ended"
HTTP_REJECTION = "mcpobs.http.rejection"
HTTP_STREAM = "mcpobs.http.stream"
HTTP_UNVERIFIED = "mcpobs.http.unverified"
HTTP_UNREAD_BYTES = "mcpobs.http.unread.size"

# -- values -----------------------------------------------------------------------------------------------
EXECUTE_TOOL = "execute_tool"  # gen_ai.operation.name of a tools/call
TOOL_ERROR = "tool_error"  # error.type if CallToolResult.isError is true
TRANSPORT_PIPE = "pipe"  # network.transport of stdio
TRANSPORT_TCP = "tcp"  # … of HTTP
REFUSED_SPAN = "mcpobs.frame.refused"  # name of the span of a frame that was unreadable or ambiguous
LOSS_SPAN = "mcpobs.recorder.loss"  # name of the span that counts operations that could not be recorded

Kind = Literal["server", "client", "internal", "producer", "consumer"]
Outcome = Literal[
    "ok",
    "tool_error",  # CallToolResult.isError
    "protocol_error",  # the caller's fault: CALLER_FAULTS
    "server_error",  # any other JSON-RPC error
    "timeout",  # given up by the requester because it took too long
    "cancelled",  # given up by the requester for another reason
    "denied",  # refused by a policy: the request before the server saw it, or its response before the client did
    "input_required",  # resultType input_required: a retry of the same call follows
    "task",  # resultType task: polling follows
    "unfinished",  # no response: the server went away, or the client did
]
SessionSource = Literal[
    "protocol_session",  # Mcp-Session-Id
    "sse_endpoint",
    "conversation",  # gen_ai.conversation.id in _meta or in its baggage
    "trace",
    "principal",
    "stdio_process",
    "connection",
]
Confidence = Literal["high", "medium", "low"]
Transport = Literal["stdio", "http", "sse"]
Front = Literal["proxy/stdio", "proxy/http", "in_process"]

CALLER_FAULTS = frozenset({-32700, -32600, -32601, -32602, -32002, -32020, -32021, -32022})
"""JSON-RPC codes that are not the server's error. The first five by genai (PR 404); the last three are the 2026-07-28
codes for a header mismatch, a missing client capability and an unsupported version, also the caller's."""

REQUEST_TIMEOUT_CODE = -32001
"""The code that the MCP SDKs use for a request that timed out."""

NAMES: tuple[Name, ...] = (
    # identity
    Name(None, "trace_id", "text", "trace of the span, 32 hex digits", "otel"),
    Name(None, "span_id", "text", "id of the span, 16 hex digits", "otel"),
    Name(None, "parent_span_id", "text", "span that the caller sent in params._meta.traceparent", "otel"),
    Name(CALLER_FLAGS, "trace_flags", "smallint", "W3C trace flags as the caller sent them; 1 = sampled", "otel"),
    Name(None, "name", "text", "span name: {mcp.method.name} {target}", "genai"),
    Name(
        None,
        "kind",
        "text",
        "server: asked by the client · client: asked by the server · internal: our own; as sent for spans of others",
        "otel",
    ),
    Name(SERVICE_NAME, "service_name", "text", "the MCP server, as OTEL_SERVICE_NAME or --name calls it", "otel"),
    Name(None, "scope_name", "text", "instrumentation scope that made the span", "otel"),
    Name(SEQUENCE, "sequence", "bigint", "place of the operation in its connection, from 0, in wire order", "ours"),
    # time
    Name(None, "start_unix_nano", "bigint", "when the request was read from the wire", "otel"),
    Name(None, "duration_ns", "bigint", "until the response was read from the wire; monotonic clock", "otel"),
    Name(
        None,
        "duration_bucket",
        "smallint",
        "floor(log2(duration_ns) * 32); error of a quantile <= 1.1 %",
        "ours",
        "derived",
    ),
    Name(
        None,
        "date",
        "text",
        "UTC day on which the session began (if unknown: the span); the partition",
        "ours",
        "derived",
    ),
    # operation
    Name(METHOD, "method", "text", "MCP method, e.g. tools/call", "genai"),
    Name(TOOL, "tool", "text", "called tool", "genai"),
    Name(PROMPT, "prompt", "text", "requested prompt", "genai"),
    Name(RESOURCE_URI, "resource_uri", "text", "scheme of the resource's URI; the rest is content", "genai"),
    Name(REQUEST_ID, "request_id", "text", "JSON-RPC id as text; null for a notification", "genai"),
    Name(
        PROTOCOL_VERSION,
        "protocol_version",
        "text",
        "MCP version that was agreed on, or that the request names",
        "genai",
    ),
    Name(TRANSPORT, "transport", "text", "stdio, http or sse", "ours"),
    Name(CLIENT_NAME, "client_name", "text", "clientInfo.name; self-reported", "ours"),
    Name(CLIENT_VERSION, "client_version", "text", "clientInfo.version; self-reported", "ours"),
    Name(SERVER_NAME, "server_name", "text", "serverInfo.name; self-reported", "ours"),
    Name(SERVER_VERSION, "server_version", "text", "serverInfo.version; self-reported", "ours"),
    # who
    Name(
        SESSION_ID,
        "session_id",
        "text",
        "the session, reconstructed: see session_source; of a verified caller with ~ and a digest of the caller",
        "ours",
    ),
    Name(SESSION_START, "session_start_unix_nano", "bigint", "when that session began", "ours"),
    Name(SESSION_SOURCE, "session_source", "text", "rule that determined session_id", "ours"),
    Name(SESSION_CONFIDENCE, "session_confidence", "text", "high, medium or low", "ours"),
    Name(
        SESSION_CANDIDATES,
        "session_candidates",
        "json",
        "all candidates for the session id, by source",
        "ours",
    ),
    Name(
        ENFORCEMENT_KEY,
        "enforcement_key",
        "text",
        "identity of the caller, by a key that the caller cannot choose",
        "ours",
    ),
    Name(
        ENFORCEMENT_SOURCE,
        "enforcement_source",
        "text",
        "kind of that key: principal, stdio_process or connection",
        "ours",
    ),
    Name("enduser.id", "principal", "text", "verified caller", "otel"),
    Name("mcpobs.tenant", "tenant", "text", "tenant of the verified caller", "ours"),
    Name("enduser.role", "role", "text", "role of the verified caller", "otel"),
    Name("gen_ai.agent.name", "agent", "text", "calling agent", "genai", "reserved"),
    # outcome
    Name(OUTCOME, "outcome", "text", "how the operation ended", "ours"),
    Name(ERROR_TYPE, "error_type", "text", "class of the failure; null if none, and for a caller's fault", "genai"),
    Name(STATUS_CODE, "status_code", "text", "JSON-RPC error code as text", "genai"),
    Name(
        None,
        "error_message",
        "text",
        "text of the failure; content, so only if a sender exports it or `[record] errors` is on",
        "otel",
        "received",
    ),
    # input
    Name(
        ARGUMENTS_DIGEST,
        "args_digest",
        "text",
        "keyed digest: the same for equal arguments, and not readable; without a key for content that others export",
        "ours",
    ),
    Name(
        ARGUMENTS_SHAPE, "args_shape", "text", "keys and types; keys outside the tool's inputSchema are hashed", "ours"
    ),
    Name(
        ARGUMENTS_FEATURES,
        "args_features",
        "json",
        "depth, keys, longest string, kinds of characters; no content",
        "ours",
    ),
    Name(ARGUMENTS_BYTES, "args_bytes", "bigint", "size of the arguments as compact JSON", "ours"),
    # output
    Name(RESULT_DIGEST, "result_digest", "text", "digest of the result, like args_digest", "ours"),
    Name(RESULT_SHAPE, "result_shape", "text", "content blocks and their types", "ours"),
    Name(RESULT_BYTES, "result_bytes", "bigint", "size of the result or error as it was sent", "ours"),
    Name(
        RESULT_ITEMS,
        "result_items",
        "bigint",
        "length of the list that the result holds, else its content blocks",
        "ours",
    ),
    Name(RESULT_EMPTY, "result_empty", "boolean", "true if the result is empty: [], {}, blank text", "ours"),
    # cost
    Name(COST, "cost_microusd", "bigint", "cost of the call in millionths of a US dollar", "ours"),
    Name(
        COST_SOURCE,
        "cost_source",
        "text",
        "parts of that cost: price, units, reported, tokens, joined by +; a ? if the result did not report it",
        "ours",
    ),
    Name(TOKENS, "tokens", "bigint", "tokens of the result, reported or estimated, if its price counts them", "ours"),
    # policy
    Name("mcpobs.policy.decision", "decision", "text", "allow, warn or deny; null without a judge", "ours"),
    Name("mcpobs.policy.rule", "rule", "text", "rule that decided; null without a judge", "ours"),
    Name("mcpobs.policy.decision.id", "decision_id", "text", "id of a decision that is not a plain allow", "ours"),
    Name("mcpobs.policy.decision.code", "decision_code", "text", "why the call was denied: policy/codes.py", "ours"),
    Name("mcpobs.policy.rules", "rules", "json", "ids of all rules and limits that decided or warned", "ours"),
    Name("mcpobs.policy.hash", "policy_hash", "text", "names the text of the policy in force", "ours"),
    Name("mcpobs.policy.mode", "policy_mode", "text", "enforce, or log_only if nothing of it is in force", "ours"),
    Name("mcpobs.policy.counters", "policy_counters", "json", "limit: [before, after, most]", "ours"),
    Name("mcpobs.policy.degraded", "policy_degraded", "boolean", "decided by on_error: something failed", "ours"),
    Name(
        "mcpobs.policy.retry",
        "policy_retry",
        "boolean",
        "a retry that a result asked for; only its cost counts",
        "ours",
    ),
    Name("mcpobs.policy.shadow.code", "shadow_code", "text", "why rules in log_only would have denied it", "ours"),
    Name("mcpobs.policy.shadow.rules", "shadow_rules", "json", "ids of those rules", "ours"),
    Name("mcpobs.policy.verdicts", "rule_verdicts", "json", "whether rules on content held, by rule@text", "ours"),
    Name("mcpobs.policy.decision_ns", "decision_ns", "bigint", "time that the decision took", "ours"),
    Name(
        "mcpobs.policy.limits_version",
        "limits_version",
        "text",
        "SHA-256 of the limits file in force",
        "ours",
        "reserved",
    ),
    Name(
        "mcpobs.policy.findings",
        "findings",
        "json",
        "findings of inspectors: entry, kind, rule, part of the message, count, place, action; never text or value",
        "ours",
    ),
    # http
    Name("http.response.status_code", "http_status", "smallint", "status of the HTTP response", "otel"),
    Name(
        "user_agent.original",
        "user_agent",
        "text",
        "User-Agent of the HTTP request; of URLs in it scheme, host and masked path",
        "otel",
    ),
    Name(
        "mcpobs.http.headers",
        "http_headers",
        "json",
        "configured safe headers, with values masked that may hold a secret",
        "ours",
    ),
    Name("mcpobs.http.connect_ns", "http_connect_ns", "bigint", "time to connect upstream", "ours"),
    Name(
        "mcpobs.http.first_byte_ns",
        "http_first_byte_ns",
        "bigint",
        "until the head of the response was read; of the HTTP request",
        "ours",
    ),
    Name(
        "mcpobs.http.stream_ns", "http_stream_ns", "bigint", "how long the response was being read; HTTP spans", "ours"
    ),
    # the rest
    Name(None, "attributes", "json", "attributes without their own column", "otel"),
    Name(None, "resource", "json", "resource attributes except service.name", "otel"),
    Name(None, "events", "json", "span events", "otel", "received"),
    Name(None, "links", "json", "span links: to the HTTP request, if the message itself names a parent", "otel"),
    Name(None, "status", "text", "status that the span was sent with: ok or error; null if unset", "otel", "received"),
    Name(None, "trace_state", "text", "W3C trace state", "otel", "received"),
    Name(None, "scope", "json", "version, attributes and schema URL of the scope", "otel", "received"),
    Name(
        None,
        "dropped",
        "json",
        "attributes, events and links that the sender dropped; redacted: values that collect --redact removed",
        "otel",
        "received",
    ),
    Name(
        FRONT,
        "front",
        "text",
        "the part of mcpobs that recorded it: proxy/stdio, proxy/http or in_process; null for spans of others",
        "ours",
    ),
    Name(
        COST_UNITS,
        "cost_units_milli",
        "bigint",
        "thousandths of the units that the result reported, before any cap",
        "ours",
    ),
    Name(COST_REPORTED, "cost_reported_microusd", "bigint", "cost that the result reported, before any cap", "ours"),
    Name(COST_PATHS, "cost_paths", "json", "paths in the result that the book of prices read for those", "ours"),
    # implausible times
    Name(
        None,
        "sent_start_unix_nano",
        "bigint",
        "start as sent, if implausible: start_unix_nano is then a time of receipt; below 0: sent minus 2^64",
        "ours",
        "received",
    ),
    Name(
        None,
        "sent_end_unix_nano",
        "bigint",
        "end as sent, if it gives no plausible duration: duration_ns is then null; below 0: sent minus 2^64",
        "ours",
        "received",
    ),
    Name(
        None,
        "sent_session_start_unix_nano",
        "bigint",
        "start of the session as sent, if implausible: session_start_unix_nano is then not as sent",
        "ours",
        "received",
    ),
    # a span's identity as sent, if the columns differ
    Name(
        None,
        "sent_kind",
        "bigint",
        "kind as sent, if `kind` does not follow from it alone: a number unknown to OTLP, or set by a dialect",
        "ours",
        "received",
    ),
    Name(
        None,
        "sent_service",
        "text",
        "digest of the service.name as sent, if it is not UTF-8 text: service_name is then null or not as sent",
        "ours",
        "received",
    ),
    Name(LOG_MESSAGES, "log_notifications", "bigint", "log messages of the server that the operation got", "ours"),
    Name(
        RUN,
        "run",
        "text",
        "label of the traffic: --run or MCPOBS_RUN of the `mcpobs instrument` that recorded it",
        "ours",
    ),
    Name(RESULT_FORM, "result_form", "text", "types of a tool's answer, without names: protocol/form.py", "ours"),
    Name(
        None,
        "pending",
        "boolean",
        "true if no end was recorded: duration_ns is how long the operation had waited so far; else null",
        "ours",
    ),
    Name(
        ARGUMENTS_STABLE_DIGEST,
        "args_stable_digest",
        "text",
        "digest of the arguments without their volatile parts (nonces, counters, times, cursors); null if it has none",
        "ours",
    ),
    Name(
        RESULT_STABLE_DIGEST,
        "result_stable_digest",
        "text",
        "digest of the result without request ids, elapsed times and times; null if it has none",
        "ours",
    ),
    # attributes that stay in `attributes` or `resource`
    Name(NETWORK_TRANSPORT, None, "text", "pipe for stdio", "genai"),
    Name(GEN_AI_OPERATION, None, "text", "execute_tool for a tool call", "genai"),
    Name(MCP_SESSION_ID, None, "text", "digest of the protocol's own session id; legacy HTTP only", "genai"),
    Name(CONVERSATION_ID, None, "text", "read from _meta or baggage: a candidate for the session", "genai"),
    Name(PROGRESS, None, "bigint", "progress notifications that the operation got", "ours"),
    Name(CANCELLED_BY, None, "text", "client or server: sender of notifications/cancelled", "ours"),
    Name(SERVER_EXIT_CODE, None, "bigint", "exit code of a server that left the operation unfinished", "ours"),
    Name(SERVER_EXIT_SIGNAL, None, "text", "signal that ended such a server, e.g. SIGKILL", "ours"),
    Name(LOST_OPERATIONS, None, "bigint", "operations that could not be recorded before this span", "ours"),
    Name(
        HTTP_METHOD, None, "text", "method of the HTTP request, _OTHER if HTTP does not define it; HTTP spans", "otel"
    ),
    Name(URL_PATH, None, "text", "path of the HTTP request, masked except well-known words; HTTP spans", "otel"),
    Name(HTTP_REQUEST_BYTES, None, "bigint", "size of the request's body; HTTP spans", "otel"),
    Name(HTTP_RESPONSE_BYTES, None, "bigint", "size of the response's body; HTTP spans", "otel"),
    Name(HTTP_VERSION, None, "text", "version of HTTP; HTTP spans", "otel"),
    Name(CLIENT_ADDRESS, None, "text", "address of the client; HTTP spans", "otel"),
    Name(
        HTTP_ENDED,
        None,
        "text",
        "complete, client_disconnect, server_disconnect, unreachable or shutdown; HTTP spans",
        "ours",
    ),
    Name(HTTP_REJECTION, None, "text", "why the server rejected the request; HTTP spans", "ours"),
    Name(
        HTTP_UNVERIFIED,
        None,
        "text",
        "why the bearer token identifies no caller: no_keys, unknown_key, expired, invalid or too_long; HTTP spans",
        "ours",
    ),
    Name(
        HTTP_UNREAD_BYTES,
        None,
        "bigint",
        "bytes of the response's body that passed unread, because there were too many events or bytes; HTTP spans",
        "ours",
    ),
    Name(HTTP_STREAM, None, "text", "request or standing, if the response was an event stream; HTTP spans", "ours"),
    Name(SERVICE_INSTANCE_ID, None, "text", "id of the recording process (resource)", "otel"),
)

SERVER_DURATION = Metric(
    "mcp.server.operation.duration", "duration of a request or notification, at its receiver", "genai"
)
CLIENT_DURATION = Metric("mcp.client.operation.duration", "duration of a request that the server sent", "genai")
SESSION_DURATION = Metric("mcp.server.session.duration", "how long the session lasted, at the server", "genai")
METRICS: tuple[Metric, ...] = (SERVER_DURATION, CLIENT_DURATION, SESSION_DURATION)

DURATION_BUCKETS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)

COLUMNS: tuple[Name, ...] = tuple(name for name in NAMES if name.column is not None)
"""The lake's columns in their order. Columns are additive only: append, never rename."""

COLUMN_OF: dict[str, str] = {n.attribute: n.column for n in NAMES if n.attribute is not None and n.column is not None}
"""Attribute to column, for names with both."""

_NO_NAMES = frozenset(
    {
        "trace_id",  # of fixed length
        "span_id",
        "parent_span_id",
        "date",
        "args_shape",  # already bounded, at twice the length
        "result_shape",
        "result_form",
        "error_message",  # content
        "trace_state",  # read by machines
        "sent_service",  # of fixed length
    }
)
NAMED: frozenset[str] = frozenset(name.column for name in COLUMNS if name.column and name.type == "text") - _NO_NAMES
"""Columns whose text is a freely chosen name. `protocol/text.py` bounds them for every recorder."""
