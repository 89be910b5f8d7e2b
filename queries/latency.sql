-- question: How long do tools take to answer, and how long is the tail?
-- kind:     report
-- reads:    tool_calls
-- params:
--   since      bigint = 0                    start of the window, unix ns
--   until      bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   tool       varchar = null                this tool only
--   session    varchar = null                this session only
--   server     varchar = null                this server only
--   min_calls  bigint = 1                    tools with fewer answered calls are left out
-- columns:
--   service_name  varchar  the MCP server
--   tool          varchar  gen_ai.tool.name
--   calls         bigint   calls that were answered
--   p50_ms        double   median duration
--   p95_ms        double   95th percentile of duration
--   p99_ms        double   99th percentile of duration
--   max_ms        double   longest duration
--   failed        bigint   calls among them that failed
--   failed_ratio  double   their share
-- chart:    range tool p50_ms p95_ms p99_ms

-- Only calls that took the time the tool takes: answered (ok, tool_error, server_error), or waited for until
-- somebody gave up (timeout: the true duration is longer still). A refused, malformed or cancelled call, a call
-- that asks for input first or becomes a task, and one whose server died end early for other reasons and would
-- make a slow tool look fast. A notification is never answered.
select
    service_name,
    tool,
    count(*) as calls,
    percentile_cont(0.5) within group (order by duration_ns) / 1000000.0 as p50_ms,
    percentile_cont(0.95) within group (order by duration_ns) / 1000000.0 as p95_ms,
    percentile_cont(0.99) within group (order by duration_ns) / 1000000.0 as p99_ms,
    max(duration_ns) / 1000000.0 as max_ms,
    cast(sum(case when failed then 1 else 0 end) as bigint) as failed,
    sum(case when failed then 1 else 0 end) / nullif(cast(count(*) as double), 0) as failed_ratio
from tool_calls
where start_unix_nano >= $since
    and start_unix_nano < $until
    and outcome in ('ok', 'tool_error', 'server_error', 'timeout')
    -- ours have none where nothing is answered; some senders never say it
    and (request_id is not null or coalesce(scope_name, '') <> 'mcpobs')
    and duration_ns is not null
    and ($tool is null or tool = $tool)
    and ($session is null or session_id = $session)
    and ($server is null or service_name = $server)
group by service_name, tool
having count(*) >= $min_calls
order by p95_ms desc, service_name nulls last, tool nulls last
