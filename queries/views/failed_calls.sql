-- question: Which calls failed, were denied or were not answered, and what did their session call before?
-- kind:     view
-- reads:    tool_calls
-- history:  whole
-- rollup:   rows
-- params:
--   since    bigint = 0                    failures from here on at least, unix ns; the calls before may lie earlier
--   until    bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   session  varchar = null                this session only
-- columns:
--   start_unix_nano  bigint   when the failed call began
--   sequence         bigint   its place in its connection
--   session_id       varchar  its session
--   service_name     varchar  the MCP server
--   tool             varchar  gen_ai.tool.name
--   outcome          varchar  how it failed
--   before_5         varchar  the tool called five calls earlier, and its outcome where that was not ok
--   before_4         varchar  four calls earlier
--   before_3         varchar  three calls earlier
--   before_2         varchar  two calls earlier
--   before_1         varchar  the call just before
--   error_type       varchar  class of the failure
--   status_code      varchar  JSON-RPC error code
--   duration_ms      double   how long it took
--   nth_call         bigint   its place among the session's tool calls, from 1; null without a session
--   trace_id         varchar  trace of the failed call
--   span_id          varchar  its span
--   unanswered       boolean  nobody answered it; patience says whether it failed
--   pending          boolean  true where no end was recorded
--   error_message    varchar  text of the failure, if it was recorded
--   error_template   varchar  that text with its variable parts replaced
with hit as (
    select distinct session_id
    from tool_calls
    where (failed or unanswered or outcome = 'denied')
        and start_unix_nano >= $since
        and start_unix_nano < $until
        and ($session is null or session_id = $session)
),
calls as (
    select
        session_id, start_unix_nano, sequence, span_id, trace_id, service_name, tool, outcome, error_type, status_code,
        duration_ms, failed, unanswered, pending, error_message, error_template,
        -- The cast keeps lag() null before the first call where an engine tells texts from nullable texts (ClickHouse).
        cast(
            coalesce(tool, '?') || case when outcome = 'ok' then '' else ' (' || coalesce(outcome, '?') || ')' end
            as varchar
        ) as label
    from tool_calls
    where start_unix_nano < $until
        and session_id in (select session_id from hit)
),
chained as (
    select
        session_id, start_unix_nano, sequence, span_id, trace_id, service_name, tool, outcome, error_type, status_code,
        duration_ms, failed, unanswered, pending, error_message, error_template,
        row_number() over in_session as nth_call,
        lag(label, 5) over in_session as before_5,
        lag(label, 4) over in_session as before_4,
        lag(label, 3) over in_session as before_3,
        lag(label, 2) over in_session as before_2,
        lag(label, 1) over in_session as before_1
    from calls
    window in_session as (partition by session_id order by start_unix_nano, sequence nulls last, span_id, trace_id)
)
select
    start_unix_nano, sequence, session_id, service_name, tool, outcome, before_5, before_4, before_3, before_2,
    before_1, error_type, status_code, duration_ms, nth_call, trace_id, span_id, unanswered, pending,
    error_message, error_template
from chained
where (failed or unanswered or outcome = 'denied')
    and start_unix_nano >= $since
union all
-- A failure without a session has nothing that is known to come before it.
select
    start_unix_nano, sequence, session_id, service_name, tool, outcome,
    cast(null as varchar) as before_5,
    cast(null as varchar) as before_4,
    cast(null as varchar) as before_3,
    cast(null as varchar) as before_2,
    cast(null as varchar) as before_1,
    error_type, status_code, duration_ms,
    cast(null as bigint) as nth_call,
    trace_id, span_id, unanswered, pending,
    error_message, error_template
from tool_calls
where (failed or unanswered or outcome = 'denied')
    and session_id is null
    and $session is null
    and start_unix_nano >= $since
    and start_unix_nano < $until
