-- question: Which failures are alike, and how often does each kind happen?
-- answers:  tool, outcome, error_type, error_template, calls, sessions, last_unix_nano
-- kind:     step
-- reads:    failed_calls, patience
-- history:  whole
-- params:
--   since    bigint = 0                    start of the window, unix ns
--   until    bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   tool     varchar = null                failures of this tool only
--   session  varchar = null                this session only
--   server   varchar = null                failures of this server only
-- columns:
--   service_name     varchar  the MCP server
--   tool             varchar  gen_ai.tool.name
--   outcome          varchar  how they failed; denied: a judge refused them; unanswered: nobody answered
--   error_type       varchar  class of the failure
--   status_code      varchar  JSON-RPC error code
--   calls            bigint   calls that failed so
--   sessions         bigint   sessions that saw it
--   first_unix_nano  bigint   start of the first such call
--   last_unix_nano   bigint   start of the last such call
--   last_session_id  varchar  session of that last call
--   longest_ms       double   longest duration; of unanswered calls the longest wait, at least
--   error_template   varchar  their text with its variable parts replaced, if it was recorded
-- summary:
--   texts     count(error_template)
with alike as (
    select
        failed_calls.service_name as service_name,
        failed_calls.tool as tool,
        case when failed_calls.unanswered then 'unanswered' else failed_calls.outcome end as outcome,
        failed_calls.error_type as error_type,
        failed_calls.status_code as status_code,
        failed_calls.error_template as error_template,
        failed_calls.session_id as session_id,
        failed_calls.start_unix_nano as start_unix_nano,
        failed_calls.duration_ms as duration_ms,
        row_number() over (
            partition by
                failed_calls.service_name, failed_calls.tool, failed_calls.unanswered, failed_calls.outcome,
                failed_calls.error_type, failed_calls.status_code, failed_calls.error_template
            order by
                failed_calls.start_unix_nano desc, failed_calls.sequence desc nulls last, failed_calls.span_id desc
        ) as newest
    from failed_calls
    left join patience
        on patience.service_key
            = case when failed_calls.unanswered then coalesce(failed_calls.service_name, '') end
        and patience.tool_key = coalesce(failed_calls.tool, '')
    where (
            not failed_calls.unanswered
            or failed_calls.duration_ms > coalesce(patience.patient_ns, 30000000000) / 1000000.0
        )
        and failed_calls.start_unix_nano >= $since
        and failed_calls.start_unix_nano < $until
        and ($tool is null or failed_calls.tool = $tool)
        and ($session is null or failed_calls.session_id = $session)
        and ($server is null or failed_calls.service_name = $server)
)
select
    service_name,
    tool,
    outcome,
    error_type,
    status_code,
    count(*) as calls,
    count(distinct session_id) as sessions,
    min(start_unix_nano) as first_unix_nano,
    max(start_unix_nano) as last_unix_nano,
    max(case when newest = 1 then session_id end) as last_session_id,
    max(duration_ms) as longest_ms,
    error_template
from alike
group by service_name, tool, outcome, error_type, status_code, error_template
order by
    calls desc, last_unix_nano desc, service_name nulls last, tool nulls last, outcome, error_type nulls last,
    status_code nulls last, error_template nulls last
