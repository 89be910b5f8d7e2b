-- question: Which sessions make disproportionately many calls?
-- topic:    3 Which sessions call too much?
-- kind:     report
-- reads:    session_usage, unanswered_calls
-- params:
--   since              bigint = 0                    start of the window, unix ns
--   until              bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   tool               varchar = null                calls of this tool only
--   session            varchar = null                this session only, compared with all
--   server             varchar = null                calls of this server only
--   min_calls          bigint = 20                   fewer calls are never disproportionate
--   min_failed         bigint = 5                    nor are fewer failures
--   min_busy_ns        bigint = 60000000000          nor is less time
--   min_cost_microusd  bigint = 10000                nor is less money
--   times_median       double = 3                    from how many times the median on a session can be disproportionate
--   deviations         double = 3.5                  and from how many robust standard deviations above it
--   min_sessions       bigint = 5                    sessions that it takes to compare at all
-- columns:
--   session_id        varchar  the session, reconstructed
--   service_name      varchar  the MCP server; the first by name where there are several
--   client_name       varchar  clientInfo.name
--   session_source    varchar  which rule gave session_id
--   confidence        varchar  high, medium or low: the least of its calls
--   calls             bigint   tool calls in the window; one that asks for input first is one with its retry
--   share_ratio       double   their share of all sessions' tool calls
--   times_median      double   calls, as a multiple of the median session's
--   disproportionate  boolean  whether it stands out by anything; null where too few sessions can be compared
--   why               varchar  in what it stands out, as a multiple of the median session's; null if in nothing
--   tools             bigint   distinct tools that were called
--   failed            bigint   calls that failed
--   first_unix_nano   bigint   start of its first call
--   last_unix_nano    bigint   start of its last call
--   duration_ms       double   from the start of its first call to the end of its last
--   busy_ms           double   how long its calls took, all together
--   result_bytes      bigint   size of all results
--   cost_microusd     bigint   cost of its calls; null where no price is known
-- summary:
--   heavy  sum(case when disproportionate then 1 else 0 end)
-- tally:    session_source, confidence
-- chart:    bar session_id calls

-- Sessions differ by factors, not by sums, and a few are far beyond all others: so amounts are compared as logarithms,
-- by their median and the median distance from it (MAD), which half of the sessions would have to be odd to move. A
-- distance of 1.4826 MAD is a standard deviation where logarithms are normal; 3.5 of them are far (Iglewicz and Hoaglin
-- 1993). Where most sessions are alike the MAD is nothing, and the multiple of the median alone decides.
with hung as (
    select session_id as hung_id, count(*) as hung
    from unanswered_calls
    where failed
        and ($tool is null or tool = $tool)
        and ($server is null or service_name = $server)
    group by session_id
),
each as (
    select
        session_id, service_name, client_name, session_source, surety, calls, tools,
        failed + coalesce(hung, 0) as failed,
        first_unix_nano, last_unix_nano, end_unix_nano, duration_ns, result_bytes, cost_microusd
    from session_usage
    left join hung on hung_id = session_id
),
overall as (
    select
        count(*) as all_sessions,
        cast(sum(calls) as double) as all_calls,
        percentile_cont(0.5) within group (order by calls) as median_calls,
        percentile_cont(0.5) within group (order by failed) as median_failed,
        percentile_cont(0.5) within group (order by duration_ns) as median_ns,
        percentile_cont(0.5) within group (order by cost_microusd) as median_cost,
        percentile_cont(0.5) within group (order by ln(1.0 + calls)) as log_calls,
        percentile_cont(0.5) within group (order by ln(1.0 + failed)) as log_failed,
        percentile_cont(0.5) within group (order by ln(1.0 + duration_ns)) as log_ns,
        percentile_cont(0.5) within group (order by ln(1.0 + cost_microusd)) as log_cost
    from each
),
spread as (
    select
        percentile_cont(0.5) within group (order by abs(ln(1.0 + each.calls) - overall.log_calls)) as mad_calls,
        percentile_cont(0.5) within group (order by abs(ln(1.0 + each.failed) - overall.log_failed)) as mad_failed,
        percentile_cont(0.5) within group (order by abs(ln(1.0 + each.duration_ns) - overall.log_ns)) as mad_ns,
        percentile_cont(0.5) within group (order by abs(ln(1.0 + each.cost_microusd) - overall.log_cost)) as mad_cost
    from each cross join overall
),
judged as (
    select
        each.session_id as session_id,
        each.service_name as service_name,
        each.client_name as client_name,
        each.session_source as session_source,
        each.surety as surety,
        each.calls as calls,
        each.calls / nullif(overall.all_calls, 0) as share_ratio,
        each.calls / nullif(overall.median_calls, 0) as times_median,
        overall.all_sessions as all_sessions,
        case
            when each.calls >= $min_calls
                and each.calls >= $times_median * overall.median_calls
                and ln(1.0 + each.calls) - overall.log_calls > $deviations * 1.4826 * spread.mad_calls
                then '; calls' || case
                    when overall.median_calls > 0
                        then ' ' || cast(cast(round(each.calls / nullif(overall.median_calls, 0)) as bigint) as varchar)
                        || ' ×'
                    else ''
                end
            else ''
        end
        || case
            when each.failed >= $min_failed
                and each.failed >= $times_median * overall.median_failed
                and ln(1.0 + each.failed) - overall.log_failed > $deviations * 1.4826 * spread.mad_failed
                then '; failures' || case
                    when overall.median_failed > 0
                        then ' ' || cast(cast(round(each.failed / nullif(overall.median_failed, 0)) as bigint) as varchar)
                        || ' ×'
                    else ''
                end
            else ''
        end
        || case
            when each.duration_ns >= $min_busy_ns
                and each.duration_ns >= $times_median * overall.median_ns
                and ln(1.0 + each.duration_ns) - overall.log_ns > $deviations * 1.4826 * spread.mad_ns
                then '; time' || case
                    when overall.median_ns > 0
                        then ' ' || cast(cast(round(each.duration_ns / nullif(overall.median_ns, 0)) as bigint) as varchar)
                        || ' ×'
                    else ''
                end
            else ''
        end
        || case
            when each.cost_microusd >= $min_cost_microusd
                and each.cost_microusd >= $times_median * overall.median_cost
                and ln(1.0 + each.cost_microusd) - overall.log_cost > $deviations * 1.4826 * spread.mad_cost
                then '; cost' || case
                    when overall.median_cost > 0
                        then ' ' || cast(cast(round(each.cost_microusd / nullif(overall.median_cost, 0)) as bigint) as varchar)
                        || ' ×'
                    else ''
                end
            else ''
        end as reasons,
        each.tools as tools,
        each.failed as failed,
        each.first_unix_nano as first_unix_nano,
        each.last_unix_nano as last_unix_nano,
        (each.end_unix_nano - each.first_unix_nano) / 1000000.0 as duration_ms,
        each.duration_ns / 1000000.0 as busy_ms,
        each.result_bytes as result_bytes,
        each.cost_microusd as cost_microusd
    from each
    cross join overall
    cross join spread
    where $session is null or each.session_id = $session
)
select
    session_id,
    service_name,
    client_name,
    session_source,
    case surety when 1 then 'low' when 2 then 'medium' when 3 then 'high' end as confidence,
    calls,
    share_ratio,
    times_median,
    case when all_sessions >= $min_sessions then reasons <> '' end as disproportionate,
    case when all_sessions >= $min_sessions then nullif(substr(reasons, 3), '') end as why,
    tools,
    failed,
    first_unix_nano,
    last_unix_nano,
    duration_ms,
    busy_ms,
    result_bytes,
    cost_microusd
from judged
order by case when disproportionate then 0 else 1 end, calls desc, session_id
