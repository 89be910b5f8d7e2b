-- question: What was asked in the sessions that can hold a loop at all?
-- kind:     view
-- reads:    exchanges
-- params:
--   until    bigint = 9223372036854775807  operations from here on are not looked at, unix ns
--   repeats  bigint = 3                    calls that a repeat takes at least
-- columns:
--   exchanges.*

-- Most of the work is to tell loops from each other. It is done only for sessions with the same exchange often enough,
-- or with enough calls of one tool that brought nothing.
with suspects as (
    select session_id
    from exchanges
    where exchange_key is not null
    group by session_id, exchange_key
    having count(*) >= $repeats
    union
    select session_id
    from exchanges
    where brings_nothing
    group by session_id, service_name, target
    having count(*) >= 2 * $repeats
)
select exchanges.*
from exchanges
where session_id in (select session_id from suspects)
