-- question: Which answered call of each tool took longest?
-- kind:     view
-- reads:    tool_calls
-- rollup:   calls
-- params:
--   since    bigint = 0                    start of the window, unix ns
--   until    bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   session  varchar = null                this session only
-- columns:
--   service_name  varchar  the MCP server
--   tool          varchar  gen_ai.tool.name
--   max_ns        bigint   how long it took
--   trace_id      varchar  its trace; the first by name where several took as long
with answered as (
    select service_name, tool, duration_ns, trace_id
    from tool_calls
    where start_unix_nano >= $since
        and start_unix_nano < $until
        and outcome in ('ok', 'tool_error', 'server_error', 'timeout')
        and (request_id is not null or coalesce(scope_name, '') <> 'mcpobs')
        and duration_ns is not null
        and ($session is null or session_id = $session)
),
-- A missing name compares as unknown, and such rows would drop out of the join.
longest as (
    select
        coalesce(service_name, '') as service_key,
        coalesce(tool, '') as tool_key,
        max(duration_ns) as max_ns
    from answered
    group by coalesce(service_name, ''), coalesce(tool, '')
)
select
    answered.service_name as service_name,
    answered.tool as tool,
    answered.duration_ns as max_ns,
    min(answered.trace_id) as trace_id
from answered
inner join longest
    on longest.service_key = coalesce(answered.service_name, '')
    and longest.tool_key = coalesce(answered.tool, '')
    and longest.max_ns = answered.duration_ns
group by answered.service_name, answered.tool, answered.duration_ns
