-- question: What was called just before each tool, and how often did the tool fail then?
-- kind:     view
-- reads:    tool_calls
-- history:  whole
-- rollup:   sessions
-- params:
--   since    bigint = 0                    start of the window, unix ns; the calls before may lie earlier
--   until    bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   session  varchar = null                session whose failures are listed first
-- columns:
--   service_key      varchar  the MCP server; empty where it has no name
--   tool_key         varchar  gen_ai.tool.name; empty where it has none
--   length           integer  1 or 2 calls that went before · 3 the last and how it failed · 4 the last and its large result
--   last_before      varchar  the tool called just before
--   before           varchar  the one or two tools called just before, in their order, or the last and what it answered
--   fault            varchar  how the call failed; null where it did not
--   calls            bigint   calls of the tool after those that ended so
--   sessions         bigint   sessions in which one failed so
--   last_unix_nano   bigint   start of the last call that failed so
--   last_sequence    bigint   its place in its connection
--   last_span_id     varchar  its span
--   last_trace_id    varchar  its trace
--   last_session_id  varchar  its session
--   in_session       integer  1 where one of `session` failed so
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
        end as fault,
        case when result_bytes >= 65536 then 1 else 0 end as large
    from tool_calls
    where session_id is not null
        and start_unix_nano < $until
        and coalesce(outcome, '') <> 'input_required'  -- its retry is the call
),
chained as (
    select
        session_id, start_unix_nano, sequence, span_id, trace_id, service_key, tool_key, fault,
        lag(code, 1) over in_session as code_1,
        lag(code, 2) over in_session as code_2,
        cast(lag(fault, 1) over in_session as varchar) as fault_1,
        lag(large, 1) over in_session as large_1
    from calls
    window in_session as (partition by session_id order by start_unix_nano, sequence nulls last, span_id, trace_id)
),
-- Calls that did not fail are only counted; one that failed keeps a row of its own.
counted as (
    select
        service_key, tool_key, code_2, code_1, fault_1, large_1, fault,
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
        service_key, tool_key, code_2, code_1, fault_1, large_1, fault,
        case when fault is not null then session_id end,
        case when fault is not null then start_unix_nano end,
        case when fault is not null then sequence end,
        case when fault is not null then span_id end,
        case when fault is not null then trace_id end
),
prefixed as (
    select
        service_key, tool_key, code_2, code_1, fault_1, large_1, fault, session_id, start_unix_nano, sequence, span_id,
        trace_id, calls,
        cast(length(service_key) as varchar) || ':' || service_key || '/' as own
    from counted
),
-- A tool of the same server by its name alone, one of another server behind the server's.
named as (
    select
        service_key, tool_key, fault_1, large_1, fault, session_id, start_unix_nano, sequence, span_id, trace_id, calls,
        code_1 = own || tool_key as repeated,
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
    union all
    -- That a tool fails again after it failed is a burst and warns of nothing.
    select
        service_key, tool_key, 3 as length, before_1 as last_before, before_1 || ' (' || fault_1 || ')' as before, fault,
        session_id, start_unix_nano, sequence, span_id, trace_id, calls
    from named
    where fault_1 is not null and not repeated
    union all
    select
        service_key, tool_key, 4 as length, before_1 as last_before, before_1 || ' (64 KiB or more)' as before, fault,
        session_id, start_unix_nano, sequence, span_id, trace_id, calls
    from named
    where large_1 = 1
),
placed as (
    select
        service_key, tool_key, length, last_before, before, fault, session_id, start_unix_nano, sequence, span_id,
        trace_id,
        row_number() over (
            partition by service_key, tool_key, length, last_before, before, fault
            order by
                case when session_id = $session then 0 else 1 end, start_unix_nano desc, sequence desc nulls last,
                span_id desc, trace_id desc
        ) as newest
    from steps
    where fault is not null
)
select
    service_key, tool_key, length, last_before, before, fault,
    cast(count(*) as bigint) as calls,
    cast(count(distinct session_id) as bigint) as sessions,
    max(start_unix_nano) as last_unix_nano,
    max(case when newest = 1 then sequence end) as last_sequence,
    max(case when newest = 1 then span_id end) as last_span_id,
    max(case when newest = 1 then trace_id end) as last_trace_id,
    max(case when newest = 1 then session_id end) as last_session_id,
    max(case when session_id = $session then 1 else 0 end) as in_session
from placed
group by service_key, tool_key, length, last_before, before, fault
union all
select
    service_key, tool_key, length, last_before, before,
    cast(null as varchar) as fault,
    cast(sum(calls) as bigint) as calls,
    cast(null as bigint) as sessions,
    cast(null as bigint) as last_unix_nano,
    cast(null as bigint) as last_sequence,
    cast(null as varchar) as last_span_id,
    cast(null as varchar) as last_trace_id,
    cast(null as varchar) as last_session_id,
    0 as in_session
from steps
where fault is null
group by service_key, tool_key, length, last_before, before
