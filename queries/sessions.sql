-- question: Which sessions make disproportionately many calls?
-- topic:    3 Which sessions call too much?
-- answers:  session_id, service_name, calls, share_ratio, why, largest, failed
-- kind:     report
-- reads:    session_usage, unanswered_calls
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
--   kind_least         bigint = 20                   sessions that a client or a tool needs to be a kind
--   kind_times         double = 1.5                  and how many times as large, or as small, they are
--   half_least         bigint = 3                    sessions that either half of a kind has at least
--   half_ratio         double = 0.05                 and their share of the kind
--   half_gain          double = 0.15                 how much better two halves must fit, as log-likelihood of a session
--   half_apart         double = 3.3                  and how many standard deviations they must be apart
-- columns:
--   session_id        varchar  the session, reconstructed
--   service_name      varchar  the MCP server; the first by name where there are several
--   calls             bigint   tool calls in the window; one that asks for input first is one with its retry
--   share_ratio       double   their share of all sessions' tool calls
--   why               varchar  in what it stands out, as a multiple of the median of its kind; null if in nothing
--   largest           varchar  its share of all calls, or of all costs, if it is one of the three largest by that and has 1 % or more
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
        session_id, service_name, client_name, main_tool, session_source, surety, calls, tools,
        failed + coalesce(hung, 0) as failed,
        first_unix_nano, last_unix_nano, end_unix_nano, duration_ns, result_bytes, cost_microusd
    from session_usage
    left join hung on hung_id = session_id
),
measures as (
    select 'calls' as measure
    union all select 'failures' as measure
    union all select 'time' as measure
    union all select 'cost' as measure
),
totals as (
    select
        measures.measure as measure, session_id, service_name, client_name, main_tool, calls,
        case measures.measure
            when 'calls' then calls
            when 'failures' then failed
            when 'time' then duration_ns
            when 'cost' then cost_microusd
        end as amount
    from each cross join measures
    where calls > 0
),
-- A session that uses nothing with a price is compared with nobody.
amounts as (
    select
        measure, session_id,
        coalesce(service_name, '') as server_key, coalesce(client_name, '') as client_key,
        coalesce(main_tool, '') as tool_key,
        calls,
        cast(amount as double) as amount,
        ln(nullif(amount + case when measure = 'failures' then 1.0 else 0.0 end, 0)) as size
    from totals
    where amount > 0 or measure = 'failures'
),
-- Sessions of one server are alike, except those of a client, or of a client and its main tool, that are many and of
-- another size (by the mean of the logarithms). Some kinds have no label: if the sizes fall in two groups, each is a
-- kind. The cut is that of Kittler and Illingworth (Minimum Error Thresholding, 1986): the two normal distributions,
-- of any share and spread, that fit the logarithms best. 0.01 (a spread of 10 %) is added to each variance, because
-- equal sizes would fit without bound.
levelled as (
    select
        measure, session_id, server_key, client_key, tool_key, calls, amount, size,
        avg(size) over of_server as server_size,
        avg(size) over of_client as client_size,
        count(*) over of_client as client_sessions,
        avg(size) over of_tool as tool_size,
        count(*) over of_tool as tool_sessions
    from amounts
    window
        of_server as (partition by measure, server_key),
        of_client as (partition by measure, server_key, client_key),
        of_tool as (partition by measure, server_key, client_key, tool_key)
),
placed as (
    select
        measure, session_id, server_key, client_key, tool_key, calls, amount, size, server_size, client_size, tool_size,
        tool_sessions,
        client_sessions >= $kind_least and abs(client_size - server_size) >= ln($kind_times) as of_client
    from levelled
),
labelled as (
    select
        measure, session_id, server_key, client_key, tool_key, calls, amount, size, of_client,
        tool_sessions >= $kind_least
            and abs(tool_size - case when of_client then client_size else server_size end) >= ln($kind_times) as of_tool
    from placed
),
kinds as (
    select
        measure, session_id, server_key, calls, amount, size,
        case when of_client or of_tool then '=' || client_key else '' end as client_key,
        case when of_tool then '=' || tool_key else '' end as tool_key
    from labelled
),
steps as (
    select measure, server_key, client_key, tool_key, size, cast(count(*) as double) as sessions
    from kinds
    group by measure, server_key, client_key, tool_key, size
),
running as (
    select
        measure, server_key, client_key, tool_key, size,
        sum(sessions) over lower as low_sessions,
        sum(sessions * size) over lower as low_sum,
        sum(sessions * size * size) over lower as low_squares,
        sum(sessions) over whole as all_sessions,
        sum(sessions * size) over whole as all_sum,
        sum(sessions * size * size) over whole as all_squares
    from steps
    window
        lower as (
            partition by measure, server_key, client_key, tool_key
            order by size rows between unbounded preceding and current row
        ),
        whole as (partition by measure, server_key, client_key, tool_key)
),
halves as (
    select
        measure, server_key, client_key, tool_key, size,
        low_sessions / nullif(all_sessions, 0) as low_ratio,
        low_sum / nullif(low_sessions, 0) as low_mean,
        (all_sum - low_sum) / nullif(all_sessions - low_sessions, 0) as high_mean,
        0.01 + greatest(0.0, all_squares / nullif(all_sessions, 0) - power(all_sum / nullif(all_sessions, 0), 2))
            as variance,
        0.01 + greatest(0.0, low_squares / nullif(low_sessions, 0) - power(low_sum / nullif(low_sessions, 0), 2))
            as low_variance,
        0.01 + greatest(
            0.0,
            (all_squares - low_squares) / nullif(all_sessions - low_sessions, 0)
            - power((all_sum - low_sum) / nullif(all_sessions - low_sessions, 0), 2)
        ) as high_variance
    from running
    where all_sessions >= $kind_least
        and low_sessions >= $half_least
        and all_sessions - low_sessions >= $half_least
        and low_sessions >= $half_ratio * all_sessions
        and all_sessions - low_sessions >= $half_ratio * all_sessions
),
cuts as (
    select
        measure, server_key, client_key, tool_key, size,
        (high_mean - low_mean) / nullif(sqrt((low_variance + high_variance) / 2.0), 0) as apart,
        -- rounded, so that of equally good cuts the lowest is taken whatever the order of a sum
        round(
            0.5 * ln(variance) - 0.5 * low_ratio * ln(low_variance) - 0.5 * (1.0 - low_ratio) * ln(high_variance)
            + low_ratio * ln(low_ratio) + (1.0 - low_ratio) * ln(1.0 - low_ratio),
            9
        ) as gain
    from halves
),
best as (
    select
        measure, server_key, client_key, tool_key, size, apart, gain,
        row_number() over (
            partition by measure, server_key, client_key, tool_key order by gain desc, size
        ) as place
    from cuts
),
halved as (
    select
        kinds.measure as measure,
        kinds.session_id as session_id,
        kinds.server_key as server_key,
        kinds.client_key as client_key,
        kinds.tool_key as tool_key,
        case when best.size is null then 'whole' when kinds.size <= best.size then 'low' else 'high' end as half,
        kinds.calls as calls,
        kinds.amount as amount,
        kinds.size as size
    from kinds
    left join best
        on best.place = 1
        and best.gain > $half_gain
        and best.apart > $half_apart
        and best.measure = kinds.measure
        and best.server_key = kinds.server_key
        and best.client_key = kinds.client_key
        and best.tool_key = kinds.tool_key
),
-- Each of four measures is judged by itself, among the sessions of a kind. Sessions differ by factors,
-- and the tails of their sizes differ: so the 99th percentile is predicted from the logarithms of the upper quarter, as
-- q95 + (q95 - q75). That is exact where tails are Pareto's (ln 5 = ln 0.25 - ln 0.05 = ln 0.05 - ln 0.01), above it
-- where they are lognormal, and none of the largest 5 % moves it. A session stands out beyond 1.2 times that. The
-- percentiles of n sessions are uncertain by 1 / sqrt(n), hence the two terms with n. Below 20 sessions the largest but
-- one stands for q95. Halves of a kind have no long tails, because those would not have been cut.
-- Of calm traffic (constant, lognormal, Pareto, two sizes) at most 1 % of sessions stand out.
ranked as (
    select
        measure, session_id, server_key, client_key, tool_key, half, calls, amount, size,
        sum(amount) over (partition by measure) as all_amount,
        row_number() over (partition by measure order by amount desc, session_id) as place,
        row_number() over (
            partition by measure, server_key, client_key, tool_key, half order by size desc, session_id
        ) as place_of_kind
    from halved
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
-- The upper half is also held against the whole kind: the cut may have parted a long tail.
uncut as (
    select
        measure, server_key, client_key, tool_key,
        count(*) as sessions,
        percentile_cont(0.75) within group (order by size) as q75,
        percentile_cont(0.95) within group (order by size) as q95
    from ranked
    where half <> 'whole'
    group by measure, server_key, client_key, tool_key
),
bounds as (
    select
        measure, server_key, client_key, tool_key, half,
        case
            when half <> 'whole' and sessions >= $large_kind then q95 + (q95 - q75) + ln(1.25)
            when half <> 'whole' then second + (second - q75) + ln(1.25)
            when sessions >= $large_kind
                then q95 + (q95 - q75) * (1.0 + 2.0 / nullif(sqrt(sessions), 0)) + ln(1.2 + 5.0 / nullif(sessions, 0))
            else second + (second - q50) * (1.0 + 2.0 / nullif(sqrt(sessions), 0)) + ln(1.2 + 5.0 / nullif(sessions, 0))
        end as bound
    from measured
    union all
    select
        measure, server_key, client_key, tool_key, 'high' as half,
        q95 + (q95 - q75) * (1.0 + 2.0 / nullif(sqrt(sessions), 0)) + ln(1.2 + 5.0 / nullif(sessions, 0)) as bound
    from uncut
),
bounded as (
    select
        measured.measure as measure,
        measured.server_key as server_key,
        measured.client_key as client_key,
        measured.tool_key as tool_key,
        measured.half as half,
        max(measured.sessions) as sessions,
        max(measured.calls) as calls,
        max(measured.amount) as amount,
        max(measured.median) as median,
        max(measured.q50) as q50,
        min(bounds.bound) as bound
    from measured
    inner join bounds
        on bounds.measure = measured.measure
        and bounds.server_key = measured.server_key
        and bounds.client_key = measured.client_key
        and bounds.tool_key = measured.tool_key
        and bounds.half = measured.half
    group by measured.measure, measured.server_key, measured.client_key, measured.tool_key, measured.half
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
            and ranked.size > bounded.bound + 0.000000001
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
        case when place <= $largest and share_ratio >= 0.01
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
    each.session_id as session_id,
    each.service_name as service_name,
    each.calls as calls,
    coalesce(verdicts.share_ratio, 0.0) as share_ratio,
    nullif(substr(verdicts.reasons, 3), '') as why,
    nullif(substr(verdicts.large, 3), '') as largest,
    verdicts.times_median as times_median,
    cast(verdicts.peers as bigint) as peers,
    verdicts.kind as compared_with,
    each.failed as failed,
    each.duration_ns / 1000000.0 as busy_ms,
    each.cost_microusd as cost_microusd,
    case when verdicts.odd = 1 then true when verdicts.peers >= $min_sessions then false end as disproportionate,
    each.client_name as client_name,
    each.main_tool as main_tool,
    each.tools as tools,
    each.session_source as session_source,
    case each.surety when 1 then 'low' when 2 then 'medium' when 3 then 'high' end as confidence,
    each.first_unix_nano as first_unix_nano,
    each.last_unix_nano as last_unix_nano,
    (each.end_unix_nano - each.first_unix_nano) / 1000000.0 as duration_ms,
    each.result_bytes as result_bytes
from each
left join verdicts on verdicts.session_id = each.session_id
where $session is null or each.session_id = $session
order by
    coalesce(verdicts.odd, 0) desc, case when verdicts.large is null or verdicts.large = '' then 1 else 0 end,
    each.calls desc, each.session_id
