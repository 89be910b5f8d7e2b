-- question: How long may an unanswered call of each tool have waited before it counts as failed?
-- kind:     view
-- reads:    answer_times, open_tools
-- columns:
--   service_key  varchar  the MCP server; empty where it has no name
--   tool_key     varchar  gen_ai.tool.name; empty where it has none
--   patient_ns   bigint   a call that waited longer has failed
--   answered     bigint   calls of the tool that were answered

-- The tool's own p99, to the end of its bucket, where it has 20 answered calls or more; else 30 s. A tool that answered
-- none of three calls that waited for a second or longer is not slow: for it, it is that second.
with open_times as (
    select
        answer_times.service_key as service_key,
        answer_times.tool_key as tool_key,
        answer_times.bucket as bucket,
        answer_times.calls as calls,
        answer_times.waits as waits
    from answer_times
    inner join open_tools
        on open_tools.service_key = answer_times.service_key and open_tools.tool_key = answer_times.tool_key
),
stacked as (
    select
        service_key, tool_key, bucket,
        sum(sum(calls)) over (
            partition by service_key, tool_key order by bucket rows between unbounded preceding and current row
        ) as so_far,
        sum(sum(calls)) over (partition by service_key, tool_key) as answered
    from open_times
    where bucket is not null
    group by service_key, tool_key, bucket
),
slow as (
    select
        service_key, tool_key,
        max(answered) as answered,
        min(case when so_far >= 0.99 * answered then bucket end) as bucket
    from stacked
    group by service_key, tool_key
),
unheard as (
    select service_key, tool_key, sum(waits) as waits
    from open_times
    group by service_key, tool_key
)
select
    unheard.service_key as service_key,
    unheard.tool_key as tool_key,
    cast(
        case
            when slow.answered >= 20 then power(2.0, (slow.bucket + 1) / 32.0)
            when slow.answered is null and unheard.waits >= 3 then 1000000000
            else 30000000000
        end as bigint
    ) as patient_ns,
    cast(coalesce(slow.answered, 0) as bigint) as answered
from unheard
left join slow on slow.service_key = unheard.service_key and slow.tool_key = unheard.tool_key
