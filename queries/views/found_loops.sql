-- question: Where did an agent call the same tools again and again without getting further?
-- kind:     view
-- reads:    tool_calls
-- history:  whole
-- rollup:   rows
-- params:
--   until    bigint = 9223372036854775807  calls from here on are not looked at, unix ns
--   session  varchar = null                this session only
-- columns:
--   session_id       varchar  the session, reconstructed
--   service_name     varchar  the MCP server of the first call
--   tool             varchar  the tool of the first call
--   kind             varchar  repeat: same call, same result · empty: changing arguments, nothing found · cycle: 2 to 8 calls in turn, same results
--   pattern          varchar  tools of one round
--   tools            varchar  the same to be searched: each as ;length:name;
--   services         varchar  servers of one round, each as ;length:name;
--   period           bigint   calls of one round
--   calls            bigint   calls that the loop took
--   fruitless        bigint   calls among them that failed, were refused, or were wrong
--   from_call        bigint   place of its first call among the session's tool calls, retries left out
--   first_unix_nano  bigint   start of its first call
--   last_unix_nano   bigint   start of its last call
--   end_unix_nano    bigint   end of its last call
--   cost_microusd    bigint   cost of its calls; null where no price is known
--   oks              bigint   calls of the first call's tool that succeeded, in the whole session
--   empty_oks        bigint   calls among those that answered with nothing

-- A repeat takes 3 calls, a cycle 3 rounds, an empty run 8 calls.
-- What is no loop: polling that gets a new answer, paging (arguments change, results are not empty), a tool that
-- always answers with nothing (a write), calls that are sent all at once, and calls that ask for input or become a
-- task, with their retries. A cancelled call has no result that could be the same.

-- Most of the work is what tells loops from each other, so that is done only for sessions that can hold one at all:
-- with calls like those before them often enough, enough calls of one tool that brought nothing, or with retries,
-- which do not count as calls.
with tool_sessions as (
    select
        session_id,
        coalesce(service_name, '') as service_key,
        coalesce(tool, '') as tool_key,
        sum(case when outcome = 'ok' and not coalesce(result_empty, false) then 0 else 1 end) as nothings,
        sum(case when outcome = 'input_required' then 1 else 0 end) as asking,
        sum(case when outcome = 'ok' then 1 else 0 end) as oks,
        sum(case when outcome = 'ok' and coalesce(result_empty, false) then 1 else 0 end) as empty_oks
    from tool_calls
    where session_id is not null
        and start_unix_nano < $until
        and ($session is null or session_id = $session)
    group by session_id, coalesce(service_name, ''), coalesce(tool, '')
),
lined as (
    select
        session_id, start_unix_nano, sequence, span_id, trace_id,
        coalesce(service_name, '') || '/' || coalesce(tool, '') || '/' || args_digest
            || case
                when outcome = 'ok' then '=' || result_digest
                when (failed and not unanswered) or outcome in ('protocol_error', 'denied') then '!'
            end as exchange_key
    from tool_calls
    where session_id is not null
        and start_unix_nano < $until
        and ($session is null or session_id = $session)
        and coalesce(outcome, '') not in ('input_required', 'task')
),
likened as (
    select
        session_id,
        case when exchange_key = lag(exchange_key, 1) over in_session then 1 else 0 end as same_1,
        case when exchange_key = lag(exchange_key, 2) over in_session then 1 else 0 end as same_2,
        case when exchange_key = lag(exchange_key, 3) over in_session then 1 else 0 end as same_3,
        case when exchange_key = lag(exchange_key, 4) over in_session then 1 else 0 end as same_4,
        case when exchange_key = lag(exchange_key, 5) over in_session then 1 else 0 end as same_5,
        case when exchange_key = lag(exchange_key, 6) over in_session then 1 else 0 end as same_6,
        case when exchange_key = lag(exchange_key, 7) over in_session then 1 else 0 end as same_7,
        case when exchange_key = lag(exchange_key, 8) over in_session then 1 else 0 end as same_8
    from lined
    window in_session as (partition by session_id order by start_unix_nano, sequence nulls last, span_id, trace_id)
),
suspects as (
    select session_id
    from likened
    group by session_id
    having sum(same_1) >= 2
        or sum(same_2) >= 4
        or sum(same_3) >= 6
        or sum(same_4) >= 8
        or sum(same_5) >= 10
        or sum(same_6) >= 12
        or sum(same_7) >= 14
        or sum(same_8) >= 16
    union
    select session_id
    from tool_sessions
    where nothings >= 8 or asking > 0
),
calls as (
    select
        session_id, start_unix_nano, sequence, span_id, trace_id, service_name, tool, outcome, duration_ns,
        cost_microusd, args_digest, result_digest,
        coalesce(service_name, '') as service_key,
        coalesce(tool, '') as tool_key,
        -- The lengths keep names apart that would otherwise run into each other.
        cast(length(coalesce(service_name, '')) as varchar) || ':' || coalesce(service_name, '') || coalesce(tool, '')
            || '/' || args_digest as request_key,
        (failed and not unanswered) or outcome in ('protocol_error', 'denied') as fruitless,
        outcome = 'ok' and coalesce(result_empty, false) as empty
    from tool_calls
    where start_unix_nano < $until
        and ($session is null or session_id = $session)
        and session_id in (select session_id from suspects)
),
signed as (
    select
        session_id, start_unix_nano, sequence, span_id, trace_id, service_name, tool, service_key, tool_key, outcome,
        duration_ns, cost_microusd, request_key, fruitless, empty,
        case
            when outcome = 'ok' then request_key || '=' || result_digest
            when fruitless then request_key || '!'
        end as exchange_key,
        lag(outcome) over (
            partition by session_id, service_key, tool_key, args_digest
            order by start_unix_nano, sequence nulls last, span_id, trace_id
        ) as same_before
    from calls
),
placed as (
    select
        session_id, start_unix_nano, duration_ns, service_name, tool, service_key, tool_key, cost_microusd, fruitless,
        request_key, exchange_key, outcome,
        row_number() over in_session as place,
        sum(coalesce(cost_microusd, 0)) over so_far as cost_so_far,
        sum(case when cost_microusd is null then 0 else 1 end) over so_far as priced_so_far,
        sum(case when fruitless then 1 else 0 end) over so_far as fruitless_so_far,
        case when request_key = lag(request_key) over in_session then 1 else 0 end as same_act,
        -- A call goes on with a loop only if it began after the one before had ended: calls that are sent all at once
        -- cannot know each other's results. Nine tenths, for starts and durations are by two clocks.
        case
            when (empty or fruitless) and lag(empty or fruitless) over in_session
                and service_key = lag(service_key) over in_session and tool_key = lag(tool_key) over in_session
                and (start_unix_nano - lag(start_unix_nano) over in_session) * 10
                    >= coalesce(lag(duration_ns) over in_session, 0) * 9 then 1
            else 0
        end as same_nothing,
        case
            when exchange_key = lag(exchange_key, 1) over in_session
                and (start_unix_nano - lag(start_unix_nano, 1) over in_session) * 10
                    >= coalesce(lag(duration_ns, 1) over in_session, 0) * 9 then 1
            else 0
        end as same_1,
        case
            when exchange_key = lag(exchange_key, 2) over in_session
                and (start_unix_nano - lag(start_unix_nano, 2) over in_session) * 10
                    >= coalesce(lag(duration_ns, 2) over in_session, 0) * 9 then 1
            else 0
        end as same_2,
        case
            when exchange_key = lag(exchange_key, 3) over in_session
                and (start_unix_nano - lag(start_unix_nano, 3) over in_session) * 10
                    >= coalesce(lag(duration_ns, 3) over in_session, 0) * 9 then 1
            else 0
        end as same_3,
        case
            when exchange_key = lag(exchange_key, 4) over in_session
                and (start_unix_nano - lag(start_unix_nano, 4) over in_session) * 10
                    >= coalesce(lag(duration_ns, 4) over in_session, 0) * 9 then 1
            else 0
        end as same_4,
        case
            when exchange_key = lag(exchange_key, 5) over in_session
                and (start_unix_nano - lag(start_unix_nano, 5) over in_session) * 10
                    >= coalesce(lag(duration_ns, 5) over in_session, 0) * 9 then 1
            else 0
        end as same_5,
        case
            when exchange_key = lag(exchange_key, 6) over in_session
                and (start_unix_nano - lag(start_unix_nano, 6) over in_session) * 10
                    >= coalesce(lag(duration_ns, 6) over in_session, 0) * 9 then 1
            else 0
        end as same_6,
        case
            when exchange_key = lag(exchange_key, 7) over in_session
                and (start_unix_nano - lag(start_unix_nano, 7) over in_session) * 10
                    >= coalesce(lag(duration_ns, 7) over in_session, 0) * 9 then 1
            else 0
        end as same_7,
        case
            when exchange_key = lag(exchange_key, 8) over in_session
                and (start_unix_nano - lag(start_unix_nano, 8) over in_session) * 10
                    >= coalesce(lag(duration_ns, 8) over in_session, 0) * 9 then 1
            else 0
        end as same_8,
        -- A new answer to an old question: what went before was polling.
        case
            when request_key = lag(request_key, 1) over in_session and exchange_key <> lag(exchange_key, 1) over in_session
                and outcome = 'ok' and lag(outcome, 1) over in_session = 'ok' then 1
            else 0
        end as moved_1,
        case
            when request_key = lag(request_key, 2) over in_session and exchange_key <> lag(exchange_key, 2) over in_session
                and outcome = 'ok' and lag(outcome, 2) over in_session = 'ok' then 1
            else 0
        end as moved_2,
        case
            when request_key = lag(request_key, 3) over in_session and exchange_key <> lag(exchange_key, 3) over in_session
                and outcome = 'ok' and lag(outcome, 3) over in_session = 'ok' then 1
            else 0
        end as moved_3,
        case
            when request_key = lag(request_key, 4) over in_session and exchange_key <> lag(exchange_key, 4) over in_session
                and outcome = 'ok' and lag(outcome, 4) over in_session = 'ok' then 1
            else 0
        end as moved_4,
        case
            when request_key = lag(request_key, 5) over in_session and exchange_key <> lag(exchange_key, 5) over in_session
                and outcome = 'ok' and lag(outcome, 5) over in_session = 'ok' then 1
            else 0
        end as moved_5,
        case
            when request_key = lag(request_key, 6) over in_session and exchange_key <> lag(exchange_key, 6) over in_session
                and outcome = 'ok' and lag(outcome, 6) over in_session = 'ok' then 1
            else 0
        end as moved_6,
        case
            when request_key = lag(request_key, 7) over in_session and exchange_key <> lag(exchange_key, 7) over in_session
                and outcome = 'ok' and lag(outcome, 7) over in_session = 'ok' then 1
            else 0
        end as moved_7,
        case
            when request_key = lag(request_key, 8) over in_session and exchange_key <> lag(exchange_key, 8) over in_session
                and outcome = 'ok' and lag(outcome, 8) over in_session = 'ok' then 1
            else 0
        end as moved_8
    from signed
    where coalesce(outcome, '') not in ('input_required', 'task')
        and coalesce(same_before, '') <> 'input_required'
    window
        in_session as (partition by session_id order by start_unix_nano, sequence nulls last, span_id, trace_id),
        so_far as (
            partition by session_id order by start_unix_nano, sequence nulls last, span_id, trace_id
            rows between unbounded preceding and current row
        )
),
-- Calls that are the same as the one `period` places before them stand in one run until one is not.
runs as (
    select
        session_id, place, same_act, same_nothing, same_1, same_2, same_3, same_4, same_5, same_6, same_7,
        same_8,
        sum(1 - same_nothing) over so_far as run_nothing,
        sum(1 - same_1) over so_far as run_1,
        sum(1 - same_2) over so_far as run_2,
        sum(1 - same_3) over so_far as run_3,
        sum(1 - same_4) over so_far as run_4,
        sum(1 - same_5) over so_far as run_5,
        sum(1 - same_6) over so_far as run_6,
        sum(1 - same_7) over so_far as run_7,
        sum(1 - same_8) over so_far as run_8,
        coalesce(lead(moved_1) over in_session, 0) as moves_1,
        coalesce(lead(moved_2) over in_session, 0) as moves_2,
        coalesce(lead(moved_3) over in_session, 0) as moves_3,
        coalesce(lead(moved_4) over in_session, 0) as moves_4,
        coalesce(lead(moved_5) over in_session, 0) as moves_5,
        coalesce(lead(moved_6) over in_session, 0) as moves_6,
        coalesce(lead(moved_7) over in_session, 0) as moves_7,
        coalesce(lead(moved_8) over in_session, 0) as moves_8
    from placed
    window
        in_session as (partition by session_id order by place),
        so_far as (partition by session_id order by place rows between unbounded preceding and current row)
),
-- Rank 1 is a repeat, 2 to 8 are cycles of that period, 9 is an empty run.
kinds as (
    select 1 as rank
    union all
    select 2 as rank
    union all
    select 3 as rank
    union all
    select 4 as rank
    union all
    select 5 as rank
    union all
    select 6 as rank
    union all
    select 7 as rank
    union all
    select 8 as rank
    union all
    select 9 as rank
),
ranked as (
    select
        runs.session_id as session_id,
        runs.place as place,
        kinds.rank as rank,
        runs.same_act as same_act,
        runs.same_1 as same_1,
        case kinds.rank
            when 1 then runs.same_1
            when 2 then runs.same_2
            when 3 then runs.same_3
            when 4 then runs.same_4
            when 5 then runs.same_5
            when 6 then runs.same_6
            when 7 then runs.same_7
            when 8 then runs.same_8
            else runs.same_nothing
        end as same,
        case kinds.rank
            when 1 then runs.run_1
            when 2 then runs.run_2
            when 3 then runs.run_3
            when 4 then runs.run_4
            when 5 then runs.run_5
            when 6 then runs.run_6
            when 7 then runs.run_7
            when 8 then runs.run_8
            else runs.run_nothing
        end as run,
        case kinds.rank
            when 1 then runs.moves_1
            when 2 then runs.moves_2
            when 3 then runs.moves_3
            when 4 then runs.moves_4
            when 5 then runs.moves_5
            when 6 then runs.moves_6
            when 7 then runs.moves_7
            when 8 then runs.moves_8
            else 0
        end as moves
    from runs
    cross join kinds
),
-- place * 2 + moves: the greatest is that of the run's last call, and its last bit tells what followed.
stretches as (
    select
        session_id, rank, run,
        case when rank = 9 then 1 else rank end as period,
        count(*) as calls,
        min(place) as least_place,
        max(place) as to_place,
        max(place * 2 + moves) % 2 as polled,
        sum(1 - same_1) as changes,
        sum(1 - same_act) as act_changes
    from ranked
    where same = 1
    group by session_id, rank, run, case when rank = 9 then 1 else rank end
),
found as (
    select
        session_id, rank, period, to_place,
        case rank when 1 then 'repeat' when 9 then 'empty' else 'cycle' end as kind,
        least_place - period as from_place
    from stretches
    where polled = 0
        and case rank
            when 1 then calls + 1 >= 3
            when 9 then calls + 1 >= 8 and act_changes > 0
            else calls + rank >= rank * 3 and changes > 0
        end
),
-- One stretch of calls is one loop. An empty run gives way to a repeat or cycle that is more than half of it; then a
-- repeat or cycle gives way to a longer one around it (or to a shorter period in the same place), and to an empty run
-- that is left and is at least twice as long.
beaten_empties as (
    select weak.session_id as session_id, weak.from_place as from_place
    from found as weak
    inner join found as strong on strong.session_id = weak.session_id
    where weak.kind = 'empty'
        and strong.kind <> 'empty'
        and 2 * (
            case when strong.to_place < weak.to_place then strong.to_place else weak.to_place end
            - case when strong.from_place > weak.from_place then strong.from_place else weak.from_place end
            + 1
        ) > weak.to_place - weak.from_place + 1
    group by weak.session_id, weak.from_place
),
standing as (
    select
        found.session_id as session_id,
        found.kind as kind,
        found.rank as rank,
        found.period as period,
        found.from_place as from_place,
        found.to_place as to_place
    from found
    left join beaten_empties
        on found.kind = 'empty'
        and beaten_empties.session_id = found.session_id
        and beaten_empties.from_place = found.from_place
    where beaten_empties.session_id is null
),
beaten as (
    select
        weak.session_id as session_id,
        weak.rank as rank,
        weak.from_place as from_place
    from standing as weak
    inner join standing as strong on strong.session_id = weak.session_id
    where weak.kind <> 'empty'
        and strong.from_place <= weak.from_place
        and strong.to_place >= weak.to_place
        and (strong.rank <> weak.rank or strong.from_place <> weak.from_place)
        and case
            when strong.kind = 'empty'
                then 2 * (weak.to_place - weak.from_place + 1) <= strong.to_place - strong.from_place + 1
            else strong.to_place - strong.from_place > weak.to_place - weak.from_place or strong.rank < weak.rank
        end
    group by weak.session_id, weak.rank, weak.from_place
),
loops as (
    select
        standing.session_id as session_id,
        standing.kind as kind,
        standing.rank as rank,
        standing.period as period,
        standing.from_place as from_place,
        standing.to_place as to_place
    from standing
    left join beaten
        on beaten.session_id = standing.session_id
        and beaten.rank = standing.rank
        and beaten.from_place = standing.from_place
    where beaten.session_id is null
),
-- Polling that still waits when it is last seen: the same question got new answers twice before, each time at once,
-- and this answer has not yet stayed for longer than one of those before.
questions as (
    select
        loops.session_id as session_id,
        loops.rank as rank,
        loops.period as period,
        loops.from_place as from_place,
        loops.to_place as to_place,
        placed.request_key as request_key
    from loops
    inner join placed on placed.session_id = loops.session_id
    where loops.kind <> 'empty'
        and placed.place >= loops.from_place
        and placed.place < loops.from_place + loops.period
    group by loops.session_id, loops.rank, loops.period, loops.from_place, loops.to_place, placed.request_key
),
asked as (
    select
        questions.session_id as session_id,
        questions.rank as rank,
        questions.from_place as from_place,
        questions.request_key as request_key,
        placed.place as place,
        case
            when placed.place - lag(placed.place) over by_question <= questions.period then 0
            else 1
        end as begins,
        case
            when placed.exchange_key <> lag(placed.exchange_key) over by_question
                and placed.outcome = 'ok' and lag(placed.outcome) over by_question = 'ok' then 1
            else 0
        end as moved
    from questions
    inner join placed on placed.session_id = questions.session_id and placed.request_key = questions.request_key
    where placed.place <= questions.to_place
    window by_question as (
        partition by questions.session_id, questions.rank, questions.from_place, questions.request_key order by placed.place
    )
),
staged as (
    select
        session_id, rank, from_place, request_key,
        sum(begins) over so_far as poll,
        sum(moved) over so_far as stage
    from asked
    window so_far as (
        partition by session_id, rank, from_place, request_key order by place rows between unbounded preceding and current row
    )
),
stages as (
    select
        session_id, rank, from_place, request_key, poll, stage,
        count(*) as calls,
        count(*) over (partition by session_id, rank, from_place, request_key, poll) as answers,
        max(count(*)) over (
            partition by session_id, rank, from_place, request_key, poll order by stage
            rows between unbounded preceding and 1 preceding
        ) as longest_before,
        row_number() over (partition by session_id, rank, from_place, request_key order by poll desc, stage desc) as newest
    from staged
    group by session_id, rank, from_place, request_key, poll, stage
),
waiting as (
    select distinct session_id, rank, from_place
    from stages
    where newest = 1
        and answers >= 3
        and calls <= longest_before
),
rounds as (
    select
        loops.session_id as session_id,
        loops.kind as kind,
        loops.period as period,
        loops.from_place as from_place,
        max(case when placed.place = loops.from_place then coalesce(placed.tool, '?') end) as tool_1,
        max(case when placed.place = loops.from_place + 1 then coalesce(placed.tool, '?') end) as tool_2,
        max(case when placed.place = loops.from_place + 2 then coalesce(placed.tool, '?') end) as tool_3,
        max(case when placed.place = loops.from_place + 3 then coalesce(placed.tool, '?') end) as tool_4,
        max(case when placed.place = loops.from_place + 4 then coalesce(placed.tool, '?') end) as tool_5,
        max(case when placed.place = loops.from_place + 5 then coalesce(placed.tool, '?') end) as tool_6,
        max(case when placed.place = loops.from_place + 6 then coalesce(placed.tool, '?') end) as tool_7,
        max(case when placed.place = loops.from_place + 7 then coalesce(placed.tool, '?') end) as tool_8,
        max(case when placed.place = loops.from_place then placed.service_name end) as service_1,
        max(case when placed.place = loops.from_place + 1 then placed.service_name end) as service_2,
        max(case when placed.place = loops.from_place + 2 then placed.service_name end) as service_3,
        max(case when placed.place = loops.from_place + 3 then placed.service_name end) as service_4,
        max(case when placed.place = loops.from_place + 4 then placed.service_name end) as service_5,
        max(case when placed.place = loops.from_place + 5 then placed.service_name end) as service_6,
        max(case when placed.place = loops.from_place + 6 then placed.service_name end) as service_7,
        max(case when placed.place = loops.from_place + 7 then placed.service_name end) as service_8
    from loops
    inner join placed on placed.session_id = loops.session_id
    where placed.place >= loops.from_place
        and placed.place < loops.from_place + loops.period
    group by loops.session_id, loops.kind, loops.period, loops.from_place
),
described as (
    select
        loops.session_id as session_id,
        loops.kind as kind,
        loops.period as period,
        loops.from_place as from_place,
        loops.to_place - loops.from_place + 1 as calls,
        first_call.service_name as service_name,
        first_call.tool as tool,
        first_call.service_key as service_key,
        first_call.tool_key as tool_key,
        first_call.start_unix_nano as first_unix_nano,
        last_call.start_unix_nano as last_unix_nano,
        last_call.start_unix_nano + coalesce(last_call.duration_ns, 0) as end_unix_nano,
        last_call.fruitless_so_far - first_call.fruitless_so_far
            + case when first_call.fruitless then 1 else 0 end as fruitless,
        case
            when last_call.priced_so_far > first_call.priced_so_far or first_call.cost_microusd is not null
                then last_call.cost_so_far - first_call.cost_so_far + coalesce(first_call.cost_microusd, 0)
        end as cost_microusd,
        coalesce(';' || cast(length(rounds.tool_1) as varchar) || ':' || rounds.tool_1 || ';', '')
            || coalesce(';' || cast(length(rounds.tool_2) as varchar) || ':' || rounds.tool_2 || ';', '')
            || coalesce(';' || cast(length(rounds.tool_3) as varchar) || ':' || rounds.tool_3 || ';', '')
            || coalesce(';' || cast(length(rounds.tool_4) as varchar) || ':' || rounds.tool_4 || ';', '')
            || coalesce(';' || cast(length(rounds.tool_5) as varchar) || ':' || rounds.tool_5 || ';', '')
            || coalesce(';' || cast(length(rounds.tool_6) as varchar) || ':' || rounds.tool_6 || ';', '')
            || coalesce(';' || cast(length(rounds.tool_7) as varchar) || ':' || rounds.tool_7 || ';', '')
            || coalesce(';' || cast(length(rounds.tool_8) as varchar) || ':' || rounds.tool_8 || ';', '') as tools,
        coalesce(';' || cast(length(rounds.service_1) as varchar) || ':' || rounds.service_1 || ';', '')
            || coalesce(';' || cast(length(rounds.service_2) as varchar) || ':' || rounds.service_2 || ';', '')
            || coalesce(';' || cast(length(rounds.service_3) as varchar) || ':' || rounds.service_3 || ';', '')
            || coalesce(';' || cast(length(rounds.service_4) as varchar) || ':' || rounds.service_4 || ';', '')
            || coalesce(';' || cast(length(rounds.service_5) as varchar) || ':' || rounds.service_5 || ';', '')
            || coalesce(';' || cast(length(rounds.service_6) as varchar) || ':' || rounds.service_6 || ';', '')
            || coalesce(';' || cast(length(rounds.service_7) as varchar) || ':' || rounds.service_7 || ';', '')
            || coalesce(';' || cast(length(rounds.service_8) as varchar) || ':' || rounds.service_8 || ';', '') as services,
        rounds.tool_1
            || coalesce(' → ' || rounds.tool_2, '')
            || coalesce(' → ' || rounds.tool_3, '')
            || coalesce(' → ' || rounds.tool_4, '')
            || coalesce(' → ' || rounds.tool_5, '')
            || coalesce(' → ' || rounds.tool_6, '')
            || coalesce(' → ' || rounds.tool_7, '')
            || coalesce(' → ' || rounds.tool_8, '') as pattern
    from loops
    inner join placed as first_call
        on first_call.session_id = loops.session_id and first_call.place = loops.from_place
    inner join placed as last_call
        on last_call.session_id = loops.session_id and last_call.place = loops.to_place
    inner join rounds
        on rounds.session_id = loops.session_id
        and rounds.kind = loops.kind
        and rounds.period = loops.period
        and rounds.from_place = loops.from_place
    left join waiting
        on waiting.session_id = loops.session_id
        and waiting.rank = loops.rank
        and waiting.from_place = loops.from_place
    where waiting.session_id is null
)
select
    described.session_id as session_id,
    described.service_name as service_name,
    described.tool as tool,
    described.kind as kind,
    described.pattern as pattern,
    described.tools as tools,
    described.services as services,
    cast(described.period as bigint) as period,
    cast(described.calls as bigint) as calls,
    cast(described.fruitless as bigint) as fruitless,
    described.from_place as from_call,
    described.first_unix_nano as first_unix_nano,
    described.last_unix_nano as last_unix_nano,
    described.end_unix_nano as end_unix_nano,
    cast(described.cost_microusd as bigint) as cost_microusd,
    cast(tool_sessions.oks as bigint) as oks,
    cast(tool_sessions.empty_oks as bigint) as empty_oks
from described
inner join tool_sessions
    on tool_sessions.session_id = described.session_id
    and tool_sessions.service_key = described.service_key
    and tool_sessions.tool_key = described.tool_key
