-- question: How often did each session use each tool, how large were its arguments and results, and what did it cost?
-- kind:     step
-- reads:    tool_calls
-- history:  whole
-- params:
--   since   bigint = 0                    sessions that made a call since then, unix ns, with all of their calls
--   until   bigint = 9223372036854775807  calls from here on are not there yet, unix ns
--   server  varchar = null                this server only
-- columns:
--   session_id         varchar  the session, reconstructed
--   enforcement_key    varchar  who calls; with session_id what a limit per session counts on
--   tenant             varchar  tenant of the verified caller; counted on too
--   service_name       varchar  the MCP server
--   tool               varchar  gen_ai.tool.name
--   role               varchar  role of the verified caller; the first by name
--   calls              bigint   calls that reached the server
--   taken              bigint   calls among them that the server took: not protocol_error
--   failed             bigint   calls among them that failed
--   unpriced           bigint   calls among them that the tool ran for, without a recorded cost
--   cost_microusd      bigint   recorded cost of the others
--   args_bytes         bigint   largest arguments
--   result_bytes       bigint   largest result
--   denied             bigint   further calls, which a policy denied
--   denied_args_bytes  bigint   largest arguments of those
--   denied_by          varchar  rule that denied them; the first by name
--   first_unix_nano    bigint   start of the first call, denied ones too
--   last_unix_nano     bigint   start of the last call, denied ones too
--   end_unix_nano      bigint   end of the last call that reached the server

-- A session is (enforcement_key, session_id, tenant): two callers may choose the same id. A session that reaches into
-- the window counts whole, because half a session would make a ceiling too low. A denied call used nothing.
with judged as (
    select
        session_id, enforcement_key, tenant, service_name, tool, role, outcome, failed, cost_microusd, args_bytes,
        result_bytes, rule, start_unix_nano,
        start_unix_nano + coalesce(duration_ns, 0) as end_unix_nano,
        case when coalesce(outcome, '?') = 'denied' or coalesce(decision, '?') = 'deny' then 1 else 0 end as is_denied
    from tool_calls
    where session_id is not null
        and start_unix_nano < $until
        and ($server is null or service_name = $server)
),
used as (
    select
        session_id,
        enforcement_key,
        tenant,
        service_name,
        tool,
        min(role) as role,
        sum(1 - is_denied) as calls,
        sum(case when is_denied = 1 or outcome = 'protocol_error' then 0 else 1 end) as taken,
        sum(case when is_denied = 0 and failed then 1 else 0 end) as failed,
        sum(
            case
                when is_denied = 0 and cost_microusd is null
                    and coalesce(outcome, '?') not in ('protocol_error', 'input_required')
                    then 1
                else 0
            end
        ) as unpriced,
        sum(case when is_denied = 0 then cost_microusd end) as cost_microusd,
        max(case when is_denied = 0 then args_bytes end) as args_bytes,
        max(case when is_denied = 0 then result_bytes end) as result_bytes,
        sum(is_denied) as denied,
        max(case when is_denied = 1 then args_bytes end) as denied_args_bytes,
        min(case when is_denied = 1 then rule end) as denied_by,
        min(start_unix_nano) as first_unix_nano,
        max(start_unix_nano) as last_unix_nano,
        max(case when is_denied = 0 then end_unix_nano end) as end_unix_nano
    from judged
    group by session_id, enforcement_key, tenant, service_name, tool
),
placed as (
    select
        session_id, enforcement_key, tenant, service_name, tool, role, calls, taken, failed, unpriced, cost_microusd,
        args_bytes, result_bytes, denied, denied_args_bytes, denied_by, first_unix_nano, last_unix_nano, end_unix_nano,
        max(last_unix_nano) over (partition by session_id, enforcement_key, tenant) as session_last_unix_nano
    from used
)
select
    session_id,
    enforcement_key,
    tenant,
    service_name,
    tool,
    role,
    cast(calls as bigint) as calls,
    cast(taken as bigint) as taken,
    cast(failed as bigint) as failed,
    cast(unpriced as bigint) as unpriced,
    cast(cost_microusd as bigint) as cost_microusd,
    args_bytes,
    result_bytes,
    cast(denied as bigint) as denied,
    denied_args_bytes,
    denied_by,
    first_unix_nano,
    last_unix_nano,
    end_unix_nano
from placed
where session_last_unix_nano >= $since
order by session_id, enforcement_key nulls last, tenant nulls last, service_name nulls last, tool nulls last
