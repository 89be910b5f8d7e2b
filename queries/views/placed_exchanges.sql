-- question: Where does each exchange stand in its session?
-- kind:     view
-- reads:    suspect_exchanges
-- params:
--   until    bigint = 9223372036854775807  operations from here on are not looked at, unix ns
--   repeats  bigint = 3                    calls that a repeat takes at least
-- columns:
--   suspect_exchanges.*
--   oks             bigint   exchanges of the same tool that succeeded, in the whole session
--   empty_oks       bigint   those among them that found nothing
--   place           bigint   its place in its lane of the session, from 1
--   goes_on         boolean  whether the call before it was of the same tool, brought nothing too, and had ended
--   other_question  boolean  whether the call before it had another question, or one of the two is not known

-- Left out are calls that ask for input or become a task, and the retries after input was asked for. A call is after
-- another if it began after nine tenths of that: starts and durations are by two clocks.
with entitled as (
    select
        suspect_exchanges.*,
        coalesce(lag(outcome) over (
            partition by session_id, lane, service_name, target, args_digest
            order by start_unix_nano, sequence nulls last, span_id, trace_id
        ), '') as same_before,
        sum(case when ok then 1 else 0 end) over of_tool as oks,
        sum(case when empty then 1 else 0 end) over of_tool as empty_oks
    from suspect_exchanges
    window of_tool as (partition by session_id, lane, place_key)
)
select
    suspect_exchanges.*,
    cast(oks as bigint) as oks,
    cast(empty_oks as bigint) as empty_oks,
    row_number() over in_lane as place,
    coalesce(
        brings_nothing and lag(brings_nothing) over in_lane
        and place_key = lag(place_key) over in_lane
        and (start_unix_nano - lag(start_unix_nano) over in_lane) * 10
            >= (lag(end_unix_nano) over in_lane - lag(start_unix_nano) over in_lane) * 9,
        false
    ) as goes_on,
    coalesce(question_key <> lag(question_key) over in_lane, true) as other_question
from entitled
where coalesce(outcome, '') not in ('input_required', 'task')
    and same_before <> 'input_required'
window in_lane as (
    partition by session_id, lane order by start_unix_nano, sequence nulls last, span_id, trace_id
)
