-- question: How many sessions used each shape of arguments?
-- kind:     view
-- reads:    tool_calls
-- history:  whole
-- rollup:   sessions
-- params:
--   since    bigint = 0                    start of the window, unix ns
--   until    bigint = 9223372036854775807  end of the window, unix ns, itself outside
-- columns:
--   service_name  varchar  the MCP server
--   tool          varchar  gen_ai.tool.name
--   args_shape    varchar  keys and types of the arguments
--   sessions      bigint   sessions that used it
select
    service_name,
    tool,
    args_shape,
    cast(count(distinct session_id) as bigint) as sessions
from tool_calls
where start_unix_nano >= $since
    and start_unix_nano < $until
group by service_name, tool, args_shape
