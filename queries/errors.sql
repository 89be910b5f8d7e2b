-- question: What goes wrong, how often, and whose fault is it?
-- topic:    6 Whose fault is it?
-- answers:  service_name, tool, fault, outcome, error_type, error_template, calls, error_ratio, sessions
-- kind:     report
-- reads:    endings, patience
-- params:
--   since    bigint = 0                    start of the window, unix ns
--   until    bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   tool     varchar = null                this tool only
--   session  varchar = null                this session only
--   server   varchar = null                this server only
-- columns:
--   service_name     varchar  the MCP server
--   tool             varchar  gen_ai.tool.name
--   fault            varchar  tool: it said isError · server: a JSON-RPC error, or too slow · caller: a wrong request · policy: a judge denied it · hung: it did not answer in its time · gone: a side went away before it had to answer
--   outcome          varchar  how these calls ended
--   error_type       varchar  class of the failure
--   status_code      varchar  JSON-RPC error code
--   calls            bigint   calls that ended so
--   of_calls         bigint   all calls of the tool; one that asks for input first is one with its retry
--   error_ratio      double   share of the tool's calls that ended so
--   sessions         bigint   sessions that saw it
--   first_unix_nano  bigint   start of the first such call
--   last_unix_nano   bigint   start of the last such call
--   last_session_id  varchar  session of that last call
--   longest_ms       double   longest wait for an answer, at least; null where these were answered
--   error_template   varchar  their text with its variable parts replaced, if it was recorded
-- chart:    bar tool calls
with chosen as (
    select
        service_name, tool,
        case when waited_ns > coalesce(patient_ns, 30000000000) then 'hung' else fault end as fault,
        outcome, error_type, status_code, error_template, calls, counted, sessions, first_unix_nano,
        last_unix_nano, last_sequence, last_span_id, last_session_id, waited_ns
    from endings
    left join patience
        on patience.service_key = case when endings.waited_ns is not null then coalesce(endings.service_name, '') end
        and patience.tool_key = coalesce(endings.tool, '')
    where ($tool is null or tool = $tool)
        and ($server is null or service_name = $server)
),
-- A missing name compares as unknown, and such rows would drop out of the join.
totals as (
    select
        coalesce(service_name, '') as service_key,
        coalesce(tool, '') as tool_key,
        cast(sum(counted) as bigint) as of_calls
    from chosen
    group by coalesce(service_name, ''), coalesce(tool, '')
),
placed as (
    select
        service_name, tool, fault, outcome, error_type, status_code, error_template, calls, sessions, first_unix_nano, last_unix_nano,
        last_session_id, waited_ns,
        row_number() over (
            partition by service_name, tool, fault, outcome, error_type, status_code, error_template
            order by last_unix_nano desc, last_sequence desc nulls last, last_span_id desc
        ) as newest
    from chosen
    where fault is not null
),
grouped as (
    select
        service_name, tool, fault, outcome, error_type, status_code, error_template,
        cast(sum(calls) as bigint) as calls,
        -- An unanswered call has a row of its own, so a session with several counts once.
        cast(
            sum(case when waited_ns is null then sessions else 0 end)
            + count(distinct case when waited_ns is not null then last_session_id end) as bigint
        ) as sessions,
        min(first_unix_nano) as first_unix_nano,
        max(last_unix_nano) as last_unix_nano,
        max(case when newest = 1 then last_session_id end) as last_session_id,
        max(waited_ns) / 1000000.0 as longest_ms
    from placed
    group by service_name, tool, fault, outcome, error_type, status_code, error_template
)
select
    grouped.service_name as service_name,
    grouped.tool as tool,
    grouped.fault as fault,
    grouped.outcome as outcome,
    grouped.error_type as error_type,
    grouped.status_code as status_code,
    grouped.calls as calls,
    totals.of_calls as of_calls,
    grouped.calls / nullif(cast(totals.of_calls as double), 0) as error_ratio,
    grouped.sessions as sessions,
    grouped.first_unix_nano as first_unix_nano,
    grouped.last_unix_nano as last_unix_nano,
    grouped.last_session_id as last_session_id,
    grouped.longest_ms as longest_ms,
    grouped.error_template as error_template
from grouped
inner join totals
    on totals.service_key = coalesce(grouped.service_name, '') and totals.tool_key = coalesce(grouped.tool, '')
order by
    grouped.calls desc, grouped.last_unix_nano desc, grouped.service_name nulls last, grouped.tool nulls last,
    grouped.outcome, grouped.error_type nulls last, grouped.status_code nulls last, grouped.fault,
    grouped.error_template nulls last
