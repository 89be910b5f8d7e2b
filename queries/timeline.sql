-- question: What did one session do, call by call?
-- kind:     step
-- reads:    tool_calls
-- params:
--   session    varchar = null  the session; none where it is not named
--   from_call  bigint = 1      place of the first call that is shown
--   calls      bigint = 50     how many are shown
-- columns:
--   nth_call         bigint   place among the session's tool calls, from 1
--   of_calls         bigint   tool calls of the session
--   start_unix_nano  bigint   when the call began
--   service_name     varchar  the MCP server
--   tool             varchar  gen_ai.tool.name
--   outcome          varchar  how the call ended
--   duration_ms      double   how long it took
--   same_as_call     bigint   place of the session's first call of this tool with equal arguments; null where it is this one
--   error_type       varchar  class of the failure
--   status_code      varchar  JSON-RPC error code
--   args_shape       varchar  keys and types of the arguments
--   args_bytes       bigint   size of the arguments
--   result_bytes     bigint   size of the result
--   result_empty     boolean  true where the result says nothing
--   cost_microusd    bigint   cost of the call
--   decision_code    varchar  why the call, or its result, was denied
--   findings         varchar  what inspectors found in its messages, as JSON
--   trace_id         varchar  trace of the call
--   span_id          varchar  its span
--   failed           boolean  whether it failed
--   unanswered       boolean  whether nobody answered it: duration_ms is how long it waited at least
--   error_message    varchar  text of the error, if it was recorded
with placed as (
    select
        start_unix_nano, sequence, service_name, tool, outcome, duration_ms, error_type, status_code, args_digest,
        args_shape, args_bytes, result_bytes, result_empty, cost_microusd, decision_code, findings, trace_id, span_id,
        failed, unanswered, error_message,
        row_number() over (order by start_unix_nano, sequence nulls last, span_id, trace_id) as nth_call,
        count(*) over () as of_calls
    from tool_calls
    where session_id = $session
),
compared as (
    select
        start_unix_nano, service_name, tool, outcome, duration_ms, error_type, status_code, args_digest,
        args_shape, args_bytes, result_bytes, result_empty, cost_microusd, decision_code, findings, trace_id, span_id,
        failed, unanswered, error_message, nth_call, of_calls,
        min(nth_call) over (partition by service_name, tool, args_digest) as first_like_it
    from placed
)
select
    nth_call,
    of_calls,
    start_unix_nano,
    service_name,
    tool,
    outcome,
    duration_ms,
    case when args_digest is not null and first_like_it < nth_call then first_like_it end as same_as_call,
    error_type,
    status_code,
    args_shape,
    args_bytes,
    result_bytes,
    result_empty,
    cost_microusd,
    decision_code,
    findings,
    trace_id,
    span_id,
    failed,
    unanswered,
    error_message
from compared
where nth_call >= $from_call and nth_call < $from_call + $calls
order by nth_call
