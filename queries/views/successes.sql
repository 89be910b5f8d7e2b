-- question: In which minutes did each tool succeed?
-- kind:     view
-- reads:    tool_calls
-- rollup:   calls
-- params:
--   until  bigint = 9223372036854775807  end of the window, unix ns, itself outside
-- columns:
--   service_name     varchar  the MCP server
--   tool             varchar  gen_ai.tool.name
--   minute           bigint   minutes since 1970
--   first_unix_nano  bigint   start of the first call of the minute that succeeded
--   last_unix_nano   bigint   start of the last one
select
    service_name,
    tool,
    start_unix_nano // 60000000000 as minute,
    min(start_unix_nano) as first_unix_nano,
    max(start_unix_nano) as last_unix_nano
from tool_calls
where outcome = 'ok'
    and start_unix_nano < $until
group by service_name, tool, start_unix_nano // 60000000000
