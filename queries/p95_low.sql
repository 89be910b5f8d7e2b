-- question: What is the 95th percentile of each tool at least?
-- kind:     step
-- reads:    tool_calls, unanswered_calls
-- params:
--   since    bigint = 0                    start of the window, unix ns
--   until    bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   tool     varchar = null                this tool only
--   session  varchar = null                this session only
--   server   varchar = null                this server only
-- columns:
--   service_name  varchar  the MCP server
--   tool          varchar  gen_ai.tool.name
--   p95_low_ms    double   lower end of the one-sided 95 % interval of the 95th percentile; null for a single call

-- The k-th shortest of n calls is at most the true percentile if k or more of them are below that, so with the
-- probability that a binomial (n, 0.95) is k or more, whatever the distribution (David and Nagaraja, Order Statistics,
-- 2003, 7.1). k is the largest for which that is 0.95: 4 of 5 calls, 17 of 20, 91 of 100. The normal approximation
-- 0.95 n - 1.645 sqrt(n 0.95 0.05) + 0.25, rounded down, is never larger.
with answered as (
    select service_name, tool, duration_ns
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
    -- A call that nobody answered would have taken longer: a bound from what it waited holds all the more.
    union all
    select service_name, tool, waited_ns as duration_ns
    from unanswered_calls
    where (failed or (answered = 0 and waited_ns >= 1000000000))
        and start_unix_nano >= $since
        and ($tool is null or tool = $tool)
        and ($session is null or session_id = $session)
        and ($server is null or service_name = $server)
),
placed as (
    select
        service_name, tool, duration_ns,
        row_number() over (partition by service_name, tool order by duration_ns) as place,
        count(*) over (partition by service_name, tool) as calls
    from answered
)
select
    service_name,
    tool,
    max(case
        when place = floor(0.95 * calls - 1.6448536269514722 * sqrt(0.0475 * calls) + 0.25) then duration_ns
    end) / 1000000.0 as p95_low_ms
from placed
group by service_name, tool
order by p95_low_ms desc nulls last, service_name nulls last, tool nulls last
