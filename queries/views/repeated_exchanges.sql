-- question: Which exchanges say nothing new, because the same question got the same answer shortly before?
-- kind:     view
-- reads:    placed_exchanges
-- params:
--   until    bigint = 9223372036854775807  operations from here on are not looked at, unix ns
--   repeats  bigint = 3                    calls that a repeat takes at least
--   pause_s  bigint = 45                   who asks no sooner again is watching, and no loop; after a failure 6 times as long
-- columns:
--   placed_exchanges.*
--   same_place  bigint   place of the exchange before it that is the same; 0 if there is none
--   again       boolean  whether it says nothing new: at most 8 places after the same exchange, which had ended
--   fails_on    boolean  whether the same question failed before it as well, shortly before
--   least       bigint   calls with such a question that make a loop
--   next_place  bigint   place of the next call with the same question; 0 if there is none
--   next_news   boolean  whether that succeeded and has another answer
--   works_later boolean  whether the same question succeeds later in the session
--   stays       bigint   how many times in a row the question has got this answer
--   changes     bigint   how often its answer had changed before
--   stayed      bigint   how many times in a row it got one of those before, at most

-- A call cannot know the answers of calls that are still in flight: `busy_until` is when the last of all earlier calls
-- with the same question had ended, less a tenth of its duration. Between two of its calls an agent thinks, so the
-- pause that it may take grows with the calls between.
with asked as (
    select
        placed_exchanges.*,
        coalesce(lag(place) over same_exchange, 0) as same_place,
        lag(end_unix_nano) over same_exchange as same_end,
        lag(args_digest) over same_exchange as same_args,
        lag(result_digest) over same_exchange as same_result,
        max(start_unix_nano + (end_unix_nano - start_unix_nano) // 10 * 9) over earlier as busy_until,
        lag(end_unix_nano) over same_question as asked_end,
        coalesce(fruitless and lag(fruitless) over same_question, false) as failed_before,
        coalesce(lead(place) over same_question, 0) as next_place,
        coalesce(
            lead(ok) over same_question
            and (fruitless or (ok and lead(exchange_key) over same_question <> exchange_key)),
            false
        ) as next_news,
        coalesce(max(case when ok then 1 else 0 end) over later, 0) = 1 as works_later,
        coalesce(
            ok and lag(ok) over same_question and exchange_key <> lag(exchange_key) over same_question, false
        ) as changed
    from placed_exchanges
    window
        same_exchange as (partition by session_id, lane, exchange_key order by place),
        same_question as (partition by session_id, lane, question_key order by place),
        earlier as (
            partition by session_id, lane, question_key order by place
            rows between unbounded preceding and 1 preceding
        ),
        later as (
            partition by session_id, lane, question_key order by place
            rows between 1 following and unbounded following
        )
),
staged as (
    select
        placed_exchanges.*,
        same_place, same_args, same_result, next_place, next_news, works_later,
        coalesce(
            exchange_key is not null
            and same_place > 0
            and place - same_place <= 8
            and start_unix_nano >= busy_until
            and start_unix_nano - same_end
                <= (place - same_place) * cast($pause_s as bigint) * 1000000000 * case when fruitless then 6 else 1 end,
            false
        ) as again,
        coalesce(
            question_key is not null
            and failed_before
            and start_unix_nano >= busy_until
            and start_unix_nano - asked_end <= cast($pause_s as bigint) * 6000000000,
            false
        ) as fails_on,
        sum(case when changed then 1 else 0 end) over (
            partition by session_id, lane, question_key order by place
            rows between unbounded preceding and current row
        ) as changes
    from asked
),
counted as (
    select
        placed_exchanges.*,
        same_place, same_args, same_result, next_place, next_news, works_later, again, fails_on, changes,
        row_number() over (partition by session_id, lane, question_key, changes order by place) as stays
    from staged
)
select
    placed_exchanges.*,
    same_place,
    again,
    fails_on,
    cast(
        case
            when ok and manner = 'steps' then 6 * $repeats
            when lane <> 'calls' or same_args <> args_digest or (ok and same_result <> result_digest) then $repeats + 2
            else $repeats
        end
        as bigint
    ) as least,
    next_place,
    next_news,
    works_later,
    stays,
    cast(changes as bigint) as changes,
    coalesce(max(stays) over (
        partition by session_id, lane, question_key order by changes
        range between unbounded preceding and 1 preceding
    ), 0) as stayed
from counted
