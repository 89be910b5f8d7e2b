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
--   before           varchar  the one or two tools called just before, in their order; with its server where that is another
--   support          bigint   failures that came after them
--   calls            bigint   all calls of the tool that came after them
--   failed_ratio     double   support / calls
--   base_ratio       double   share of all calls of the tool, with as many calls before them, that failed so
--   lift             double   failed_ratio / base_ratio: how many times more often than else
--   low_ratio        double   lower end of the 95 % interval of failed_ratio (Wilson)
--   high_ratio       double   its upper end
--   sessions         bigint   sessions in which it came before such a failure
--   last_unix_nano   bigint   start of the last failure after it
--   last_session_id  varchar  session of that failure
--   last_trace_id    varchar  its trace
-- chart:    bar before lift

-- What is known of a call before one looks at the sequence is the base rate, and for two calls also the rate after the
-- last of them alone, where that is higher. Were failures spread by chance at that rate, their number among n calls
-- would be hypergeometric, and k or more with a probability of at most exp(-n KL(k/n, rate)) (Hoeffding 1963). A
-- sequence is reported if that is under by_chance / tests (Bonferroni), so that of lakes without any pattern no more
-- than by_chance have a row, and where the lower end of its interval is above the rate. Filters choose among the rows
-- and change none. Failures that come in bursts are not independent: hence `spread`.
with sequences as (
    select
        service_key, tool_key, length, last_before, before,
        cast(sum(calls) as bigint) as calls
    from preceded
    group by service_key, tool_key, length, last_before, before
),
tools as (
    select
        service_key, tool_key, length,
        cast(sum(calls) as bigint) as calls
    from sequences
    group by service_key, tool_key, length
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
        supports.length as length,
        supports.fault as fault,
        sum(supports.support) / nullif(cast(max(tools.calls) as double), 0) as base_ratio
    from supports
    inner join tools
        on tools.service_key = supports.service_key
        and tools.tool_key = supports.tool_key
        and tools.length = supports.length
    where tools.calls >= $min_calls
    group by supports.service_key, supports.tool_key, supports.length, supports.fault
    having sum(supports.support) >= $support
),
tests as (
    select count(*) as tests
    from sequences
    inner join faults
        on faults.service_key = sequences.service_key
        and faults.tool_key = sequences.tool_key
        and faults.length = sequences.length
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
        supports.support / nullif(cast(sequences.calls as double), 0) as failed_ratio,
        faults.base_ratio as base_ratio
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
        and faults.length = supports.length
        and faults.fault = supports.fault
),
compared as (
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
        rated.failed_ratio as failed_ratio,
        rated.base_ratio as base_ratio,
        case
            when alone.failed_ratio > rated.base_ratio then alone.failed_ratio
            else rated.base_ratio
        end as known_ratio
    from rated
    left join rated as alone
        on alone.length < rated.length
        and alone.service_key = rated.service_key
        and alone.tool_key = rated.tool_key
        and alone.fault = rated.fault
        and alone.before = rated.last_before
),
bounded as (
    select
        service_key, tool_key, last_before, before, fault, support, sessions, last_unix_nano, last_session_id,
        last_trace_id, in_session, calls, failed_ratio, base_ratio, known_ratio,
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
        ) / nullif(1.0 + 3.841458820694124 / nullif(cast(calls as double), 0), 0) as high_ratio,
        -- n KL(k/n, known), where failures are more than what is known
        -- (the nullifs change no answer: DuckDB 1.5.0 computes a logarithm also for rows that are left out)
        support * ln(nullif(failed_ratio, 0) / nullif(known_ratio, 0))
            + case
                when support < calls
                    then (calls - support) * ln(nullif(1.0 - failed_ratio, 0) / nullif(1.0 - known_ratio, 0))
                else 0.0
            end as surprise
    from compared
    where failed_ratio > known_ratio
)
select
    nullif(bounded.service_key, '') as service_name,
    nullif(bounded.tool_key, '') as tool,
    bounded.fault as fault,
    bounded.before as before,
    bounded.support as support,
    bounded.calls as calls,
    bounded.failed_ratio as failed_ratio,
    bounded.base_ratio as base_ratio,
    bounded.failed_ratio / nullif(bounded.base_ratio, 0) as lift,
    bounded.low_ratio as low_ratio,
    bounded.high_ratio as high_ratio,
    bounded.sessions as sessions,
    bounded.last_unix_nano as last_unix_nano,
    bounded.last_session_id as last_session_id,
    bounded.last_trace_id as last_trace_id
from bounded
cross join tests
where bounded.support >= $support
    and bounded.sessions >= $spread
    and bounded.surprise >= ln(nullif(tests.tests, 0) / nullif($by_chance, 0))
    and bounded.low_ratio > bounded.known_ratio
    and ($tool is null or bounded.tool_key = $tool)
    and ($server is null or bounded.service_key = $server)
    and ($session is null or bounded.in_session = 1)
order by
    bounded.low_ratio / nullif(bounded.base_ratio, 0) desc, bounded.support desc, service_name nulls last,
    tool nulls last, bounded.fault, bounded.before, bounded.last_before
