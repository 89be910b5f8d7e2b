-- question: Which calls come before a failure more often than chance?
-- kind:     report
-- reads:    tool_calls
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
-- sequence is told where that is under by_chance / tests (Bonferroni), so that of lakes without any pattern no more
-- than by_chance have a row, and where the lower end of its interval is above the rate. Filters choose among the rows
-- and change none. Failures that come in bursts are not independent: hence `spread`.
with calls as (
    select
        session_id, start_unix_nano, sequence, span_id, trace_id,
        coalesce(service_name, '') as service_key,
        coalesce(tool, '') as tool_key,
        -- The length keeps names apart that would otherwise run into each other. The cast keeps lag() null before the
        -- first call where an engine tells texts from nullable texts (ClickHouse).
        cast(
            cast(length(coalesce(service_name, '')) as varchar) || ':' || coalesce(service_name, '') || '/'
            || coalesce(tool, '?') as varchar
        ) as code,
        case
            when outcome = 'ok' and coalesce(result_empty, false) then 'empty'
            when outcome = 'tool_error' then 'tool'
            when outcome in ('server_error', 'timeout') then 'server'
            when outcome = 'protocol_error' then 'caller'
            when outcome = 'unfinished' then 'gone'
            when outcome in ('denied', 'cancelled') then outcome
        end as fault
    from tool_calls
    where session_id is not null
        and start_unix_nano < $until
        and coalesce(outcome, '') <> 'input_required'  -- its retry is the call
),
chained as (
    select
        session_id, start_unix_nano, sequence, span_id, trace_id, service_key, tool_key, fault,
        lag(code, 1) over in_session as code_1,
        lag(code, 2) over in_session as code_2
    from calls
    window in_session as (partition by session_id order by start_unix_nano, sequence nulls last, span_id, trace_id)
),
-- Calls that did not fail are only counted; one that failed keeps a row of its own.
counted as (
    select
        service_key, tool_key, code_2, code_1, fault,
        case when fault is not null then session_id end as session_id,
        case when fault is not null then start_unix_nano end as start_unix_nano,
        case when fault is not null then sequence end as sequence,
        case when fault is not null then span_id end as span_id,
        case when fault is not null then trace_id end as trace_id,
        count(*) as calls
    from chained
    where code_1 is not null
        and start_unix_nano >= $since
    group by
        service_key, tool_key, code_2, code_1, fault,
        case when fault is not null then session_id end,
        case when fault is not null then start_unix_nano end,
        case when fault is not null then sequence end,
        case when fault is not null then span_id end,
        case when fault is not null then trace_id end
),
prefixed as (
    select
        service_key, tool_key, code_2, code_1, fault, session_id, start_unix_nano, sequence, span_id, trace_id, calls,
        cast(length(service_key) as varchar) || ':' || service_key || '/' as own
    from counted
),
-- A tool of the same server by its name alone, one of another server behind the server's.
named as (
    select
        service_key, tool_key, fault, session_id, start_unix_nano, sequence, span_id, trace_id, calls,
        case
            when substr(code_1, 1, length(own)) = own then substr(code_1, length(own) + 1)
            when substr(code_1, 1, 2) = '0:' then '?' || substr(code_1, 3)
            else substr(code_1, strpos(code_1, ':') + 1)
        end as before_1,
        case
            when substr(code_2, 1, length(own)) = own then substr(code_2, length(own) + 1)
            when substr(code_2, 1, 2) = '0:' then '?' || substr(code_2, 3)
            else substr(code_2, strpos(code_2, ':') + 1)
        end as before_2
    from prefixed
),
steps as (
    select
        service_key, tool_key, 1 as length, before_1 as last_before, before_1 as before, fault, session_id,
        start_unix_nano, sequence, span_id, trace_id, calls
    from named
    union all
    select
        service_key, tool_key, 2 as length, before_1 as last_before, before_2 || ' → ' || before_1 as before, fault,
        session_id, start_unix_nano, sequence, span_id, trace_id, calls
    from named
    where before_2 is not null
),
sequences as (
    select
        service_key, tool_key, length, last_before, before,
        cast(sum(calls) as bigint) as calls
    from steps
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
        service_key, tool_key, length, last_before, before, fault, session_id, start_unix_nano, trace_id,
        row_number() over (
            partition by service_key, tool_key, length, last_before, before, fault
            order by
                case when session_id = $session then 0 else 1 end, start_unix_nano desc, sequence desc nulls last,
                span_id desc, trace_id desc
        ) as newest
    from steps
    where fault is not null
),
supports as (
    select
        service_key, tool_key, length, last_before, before, fault,
        count(*) as support,
        count(distinct session_id) as sessions,
        max(start_unix_nano) as last_unix_nano,
        max(case when newest = 1 then session_id end) as last_session_id,
        max(case when newest = 1 then trace_id end) as last_trace_id,
        max(case when session_id = $session then 1 else 0 end) as in_session
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
        support * ln(failed_ratio / nullif(known_ratio, 0))
            + case
                when support < calls
                    then (calls - support) * ln((1.0 - failed_ratio) / nullif(1.0 - known_ratio, 0))
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
    and bounded.surprise >= ln(tests.tests / nullif($by_chance, 0))
    and bounded.low_ratio > bounded.known_ratio
    and ($tool is null or bounded.tool_key = $tool)
    and ($server is null or bounded.service_key = $server)
    and ($session is null or bounded.in_session = 1)
order by
    bounded.low_ratio / nullif(bounded.base_ratio, 0) desc, bounded.support desc, service_name nulls last,
    tool nulls last, bounded.fault, bounded.before, bounded.last_before
