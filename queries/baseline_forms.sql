-- question: Which forms do the answers of each tool have, and how many sessions saw each?
-- kind:     step
-- reads:    tool_calls
-- params:
--   since   bigint = 0                    start of the window, unix ns
--   until   bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   server  varchar = null                this server only
-- columns:
--   tool             varchar  gen_ai.tool.name
--   result_form      varchar  types of the answer
--   calls            bigint   calls with such an answer
--   sessions         bigint   sessions with such a call
--   session_id       varchar  one of them; the first by name
--   enforcement_key  varchar  the caller in it, if there is only one
--   tenant           varchar  tenant of that caller
--   last_unix_nano   bigint   start of the last such call
with each as (
    select
        tool, result_form, session_id, enforcement_key, tenant, count(*) as calls,
        max(start_unix_nano) as last_unix_nano
    from tool_calls
    where start_unix_nano >= $since
        and start_unix_nano < $until
        and session_id is not null
        and tool is not null
        and result_form is not null
        and outcome = 'ok'
        and ($server is null or service_name = $server)
    group by tool, result_form, session_id, enforcement_key, tenant
)
select
    tool,
    result_form,
    cast(sum(calls) as bigint) as calls,
    count(*) as sessions,
    min(session_id) as session_id,
    min(enforcement_key) as enforcement_key,
    min(tenant) as tenant,
    max(last_unix_nano) as last_unix_nano
from each
group by tool, result_form
order by tool, calls desc, result_form
