-- question: How many answered calls has each tool in the windows that end at the newest call?
-- kind:     step
-- reads:    tool_calls
-- params:
--   since    bigint = 0                    calls before are not looked at, unix ns
--   until    bigint = 9223372036854775807  calls from here on are not there yet, unix ns
--   tool     varchar = null                this tool only
--   session  varchar = null                this session only
--   server   varchar = null                this server only
-- columns:
--   service_name      varchar  the MCP server
--   tool              varchar  gen_ai.tool.name
--   newest_unix_nano  bigint   start of the newest answered call of any tool
--   hour              bigint   calls in the last hour before it
--   hours_6           bigint   calls in the last 6 hours before it
--   day               bigint   calls in the last 24 hours before it
--   days_7            bigint   calls in the last 7 days before it
--   days_30           bigint   calls in the last 30 days before it
--   ever              bigint   calls since then
with answered as (
    select service_name, tool, start_unix_nano
    from tool_calls
    where start_unix_nano >= $since
        and start_unix_nano < $until
        and outcome in ('ok', 'tool_error', 'server_error', 'timeout')
        -- ours have none where nothing is answered; some senders never say it
        and (request_id is not null or coalesce(scope_name, '') <> 'mcpobs')
        and duration_ns is not null
        and ($tool is null or tool = $tool)
        and ($session is null or session_id = $session)
        and ($server is null or service_name = $server)
),
newest as (
    select max(start_unix_nano) as newest_unix_nano from answered
)
select
    service_name,
    tool,
    max(newest_unix_nano) as newest_unix_nano,
    cast(sum(case when newest_unix_nano - start_unix_nano < 3600000000000 then 1 else 0 end) as bigint) as hour,
    cast(sum(case when newest_unix_nano - start_unix_nano < 21600000000000 then 1 else 0 end) as bigint) as hours_6,
    cast(sum(case when newest_unix_nano - start_unix_nano < 86400000000000 then 1 else 0 end) as bigint) as day,
    cast(sum(case when newest_unix_nano - start_unix_nano < 604800000000000 then 1 else 0 end) as bigint) as days_7,
    cast(sum(case when newest_unix_nano - start_unix_nano < 2592000000000000 then 1 else 0 end) as bigint) as days_30,
    count(*) as ever
from answered cross join newest
group by service_name, tool
order by ever desc, service_name nulls last, tool nulls last
