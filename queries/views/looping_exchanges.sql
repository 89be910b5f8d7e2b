-- question: Which exchanges belong to a loop, and to which?
-- kind:     view
-- reads:    repeated_exchanges
-- params:
--   until    bigint = 9223372036854775807  operations from here on are not looked at, unix ns
--   repeats  bigint = 3                    calls that a repeat takes at least
--   pause_s  bigint = 45                   who asks no sooner again is watching, and no loop; after a failure 6 times as long
-- columns:
--   repeated_exchanges.*
--   kind         varchar  repeat, cycle, retry or empty; null if it belongs to no loop
--   loop_key     varchar  tells the loops of one kind in one lane of a session from each other
--   period       bigint   calls of one round
--   nth          bigint   its place among the calls of the loop, from 1
--   last_place   bigint   the last place of the lane
--   solved       boolean  whether the question got a new answer after the loop: a retry or a wait that worked

-- A run is a call with news and those without that follow it. A beat is a part of it in which each call says again what
-- was said equally many places before. A stretch is one of calls of one tool that bring nothing. A streak is one of
-- calls with one question that fail, whatever is called in between.
with spaced as (
    select
        repeated_exchanges.*,
        case when again then place - same_place else 0 end as distance
    from repeated_exchanges
),
grouped as (
    select
        repeated_exchanges.*, distance,
        sum(case when again then 0 else 1 end) over so_far as run,
        sum(case when again and distance = before_distance then 0 else 1 end) over so_far as beat,
        sum(case when goes_on then 0 else 1 end) over so_far as stretch,
        sum(case when fails_on then 0 else 1 end) over (
            partition by session_id, lane, question_key order by place
            rows between unbounded preceding and current row
        ) as streak,
        count(*) over (partition by session_id, lane) as last_place
    from (
        select
            repeated_exchanges.*, distance,
            lag(distance) over (partition by session_id, lane order by place) as before_distance
        from spaced
    ) as followed
    window so_far as (
        partition by session_id, lane order by place rows between unbounded preceding and current row
    )
),
begun as (
    select
        repeated_exchanges.*, distance, run, beat, stretch, streak, last_place,
        min(case when again then place end) over in_run as run_begin,
        max(case when again then place end) over in_run as run_end,
        min(case when again then same_place end) over in_run as run_same,
        min(case when again then least end) over in_run as run_least,
        min(place) over in_beat as beat_begin,
        max(place) over in_beat as beat_end,
        min(least) over in_beat as beat_least
    from grouped
    window
        in_run as (partition by session_id, lane, run),
        in_beat as (partition by session_id, lane, beat)
),
-- For each exchange of a run the same exchange before it lies once before the run, which counts the period. Are those
-- next to the run, they are its first round.
measured as (
    select
        repeated_exchanges.*, distance, run, beat, stretch, streak, last_place, run_begin, run_end, run_same, run_least,
        beat_begin, beat_end, beat_least,
        sum(case when again and same_place < run_begin then 1 else 0 end) over (partition by session_id, lane, run)
            as run_period
    from begun
),
-- A run that is long enough is a loop as a whole, else each of its beats that is.
chosen as (
    select
        repeated_exchanges.*, distance, stretch, streak, last_place, run, beat, run_period, run_end, beat_begin, beat_end,
        case when run_begin - run_same = run_period then run_same else run_begin end as run_from,
        coalesce(
            again and run_end - case when run_begin - run_same = run_period then run_same else run_begin end + 1
                >= run_least * run_period,
            false
        ) as by_run,
        again and beat_end - beat_begin + 1 + distance >= beat_least * distance as by_beat
    from measured
),
described as (
    select
        repeated_exchanges.*, stretch, streak, last_place, by_run or by_beat as long,
        case when by_run then run else beat end as part,
        case when by_run then 'run' else 'beat' end as part_kind,
        case when by_run then run_period else distance end as part_period,
        case when by_run then run_from else beat_begin - distance end as part_from,
        case when by_run then run_end else beat_end end as part_end
    from chosen
),
-- A loop waits if its question got new answers twice, and one of those before stayed as long as this. It is solved if
-- its question gets a new answer after it.
weighed as (
    select
        repeated_exchanges.*, stretch, streak, last_place, long, part, part_kind, part_period, part_from,
        part_end - part_from + 1 as part_calls,
        max(
            case
                when long and (next_place = 0 or next_place > part_end) and changes >= 2 and stays <= stayed then 1
                else 0
            end
        ) over in_part as waits,
        max(
            case
                when long and fruitless and works_later then 1
                when long and next_place > part_end and next_place <= part_end + 8 and next_news then 1
                else 0
            end
        ) over in_part as part_solved
    from described
    window in_part as (partition by session_id, lane, part_kind, part)
),
-- Calls of the first round belong to the loop of the next call that is the same.
headed as (
    select
        repeated_exchanges.*, stretch, streak, last_place, part, part_kind, part_calls, part_period, part_solved,
        long and waits = 0 as repeating,
        coalesce(
            exchange_key is not null
            and lead(long and waits = 0) over same_exchange
            and place >= lead(part_from) over same_exchange,
            false
        ) as heading,
        lead(part) over same_exchange as next_part,
        lead(part_kind) over same_exchange as next_kind,
        lead(part_calls) over same_exchange as next_calls,
        lead(part_period) over same_exchange as next_period,
        lead(part_solved) over same_exchange as next_solved
    from weighed
    window same_exchange as (partition by session_id, lane, exchange_key order by place)
),
-- The run or beat that a call belongs to; null if to none.
assigned as (
    select
        repeated_exchanges.*, stretch, streak, last_place,
        case
            when repeating then part_kind || cast(part as varchar)
            when heading then next_kind || cast(next_part as varchar)
        end as of_run,
        case when repeating then part_calls when heading then next_calls else 0 end as of_calls,
        case when repeating then part_period when heading then next_period else 1 end as of_period,
        case when repeating then part_solved when heading then next_solved else 0 end as of_solved
    from headed
),
-- A stretch in which questions change is an empty run, unless a single loop is more than half of it. Of a tool whose
-- name does not say that it looks for something, only failures count.
stretched as (
    select
        repeated_exchanges.*, stretch, streak, last_place, of_run, of_period, of_solved,
        sum(case when fruitless or manner = 'looks' then 1 else 0 end) over in_stretch >= $repeats + 5
            and max(case when goes_on and other_question then 1 else 0 end) over in_stretch = 1
            and count(*) over in_stretch >= 2 * max(of_calls) over in_stretch as of_stretch
    from assigned
    window in_stretch as (partition by session_id, lane, stretch)
),
streaked as (
    select
        repeated_exchanges.*, stretch, streak, last_place, of_run, of_period, of_solved, of_stretch,
        sum(
            case when fruitless and question_key is not null and of_run is null and not of_stretch then 1 else 0 end
        ) over in_streak >= 2 * $repeats as of_streak,
        max(case when fruitless and works_later then 1 else 0 end) over in_streak as streak_solved
    from stretched
    window in_streak as (partition by session_id, lane, question_key, streak)
),
named as (
    select
        repeated_exchanges.*, last_place,
        case
            when of_stretch then 'empty'
            when of_run is not null and of_period = 1 then 'repeat'
            when of_run is not null then 'cycle'
            when of_streak and fruitless then 'retry'
        end as kind,
        case
            when of_stretch then cast(stretch as varchar)
            when of_run is not null then of_run
            when of_streak and fruitless then cast(streak as varchar) || '/' || question_key
        end as loop_key,
        case when of_stretch then 1 else of_period end as period,
        case when of_stretch then 0 when of_run is not null then of_solved else streak_solved end as was_solved
    from streaked
)
select
    repeated_exchanges.*,
    kind,
    loop_key,
    cast(period as bigint) as period,
    row_number() over (partition by session_id, lane, kind, loop_key order by place) as nth,
    last_place,
    was_solved = 1 as solved
from named
where kind is not null
