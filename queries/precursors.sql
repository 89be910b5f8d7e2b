-- question: Which calls come before a failure more often than chance?
-- topic:    5 What comes before a failure?
-- answers:  service_name, tool, fault, before, support, calls, failed_ratio, base_ratio, lift
-- kind:     report
-- reads:    preceded
-- history:  whole
-- params:
--   since     bigint = 0                    start of the window, unix ns; the calls before may lie earlier
--   until     bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   tool      varchar = null                failures of this tool only
--   session   varchar = null                what came before a failure of this session, judged by all sessions
--   server    varchar = null                failures of this server only
--   min_calls bigint = 20                   calls with something before them that a tool needs to be judged
--   support   bigint = 5                    failures that a sequence must have come before
--   spread    bigint = 3                    sessions that must have seen it
--   by_chance double = 0.05                 how probable it may be that any row at all is there by chance
-- columns:
--   service_name     varchar  the MCP server of the failing tool
--   tool             varchar  the failing tool, gen_ai.tool.name
--   fault            varchar  tool, server, caller or gone, as in the report errors · denied · cancelled · empty: it answered, with nothing
--   before           varchar  the one or two tools called just before, in their order, with its server where that is another; or the last one, and how it failed or that its result was large
--   support          bigint   failures that came after them
--   calls            bigint   all calls of the tool that came after them
--   failed_ratio     double   support / calls
--   base_ratio       double   share of all calls of the tool, with as many calls before them, that failed so
--   lift             double   failed_ratio / rest_ratio: how many times more often than else; at least, if nothing failed so else
--   low_ratio        double   lower end of the 95 % interval of failed_ratio (Wilson)
--   high_ratio       double   its upper end
--   sessions         bigint   sessions in which it came before such a failure
--   last_unix_nano   bigint   start of the last failure after it
--   last_session_id  varchar  session of that failure
--   last_trace_id    varchar  its trace
--   rest_calls       bigint   the other calls of the tool, with as many calls before them
--   rest_ratio       double   their share that failed so
-- chart:    bar before lift

-- A sequence is compared with the rest of the calls of its tool; two calls, or a call and its answer, also with the rest
-- of those after the last call, so that no longer sequence is reported for a shorter one in it. Were failures spread by
-- chance, the number among the n calls after the sequence would be hypergeometric: k or more of them have a probability
-- of at most p(k) / (1 - p(k + 1) / p(k)), because the ratio of two neighbours falls with k (the one-sided test of
-- Fisher 1935). Factorials are by Stirling's series, off by less than 0.001 in the logarithm. A sequence is reported if
-- its probability is under by_chance / tests (Bonferroni), so that of lakes without any pattern no more than by_chance
-- have a row, and if the lower end of its interval is above the share of the rest. Filters choose among the rows and
-- change none. Failures that come in bursts are not independent: hence `spread`.
with sequences as (
    select
        service_key, tool_key, length, last_before, before,
        case when length = 2 then 2 else 1 end as pool,
        cast(sum(calls) as bigint) as calls
    from preceded
    group by service_key, tool_key, length, last_before, before
),
tools as (
    select
        service_key, tool_key, pool,
        cast(sum(calls) as bigint) as calls
    from sequences
    where length = pool
    group by service_key, tool_key, pool
),
placed as (
    select
        service_key, tool_key, length, last_before, before, fault, calls, sessions, last_unix_nano, last_trace_id,
        last_session_id, in_session,
        row_number() over (
            partition by service_key, tool_key, length, last_before, before, fault
            order by in_session desc, last_unix_nano desc, last_sequence desc nulls last, last_span_id desc,
                last_trace_id desc
        ) as newest
    from preceded
    where fault is not null
),
supports as (
    select
        service_key, tool_key, length, last_before, before, fault,
        case when length = 2 then 2 else 1 end as pool,
        cast(sum(calls) as bigint) as support,
        cast(sum(sessions) as bigint) as sessions,
        max(last_unix_nano) as last_unix_nano,
        max(case when newest = 1 then last_session_id end) as last_session_id,
        max(case when newest = 1 then last_trace_id end) as last_trace_id,
        max(in_session) as in_session
    from placed
    group by service_key, tool_key, length, last_before, before, fault
),
faults as (
    select
        supports.service_key as service_key,
        supports.tool_key as tool_key,
        supports.pool as pool,
        supports.fault as fault,
        cast(sum(supports.support) as bigint) as failed,
        max(tools.calls) as calls
    from supports
    inner join tools
        on tools.service_key = supports.service_key
        and tools.tool_key = supports.tool_key
        and tools.pool = supports.pool
    where supports.length = supports.pool
        and tools.calls >= $min_calls
    group by supports.service_key, supports.tool_key, supports.pool, supports.fault
    having sum(supports.support) >= $support
),
tests as (
    select count(*) as tests
    from sequences
    inner join faults
        on faults.service_key = sequences.service_key
        and faults.tool_key = sequences.tool_key
        and faults.pool = sequences.pool
    where sequences.calls >= $support
),
rated as (
    select
        supports.service_key as service_key,
        supports.tool_key as tool_key,
        supports.length as length,
        supports.last_before as last_before,
        supports.before as before,
        supports.fault as fault,
        supports.support as support,
        supports.sessions as sessions,
        supports.last_unix_nano as last_unix_nano,
        supports.last_session_id as last_session_id,
        supports.last_trace_id as last_trace_id,
        supports.in_session as in_session,
        sequences.calls as calls,
        faults.calls as pool_calls,
        faults.failed as pool_failed
    from supports
    inner join sequences
        on sequences.service_key = supports.service_key
        and sequences.tool_key = supports.tool_key
        and sequences.length = supports.length
        and sequences.last_before = supports.last_before
        and sequences.before = supports.before
    inner join faults
        on faults.service_key = supports.service_key
        and faults.tool_key = supports.tool_key
        and faults.pool = supports.pool
        and faults.fault = supports.fault
),
-- Each sequence with what it is compared with: n calls after it of which k failed, and m others of which j did.
counts as (
    select
        service_key, tool_key, length, before, last_before, fault,
        cast(calls as double) as n,
        cast(support as double) as k,
        cast(pool_calls - calls as double) as m,
        cast(pool_failed - support as double) as j
    from rated
    union all
    select
        rated.service_key as service_key, rated.tool_key as tool_key, rated.length as length, rated.before as before,
        rated.last_before as last_before, rated.fault as fault,
        cast(rated.calls as double) as n,
        cast(rated.support as double) as k,
        cast(alone.calls - rated.calls as double) as m,
        cast(alone.support - rated.support as double) as j
    from rated
    inner join rated as alone
        on alone.length = 1
        and alone.service_key = rated.service_key
        and alone.tool_key = rated.tool_key
        and alone.fault = rated.fault
        and alone.before = rated.last_before
    where rated.length > 1
),
filled as (
    select
        service_key, tool_key, length, before, last_before, fault, n, k, m, j,
        n - k as n_fine, m - j as m_fine, n + m as all_calls, k + j as all_failed, n + m - k - j as all_fine
    from counts
),
factorials as (
    select
        service_key, tool_key, length, before, last_before, fault, n, k, m, j, m_fine, n_fine,
        case when n > 0
            then n * ln(nullif(n, 0)) - n + 0.5 * ln(nullif(6.283185307179586 * n, 0)) + 1.0 / nullif(12.0 * n, 0)
                - 1.0 / nullif(360.0 * n * n * n, 0)
            else 0.0
        end as f_n,
        case when k > 0
            then k * ln(nullif(k, 0)) - k + 0.5 * ln(nullif(6.283185307179586 * k, 0)) + 1.0 / nullif(12.0 * k, 0)
                - 1.0 / nullif(360.0 * k * k * k, 0)
            else 0.0
        end as f_k,
        case when n_fine > 0
            then n_fine * ln(nullif(n_fine, 0)) - n_fine + 0.5 * ln(nullif(6.283185307179586 * n_fine, 0)) + 1.0 / nullif(12.0 * n_fine, 0)
                - 1.0 / nullif(360.0 * n_fine * n_fine * n_fine, 0)
            else 0.0
        end as f_n_fine,
        case when m > 0
            then m * ln(nullif(m, 0)) - m + 0.5 * ln(nullif(6.283185307179586 * m, 0)) + 1.0 / nullif(12.0 * m, 0)
                - 1.0 / nullif(360.0 * m * m * m, 0)
            else 0.0
        end as f_m,
        case when j > 0
            then j * ln(nullif(j, 0)) - j + 0.5 * ln(nullif(6.283185307179586 * j, 0)) + 1.0 / nullif(12.0 * j, 0)
                - 1.0 / nullif(360.0 * j * j * j, 0)
            else 0.0
        end as f_j,
        case when m_fine > 0
            then m_fine * ln(nullif(m_fine, 0)) - m_fine + 0.5 * ln(nullif(6.283185307179586 * m_fine, 0)) + 1.0 / nullif(12.0 * m_fine, 0)
                - 1.0 / nullif(360.0 * m_fine * m_fine * m_fine, 0)
            else 0.0
        end as f_m_fine,
        case when all_calls > 0
            then all_calls * ln(nullif(all_calls, 0)) - all_calls + 0.5 * ln(nullif(6.283185307179586 * all_calls, 0)) + 1.0 / nullif(12.0 * all_calls, 0)
                - 1.0 / nullif(360.0 * all_calls * all_calls * all_calls, 0)
            else 0.0
        end as f_all,
        case when all_failed > 0
            then all_failed * ln(nullif(all_failed, 0)) - all_failed + 0.5 * ln(nullif(6.283185307179586 * all_failed, 0)) + 1.0 / nullif(12.0 * all_failed, 0)
                - 1.0 / nullif(360.0 * all_failed * all_failed * all_failed, 0)
            else 0.0
        end as f_failed,
        case when all_fine > 0
            then all_fine * ln(nullif(all_fine, 0)) - all_fine + 0.5 * ln(nullif(6.283185307179586 * all_fine, 0)) + 1.0 / nullif(12.0 * all_fine, 0)
                - 1.0 / nullif(360.0 * all_fine * all_fine * all_fine, 0)
            else 0.0
        end as f_fine
    from filled
),
surprises as (
    select
        service_key, tool_key, length, before, last_before, fault,
        j / nullif(m, 0) as rest_ratio,
        f_k + f_n_fine - f_n + f_j + f_m_fine - f_m + f_all - f_failed - f_fine as log_odds,
        1.0 - j * n_fine / nullif((k + 1.0) * (m_fine + 1.0), 0) as falling
    from factorials
),
known as (
    select
        service_key, tool_key, length, before, last_before, fault,
        max(rest_ratio) as rest_ratio,
        -- a sequence that every call comes after is compared with nothing
        min(case
            when rest_ratio is null or falling <= 0 then 0.0
            else log_odds + ln(case when falling > 0 then falling else 1.0 end)
        end) as surprise
    from surprises
    group by service_key, tool_key, length, before, last_before, fault
),
bounded as (
    select
        rated.service_key as service_key,
        rated.tool_key as tool_key,
        rated.last_before as last_before,
        rated.before as before,
        rated.fault as fault,
        rated.support as support,
        rated.sessions as sessions,
        rated.last_unix_nano as last_unix_nano,
        rated.last_session_id as last_session_id,
        rated.last_trace_id as last_trace_id,
        rated.in_session as in_session,
        rated.calls as calls,
        rated.support / nullif(cast(rated.calls as double), 0) as failed_ratio,
        rated.pool_failed / nullif(cast(rated.pool_calls as double), 0) as base_ratio,
        rated.pool_calls - rated.calls as rest_calls,
        (rated.pool_failed - rated.support) / nullif(cast(rated.pool_calls - rated.calls as double), 0) as rest_ratio,
        known.rest_ratio as known_ratio,
        known.surprise as surprise
    from rated
    inner join known
        on known.service_key = rated.service_key
        and known.tool_key = rated.tool_key
        and known.length = rated.length
        and known.before = rated.before
        and known.last_before = rated.last_before
        and known.fault = rated.fault
),
ranged as (
    select
        service_key, tool_key, last_before, before, fault, support, sessions, last_unix_nano, last_session_id,
        last_trace_id, in_session, calls, failed_ratio, base_ratio, rest_calls, rest_ratio, known_ratio, surprise,
        failed_ratio / nullif(
            case when rest_ratio > 0 then rest_ratio else 1.0 / nullif(rest_calls, 0) end, 0
        ) as lift,
        -- Wilson 1927, z = 1.959963984540054, z * z = 3.841458820694124
        (
            failed_ratio + 3.841458820694124 / nullif(2.0 * calls, 0)
            - 1.959963984540054 * sqrt(
                failed_ratio * (1.0 - failed_ratio) / nullif(cast(calls as double), 0)
                + 3.841458820694124 / nullif(4.0 * calls * calls, 0)
            )
        ) / nullif(1.0 + 3.841458820694124 / nullif(cast(calls as double), 0), 0) as low_ratio,
        (
            failed_ratio + 3.841458820694124 / nullif(2.0 * calls, 0)
            + 1.959963984540054 * sqrt(
                failed_ratio * (1.0 - failed_ratio) / nullif(cast(calls as double), 0)
                + 3.841458820694124 / nullif(4.0 * calls * calls, 0)
            )
        ) / nullif(1.0 + 3.841458820694124 / nullif(cast(calls as double), 0), 0) as high_ratio
    from bounded
)
select
    nullif(ranged.service_key, '') as service_name,
    nullif(ranged.tool_key, '') as tool,
    ranged.fault as fault,
    ranged.before as before,
    ranged.support as support,
    ranged.calls as calls,
    ranged.failed_ratio as failed_ratio,
    ranged.base_ratio as base_ratio,
    ranged.lift as lift,
    ranged.low_ratio as low_ratio,
    ranged.high_ratio as high_ratio,
    ranged.sessions as sessions,
    ranged.last_unix_nano as last_unix_nano,
    ranged.last_session_id as last_session_id,
    ranged.last_trace_id as last_trace_id,
    ranged.rest_calls as rest_calls,
    ranged.rest_ratio as rest_ratio
from ranged
cross join tests
where ranged.support >= $support
    and ranged.sessions >= $spread
    and ranged.surprise >= ln(nullif(tests.tests, 0) / nullif($by_chance, 0))
    and ranged.surprise > 0
    and ranged.low_ratio > ranged.known_ratio
    and ($tool is null or ranged.tool_key = $tool)
    and ($server is null or ranged.service_key = $server)
    and ($session is null or ranged.in_session = 1)
order by
    round(ranged.low_ratio * ranged.lift / nullif(ranged.failed_ratio, 0), 9) desc, ranged.support desc,
    service_name nulls last, tool nulls last, ranged.fault, ranged.before, ranged.last_before
