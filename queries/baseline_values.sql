-- question: What kind of values did each session give to each tool?
-- kind:     step
-- reads:    tool_calls
-- history:  whole
-- params:
--   until   bigint = 9223372036854775807  calls from here on are not there yet, unix ns
--   server  varchar = null                this server only
-- columns:
--   session_id       varchar  the session, reconstructed
--   enforcement_key  varchar  who calls
--   tenant           varchar  tenant of the verified caller
--   tool             varchar  gen_ai.tool.name
--   args_features    varchar  what kind of values the arguments had

-- A call that the server refused as wrong (protocol_error) shows no value that the tool takes.
select
    session_id,
    enforcement_key,
    tenant,
    tool,
    args_features
from tool_calls
where start_unix_nano < $until
    and session_id is not null
    and tool is not null
    and args_features is not null
    and coalesce(outcome, '?') not in ('denied', 'protocol_error')
    and coalesce(decision, '?') <> 'deny'
    and ($server is null or service_name = $server)
group by session_id, enforcement_key, tenant, tool, args_features
order by session_id, enforcement_key nulls last, tenant nulls last, tool, args_features
