-- question: Which tools did clients call, and how did each call end?
-- kind:     view
-- reads:    operations
-- columns:
--   trace_id                 varchar      trace of the span, 32 hex digits
--   span_id                  varchar      id of the span, 16 hex digits
--   parent_span_id           varchar      span that the caller sent in params._meta.traceparent
--   trace_flags              smallint     W3C trace flags as the caller sent them; 1 = sampled
--   name                     varchar      span name: {mcp.method.name} {target}
--   kind                     varchar      server: the client asked · client: the server asked · internal: our own; as sent for spans of others
--   service_name             varchar      the MCP server, as OTEL_SERVICE_NAME or --name calls it
--   scope_name               varchar      instrumentation scope that made the span
--   sequence                 bigint       place of the operation in its connection, from 0, in wire order
--   start_unix_nano          bigint       when the request was read from the wire
--   duration_ns              bigint       until the response was read from the wire; monotonic clock
--   duration_bucket          smallint     floor(log2(duration_ns) * 32); error of a quantile <= 1.1 %
--   date                     varchar      UTC day on which the session began (where unknown: the span); the partition
--   method                   varchar      MCP method, e.g. tools/call
--   tool                     varchar      tool that is called
--   prompt                   varchar      prompt that is asked for
--   resource_uri             varchar      scheme of the resource's URI; the rest is content
--   request_id               varchar      JSON-RPC id as text; null for a notification
--   protocol_version         varchar      MCP version that was agreed on, or that the request names
--   transport                varchar      stdio, http or sse
--   client_name              varchar      clientInfo.name; self-reported
--   client_version           varchar      clientInfo.version; self-reported
--   server_name              varchar      serverInfo.name; self-reported
--   server_version           varchar      serverInfo.version; self-reported
--   session_id               varchar      the session, reconstructed: see session_source
--   session_start_unix_nano  bigint       when that session began
--   session_source           varchar      which rule gave session_id
--   session_confidence       varchar      high, medium or low
--   session_candidates       varchar      every id that could have been the session, by source
--   enforcement_key          varchar      who calls, by a key that the caller cannot choose
--   enforcement_source       varchar      what that key is: principal, stdio_process or connection
--   principal                varchar      verified caller
--   tenant                   varchar      tenant of the verified caller
--   role                     varchar      role of the verified caller
--   agent                    varchar      agent that calls
--   outcome                  varchar      how the operation ended
--   error_type               varchar      class of the failure; null where none, and for a caller's fault
--   status_code              varchar      JSON-RPC error code as text
--   error_message            varchar      error text; content, so only where a sender exports it
--   args_digest              varchar      keyed digest: equal arguments are equal, and not readable
--   args_shape               varchar      keys and types; keys outside the tool's inputSchema are hashed
--   args_features            varchar      depth, keys, longest string, kinds of characters; no content
--   args_bytes               bigint       size of the arguments as compact JSON
--   result_digest            varchar      keyed digest of the result
--   result_shape             varchar      content blocks and their types
--   result_bytes             bigint       size of the result or error as it was sent
--   result_items             bigint       length of the list that the result holds, else its content blocks
--   result_empty             boolean      true where the result says nothing: [], {}, blank text
--   cost_microusd            bigint       cost of the call in millionths of a US dollar
--   cost_source              varchar      parts of that cost: price, units, reported, tokens, joined by +; a ? where the result did not tell
--   tokens                   bigint       tokens of the result, told or estimated, where its price counts them
--   decision                 varchar      allow, warn or deny
--   rule                     varchar      rule that decided
--   limits_version           varchar      SHA-256 of the limits file in force
--   findings                 varchar      what the inspectors found
--   http_status              smallint     status of the HTTP response
--   user_agent               varchar      User-Agent of the HTTP request
--   http_headers             varchar      configured safe headers
--   http_connect_ns          bigint       time to connect upstream
--   http_first_byte_ns       bigint       time to the first byte of the response
--   http_stream_ns           bigint       how long the response stream was open
--   attributes               varchar      attributes without a column of their own
--   resource                 varchar      resource attributes but service.name
--   events                   varchar      span events
--   links                    varchar      span links
--   status                   varchar      status that the span was sent with: ok or error; null where unset
--   trace_state              varchar      W3C trace state
--   scope                    varchar      version, attributes and schema URL of the scope
--   dropped                  varchar      attributes, events and links that the sender dropped
--   front                    varchar      what saw it: proxy/stdio, proxy/http or in_process; null for spans of others
--   cost_units_milli         bigint       thousandths of the units that the result told, before any cap
--   cost_reported_microusd   bigint       cost that the result told, before any cap
--   cost_paths               varchar      where in the result the book of prices looked for those
--   sent_start_unix_nano     bigint       start as sent, where implausible: start_unix_nano is then a time of receipt; below 0: sent minus 2^64
--   sent_end_unix_nano       bigint       end as sent, where no plausible duration follows from it: duration_ns is then null; below 0: sent minus 2^64
--   sent_session_start_unix_nano  bigint       start of the session as sent, where implausible: session_start_unix_nano is then not as sent
--   start_time               timestamptz  start_unix_nano as a time, to the microsecond
--   duration_ms              double       duration_ns in milliseconds
--   failed                   boolean      tool_error, server_error, timeout, or left unanswered by a server that exited
select
    trace_id,
    span_id,
    parent_span_id,
    trace_flags,
    name,
    kind,
    service_name,
    scope_name,
    sequence,
    start_unix_nano,
    duration_ns,
    duration_bucket,
    date,
    method,
    tool,
    prompt,
    resource_uri,
    request_id,
    protocol_version,
    transport,
    client_name,
    client_version,
    server_name,
    server_version,
    session_id,
    session_start_unix_nano,
    session_source,
    session_confidence,
    session_candidates,
    enforcement_key,
    enforcement_source,
    principal,
    tenant,
    role,
    agent,
    outcome,
    error_type,
    status_code,
    error_message,
    args_digest,
    args_shape,
    args_features,
    args_bytes,
    result_digest,
    result_shape,
    result_bytes,
    result_items,
    result_empty,
    cost_microusd,
    cost_source,
    tokens,
    decision,
    rule,
    limits_version,
    findings,
    http_status,
    user_agent,
    http_headers,
    http_connect_ns,
    http_first_byte_ns,
    http_stream_ns,
    attributes,
    resource,
    events,
    links,
    status,
    trace_state,
    scope,
    dropped,
    front,
    cost_units_milli,
    cost_reported_microusd,
    cost_paths,
    sent_start_unix_nano,
    sent_end_unix_nano,
    sent_session_start_unix_nano,
    start_time,
    duration_ms,
    failed
from operations
where method = 'tools/call' and kind = 'server'
