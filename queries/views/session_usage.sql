-- question: What did each session do?
-- kind:     view
-- reads:    usage
-- rollup:   sessions
-- params:
--   since   bigint = 0                    start of the window, unix ns
--   until   bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   tool    varchar = null                calls of this tool only
--   server  varchar = null                calls of this server only
-- columns:
--   session_id       varchar  the session, reconstructed
--   service_name     varchar  the MCP server; the first by name where there are several
--   client_name      varchar  clientInfo.name; the last by name where there are several
--   session_source   varchar  which rule gave session_id
--   surety           bigint   how sure that is: 1 low, 2 medium, 3 high; the least
--   calls            bigint   tool calls; one that asks for input first is one with its retry
--   tools            bigint   distinct tools that were called
--   main_tool        varchar  the tool with the most calls; the last by name where several have as many
--   failed           bigint   calls that failed; unanswered ones not counted: see unanswered_calls
--   first_unix_nano  bigint   start of the first call
--   last_unix_nano   bigint   start of the last call
--   end_unix_nano    bigint   end of the call that ended last
--   duration_ns      bigint   how long the calls took, all together
--   result_bytes     bigint   size of all results
--   cost_microusd    bigint   cost of the calls; null where none is known
with tools as (
    select
        session_id,
        tool,
        min(service_name) as service_name,
        max(client_name) as client_name,
        max(session_source) as session_source,
        min(surety) as surety,
        sum(calls) as calls,
        sum(failed) as failed,
        min(first_unix_nano) as first_unix_nano,
        max(last_unix_nano) as last_unix_nano,
        max(end_unix_nano) as end_unix_nano,
        sum(duration_ns) as duration_ns,
        sum(result_bytes) as result_bytes,
        sum(cost_microusd) as cost_microusd
    from usage
    where session_id is not null
        and ($tool is null or tool = $tool)
        and ($server is null or service_name = $server)
    group by session_id, tool
)
select
    session_id,
    min(service_name) as service_name,
    max(client_name) as client_name,
    max(session_source) as session_source,
    min(surety) as surety,
    cast(sum(calls) as bigint) as calls,
    cast(count(tool) as bigint) as tools,
    -- The number of calls with leading zeros stands before the name: the last text is that of the most calls.
    nullif(
        substr(max(cast(cast(1000000000000 + calls as bigint) as varchar) || coalesce(tool, '')), 14), ''
    ) as main_tool,
    cast(sum(failed) as bigint) as failed,
    min(first_unix_nano) as first_unix_nano,
    max(last_unix_nano) as last_unix_nano,
    max(end_unix_nano) as end_unix_nano,
    cast(sum(duration_ns) as bigint) as duration_ns,
    cast(sum(result_bytes) as bigint) as result_bytes,
    cast(sum(cost_microusd) as bigint) as cost_microusd
from tools
group by session_id
