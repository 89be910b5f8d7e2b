-- question: Which argument shapes does each tool get, and how many sessions use each?
-- kind:     step
-- reads:    tool_calls
-- params:
--   since   bigint = 0                    start of the window, unix ns
--   until   bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   server  varchar = null                this server only
-- columns:
--   tool             varchar  gen_ai.tool.name
--   args_shape       varchar  keys and types of the arguments
--   calls            bigint   calls with that shape
--   sessions         bigint   sessions with such a call
--   session_id       varchar  one of them; the first by name
--   enforcement_key  varchar  who calls in it, where it is the only one
--   tenant           varchar  tenant of that caller
--   last_unix_nano   bigint   start of the last such call

-- A call that the server refused as wrong (protocol_error) shows no shape that the tool takes.
with each as (
    select
        tool, args_shape, session_id, enforcement_key, tenant, count(*) as calls,
        max(start_unix_nano) as last_unix_nano
    from tool_calls
    where start_unix_nano >= $since
        and start_unix_nano < $until
        and session_id is not null
        and tool is not null
        and args_shape is not null
        and coalesce(outcome, '?') not in ('denied', 'protocol_error')
        and coalesce(decision, '?') <> 'deny'
        and ($server is null or service_name = $server)
    group by tool, args_shape, session_id, enforcement_key, tenant
)
select
    tool,
    args_shape,
    cast(sum(calls) as bigint) as calls,
    count(*) as sessions,
    min(session_id) as session_id,
    min(enforcement_key) as enforcement_key,
    min(tenant) as tenant,
    max(last_unix_nano) as last_unix_nano
from each
group by tool, args_shape
order by tool, calls desc, args_shape
