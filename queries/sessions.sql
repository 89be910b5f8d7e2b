-- question: Which sessions make disproportionately many calls?
-- topic:    3 Which sessions call too much?
-- kind:     report
-- reads:    session_usage, session_kinds
-- params:
--   since              bigint = 0                    start of the window, unix ns
--   until              bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   tool               varchar = null                calls of this tool only
--   session            varchar = null                this session only, compared with all
--   server             varchar = null                calls of this server only
--   min_calls          bigint = 10                   fewer calls are never disproportionate
--   min_failed         bigint = 5                    nor are fewer failures
--   min_busy_ns        bigint = 60000000000          nor is less time
--   min_cost_microusd  bigint = 10000                nor is less money
--   min_share          double = 0.0002               nor is a smaller share of all calls, failures, time or money
--   times_median       double = 2                    nor less than so many times the median of its kind
--   min_sessions       bigint = 5                    sessions of a kind that it takes to compare at all
--   large_kind         bigint = 20                   sessions from which on a kind has a 95th percentile
--   largest            bigint = 3                    sessions with the most calls, or the highest cost, that are named
-- columns:
--   session_id        varchar  the session, reconstructed
--   service_name      varchar  the MCP server; the first by name where there are several
--   calls             bigint   tool calls in the window; one that asks for input first is one with its retry
--   share_ratio       double   their share of all sessions' tool calls
--   why               varchar  in what it stands out, as a multiple of the median of its kind; null if in nothing
--   largest           varchar  its share of all calls, or of all costs, if it is one of the three largest by that
--   times_median      double   calls, as a multiple of the median session of its kind
--   peers             bigint   sessions of its kind, itself counted
--   compared_with     varchar  its kind: the server; a client or main tool whose sessions are of another size; small or large ones, where two sizes are usual
--   failed            bigint   calls that failed
--   busy_ms           double   how long its calls took, all together
--   cost_microusd     bigint   cost of its calls; null where no price is known
--   disproportionate  boolean  whether it stands out by anything; null where too few sessions are of its kind
--   client_name       varchar  clientInfo.name
--   main_tool         varchar  the tool that it called most
--   tools             bigint   distinct tools that were called
--   session_source    varchar  which rule gave session_id
--   confidence        varchar  high, medium or low: the least of its calls
--   first_unix_nano   bigint   start of its first call
--   last_unix_nano    bigint   start of its last call
--   duration_ms       double   from the start of its first call to the end of its last
--   result_bytes      bigint   size of all results
-- summary:
--   heavy  sum(case when disproportionate then 1 else 0 end)
-- tally:    session_source, confidence
-- chart:    bar session_id calls

-- Each of four measures is judged by itself, among the sessions of a kind (`session_kinds`). Sessions differ by factors,
-- and the tails of their sizes differ: so the 99th percentile is predicted from the logarithms of the upper quarter, as
-- q95 + (q95 - q75). That is exact where tails are Pareto's (ln 5 = ln 0.25 - ln 0.05 = ln 0.05 - ln 0.01), above it
-- where they are lognormal, and none of the largest 5 % moves it. A session stands out beyond 1.2 times that. The
-- percentiles of n sessions are uncertain by 1 / sqrt(n), hence the two terms with n. Below 20 sessions the largest but
-- one stands for q95. Halves of a kind have no long tails, because those would not have been cut.
-- Of calm traffic (constant, lognormal, Pareto, two sizes) at most 1 % of sessions stand out.
with ranked as (
    select
        measure, session_id, server_key, client_key, tool_key, half, calls, amount, size,
        sum(amount) over (partition by measure) as all_amount,
        row_number() over (partition by measure order by amount desc, session_id) as place,
        row_number() over (
            partition by measure, server_key, client_key, tool_key, half order by size desc, session_id
        ) as place_of_kind
    from session_kinds
),
measured as (
    select
        measure, server_key, client_key, tool_key, half,
        count(*) as sessions,
        cast(sum(calls) as double) as calls,
        sum(amount) as amount,
        percentile_cont(0.5) within group (order by amount) as median,
        percentile_cont(0.5) within group (order by size) as q50,
        percentile_cont(0.75) within group (order by size) as q75,
        percentile_cont(0.95) within group (order by size) as q95,
        max(case when place_of_kind = 2 then size end) as second
    from ranked
    group by measure, server_key, client_key, tool_key, half
),
bounded as (
    select
        measure, server_key, client_key, tool_key, half, sessions, calls, amount, median, q50,
        case when sessions >= $large_kind then q95 else second end as top,
        case when sessions >= $large_kind or half <> 'whole' then q75 else q50 end as low,
        case when half = 'whole' then 2.0 / nullif(sqrt(sessions), 0) else 0.0 end as doubt,
        case when half = 'whole' then ln(1.2 + 5.0 / nullif(sessions, 0)) else ln(1.25) end as beyond
    from measured
),
judged as (
    select
        ranked.measure as measure,
        ranked.session_id as session_id,
        ranked.place as place,
        ranked.amount / nullif(ranked.all_amount, 0) as share_ratio,
        ranked.amount / nullif(bounded.median, 0) as times_median,
        bounded.sessions as sessions,
        bounded.server_key as server_key,
        bounded.client_key as client_key,
        bounded.tool_key as tool_key,
        bounded.half as half,
        bounded.sessions >= $min_sessions
            and ranked.size > bounded.top + (bounded.top - bounded.low) * (1.0 + bounded.doubt) + bounded.beyond + 0.000000001
            and ranked.size >= bounded.q50 + ln($times_median)
            and ranked.amount >= $min_share * ranked.all_amount
            and ranked.amount >= case ranked.measure
                when 'calls' then $min_calls
                when 'failures' then $min_failed
                when 'time' then $min_busy_ns
                else $min_cost_microusd
            end
            -- Many calls have many failures: they count if the calls of the others fail less than half as often.
            and (
                ranked.measure <> 'failures'
                or ranked.amount * (bounded.calls - ranked.calls)
                    >= $times_median * ranked.calls * (bounded.amount - ranked.amount)
            ) as odd
    from ranked
    inner join bounded
        on bounded.measure = ranked.measure
        and bounded.server_key = ranked.server_key
        and bounded.client_key = ranked.client_key
        and bounded.tool_key = ranked.tool_key
        and bounded.half = ranked.half
),
worded as (
    select
        measure, session_id, sessions, share_ratio, times_median, odd,
        case when odd
            then '; ' || measure || case
                when times_median is null then ''
                else ' ' || cast(cast(round(times_median) as bigint) as varchar) || ' ×'
            end
            else ''
        end as reason,
        case when place <= $largest
            then '; ' || measure || ' ' || cast(cast(round(100.0 * share_ratio) as bigint) as varchar) || ' %'
            else ''
        end as large,
        case when server_key = '' then '?' else server_key end
        || case when client_key = '' then '' else ' · ' || substr(client_key, 2) end
        || case when tool_key = '' then '' else ' · ' || substr(tool_key, 2) end
        || case half when 'low' then ' · small' when 'high' then ' · large' else '' end as kind
    from judged
),
verdicts as (
    select
        session_id,
        max(case when measure = 'calls' then share_ratio end) as share_ratio,
        max(case when measure = 'calls' then times_median end) as times_median,
        max(case when measure = 'calls' then sessions end) as peers,
        max(case when measure = 'calls' then kind end) as kind,
        max(case when odd then 1 else 0 end) as odd,
        max(case when measure = 'calls' then reason else '' end)
        || max(case when measure = 'failures' then reason else '' end)
        || max(case when measure = 'time' then reason else '' end)
        || max(case when measure = 'cost' then reason else '' end) as reasons,
        max(case when measure = 'calls' then large else '' end)
        || max(case when measure = 'cost' then large else '' end) as large
    from worded
    group by session_id
)
select
    session_usage.session_id as session_id,
    session_usage.service_name as service_name,
    session_usage.calls as calls,
    coalesce(verdicts.share_ratio, 0.0) as share_ratio,
    nullif(substr(verdicts.reasons, 3), '') as why,
    nullif(substr(verdicts.large, 3), '') as largest,
    verdicts.times_median as times_median,
    cast(verdicts.peers as bigint) as peers,
    verdicts.kind as compared_with,
    session_usage.failed as failed,
    session_usage.duration_ns / 1000000.0 as busy_ms,
    session_usage.cost_microusd as cost_microusd,
    case when verdicts.odd = 1 then true when verdicts.peers >= $min_sessions then false end as disproportionate,
    session_usage.client_name as client_name,
    session_usage.main_tool as main_tool,
    session_usage.tools as tools,
    session_usage.session_source as session_source,
    case session_usage.surety when 1 then 'low' when 2 then 'medium' when 3 then 'high' end as confidence,
    session_usage.first_unix_nano as first_unix_nano,
    session_usage.last_unix_nano as last_unix_nano,
    (session_usage.end_unix_nano - session_usage.first_unix_nano) / 1000000.0 as duration_ms,
    session_usage.result_bytes as result_bytes
from session_usage
left join verdicts on verdicts.session_id = session_usage.session_id
where $session is null or session_usage.session_id = $session
order by
    coalesce(verdicts.odd, 0) desc, case when verdicts.large is null or verdicts.large = '' then 1 else 0 end,
    session_usage.calls desc, session_usage.session_id
