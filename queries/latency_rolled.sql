-- question: How long do tools take to answer, to a bucket?
-- kind:     step
-- reads:    durations, slowest, unanswered_calls
-- params:
--   since      bigint = 0                    start of the window, unix ns
--   until      bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   tool       varchar = null                this tool only
--   session    varchar = null                this session only
--   server     varchar = null                this server only
--   min_calls  bigint = 1                    tools with fewer answered calls are left out
-- columns:
--   service_name      varchar  the MCP server
--   tool              varchar  gen_ai.tool.name
--   calls             bigint   calls that were answered, and unanswered ones that failed or whose tool never answered
--   p50_ms            double   median duration
--   p90_ms            double   90th percentile of duration
--   p95_ms            double   95th percentile of duration
--   p99_ms            double   99th percentile of duration
--   max_ms            double   longest duration
--   failed            bigint   calls among them that failed
--   failed_ratio      double   their share
--   time_ratio        double   share of the time of all tools' answered calls
--   p95_trend         double   null: who asks compares two windows
--   ok_p50_ms         double   median duration of calls that succeeded
--   ok_p95_ms         double   95th percentile of theirs
--   failed_p50_ms     double   median duration of calls that failed
--   failed_p95_ms     double   95th percentile of theirs
--   slowest_trace_id  varchar  trace of the slowest call
--   unanswered        bigint   calls among them that nobody answered: their durations are what they waited at least
--   lower_bounds      varchar  which of these columns are lower bounds because of that; null where none is

-- The answer of the report latency, with each duration rounded to its bucket: the bucket's middle by ratio is off by at
-- most 2 ** (1 / 64) = 1.1 %, and so is any percentile, for it lies between two durations. All else is exact.
with hung as (
    select
        service_name, tool, failed, waited_ns, trace_id,
        cast(floor(log2(case when waited_ns < 1 then 1 else waited_ns end) * 32) as bigint) as bucket
    from unanswered_calls
    where (failed or (answered = 0 and waited_ns >= 1000000000))
        and ($tool is null or tool = $tool)
        and ($server is null or service_name = $server)
),
shortest as (
    select coalesce(service_name, '') as service_key, coalesce(tool, '') as tool_key, min(bucket) as bucket
    from hung
    group by coalesce(service_name, ''), coalesce(tool, '')
),
timed as (
    select service_name, tool, failed, bucket, calls, total_ns, max_ns, 0 as open
    from durations
    where ($tool is null or tool = $tool)
        and ($server is null or service_name = $server)
    union all
    select service_name, tool, failed, bucket, 1 as calls, waited_ns as total_ns, waited_ns as max_ns, 1 as open
    from hung
),
chosen as (
    select
        coalesce(timed.service_name, '') as service_key,
        coalesce(timed.tool, '') as tool_key,
        timed.service_name as service_name,
        timed.tool as tool,
        timed.failed as failed,
        timed.bucket as bucket,
        timed.calls as calls,
        timed.total_ns as total_ns,
        timed.max_ns as max_ns,
        timed.open as open,
        case when timed.bucket >= shortest.bucket then timed.calls else 0 end as late,
        power(2.0, (timed.bucket + 0.5) / 32.0) / 1000000.0 as ms
    from timed
    left join shortest
        on shortest.service_key = coalesce(timed.service_name, '') and shortest.tool_key = coalesce(timed.tool, '')
),
-- part: 0 all calls, 1 those that succeeded, 2 those that failed
parts as (
    select service_key, tool_key, 0 as part, bucket, ms, calls from chosen
    union all
    select service_key, tool_key, case when failed then 2 else 1 end as part, bucket, ms, calls from chosen
),
stacked as (
    select
        service_key, tool_key, part, ms,
        sum(sum(calls)) over (
            partition by service_key, tool_key, part order by bucket
            rows between unbounded preceding and current row
        ) as so_far,
        sum(sum(calls)) over (partition by service_key, tool_key, part) - 1 as last
    from parts
    group by service_key, tool_key, part, bucket, ms
),
-- A percentile lies between the calls at the places below and above p * last, counted from 0.
ends as (
    select
        service_key, tool_key, part,
        max(last) as last,
        min(case when so_far > floor(0.5 * last) then ms end) as low_50,
        min(case when so_far > ceil(0.5 * last) then ms end) as high_50,
        min(case when so_far > floor(0.9 * last) then ms end) as low_90,
        min(case when so_far > ceil(0.9 * last) then ms end) as high_90,
        min(case when so_far > floor(0.95 * last) then ms end) as low_95,
        min(case when so_far > ceil(0.95 * last) then ms end) as high_95,
        min(case when so_far > floor(0.99 * last) then ms end) as low_99,
        min(case when so_far > ceil(0.99 * last) then ms end) as high_99
    from stacked
    group by service_key, tool_key, part
),
quantiles as (
    select
        service_key, tool_key, part,
        low_50 + (high_50 - low_50) * (0.5 * last - floor(0.5 * last)) as p50_ms,
        low_90 + (high_90 - low_90) * (0.9 * last - floor(0.9 * last)) as p90_ms,
        low_95 + (high_95 - low_95) * (0.95 * last - floor(0.95 * last)) as p95_ms,
        low_99 + (high_99 - low_99) * (0.99 * last - floor(0.99 * last)) as p99_ms
    from ends
),
tools as (
    select
        service_key, tool_key,
        max(service_name) as service_name,
        max(tool) as tool,
        cast(sum(calls) as bigint) as calls,
        cast(sum(case when failed then calls else 0 end) as bigint) as failed,
        sum(total_ns) as total_ns,
        max(max_ns) as max_ns,
        cast(sum(open) as bigint) as unanswered,
        sum(late) as late,
        sum(case when failed then late else 0 end) as late_failed
    from chosen
    group by service_key, tool_key
),
totals as (
    select sum(total_ns) as total_ns from tools
),
traces as (
    select tools.service_key as service_key, tools.tool_key as tool_key, min(slowest.trace_id) as trace_id
    from (
        select service_name, tool, max_ns, trace_id from slowest
        union all
        select service_name, tool, waited_ns as max_ns, trace_id from hung
    ) as slowest
    inner join tools
        on tools.service_key = coalesce(slowest.service_name, '')
        and tools.tool_key = coalesce(slowest.tool, '')
        and tools.max_ns = slowest.max_ns
    group by tools.service_key, tools.tool_key
)
select
    tools.service_name as service_name,
    tools.tool as tool,
    tools.calls as calls,
    every.p50_ms as p50_ms,
    every.p90_ms as p90_ms,
    every.p95_ms as p95_ms,
    every.p99_ms as p99_ms,
    tools.max_ns / 1000000.0 as max_ms,
    tools.failed as failed,
    tools.failed / nullif(cast(tools.calls as double), 0) as failed_ratio,
    tools.total_ns / nullif(cast(totals.total_ns as double), 0) as time_ratio,
    cast(null as double) as p95_trend,
    good.p50_ms as ok_p50_ms,
    good.p95_ms as ok_p95_ms,
    bad.p50_ms as failed_p50_ms,
    bad.p95_ms as failed_p95_ms,
    traces.trace_id as slowest_trace_id,
    tools.unanswered as unanswered,
    nullif(
        case
            when tools.late = 0 then ''
            when ceil(0.5 * (tools.calls - 1)) >= tools.calls - tools.late then 'p50_ms p90_ms p95_ms p99_ms max_ms'
            when ceil(0.9 * (tools.calls - 1)) >= tools.calls - tools.late then 'p90_ms p95_ms p99_ms max_ms'
            when ceil(0.95 * (tools.calls - 1)) >= tools.calls - tools.late then 'p95_ms p99_ms max_ms'
            when ceil(0.99 * (tools.calls - 1)) >= tools.calls - tools.late then 'p99_ms max_ms'
            else 'max_ms'
        end
        || case
            when tools.late_failed = 0 then ''
            when ceil(0.5 * (tools.failed - 1)) >= tools.failed - tools.late_failed then ' failed_p50_ms failed_p95_ms'
            when ceil(0.95 * (tools.failed - 1)) >= tools.failed - tools.late_failed then ' failed_p95_ms'
            else ''
        end,
        ''
    ) as lower_bounds
from tools
cross join totals
inner join quantiles as every
    on every.service_key = tools.service_key and every.tool_key = tools.tool_key and every.part = 0
left join quantiles as good
    on good.service_key = tools.service_key and good.tool_key = tools.tool_key and good.part = 1
left join quantiles as bad
    on bad.service_key = tools.service_key and bad.tool_key = tools.tool_key and bad.part = 2
left join traces on traces.service_key = tools.service_key and traces.tool_key = tools.tool_key
where tools.calls >= $min_calls
order by every.p95_ms desc, tools.service_name nulls last, tools.tool nulls last
