-- question: Is an agent calling the same tools again and again without getting further?
-- topic:    2 Is an agent in a loop?
-- kind:     report
-- reads:    loops_and_outages, session_chains, tool_answers
-- history:  whole
-- params:
--   since    bigint = 0                    loops whose last call began from here on, unix ns; they may have begun earlier
--   until    bigint = 9223372036854775807  calls from here on are not looked at, unix ns
--   tool     varchar = null                loops that call this tool
--   session  varchar = null                this session only
--   server   varchar = null                loops that call this server
--   repeats  bigint = 3                    calls that a repeat takes at least
--   pause_s  bigint = 45                   who asks no sooner again is watching, and no loop; after a failure 6 times as long
--   now      bigint = 0                    the present, unix ns: a loop goes on if its last call is not a quarter of an hour old
-- columns:
--   session_id       varchar  the session, reconstructed; the first of a chain; null for an outage
--   service_name     varchar  the MCP server of the first call
--   kind             varchar  repeat: same call, same result · empty: changing arguments, nothing found · cycle: up to 8 calls in turn, same results · retry: the same call fails, with others in between · sessions: the same call in session after session · outage: a tool fails alike in several sessions, and works in none
--   pattern          varchar  tools of one round
--   calls            bigint   calls that the loop took
--   wasted           bigint   calls among them that brought nothing new
--   from_call        bigint   place of its first call among the session's tool calls (of what it reads or lists: among those), retries left out
--   first_unix_nano  bigint   start of its first call
--   last_unix_nano   bigint   start of its last call
--   duration_ms      double   from the start of the first call to the end of the last
--   cost_microusd    bigint   cost of its calls; null where no price is known
--   state            varchar  still going on, or ended
--   sessions         bigint   sessions that took part
-- summary:
--   sessions  count(distinct case when kind <> 'outage' then session_id end)
--   wasted  sum(case when kind <> 'outage' then wasted end)
--   outages  sum(case when kind = 'outage' then 1 else 0 end)
--   open  sum(case when state = 'still going on' and kind <> 'outage' then 1 else 0 end)
-- chart:    bar session_id wasted

-- What worked in the end is no loop: a retry, or a wait.
with tools as (
    select
        coalesce(service_name, '') as service_key,
        coalesce(tool, '') as tool_key,
        sum(oks) as oks,
        sum(empty_oks) as empty_oks,
        sum(answered_sessions) as answered_sessions
    from tool_answers
    group by coalesce(service_name, ''), coalesce(tool, '')
),
found as (
    select
        loops_and_outages.session_id as session_id,
        loops_and_outages.service_name as service_name,
        loops_and_outages.kind as kind,
        loops_and_outages.pattern as pattern,
        loops_and_outages.tools as tools,
        loops_and_outages.services as services,
        loops_and_outages.period as period,
        loops_and_outages.sessions as sessions,
        loops_and_outages.calls as calls,
        loops_and_outages.from_call as from_call,
        loops_and_outages.first_unix_nano as first_unix_nano,
        loops_and_outages.last_unix_nano as last_unix_nano,
        loops_and_outages.end_unix_nano as end_unix_nano,
        loops_and_outages.cost_microusd as cost_microusd,
        loops_and_outages.ending as ending
    from loops_and_outages
    left join tools
        on tools.service_key = coalesce(loops_and_outages.service_name, '')
        and tools.tool_key = coalesce(loops_and_outages.tool, '')
    where loops_and_outages.ending <> 'worked'
        -- Empty answers alone say nothing of a tool that gives no others, in at least five more sessions.
        and not (
            loops_and_outages.kind = 'empty'
            and loops_and_outages.fruitless = 0
            and coalesce(tools.answered_sessions, 0) - case when loops_and_outages.oks > 0 then 1 else 0 end >= 5
            and (tools.empty_oks - loops_and_outages.empty_oks) * 100 >= (tools.oks - loops_and_outages.oks) * 95
        )
    union all
    select
        session_id,
        service_name,
        'sessions' as kind,
        coalesce(tool, '?') as pattern,
        ';' || cast(length(coalesce(tool, '?')) as varchar) || ':' || coalesce(tool, '?') || ';' as tools,
        coalesce(';' || cast(length(service_name) as varchar) || ':' || service_name || ';', '') as services,
        cast(1 as bigint) as period,
        sessions,
        calls,
        cast(1 as bigint) as from_call,
        first_unix_nano,
        last_unix_nano,
        end_unix_nano,
        cost_microusd,
        'open' as ending
    from session_chains
)
select
    session_id,
    service_name,
    kind,
    pattern,
    calls,
    calls - period as wasted,
    from_call,
    first_unix_nano,
    last_unix_nano,
    (end_unix_nano - first_unix_nano) / 1000000.0 as duration_ms,
    cost_microusd,
    case when ending = 'open' and last_unix_nano >= $now - 900000000000 then 'still going on' else 'ended' end as state,
    sessions
from found
where last_unix_nano >= $since
    and ($tool is null or strpos(tools, ';' || cast(length($tool) as varchar) || ':' || $tool || ';') > 0)
    and ($server is null or strpos(services, ';' || cast(length($server) as varchar) || ':' || $server || ';') > 0)
    and ($session is null or session_id = $session)
order by
    wasted desc, last_unix_nano desc, session_id nulls last, from_call, kind, period, first_unix_nano, pattern
