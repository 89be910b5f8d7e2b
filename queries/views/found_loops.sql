-- question: Where did an agent call the same tools again and again without getting further?
-- kind:     view
-- reads:    looping_exchanges
-- history:  whole
-- rollup:   rows
-- params:
--   until    bigint = 9223372036854775807  calls from here on are not looked at, unix ns
--   repeats  bigint = 3                    calls that a repeat takes at least
--   pause_s  bigint = 45                   who asks no sooner again is watching, and no loop; after a failure 6 times as long
-- columns:
--   session_id       varchar  the session, reconstructed
--   service_name     varchar  the MCP server of the first call
--   tool             varchar  the tool of the first call
--   kind             varchar  repeat: same call, same result · empty: changing arguments, nothing found · cycle: up to 8 calls in turn, same results · retry: the same call fails, with others in between
--   pattern          varchar  tools of one round
--   tools            varchar  the same to be searched: each as ;length:name;
--   services         varchar  servers of one round, each as ;length:name;
--   period           bigint   calls of one round
--   calls            bigint   calls that the loop took
--   fruitless        bigint   calls among them that failed, were refused, or were wrong
--   from_call        bigint   place of its first call among the session's tool calls (of what it reads or lists: among those), retries left out
--   first_unix_nano  bigint   start of its first call
--   last_unix_nano   bigint   start of its last call
--   end_unix_nano    bigint   when the last of its calls had ended
--   cost_microusd    bigint   cost of its calls; null where no price is known
--   oks              bigint   calls of the first call's tool that succeeded, in the whole session
--   empty_oks        bigint   calls among those that found nothing
--   ending           varchar  worked: the question got a new answer in the end · followed: by other calls of the session · open: by none
--   failure_key      varchar  of a loop whose calls all fail in one way: the same for such failures of other sessions
--   question_key     varchar  of a loop with one question: the same for that question in other sessions

-- Names of one round, with their lengths, because a name can hold any character.
with rounds as (
    select
        session_id, lane, kind, loop_key, period, nth, place, last_place, solved, service_name, tool, start_unix_nano,
        end_unix_nano, oks, empty_oks, cost_microusd, fruitless, failure_key, question_key,
        case when nth <= period then target end as name,
        case when nth <= period then ';' || cast(length(target) as varchar) || ':' || target || ';' end as tool_piece,
        case
            when nth <= period then ';' || cast(length(service_name) as varchar) || ':' || service_name || ';'
        end as service_piece
    from looping_exchanges
)
select
    session_id,
    max(case when nth = 1 then service_name end) as service_name,
    max(case when nth = 1 then tool end) as tool,
    kind,
    max(case when nth = 1 then name end)
        || coalesce(' → ' || max(case when nth = 2 then name end), '')
        || coalesce(' → ' || max(case when nth = 3 then name end), '')
        || coalesce(' → ' || max(case when nth = 4 then name end), '')
        || coalesce(' → ' || max(case when nth = 5 then name end), '')
        || coalesce(' → ' || max(case when nth = 6 then name end), '')
        || coalesce(' → ' || max(case when nth = 7 then name end), '')
        || coalesce(' → ' || max(case when nth = 8 then name end), '') as pattern,
    coalesce(max(case when nth = 1 then tool_piece end), '')
        || coalesce(max(case when nth = 2 then tool_piece end), '')
        || coalesce(max(case when nth = 3 then tool_piece end), '')
        || coalesce(max(case when nth = 4 then tool_piece end), '')
        || coalesce(max(case when nth = 5 then tool_piece end), '')
        || coalesce(max(case when nth = 6 then tool_piece end), '')
        || coalesce(max(case when nth = 7 then tool_piece end), '')
        || coalesce(max(case when nth = 8 then tool_piece end), '') as tools,
    coalesce(max(case when nth = 1 then service_piece end), '')
        || coalesce(max(case when nth = 2 then service_piece end), '')
        || coalesce(max(case when nth = 3 then service_piece end), '')
        || coalesce(max(case when nth = 4 then service_piece end), '')
        || coalesce(max(case when nth = 5 then service_piece end), '')
        || coalesce(max(case when nth = 6 then service_piece end), '')
        || coalesce(max(case when nth = 7 then service_piece end), '')
        || coalesce(max(case when nth = 8 then service_piece end), '') as services,
    max(period) as period,
    cast(count(*) as bigint) as calls,
    cast(sum(case when fruitless then 1 else 0 end) as bigint) as fruitless,
    min(place) as from_call,
    min(start_unix_nano) as first_unix_nano,
    max(start_unix_nano) as last_unix_nano,
    max(end_unix_nano) as end_unix_nano,
    cast(sum(cost_microusd) as bigint) as cost_microusd,
    max(case when nth = 1 then oks end) as oks,
    max(case when nth = 1 then empty_oks end) as empty_oks,
    case
        when max(case when solved then 1 else 0 end) = 1 then 'worked'
        when max(place) = max(last_place) then 'open'
        -- A retry goes on with as many other calls after it as there were between two of its own.
        when kind = 'retry' and (max(last_place) - max(place)) * (count(*) - 1) <= max(place) - min(place) then 'open'
        else 'followed'
    end as ending,
    case when count(failure_key) = count(*) and min(failure_key) = max(failure_key) then min(failure_key) end as failure_key,
    case when count(question_key) = count(*) and min(question_key) = max(question_key) then min(question_key) end
        as question_key
from rounds
group by session_id, lane, kind, loop_key
