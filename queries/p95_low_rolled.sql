-- question: What is the 95th percentile of each tool at least, to a bucket?
-- kind:     step
-- reads:    durations, unanswered_calls
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

-- The answer of p95_low, with each duration rounded to its bucket as in latency_rolled.
with timed as (
    select service_name, tool, bucket, calls
    from durations
    where ($tool is null or tool = $tool)
        and ($server is null or service_name = $server)
    union all
    select
        service_name, tool,
        cast(floor(log2(case when waited_ns < 1 then 1 else waited_ns end) * 32) as bigint) as bucket, 1 as calls
    from unanswered_calls
    where (failed or (answered = 0 and waited_ns >= 1000000000))
        and ($tool is null or tool = $tool)
        and ($server is null or service_name = $server)
),
buckets as (
    select service_name, tool, bucket, cast(sum(calls) as double) as calls
    from timed
    group by service_name, tool, bucket
),
stacked as (
    select
        service_name, tool, bucket,
        sum(calls) over (
            partition by service_name, tool order by bucket rows between unbounded preceding and current row
        ) as so_far,
        sum(calls) over (partition by service_name, tool) as calls
    from buckets
)
select
    service_name,
    tool,
    min(case
        when calls >= 2 and so_far >= floor(0.95 * calls - 1.6448536269514722 * sqrt(0.0475 * calls) + 0.25)
            then power(2.0, (bucket + 0.5) / 32.0) / 1000000.0
    end) as p95_low_ms
from stacked
group by service_name, tool
order by p95_low_ms desc nulls last, service_name nulls last, tool nulls last
