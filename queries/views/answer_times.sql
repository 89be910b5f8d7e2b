-- question: How long did each tool take to answer, and which of its calls were never answered?
-- kind:     view
-- reads:    spans
-- rollup:   calls
-- columns:
--   service_key  varchar  the MCP server; empty where it has no name
--   tool_key     varchar  gen_ai.tool.name; empty where it has none
--   bucket       bigint   floor(log2(duration_ns) * 32); null for calls that nobody answered
--   calls        bigint   calls that were answered in that time, or by nobody
--   waits        bigint   calls that nobody answered in a second or more

-- Calls that several layers report count as often: a threshold needs no more.
select
    coalesce(service_name, '') as service_key,
    coalesce(tool, '') as tool_key,
    case
        when outcome in ('ok', 'tool_error', 'server_error', 'timeout')
            then cast(floor(log2(case when duration_ns < 1 then 1 else duration_ns end) * 32) as bigint)
    end as bucket,
    cast(count(*) as bigint) as calls,
    cast(sum(
        case
            when outcome in ('unfinished', 'cancelled') and duration_ns >= 1000000000 then 1
            else 0
        end
    ) as bigint) as waits
from spans
where method = 'tools/call'
    and kind = 'server'
    and duration_ns is not null
    and (
        outcome in ('ok', 'tool_error', 'server_error', 'timeout')
        or (outcome = 'unfinished' and coalesce(error_type, '') not in ('server_exit', 'redirected'))
        or (outcome = 'cancelled' and error_type = 'client_disconnect')
    )
group by
    coalesce(service_name, ''), coalesce(tool, ''),
    case
        when outcome in ('ok', 'tool_error', 'server_error', 'timeout')
            then cast(floor(log2(case when duration_ns < 1 then 1 else duration_ns end) * 32) as bigint)
    end
