-- question: Which calls failed, in which session, and what came before?
-- topic:    4 What fails, after what?
-- answers:  start_unix_nano, session_id, service_name, tool, outcome, before
-- kind:     report
-- reads:    failed_calls, patience
-- history:  whole
-- params:
--   since    bigint = 0                    start of the window, unix ns; the calls before may lie earlier
--   until    bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   tool     varchar = null                failures of this tool only
--   session  varchar = null                this session only
--   server   varchar = null                failures of this server only
-- columns:
--   start_unix_nano  bigint   when the failed call began
--   session_id       varchar  its session
--   service_name     varchar  the MCP server
--   tool             varchar  gen_ai.tool.name
--   outcome          varchar  how it failed; denied: a judge refused it; unanswered: nobody answered
--   before_5         varchar  the tool called five calls earlier, and its outcome where that was not ok
--   before_4         varchar  four calls earlier
--   before_3         varchar  three calls earlier
--   before_2         varchar  two calls earlier
--   before_1         varchar  the call just before
--   error_type       varchar  class of the failure
--   status_code      varchar  JSON-RPC error code
--   duration_ms      double   how long it took; of an unanswered call how long it waited at least
--   nth_call         bigint   its place among the session's tool calls, from 1
--   trace_id         varchar  trace of the failed call
--   span_id          varchar  its span
--   lower_bounds     varchar  duration_ms for an unanswered call, which would have taken longer; else null
--   error_message    varchar  text of the failure, if it was recorded
-- summary:
--   texts     count(error_message)
--   sessions  count(distinct session_id)
--   denied    count(case when outcome = 'denied' then 1 end)
--   hung      count(case when outcome = 'unanswered' then 1 end)
select
    start_unix_nano,
    session_id,
    service_name,
    tool,
    case when unanswered then 'unanswered' else outcome end as outcome,
    before_5,
    before_4,
    before_3,
    before_2,
    before_1,
    error_type,
    status_code,
    duration_ms,
    nth_call,
    trace_id,
    span_id,
    case when unanswered then 'duration_ms' end as lower_bounds,
    error_message
from failed_calls
left join patience
    on patience.service_key = case when failed_calls.unanswered then coalesce(failed_calls.service_name, '') end
    and patience.tool_key = coalesce(failed_calls.tool, '')
where (not unanswered or duration_ms > coalesce(patient_ns, 30000000000) / 1000000.0)
    and start_unix_nano >= $since
    and start_unix_nano < $until
    and ($tool is null or tool = $tool)
    and ($session is null or session_id = $session)
    and ($server is null or service_name = $server)
order by start_unix_nano desc, session_id nulls last, sequence desc nulls last, span_id, trace_id
