-- question: Where is the same call made in session after session, with the same answer?
-- kind:     view
-- reads:    single_exchanges
-- history:  whole
-- params:
--   until    bigint = 9223372036854775807  calls from here on are not looked at, unix ns
--   repeats  bigint = 3                    calls that a repeat takes at least; a chain takes 2 sessions more
--   pause_s  bigint = 45                   who asks no sooner again is watching, and no loop; after a failure 6 times as long
-- columns:
--   session_id       varchar  the first session
--   service_name     varchar  the MCP server
--   tool             varchar  the tool
--   sessions         bigint   sessions of the chain
--   calls            bigint   calls of the exchange in them
--   fruitless        bigint   calls among them that failed
--   first_unix_nano  bigint   start of the first call
--   last_unix_nano   bigint   start of the last call
--   end_unix_nano    bigint   when the last of them had ended
--   cost_microusd    bigint   what they cost; null if no price is known

-- Sessions that overlap are no chain: the one cannot know the answer of the other. A chain whose question then gets a
-- new answer was a wait that worked.
with followed as (
    select
        session_id, service_name, client_name, tool, question_key, exchange_key, answered, calls, first_unix_nano,
        last_unix_nano, end_unix_nano, cost_microusd,
        coalesce(
            exchange_key = lag(exchange_key) over asked
            and first_unix_nano >= lag(end_unix_nano) over asked
            and first_unix_nano - lag(end_unix_nano) over asked
                <= cast($pause_s as bigint) * 1000000000 * case when answered then 1 else 6 end,
            false
        ) as again,
        coalesce(
            exchange_key <> lead(exchange_key) over asked
            and lead(answered) over asked
            and lead(first_unix_nano) over asked - end_unix_nano <= cast($pause_s as bigint) * 6000000000,
            false
        ) as solved
    from single_exchanges
    window asked as (partition by service_name, client_name, question_key order by first_unix_nano, session_id, exchange_key)
),
chained as (
    select
        session_id, service_name, client_name, tool, question_key, answered, calls, first_unix_nano, last_unix_nano,
        end_unix_nano, cost_microusd, solved,
        sum(case when again then 0 else 1 end) over (
            partition by service_name, client_name, question_key order by first_unix_nano, session_id, exchange_key
            rows between unbounded preceding and current row
        ) as chain,
        exchange_key
    from followed
),
numbered as (
    select
        session_id, service_name, client_name, tool, question_key, answered, calls, first_unix_nano, last_unix_nano,
        end_unix_nano, cost_microusd, solved, chain,
        row_number() over (
            partition by service_name, client_name, question_key, chain
            order by first_unix_nano, session_id, exchange_key
        ) as nth
    from chained
)
select
    max(case when nth = 1 then session_id end) as session_id,
    service_name,
    min(tool) as tool,
    cast(count(distinct session_id) as bigint) as sessions,
    cast(sum(calls) as bigint) as calls,
    cast(sum(case when answered then 0 else calls end) as bigint) as fruitless,
    min(first_unix_nano) as first_unix_nano,
    max(last_unix_nano) as last_unix_nano,
    max(end_unix_nano) as end_unix_nano,
    cast(sum(cost_microusd) as bigint) as cost_microusd
from numbered
group by service_name, client_name, question_key, chain
having count(distinct session_id) >= $repeats + 2
    and max(case when solved then 1 else 0 end) = 0
