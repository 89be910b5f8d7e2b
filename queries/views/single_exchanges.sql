-- question: Which short sessions are mostly one exchange, as those of sub-agents that all do the same?
-- kind:     view
-- reads:    exchanges
-- history:  whole
-- rollup:   rows
-- params:
--   until  bigint = 9223372036854775807  calls from here on are not looked at, unix ns
-- columns:
--   session_id       varchar  the session, reconstructed
--   service_name     varchar  the MCP server
--   client_name      varchar  clientInfo.name
--   tool             varchar  the tool
--   question_key     varchar  the same for equal questions
--   exchange_key     varchar  the same for equal questions with equal answers
--   answered         boolean  whether the calls succeeded
--   calls            bigint   calls of this exchange
--   first_unix_nano  bigint   start of the first of them
--   last_unix_nano   bigint   start of the last
--   end_unix_nano    bigint   when the last had ended
--   cost_microusd    bigint   what they cost; null if no price is known

-- Short: at most 6 tool calls, of which at least half are the exchange.
with short as (
    select session_id, count(*) as all_calls
    from exchanges
    where lane = 'calls'
    group by session_id
    having count(*) <= 6
)
select
    exchanges.session_id as session_id,
    min(exchanges.service_name) as service_name,
    min(exchanges.client_name) as client_name,
    min(exchanges.tool) as tool,
    min(exchanges.question_key) as question_key,
    exchanges.exchange_key as exchange_key,
    min(case when exchanges.ok then 1 else 0 end) = 1 as answered,
    cast(count(*) as bigint) as calls,
    min(exchanges.start_unix_nano) as first_unix_nano,
    max(exchanges.start_unix_nano) as last_unix_nano,
    max(exchanges.end_unix_nano) as end_unix_nano,
    cast(sum(exchanges.cost_microusd) as bigint) as cost_microusd
from exchanges
inner join short on short.session_id = exchanges.session_id
where exchanges.lane = 'calls'
    and exchanges.exchange_key is not null
group by exchanges.session_id, exchanges.exchange_key
having count(*) * 2 >= max(short.all_calls)
