-- question: How often did each tool answer, and in how many sessions?
-- kind:     view
-- reads:    tool_calls
-- rollup:   sessions
-- params:
--   until  bigint = 9223372036854775807  end of the window, unix ns, itself outside
-- columns:
--   service_name       varchar  the MCP server
--   tool               varchar  gen_ai.tool.name
--   oks                bigint   calls that succeeded
--   empty_oks          bigint   calls among them that answered with nothing
--   answered_sessions  bigint   sessions in which one succeeded
with each as (
    select
        session_id, service_name, tool,
        sum(case when outcome = 'ok' then 1 else 0 end) as oks,
        sum(case when outcome = 'ok' and coalesce(result_empty, false) then 1 else 0 end) as empty_oks
    from tool_calls
    where session_id is not null
        and start_unix_nano < $until
    group by session_id, service_name, tool
)
select
    service_name,
    tool,
    cast(sum(oks) as bigint) as oks,
    cast(sum(empty_oks) as bigint) as empty_oks,
    cast(sum(case when oks > 0 then 1 else 0 end) as bigint) as answered_sessions
from each
group by service_name, tool
