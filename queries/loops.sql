-- question: Is an agent calling the same tools again and again without getting further?
-- topic:    2 Is an agent in a loop?
-- kind:     report
-- reads:    found_loops, tool_answers
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
--   session_id       varchar  the session, reconstructed
--   service_name     varchar  the MCP server of the first call
--   kind             varchar  repeat: same call, same result · empty: changing arguments, nothing found · cycle: 2 to 8 calls in turn, same results
--   pattern          varchar  tools of one round
--   calls            bigint   calls that the loop took
--   wasted           bigint   calls among them that brought nothing new
--   from_call        bigint   place of its first call among the session's tool calls, retries left out
--   first_unix_nano  bigint   start of its first call
--   last_unix_nano   bigint   start of its last call
--   duration_ms      double   from the start of the first call to the end of the last
--   cost_microusd    bigint   cost of its calls; null where no price is known
--   state            varchar  still going on, or ended
-- summary:
--   sessions  count(distinct session_id)
--   wasted  sum(wasted)
-- chart:    bar session_id wasted

with tools as (
    select
        coalesce(service_name, '') as service_key,
        coalesce(tool, '') as tool_key,
        sum(oks) as oks,
        sum(empty_oks) as empty_oks,
        sum(answered_sessions) as answered_sessions
    from tool_answers
    group by coalesce(service_name, ''), coalesce(tool, '')
)
select
    found_loops.session_id as session_id,
    found_loops.service_name as service_name,
    found_loops.kind as kind,
    found_loops.pattern as pattern,
    found_loops.calls as calls,
    found_loops.calls - found_loops.period as wasted,
    found_loops.from_call as from_call,
    found_loops.first_unix_nano as first_unix_nano,
    found_loops.last_unix_nano as last_unix_nano,
    (found_loops.end_unix_nano - found_loops.first_unix_nano) / 1000000.0 as duration_ms,
    found_loops.cost_microusd as cost_microusd,
    case
        when found_loops.ending = 'open' and found_loops.last_unix_nano >= $now - 900000000000 then 'still going on'
        else 'ended'
    end as state
from found_loops
inner join tools
    on tools.service_key = coalesce(found_loops.service_name, '')
    and tools.tool_key = coalesce(found_loops.tool, '')
where found_loops.last_unix_nano >= $since
    and found_loops.ending <> 'worked'
    -- Empty answers alone say nothing of a tool that gives no others, in at least five more sessions.
    and not (
        found_loops.kind = 'empty'
        and found_loops.fruitless = 0
        and tools.answered_sessions - case when found_loops.oks > 0 then 1 else 0 end >= 5
        and (tools.empty_oks - found_loops.empty_oks) * 100 >= (tools.oks - found_loops.oks) * 95
    )
    and ($tool is null or strpos(found_loops.tools, ';' || cast(length($tool) as varchar) || ':' || $tool || ';') > 0)
    and (
        $server is null
        or strpos(found_loops.services, ';' || cast(length($server) as varchar) || ':' || $server || ';') > 0
    )
    and ($session is null or found_loops.session_id = $session)
order by
    wasted desc, found_loops.last_unix_nano desc, found_loops.session_id, found_loops.from_call, found_loops.kind,
    found_loops.period
