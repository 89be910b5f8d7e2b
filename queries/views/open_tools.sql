-- question: Which tools have calls that nobody answered?
-- kind:     view
-- reads:    spans
-- rollup:   calls
-- columns:
--   service_key  varchar  the MCP server; empty where it has no name
--   tool_key     varchar  gen_ai.tool.name; empty where it has none
--   calls        bigint   its calls that nobody answered
select
    coalesce(service_name, '') as service_key,
    coalesce(tool, '') as tool_key,
    cast(count(*) as bigint) as calls
from spans
where outcome in ('unfinished', 'cancelled')
    and method = 'tools/call'
    and kind = 'server'
    and (
        (outcome = 'unfinished' and coalesce(error_type, '') not in ('server_exit', 'redirected'))
        or (outcome = 'cancelled' and error_type = 'client_disconnect')
    )
group by coalesce(service_name, ''), coalesce(tool, '')
