-- question: Which tools left calls unanswered, and for how long at least?
-- kind:     step
-- reads:    unanswered_calls
-- params:
--   since    bigint = 0                    start of the window, unix ns
--   until    bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   tool     varchar = null                this tool only
--   session  varchar = null                this session only
--   server   varchar = null                this server only
-- columns:
--   service_name  varchar  the MCP server
--   tool          varchar  gen_ai.tool.name
--   failed        boolean  whether they waited longer than the tool takes
--   pending       boolean  whether no end of them was recorded: they still wait, or their recorder was killed
--   calls         bigint   such calls
--   shortest_ms   double   shortest wait
--   longest_ms    double   longest wait, at least
select
    service_name,
    tool,
    failed,
    pending,
    count(*) as calls,
    min(waited_ns) / 1000000.0 as shortest_ms,
    max(waited_ns) / 1000000.0 as longest_ms
from unanswered_calls
where ($tool is null or tool = $tool)
    and ($session is null or session_id = $session)
    and ($server is null or service_name = $server)
group by service_name, tool, failed, pending
order by calls desc, longest_ms desc, service_name nulls last, tool nulls last, failed, pending
