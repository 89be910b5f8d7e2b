-- question: How long did the answered calls of each tool take, to a bucket?
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
--   failed        boolean  whether these calls failed
--   bucket        bigint   floor(log2(duration_ns) * 32)
--   calls         bigint   answered calls in the bucket
--   total_ns      bigint   how long they took, all together
--   max_ns        bigint   the longest
select
    service_name,
    tool,
    failed,
    cast(floor(log2(case when duration_ns < 1 then 1 else duration_ns end) * 32) as bigint) as bucket,
    cast(count(*) as bigint) as calls,
    cast(sum(duration_ns) as bigint) as total_ns,
    max(duration_ns) as max_ns
from tool_calls
where start_unix_nano >= $since
    and start_unix_nano < $until
    and outcome in ('ok', 'tool_error', 'server_error', 'timeout')
    -- ours have none where nothing is answered; some senders never say it
    and (request_id is not null or coalesce(scope_name, '') <> 'mcpobs')
    and duration_ns is not null
    and ($session is null or session_id = $session)
group by
    service_name, tool, failed,
    cast(floor(log2(case when duration_ns < 1 then 1 else duration_ns end) * 32) as bigint)
