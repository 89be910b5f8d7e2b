-- question: How often did each session use each tool, how large were its arguments and results, and what did it cost?
-- kind:     step
-- reads:    tool_calls
-- history:  whole
-- params:
--   since   bigint = 0                    sessions that made a call since then, unix ns, with all of their calls
--   until   bigint = 9223372036854775807  calls from here on are not there yet, unix ns
--   server  varchar = null                this server only
-- columns:
--   session_id       varchar  the session, reconstructed
--   enforcement_key  varchar  who calls; with session_id what a limit per session counts on
--   service_name     varchar  the MCP server
--   tool             varchar  gen_ai.tool.name
--   calls            bigint   calls that reached the server
--   taken            bigint   calls among them that the server took: not protocol_error
--   unpriced         bigint   calls among them that the tool ran for, without a recorded cost
--   cost_microusd    bigint   recorded cost of the others
--   args_bytes       bigint   largest arguments
--   result_bytes     bigint   largest result
--   first_unix_nano  bigint   start of the first call
--   last_unix_nano   bigint   start of the last call

-- A session is the pair (enforcement_key, session_id): two callers may choose the same id. A session that reaches
-- into the window counts whole, for half a session would make a ceiling too low. A denied call used nothing.
with used as (
    select
        session_id,
        enforcement_key,
        service_name,
        tool,
        count(*) as calls,
        sum(case when outcome = 'protocol_error' then 0 else 1 end) as taken,
        sum(case when cost_microusd is null and coalesce(outcome, '?') not in ('protocol_error', 'input_required') then 1 else 0 end)
            as unpriced,
        sum(cost_microusd) as cost_microusd,
        max(args_bytes) as args_bytes,
        max(result_bytes) as result_bytes,
        min(start_unix_nano) as first_unix_nano,
        max(start_unix_nano) as last_unix_nano
    from tool_calls
    where session_id is not null
        and start_unix_nano < $until
        and coalesce(outcome, '?') <> 'denied'
        and ($server is null or service_name = $server)
    group by session_id, enforcement_key, service_name, tool
),
placed as (
    select
        session_id, enforcement_key, service_name, tool, calls, taken, unpriced, cost_microusd, args_bytes, result_bytes,
        first_unix_nano, last_unix_nano,
        max(last_unix_nano) over (partition by session_id, enforcement_key) as session_last_unix_nano
    from used
)
select
    session_id,
    enforcement_key,
    service_name,
    tool,
    calls,
    cast(taken as bigint) as taken,
    cast(unpriced as bigint) as unpriced,
    cast(cost_microusd as bigint) as cost_microusd,
    args_bytes,
    result_bytes,
    first_unix_nano,
    last_unix_nano
from placed
where session_last_unix_nano >= $since
order by session_id, enforcement_key nulls last, service_name nulls last, tool nulls last
