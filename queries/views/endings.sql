-- question: How did the calls of each tool end, and who saw it last?
-- kind:     view
-- reads:    tool_calls
-- rollup:   sessions
-- params:
--   since    bigint = 0                    start of the window, unix ns
--   until    bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   session  varchar = null                this session only
-- columns:
--   service_name     varchar  the MCP server
--   tool             varchar  gen_ai.tool.name
--   fault            varchar  tool, server, caller, policy or gone; null where nothing went wrong
--   outcome          varchar  how these calls ended; of what did not go wrong null
--   error_type       varchar  class of the failure
--   status_code      varchar  JSON-RPC error code
--   calls            bigint   calls that ended so
--   counted          bigint   calls that ended so, but for those that a retry follows
--   sessions         bigint   sessions that saw it
--   first_unix_nano  bigint   start of the first such call
--   last_unix_nano   bigint   start of the last such call
--   last_sequence    bigint   its place in its connection
--   last_span_id     varchar  its span
--   last_session_id  varchar  its session
--   waited_ns        bigint   how long such a call waited at least, a row for each; null where one was answered
--   error_template   varchar  text of the failure with its variable parts replaced
with calls as (
    select
        service_name, tool, outcome, error_type, status_code, error_template, session_id, start_unix_nano, sequence, span_id,
        case when unanswered then coalesce(duration_ns, 0) end as waited_ns,
        case when unanswered then span_id end as own_id,
        case outcome
            when 'tool_error' then 'tool'
            when 'server_error' then 'server'
            when 'timeout' then 'server'
            when 'protocol_error' then 'caller'
            when 'denied' then 'policy'
            when 'unfinished' then 'gone'
            when 'cancelled' then case when unanswered then 'gone' end
        end as fault
    from tool_calls
    where start_unix_nano >= $since
        and start_unix_nano < $until
        and ($session is null or session_id = $session)
),
placed as (
    select
        service_name, tool, fault, outcome, error_type, status_code, error_template, session_id, start_unix_nano, sequence, span_id, waited_ns, own_id,
        row_number() over (
            partition by service_name, tool, fault, outcome, error_type, status_code, error_template, own_id
            order by start_unix_nano desc, sequence desc nulls last, span_id desc
        ) as newest
    from calls
    where fault is not null
)
select
    service_name,
    tool,
    fault,
    outcome,
    error_type,
    status_code,
    cast(count(*) as bigint) as calls,
    cast(count(*) as bigint) as counted,
    cast(count(distinct session_id) as bigint) as sessions,
    min(start_unix_nano) as first_unix_nano,
    max(start_unix_nano) as last_unix_nano,
    max(case when newest = 1 then sequence end) as last_sequence,
    max(case when newest = 1 then span_id end) as last_span_id,
    max(case when newest = 1 then session_id end) as last_session_id,
    max(waited_ns) as waited_ns,
    error_template
from placed
group by service_name, tool, fault, outcome, error_type, status_code, error_template, own_id
union all
select
    service_name,
    tool,
    fault,
    cast(null as varchar) as outcome,
    cast(null as varchar) as error_type,
    cast(null as varchar) as status_code,
    cast(count(*) as bigint) as calls,
    cast(sum(case when outcome = 'input_required' then 0 else 1 end) as bigint) as counted,
    cast(null as bigint) as sessions,
    min(start_unix_nano) as first_unix_nano,
    max(start_unix_nano) as last_unix_nano,
    cast(null as bigint) as last_sequence,
    cast(null as varchar) as last_span_id,
    cast(null as varchar) as last_session_id,
    cast(null as bigint) as waited_ns,
    cast(null as varchar) as error_template
from calls
where fault is null
group by service_name, tool, fault
