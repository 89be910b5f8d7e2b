-- question: How many calls were made, step by step?
-- kind:     view
-- reads:    tool_calls
-- rollup:   calls
-- params:
--   since    bigint = 0                    start of the window, unix ns
--   until    bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   session  varchar = null                this session only
--   step     bigint = 600000000000         length of a step, ns
-- columns:
--   from_unix_nano  bigint   start of the step, a multiple of its length; steps without calls are left out
--   service_name    varchar  the MCP server
--   tool            varchar  gen_ai.tool.name
--   calls           bigint   tool calls that began in it; one that asks for input first is one with its retry
--   failed          bigint   calls among them that failed; unanswered ones not counted: see unanswered_calls
select
    start_unix_nano - start_unix_nano % $step as from_unix_nano,
    service_name,
    tool,
    cast(sum(case when outcome = 'input_required' then 0 else 1 end) as bigint) as calls,
    cast(sum(case when failed and not unanswered then 1 else 0 end) as bigint) as failed
from tool_calls
where start_unix_nano >= $since
    and start_unix_nano < $until
    and ($session is null or session_id = $session)
group by start_unix_nano - start_unix_nano % $step, service_name, tool
