-- question: How long do tools take to answer, and how long is the tail?
-- topic:    1 Which tool is slow?
-- kind:     report
-- reads:    tool_calls, unanswered_calls
-- params:
--   since      bigint = 0                    start of the window, unix ns
--   until      bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   before     bigint = null                 start of the window before, which ends at `since`; null: no trend
--   tool       varchar = null                this tool only
--   session    varchar = null                this session only
--   server     varchar = null                this server only
--   min_calls  bigint = 1                    tools with fewer answered calls are left out
--   enough     bigint = 20                   calls that either window needs for a trend
--   waits      bigint = 1                    0: answered calls only, as a budget is learned from
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
--   p95_trend         double   p95_ms / that of the window of equal length before; null where either has too few calls
--   ok_p50_ms         double   median duration of calls that succeeded
--   ok_p95_ms         double   95th percentile of theirs
--   failed_p50_ms     double   median duration of calls that failed
--   failed_p95_ms     double   95th percentile of theirs
--   slowest_trace_id  varchar  trace of the slowest call
--   unanswered        bigint   calls among them that nobody answered: their durations are what they waited at least
--   lower_bounds      varchar  which of these columns are lower bounds because of that; null where none is
-- chart:    range tool p50_ms p95_ms p99_ms

-- Only calls that took the time the tool takes: answered (ok, tool_error, server_error), or waited for until
-- somebody gave up (timeout: the true duration is longer still). A refused, malformed or cancelled call, a call
-- that asks for input first or becomes a task, and one whose server died end early for other reasons and would
-- make a slow tool look fast. A notification is never answered. A call that failed unanswered would have taken longer
-- than it waited: a percentile at or above the shortest such wait is a lower bound.
with hung as (
    select service_name, tool, failed, waited_ns, trace_id
    from unanswered_calls
    where (failed or (answered = 0 and waited_ns >= 1000000000))
        and $waits = 1
        and start_unix_nano >= $since
        and ($tool is null or tool = $tool)
        and ($session is null or session_id = $session)
        and ($server is null or service_name = $server)
),
shortest as (
    select coalesce(service_name, '') as service_key, coalesce(tool, '') as tool_key, min(waited_ns) as shortest_ns
    from hung
    group by coalesce(service_name, ''), coalesce(tool, '')
),
timed as (
    select
        service_name, tool, failed, false as open,
        case when start_unix_nano >= $since then duration_ns end as now_ns,
        case when start_unix_nano < $since then duration_ns end as before_ns
    from tool_calls
    where start_unix_nano >= coalesce($before, $since)
        and start_unix_nano < $until
        and outcome in ('ok', 'tool_error', 'server_error', 'timeout')
        -- ours have none where nothing is answered; some senders never say it
        and (request_id is not null or coalesce(scope_name, '') <> 'mcpobs')
        and duration_ns is not null
        and ($tool is null or tool = $tool)
        and ($session is null or session_id = $session)
        and ($server is null or service_name = $server)
    union all
    select service_name, tool, failed, true as open, waited_ns as now_ns, cast(null as bigint) as before_ns
    from hung
),
answered as (
    select
        timed.service_name as service_name,
        timed.tool as tool,
        timed.failed as failed,
        timed.open as open,
        timed.now_ns as now_ns,
        timed.before_ns as before_ns,
        case when timed.now_ns >= shortest.shortest_ns then 1 else 0 end as late
    from timed
    left join shortest
        on shortest.service_key = coalesce(timed.service_name, '') and shortest.tool_key = coalesce(timed.tool, '')
),
measured as (
    select
        service_name, tool,
        coalesce(service_name, '') as service_key,
        coalesce(tool, '') as tool_key,
        count(now_ns) as calls,
        count(before_ns) as calls_before,
        percentile_cont(0.5) within group (order by now_ns) / 1000000.0 as p50_ms,
        percentile_cont(0.9) within group (order by now_ns) / 1000000.0 as p90_ms,
        percentile_cont(0.95) within group (order by now_ns) / 1000000.0 as p95_ms,
        percentile_cont(0.99) within group (order by now_ns) / 1000000.0 as p99_ms,
        percentile_cont(0.95) within group (order by before_ns) / 1000000.0 as before_p95_ms,
        max(now_ns) as max_ns,
        cast(sum(case when failed and now_ns is not null then 1 else 0 end) as bigint) as failed,
        sum(coalesce(now_ns, 0)) as total_ns,
        cast(sum(case when open then 1 else 0 end) as bigint) as unanswered,
        sum(late) as late,
        sum(case when failed then late else 0 end) as late_failed,
        percentile_cont(0.5) within group (order by case when not failed then now_ns end) / 1000000.0 as ok_p50_ms,
        percentile_cont(0.95) within group (order by case when not failed then now_ns end) / 1000000.0 as ok_p95_ms,
        percentile_cont(0.5) within group (order by case when failed then now_ns end) / 1000000.0 as failed_p50_ms,
        percentile_cont(0.95) within group (order by case when failed then now_ns end) / 1000000.0 as failed_p95_ms
    from answered
    group by service_name, tool
),
totals as (
    select sum(total_ns) as total_ns from measured
),
-- Read once more, for the few calls that are as slow as the slowest: carrying every trace id along takes longer.
slowest as (
    select measured.service_key as service_key, measured.tool_key as tool_key, min(tool_calls.trace_id) as trace_id
    from tool_calls
    inner join measured
        on measured.service_key = coalesce(tool_calls.service_name, '')
        and measured.tool_key = coalesce(tool_calls.tool, '')
        and measured.max_ns = tool_calls.duration_ns
    where tool_calls.start_unix_nano >= $since
        and tool_calls.start_unix_nano < $until
        and tool_calls.outcome in ('ok', 'tool_error', 'server_error', 'timeout')
        and (tool_calls.request_id is not null or coalesce(tool_calls.scope_name, '') <> 'mcpobs')
        and ($session is null or tool_calls.session_id = $session)
    group by measured.service_key, measured.tool_key
),
slowest_hung as (
    select measured.service_key as service_key, measured.tool_key as tool_key, min(hung.trace_id) as trace_id
    from hung
    inner join measured
        on measured.service_key = coalesce(hung.service_name, '')
        and measured.tool_key = coalesce(hung.tool, '')
        and measured.max_ns = hung.waited_ns
    group by measured.service_key, measured.tool_key
)
select
    measured.service_name as service_name,
    measured.tool as tool,
    measured.calls as calls,
    measured.p50_ms as p50_ms,
    measured.p90_ms as p90_ms,
    measured.p95_ms as p95_ms,
    measured.p99_ms as p99_ms,
    measured.max_ns / 1000000.0 as max_ms,
    measured.failed as failed,
    measured.failed / nullif(cast(measured.calls as double), 0) as failed_ratio,
    measured.total_ns / nullif(cast(totals.total_ns as double), 0) as time_ratio,
    case
        when measured.calls >= $enough and measured.calls_before >= $enough
            and ceil(0.95 * (measured.calls - 1)) < measured.calls - measured.late
            then measured.p95_ms / nullif(measured.before_p95_ms, 0)
    end as p95_trend,
    measured.ok_p50_ms as ok_p50_ms,
    measured.ok_p95_ms as ok_p95_ms,
    measured.failed_p50_ms as failed_p50_ms,
    measured.failed_p95_ms as failed_p95_ms,
    coalesce(slowest.trace_id, slowest_hung.trace_id) as slowest_trace_id,
    measured.unanswered as unanswered,
    nullif(
        case
            when measured.late = 0 then ''
            when ceil(0.5 * (measured.calls - 1)) >= measured.calls - measured.late then 'p50_ms p90_ms p95_ms p99_ms max_ms'
            when ceil(0.9 * (measured.calls - 1)) >= measured.calls - measured.late then 'p90_ms p95_ms p99_ms max_ms'
            when ceil(0.95 * (measured.calls - 1)) >= measured.calls - measured.late then 'p95_ms p99_ms max_ms'
            when ceil(0.99 * (measured.calls - 1)) >= measured.calls - measured.late then 'p99_ms max_ms'
            else 'max_ms'
        end
        || case
            when measured.late_failed = 0 then ''
            when ceil(0.5 * (measured.failed - 1)) >= measured.failed - measured.late_failed then ' failed_p50_ms failed_p95_ms'
            when ceil(0.95 * (measured.failed - 1)) >= measured.failed - measured.late_failed then ' failed_p95_ms'
            else ''
        end,
        ''
    ) as lower_bounds
from measured
cross join totals
left join slowest
    on slowest.service_key = measured.service_key and slowest.tool_key = measured.tool_key
left join slowest_hung
    on slowest_hung.service_key = measured.service_key and slowest_hung.tool_key = measured.tool_key
where measured.calls >= $min_calls
    and measured.calls > 0
order by measured.p95_ms desc, measured.service_name nulls last, measured.tool nulls last
