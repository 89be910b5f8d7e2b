-- question: How much was recorded in the window?
-- kind:     step
-- reads:    usage, unanswered_calls
-- params:
--   since    bigint = 0                    start of the window, unix ns
--   until    bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   tool     varchar = null                this tool only
--   session  varchar = null                this session only
--   server   varchar = null                this server only
-- columns:
--   calls            bigint  tool calls; one that asks for input first is one with its retry
--   failed           bigint  calls that failed
--   sessions         bigint  sessions that made them
--   services         bigint  MCP servers that they went to
--   tools            bigint  distinct tools, counted by name
--   first_unix_nano  bigint  start of the first call
--   last_unix_nano   bigint  start of the last call
with hung as (
    select count(*) as hung
    from unanswered_calls
    where failed
        and ($tool is null or tool = $tool)
        and ($session is null or session_id = $session)
        and ($server is null or service_name = $server)
)
select
    cast(coalesce(sum(calls), 0) as bigint) as calls,
    cast(coalesce(sum(failed), 0) + coalesce(max(hung), 0) as bigint) as failed,
    count(distinct session_id) as sessions,
    count(distinct service_name) as services,
    count(distinct tool) as tools,
    min(first_unix_nano) as first_unix_nano,
    max(last_unix_nano) as last_unix_nano
from usage
cross join hung
where ($tool is null or tool = $tool)
    and ($session is null or session_id = $session)
    and ($server is null or service_name = $server)
order by sessions
