-- question: How many calls did each caller make in its busiest hour of each day?
-- kind:     step
-- reads:    tool_calls
-- params:
--   since   bigint = 0                    start of the window, unix ns
--   until   bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   server  varchar = null                this server only
-- columns:
--   enforcement_key  varchar  who calls; a limit per hour counts on it, over all of its sessions
--   tenant           varchar  tenant of the verified caller; counted on too
--   day              bigint   day of the last call of that hour, days since 1970 in UTC
--   tool             varchar  gen_ai.tool.name; null for all tools together
--   role             varchar  role of the verified caller; the first by name
--   calls            bigint   most calls in any hour that ended on that day
--   wanted           bigint   the same with the calls that a policy denied

-- The hour of a call is the 3,600 s up to it, so that an hour is counted here as it is at call time.
with judged as (
    select
        enforcement_key,
        tenant,
        tool,
        role,
        start_unix_nano,
        case when coalesce(outcome, '?') = 'denied' or coalesce(decision, '?') = 'deny' then 0 else 1 end as is_used
    from tool_calls
    where start_unix_nano >= $since
        and start_unix_nano < $until
        and session_id is not null
        and enforcement_key is not null
        and ($server is null or service_name = $server)
),
counted as (
    select
        enforcement_key,
        tenant,
        tool,
        role,
        start_unix_nano // 86400000000000 as day,
        sum(is_used) over (
            partition by enforcement_key, tenant order by start_unix_nano
            range between 3599999999999 preceding and current row
        ) as key_calls,
        count(*) over (
            partition by enforcement_key, tenant order by start_unix_nano
            range between 3599999999999 preceding and current row
        ) as key_wanted,
        sum(is_used) over (
            partition by enforcement_key, tenant, tool order by start_unix_nano
            range between 3599999999999 preceding and current row
        ) as tool_calls_in_hour,
        count(*) over (
            partition by enforcement_key, tenant, tool order by start_unix_nano
            range between 3599999999999 preceding and current row
        ) as tool_wanted
    from judged
),
each as (
    select enforcement_key, tenant, day, null as tool, role, key_calls as calls, key_wanted as wanted
    from counted
    union all
    select enforcement_key, tenant, day, tool, role, tool_calls_in_hour as calls, tool_wanted as wanted
    from counted
    where tool is not null
)
select
    enforcement_key,
    tenant,
    cast(day as bigint) as day,
    tool,
    min(role) as role,
    cast(max(calls) as bigint) as calls,
    cast(max(wanted) as bigint) as wanted
from each
group by enforcement_key, tenant, day, tool
order by enforcement_key, tenant nulls last, day, tool nulls first
