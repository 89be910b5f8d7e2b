-- question: How much of each thing did each session take?
-- kind:     view
-- reads:    session_usage
-- params:
--   since   bigint = 0                    start of the window, unix ns
--   until   bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   tool    varchar = null                calls of this tool only
--   server  varchar = null                calls of this server only
-- columns:
--   measure     varchar  calls · failures · time · cost
--   session_id  varchar  the session, reconstructed
--   server_key  varchar  its MCP server; empty where it has no name
--   client_key  varchar  its client; empty where it has no name
--   tool_key    varchar  the tool that it called most; empty where it has no name
--   calls       bigint   its tool calls
--   amount      double   calls, failed calls, nanoseconds, or millionths of a dollar
--   size        double   logarithm of the amount; of one failure more, because most sessions have none
select
    'calls' as measure, session_id,
    coalesce(service_name, '') as server_key, coalesce(client_name, '') as client_key,
    coalesce(main_tool, '') as tool_key,
    calls, cast(calls as double) as amount, ln(calls) as size
from session_usage
where calls > 0
union all
select
    'failures' as measure, session_id,
    coalesce(service_name, '') as server_key, coalesce(client_name, '') as client_key,
    coalesce(main_tool, '') as tool_key,
    calls, cast(failed as double) as amount, ln(1.0 + failed) as size
from session_usage
where calls > 0
union all
select
    'time' as measure, session_id,
    coalesce(service_name, '') as server_key, coalesce(client_name, '') as client_key,
    coalesce(main_tool, '') as tool_key,
    calls, cast(duration_ns as double) as amount, ln(duration_ns) as size
from session_usage
where calls > 0 and duration_ns > 0
union all
-- A session that uses nothing with a price is compared with nobody.
select
    'cost' as measure, session_id,
    coalesce(service_name, '') as server_key, coalesce(client_name, '') as client_key,
    coalesce(main_tool, '') as tool_key,
    calls, cast(cost_microusd as double) as amount, ln(cost_microusd) as size
from session_usage
where calls > 0 and cost_microusd > 0
